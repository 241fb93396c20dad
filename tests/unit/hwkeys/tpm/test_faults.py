# SPDX-License-Identifier: Apache-2.0
import pytest

from hwkeys import (
    DeviceFailed,
    DeviceFull,
    HwKeyError,
    KeyExists,
    KeyMissing,
    PinLocked,
    PinWrong,
    TokenRemoved,
    Unsupported,
    WrongDevice,
)
from hwkeys.tpm.faults import fault, plain

MEANING = {
    0x98E: PinWrong,  # session 1
    0x08E: PinWrong,
    0xC098E: PinWrong,  # through the kernel's resource manager
    0x9A2: Unsupported,
    0x921: PinLocked,
    0xC0921: PinLocked,
    0x18B: KeyMissing,
    0x1DF: WrongDevice,  # parameter 1
    0x902: DeviceFull,
    0x903: DeviceFull,
    0x906: DeviceFull,
    0x14B: DeviceFull,
    0x14C: KeyExists,
    0x100: DeviceFailed,
    0x101: DeviceFailed,
    0xA000A: TokenRemoved,
    0xA0008: TokenRemoved,
    0x7000E: DeviceFailed,  # ESAPI's own; its low bits are not a TPM's
    0x7098E: DeviceFailed,
}


@pytest.mark.parametrize("rc", MEANING, ids=hex)
def test_what_a_code_means(rc):
    assert type(fault(rc, "signing")) is MEANING[rc]


def test_the_handle_parameter_and_session_do_not_matter():
    assert plain(0x98E) == plain(0x88E) == plain(0x08E) == 0x08E
    assert plain(0x921) == 0x921


def test_every_code_has_words():
    for rc in range(0x1000):
        error = fault(rc, "signing")
        assert isinstance(error, HwKeyError)
        assert error.message
