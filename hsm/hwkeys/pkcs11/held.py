# SPDX-License-Identifier: Apache-2.0
"""A private key object on a token: found, used, lost with its token, and found again.

Opening asks no PIN when the token shows the public half to everybody. ``unlock`` logs in.

After a failure all sessions of the token are dropped: some cards keep a session broken after one error, and a pulled
token leaves nothing valid anyway. If the token is there (again), the operation is done once more with new sessions:
the token is found by its serial, the PIN asked for again, the key found by its id. If it is not, the failure is told.
"""

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from hwkeys.devices import DeviceInfo
from hwkeys.errors import (
    DeviceFailed,
    DeviceMissing,
    HwKeyError,
    KeyClosed,
    KeyMissing,
    KeyNotAsAsked,
    NotTouched,
    PinNeeded,
    PinWrong,
    TokenRemoved,
    Unsupported,
)
from hwkeys.evidence.piv import TouchPolicy, UsePolicy
from hwkeys.evidence.values import PivEvidence
from hwkeys.pkcs11 import binding, objects, operations, piv, tokens
from hwkeys.pkcs11.binding import ObjectRecord
from hwkeys.pkcs11.login import Login
from hwkeys.pkcs11.modules import Module
from hwkeys.pkcs11.session import TokenSession
from hwkeys.uri import Pkcs11Uri

_T = TypeVar("_T")
_NOTICED_WITHIN = 1.0
_LOOK_AGAIN = 0.05
Operation = Callable[[ObjectRecord, str | None], _T]
"""What is done with the private key object; gets the PIN too when the token wants it for each use."""


_SETTLING: Final = (0.1, 0.3, 0.6)
"""Seconds to wait between two looks at a card that was just put in."""

_AT_ONCE: Final = 1.0
"""Seconds: a card that wants its PIN says so at once, and one that wanted a touch when it has waited for long."""

_ATTEMPTS: Final = 3
"""How often a login may be lost to others between finding the key and using it."""


class _LoginLostError(Exception):
    """Another thread dropped the token's sessions meanwhile; or another program did something to the card.

    Args:
        told: What the token said; None when it was not asked.
    """

    def __init__(self, told: PinNeeded | None = None) -> None:
        super().__init__()
        self.told = told


class HeldKey:
    """One key of one token.

    Args:
        login: The hold on its token; taken over, and let go of when this is closed or dropped.
        pair: The key as it was found.
        public_key: Its public half.
        found_in: The session whose reader found it; there it need not be looked for again.
    """

    def __init__(
        self,
        login: Login,
        pair: objects.Pair,
        public_key: objects.PublicKey,
        *,
        found_in: TokenSession | None = None,
    ) -> None:
        self.login = login
        self.public_key = public_key
        self.software = binding.is_software(login.record.manufacturer, login.record.model)
        """Whether the token is a program."""
        self.exact: Pkcs11Uri = objects.exact(tokens.device_uri(login.module, login.record), pair)
        self.agrees = False
        """Whether the token says that the key does key agreement. Known once it was unlocked."""
        self._private: ObjectRecord | None = None
        self._seen_in: TokenSession | None = None
        self._opened = (found_in, pair)
        self._asks_each_time = False
        self._is_piv = piv.is_piv(login.record)
        self._policy: UsePolicy | None = None
        self._policy_known = False
        self._closed = False
        # Held while asking for a PIN, so that two threads do not ask one person twice for one key.
        self._lock = threading.Lock()
        # A key that was dropped without close() must not keep the token logged in.
        weakref.finalize(self, login.abandon).atexit = False

    @property
    def device(self) -> DeviceInfo:
        """The token as it was seen last."""
        return replace(tokens.device_info(self.login.module, self.login.record), policy=self._policy)

    @property
    def attests(self) -> bool:
        """Whether the token is of a kind that may attest this key."""
        return piv.slot_of(self.login.record, self.exact.id) is not None

    def unlock(self) -> None:
        """Log in and find the private half; see ``EllipticCurveHardwareKey.unlock``.

        Raises:
            KeyMissing: The key is not on the token any more.
            KeyNotAsAsked: The token says that the key could leave it, or it is another key now.
        """
        # First of all: the lock may have been another thread's at the moment of the fork.
        self.login.module.worker.refuse_fork()
        if self._is_ready():
            return
        with self._lock:
            self._refuse_closed()
            try:
                self._unlock()
            except TokenRemoved:
                # ykcs11 finds out at the login; the session it then has is as dead as the one before.
                self.login.module.call(self._lose)
                self._come_back()

    def close(self) -> None:
        """Let go of the token; the last key on it logs out. A forked child has no hold of it."""
        if self.login.module.worker.forked:
            self._closed = True
            return
        with self._lock:
            if not self._closed:
                # First, so that whoever is on the way to the worker finds it so, and does not attach again.
                self._closed = True
                self.login.release()
                self._private = None
                self._seen_in = None

    def use(self, operation: Operation[_T], *, agree: bool = False) -> _T:
        """Do something with the private key, in the token.

        Args:
            operation: What.
            agree: Whether it is key agreement; what the key was not made for is refused here.

        Raises:
            Unsupported: The key is for the other purpose.
            HwKeyError: Anything the device can fail with.
        """
        told: PinNeeded | None = None
        came_back = False
        for _attempt in range(_ATTEMPTS):
            self.unlock()
            if self.agrees is not agree:
                raise _other_purpose(agree=agree)
            try:
                return self._use(operation)
            except _LoginLostError as lost:
                # A card that another program reset has forgotten the PIN. It is asked for once more, not for ever.
                if told is not None and lost.told is not None:
                    raise lost.told from lost
                told = told or lost.told
            except TokenRemoved:
                # Once: whoever shares the token may drop its sessions again meanwhile, which is the case above.
                if came_back:
                    raise
                came_back = True
                with self._lock:
                    self._come_back()
        raise TokenRemoved("the token's sessions are closed as soon as they are opened")

    def certificates(self) -> list[bytes]:
        """The certificates under the key's id, DER; the token shows them to everybody."""
        return self._ask(self._certificates)

    def attestation(self) -> PivEvidence:
        """What the token says of the key; see ``hwkeys.pkcs11.piv``. Needs no PIN."""
        return self._ask(self._attestation)

    def _ask(self, question: Callable[[Module], _T]) -> _T:
        """What everybody may ask the token. It may have been out and in again since the last time."""
        self._refuse_closed()
        try:
            return self.login.module.call(question)
        except TokenRemoved:
            self.login.module.call(self._lose)
            return self.login.module.call(question)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise KeyClosed("the key was closed")

    def _come_back(self) -> None:
        """After the token went away: the same one again, if it is there.

        Raises:
            TokenRemoved: It is not.
        """
        for pause in (*_SETTLING, None):
            try:
                self._unlock()
            except DeviceMissing as error:
                # That it is not there is an answer. That it went away while it is listed comes from a card that was
                # put in a moment ago: ykcs11 fails until the reader has powered it up. No PIN reached it then.
                if pause is None or not isinstance(error, TokenRemoved):
                    raise TokenRemoved(f"the token went away: {error.message}") from error
                self.login.module.call(self._lose)
                time.sleep(pause)
            else:
                return

    def _unlock(self) -> None:
        if not self._is_ready():
            self.login.ensure()
            self.login.module.call(self._find)

    def _is_ready(self) -> bool:
        """Whether the key can be used as things stand; asked anew, with nobody else in the module, before it is."""
        seen = self._seen_in
        return self._private is not None and seen is not None and seen.logged_in and not seen.dead

    def _use(self, operation: Operation[_T]) -> _T:
        pin = self.login.ask_for_one_use() if self._asks_each_time else None
        if not self._is_piv:
            return self.login.module.call(self._run, operation, pin)
        with self.login.touch_notice(self.device, self._policy):
            return self.login.module.call(self._run, operation, pin)

    def _find(self, module: Module) -> None:
        try:
            self._look(module)
        except HwKeyError:
            self._lose(module)
            raise

    def _look(self, module: Module) -> None:
        attached = self._attach(module)
        if self._private is not None and self._seen_in is attached:
            return
        opened_in, pair = self._opened
        if opened_in is not attached or pair.private is None:
            found = [pair for pair in objects.pairs(attached.reader, self.exact) if pair.private is not None]
            pair = objects.the_one(found, self.exact, self.exact)
        if pair.private is None:
            raise KeyMissing(f"the private half of {self.exact} is not there")
        objects.refuse_unprotected(pair.private, just_made=False)
        public = objects.public_key(pair)
        if public is not None and public != self.public_key:
            raise KeyNotAsAsked("another key has taken the place of the one that was opened")
        self.agrees = operations.derives(attached.record, pair.private)
        self._asks_each_time = operations.asks_each_time(pair.private)
        if not self._policy_known:
            self._policy = piv.policy(attached.reader, attached.record, self.exact.id, self.public_key)
            self._policy_known = True
        self._private, self._seen_in = pair.private, attached

    def _run(self, module: Module, operation: Operation[_T], pin: str | None) -> _T:
        private = self._private
        if private is None or not self._is_ready():
            self._refuse_closed()
            raise _LoginLostError
        began = time.monotonic()
        try:
            return operation(private, pin)
        except HwKeyError as error:
            raise self._failure(module, error, time.monotonic() - began) from error
        except BaseException:
            # Ctrl-C, perhaps half-way through: what the session is in the middle of is not known.
            self._lose(module)
            raise

    def _failure(self, module: Module, error: HwKeyError, after: float) -> Exception:
        """What a failure comes to, after so many seconds.

        The sessions are dropped, whatever it was: OpenSC logs out by itself when a touch does not come, for one.
        """
        self._lose(module)
        if isinstance(error, PinWrong):
            return self.login.refused(module)
        if isinstance(error, PinNeeded) and after < _AT_ONCE:
            return _LoginLostError(error)
        if type(error) not in (DeviceFailed, PinNeeded):
            return error
        if self._has_gone(module):
            return TokenRemoved("the token went away while it was at work")
        if self._policy is not None and self._policy.touch is not TouchPolicy.NEVER:
            return NotTouched("the device was not touched in time")
        return error

    def _has_gone(self, module: Module) -> bool:
        """Whether a failure nobody explains was a token pulled out in the middle.

        A module says anything then, and the smart-card service looks at its readers only every 0.4 seconds.
        """
        if self.software:
            return False
        deadline = time.monotonic() + _NOTICED_WITHIN
        while tokens.matching(module, tokens.device_uri(module, self.login.record)):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_AGAIN)
        return True

    def _attach(self, module: Module) -> TokenSession:
        self._refuse_closed()
        return self.login.attach(module)

    def _certificates(self, module: Module) -> list[bytes]:
        key_id = self.exact.id
        return [] if key_id is None else binding.certificates(self._attach(module).reader, key_id)

    def _attestation(self, module: Module) -> PivEvidence:
        # ykcs11 goes on showing what a card said that is gone.
        tokens.again(module, self.login.record)
        attached = self._attach(module)
        return piv.attestation(attached.reader, attached.record, self.exact.id or b"", self.public_key)

    def _lose(self, module: Module) -> None:
        self._private = None
        self.login.drop(module)


def _other_purpose(*, agree: bool) -> Unsupported:
    if agree:
        return Unsupported("this is a signing key: it does no key agreement", hint="use a key made for key agreement")
    return Unsupported("this is a key for key agreement: it does not sign", hint="use a signing key")
