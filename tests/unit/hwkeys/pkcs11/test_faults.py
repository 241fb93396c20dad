# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest
from pkcs11 import exceptions as p11

from hwkeys import (
    DeviceFailed,
    DeviceFull,
    HwKeyError,
    PinLocked,
    PinNeeded,
    PinWrong,
    TokenRemoved,
    Unsupported,
)
from hwkeys.pkcs11.faults import REMOVED, fault, faults

ALL = [kind for _, kind in inspect.getmembers(p11, inspect.isclass) if issubclass(kind, p11.PKCS11Error)]
MEANING = {
    p11.PinIncorrect: PinWrong,
    p11.PinLenRange: PinWrong,
    p11.PinLocked: PinLocked,
    p11.PinExpired: PinLocked,
    p11.UserPinNotInitialized: PinLocked,
    p11.UserNotLoggedIn: PinNeeded,
    # A pulled token: OpenSC, ykcs11, SoftHSM.
    p11.DeviceRemoved: TokenRemoved,
    p11.DeviceError: TokenRemoved,
    p11.ObjectHandleInvalid: TokenRemoved,
    p11.MechanismInvalid: Unsupported,
    p11.DeviceMemory: DeviceFull,
    p11.TokenWriteProtected: DeviceFailed,
    p11.GeneralError: DeviceFailed,
}


@pytest.mark.parametrize("kind", MEANING, ids=lambda kind: kind.__name__)
def test_what_a_return_value_means(kind):
    assert type(fault(kind(), "signing")) is MEANING[kind]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_words_although_the_librarys_have_none(kind):
    assert str(kind()) == ""
    error = fault(kind(), "signing")
    assert isinstance(error, HwKeyError)
    assert error.message
    assert error.hint or isinstance(error, PinWrong | Unsupported)


def test_what_the_library_does_say_is_kept():
    assert "no such file" in str(fault(p11.PKCS11Error("no such file"), "loading"))


def test_the_librarys_own_stay_inside():
    with pytest.raises(TokenRemoved) as removed, faults("signing"):
        raise p11.DeviceRemoved
    assert isinstance(removed.value.__cause__, p11.DeviceRemoved)
    with pytest.raises(ZeroDivisionError), faults("signing"):
        raise ZeroDivisionError
    assert p11.SessionHandleInvalid in REMOVED
