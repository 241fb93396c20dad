# SPDX-License-Identifier: Apache-2.0
"""One login per token, shared by all keys on it and counted.

PKCS#11 knows a login per *application and token*, not per session; and python-pkcs11 logs out when the session that
logged in is closed. So each token gets one anonymous session for reading and, once a PIN was given, one session that
holds the login; both stay until the last key on the token is closed. All of this runs on the module's worker thread,
which is why there is no lock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import pkcs11

from hwkeys.devices import PinState
from hwkeys.errors import PinError, PinLocked, PinRefused, PinWrong
from hwkeys.pkcs11 import binding, piv
from hwkeys.pkcs11.binding import TokenRecord

_UNLOCK_PIV: Final = (
    "choose a new PIN with the card's PUK: `ykman piv access unblock-pin` for a YubiKey, `pkcs15-tool --unblock-pin` "
    "for another PIV card"
)
_UNLOCK: Final = (
    "unlock it with its PUK or SO-PIN: the vendor's tool, or `pkcs11-tool --login --login-type so --init-pin` with its "
    "--module"
)

TokenName = tuple[str, str, str, str]
"""Label, serial, manufacturer, model: what stays the same when the token is pulled and inserted again."""


def token_name(record: TokenRecord) -> TokenName:
    """What identifies the token across insertions."""
    return record.label, record.serial, record.manufacturer, record.model


@dataclass(eq=False, slots=True)
class TokenSession:
    """The sessions of one token.

    Attributes:
        record: The token as it was when the session was opened.
        reader: The session all work is done in.
        holder: The session that holds the login, once there is one.
        logged_in: Whether private objects can be used.
        users: How many keys share it.
        dead: It was dropped after a failure; whoever still holds it must attach anew.
    """

    record: TokenRecord
    reader: pkcs11.Session
    holder: pkcs11.Session | None = None
    logged_in: bool = False
    users: int = 0
    dead: bool = False


class TokenSessions:
    """The live sessions of one module."""

    def __init__(self) -> None:
        self._live: dict[TokenName, TokenSession] = {}

    def __len__(self) -> int:
        return len(self._live)

    def attach(self, record: TokenRecord) -> TokenSession:
        """The token's session, one user more."""
        name = token_name(record)
        session = self._live.get(name)
        if session is None:
            session = TokenSession(record, binding.open_session(record), logged_in=not record.login_required)
            self._live[name] = session
        session.users += 1
        return session

    def release(self, session: TokenSession) -> None:
        """One user less; the last one logs out and closes."""
        session.users -= 1
        if session.users <= 0:
            self.drop(session)

    def keep(self, there: Collection[tuple[TokenName, int]]) -> None:
        """Drop the sessions of all tokens but these, each in its slot."""
        for name, session in list(self._live.items()):
            if (name, session.record.slot) not in there:
                self.drop(session)

    def drop(self, session: TokenSession) -> None:
        """Close at once, whoever uses it: after a failure no session of the token is to be trusted."""
        if session.dead:
            return
        session.dead = True
        self._live.pop(token_name(session.record), None)
        if session.holder is not None:
            binding.close(session.holder)
        binding.close(session.reader)


def log_in(session: TokenSession, now: TokenRecord, pin: str | None, *, last_try_allowed: bool) -> None:
    """Spend the PIN, once.

    Args:
        session: The token's session; nothing happens when it is logged in already.
        now: The token's flags read just before, so that another program's wrong tries are noticed.
        pin: The PIN; None when the token asks for it on its own keypad.
        last_try_allowed: Somebody explicitly agreed to use the last try.

    Raises:
        PinLocked: The token takes no PIN.
        PinRefused: Only the last try is left, and it was not allowed.
        PinWrong: The token refused it; the flags read afterwards say what is left.
    """
    if session.logged_in:
        return
    refuse_unspendable(now, last_try_allowed=last_try_allowed)
    try:
        session.holder = binding.login(now, pin)
    except PinLocked as error:
        # One that has expired, or was never set, has a hint of its own.
        if error.hint != PinLocked.default_hint:
            raise
        raise _locked(now, "takes no PIN any more") from error
    session.logged_in = True


def refuse_unspendable(now: TokenRecord, *, last_try_allowed: bool) -> None:
    """Read the flags before a PIN is used.

    Raises:
        PinLocked: The token takes no PIN.
        PinRefused: Only the last try is left, and it was not allowed.
    """
    if now.pin_state is PinState.LOCKED:
        raise _locked(now, "takes no PIN any more")
    if now.pin_state is PinState.NOT_SET:
        raise PinLocked(f'no PIN was ever set on the token "{now.label}"', hint="set one with the vendor's tool")
    if now.pin_state is PinState.FINAL_TRY and not last_try_allowed:
        raise PinRefused(f'one try is left on the token "{now.label}", and it was not explicitly allowed')


def wrong_pin(now: TokenRecord | None) -> PinError:
    """The error for a refused PIN, with what the flags say afterwards.

    Args:
        now: The token read after the refusal; None when it is gone.
    """
    if now is None:
        return PinWrong("the token refused the PIN, and is gone now")
    words = f'the token "{now.label}" refused the PIN'
    if now.pin_state is PinState.LOCKED:
        return _locked(now, "refused the PIN, and is locked now")
    if now.pin_state is PinState.FINAL_TRY:
        return PinWrong(f"{words}: one try is left", final_try=True, hint="another wrong PIN locks the token")
    return PinWrong(words)


def _locked(record: TokenRecord, words: str) -> PinLocked:
    return PinLocked(f'the token "{record.label}" {words}', hint=_UNLOCK_PIV if piv.is_piv(record) else _UNLOCK)
