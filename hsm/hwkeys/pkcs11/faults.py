# SPDX-License-Identifier: Apache-2.0
"""What a PKCS#11 return value means here.

Modules disagree. For a pulled token OpenSC says DeviceRemoved, ykcs11 DeviceError, SoftHSM ObjectHandleInvalid; all
three are ``TokenRemoved``. Most exceptions of python-pkcs11 carry no text at all, so every message is our own and
names the return value by the exception's class.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pkcs11 import exceptions as p11

from hwkeys.errors import (
    DeviceFailed,
    DeviceFull,
    HwKeyError,
    PinLocked,
    PinNeeded,
    PinWrong,
    TokenRemoved,
    Unsupported,
)

REMOVED = (
    p11.DeviceRemoved,
    p11.DeviceError,
    p11.TokenNotPresent,
    p11.TokenNotRecognised,
    p11.SlotIDInvalid,
    p11.ObjectHandleInvalid,
    p11.KeyHandleInvalid,
    p11.SessionHandleInvalid,
    p11.SessionClosed,
)
_VENDOR = "use the vendor's tool"
_MEANING: tuple[tuple[tuple[type[p11.PKCS11Error], ...], Callable[[str, str], HwKeyError]], ...] = (
    ((p11.PinIncorrect, p11.PinInvalid, p11.PinLenRange), lambda _doing, _name: PinWrong("the token refused the PIN")),
    ((p11.PinLocked,), lambda _doing, _name: PinLocked("the token takes no PIN any more")),
    ((p11.PinExpired,), lambda _doing, _name: PinLocked("the token's PIN has expired", hint=_VENDOR)),
    ((p11.UserPinNotInitialized,), lambda _doing, _name: PinLocked("no PIN was ever set on the token", hint=_VENDOR)),
    ((p11.UserNotLoggedIn,), lambda doing, _name: PinNeeded(f"the token wants its PIN while {doing}")),
    (REMOVED, lambda doing, name: TokenRemoved(f"the token went away while {doing} ({name})")),
    (
        (p11.MechanismInvalid, p11.MechanismParamInvalid, p11.FunctionNotSupported, p11.KeySizeRange),
        lambda doing, name: Unsupported(f"the token cannot do that while {doing} ({name})"),
    ),
    (
        (p11.DeviceMemory,),
        lambda doing, _name: DeviceFull(f"the token is full while {doing}"),
    ),
    (
        (p11.TokenWriteProtected, p11.SessionReadOnly),
        lambda doing, _name: DeviceFailed(f"the token is write-protected while {doing}", hint=_VENDOR),
    ),
)


def fault(error: p11.PKCS11Error, doing: str) -> HwKeyError:
    """Our error for the library's.

    Args:
        error: As python-pkcs11 raised it.
        doing: What was tried, to follow the word "while": "signing".
    """
    name = type(error).__name__
    for kinds, make in _MEANING:
        if isinstance(error, kinds):
            return make(doing, name)
    detail = f": {error}" if str(error) else ""
    return DeviceFailed(f"the token failed while {doing} ({name}{detail})")


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Let no exception of python-pkcs11 out of the block.

    Raises:
        HwKeyError: In place of the library's own.
    """
    try:
        yield
    except p11.PKCS11Error as error:
        raise fault(error, doing) from error
