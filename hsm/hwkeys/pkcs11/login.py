# SPDX-License-Identifier: Apache-2.0
"""A hold on one token for as long as a key on it is open: attach, ask, log in, let go.

The order is always: look on the worker, ask the person on the caller's thread, log in on the worker; so nobody's
thinking time blocks a token.
"""

from contextlib import AbstractContextManager

from hwkeys.devices import DeviceInfo
from hwkeys.errors import PinError, PinNeeded, PinWrong
from hwkeys.evidence.piv import UsePolicy
from hwkeys.pkcs11 import session, tokens
from hwkeys.pkcs11.binding import TokenRecord
from hwkeys.pkcs11.modules import Module
from hwkeys.pkcs11.session import TokenSession
from hwkeys.prompt import PinRequest, Prompter, ask_pin
from hwkeys.touch import touch_notice


class Login:
    """A hold on one token, shared logins included.

    Args:
        module: The token's module.
        record: The token.
        prompter: Whom to ask; None means nobody.
        purpose: What the PIN is for, as the person is told.
    """

    def __init__(self, module: Module, record: TokenRecord, prompter: Prompter | None, purpose: str) -> None:
        self.module = module
        self.record = record
        self._prompter = prompter
        self._purpose = purpose
        self._session: TokenSession | None = None
        # A token that was found a moment ago is not looked for again at once.
        self._just_found = True

    @property
    def current(self) -> TokenSession | None:
        """The token's session, if it has been attached to."""
        return self._session

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""
        return self._prompter is not None

    def attach(self, module: Module) -> TokenSession:
        """The token's session, opened again if it was dropped. Runs on the worker."""
        if self._session is None or self._session.dead:
            self._session = None
            if not self._just_found:
                self.record = tokens.again(module, self.record)
            self._just_found = False
            self._session = module.sessions.attach(self.record)
        return self._session

    def ensure(self) -> None:
        """Log in, unless that is done or not wanted.

        Raises:
            PinError: No PIN, a wrong one, or a locked token.
            DeviceMissing: The token is gone.
        """
        request = self.module.call(self._question, self._purpose)
        if request is None:
            return
        pin = self._ask(request)
        self.module.call(self._answer, pin, last_try_allowed=request.final_try)

    def ask_for_one_use(self) -> str:
        """The PIN for a key whose token wants it each time; the flags were read just before.

        Raises:
            PinError: No PIN, or a locked token.
            DeviceMissing: The token is gone.
        """
        purpose = f"one use of {self._purpose}, which asks each time"
        pin = self._ask(self.module.call(self._request, purpose))
        if pin is None:
            raise PinNeeded(
                "the token's own keypad cannot be used for a key that asks each time",
                hint="use the key for signing in slot 9a",
            )
        return pin

    def touch_notice(self, device: DeviceInfo, policy: UsePolicy | None) -> AbstractContextManager[None]:
        """While a card's key is used in the block, the person is told when it waits to be touched."""
        return touch_notice(self._prompter, device, self._purpose, policy)

    def release(self) -> None:
        """Let go; the last one logs out."""
        self.module.call(self._release)

    def abandon(self) -> None:
        """Let go without waiting."""
        self.module.worker.post(lambda: self._release(self.module))

    def drop(self, module: Module) -> None:
        """Close all sessions of the token after a failure. Runs on the worker."""
        if self._session is not None:
            module.sessions.drop(self._session)
            self._session = None

    def refused(self, module: Module) -> PinError:
        """The error for a PIN that the token refused, with what its flags say now. Runs on the worker."""
        left = tokens.matching(module, tokens.device_uri(module, self.record))
        return session.wrong_pin(left[0] if left else None)

    def _question(self, module: Module, purpose: str) -> PinRequest | None:
        return None if self.attach(module).logged_in else self._request(module, purpose)

    def _request(self, module: Module, purpose: str) -> PinRequest:
        self.record = tokens.again(module, self.record)
        device = tokens.device_info(module, self.record)
        # Whether the last try may be used is asked later; a locked token is told at once, before anybody types.
        session.refuse_unspendable(self.record, last_try_allowed=True)
        return PinRequest(device=device, key=purpose)

    def _ask(self, request: PinRequest) -> str | None:
        """The PIN; None when it is typed on the token's own keypad, where only leave for the last try is asked."""
        if self.record.own_keypad:
            if request.final_try:
                session.refuse_unspendable(
                    self.record,
                    last_try_allowed=self._prompter is not None and self._prompter.confirm_last_try(request),
                )
            return None
        if self._prompter is None:
            raise PinNeeded(f"a PIN is needed for {request.describe()}")
        return ask_pin(self._prompter, request)

    def _answer(self, module: Module, pin: str | None, *, last_try_allowed: bool) -> None:
        attached = self.attach(module)
        now = tokens.again(module, self.record)
        try:
            session.log_in(attached, now, pin, last_try_allowed=last_try_allowed)
        except PinWrong as error:
            raise self.refused(module) from error

    def _release(self, module: Module) -> None:
        if self._session is not None:
            module.sessions.release(self._session)
            self._session = None
