# SPDX-License-Identifier: Apache-2.0
import pytest

from hwkeys import PinRefused, PinState
from hwkeys.evidence import PinPolicy, TouchPolicy
from hwkeys.yubikey.state import (
    DEFAULT_PIN,
    DEFAULT_PUK,
    ManagementKey,
    Slot,
    SlotState,
    YubiKeyState,
    refuse_weak,
)

ASKED = (PinPolicy.ONCE, TouchPolicy.NEVER)
KEY = SlotState(Slot.SIGN, "ECCP256", generated=True, pin_policy=ASKED[0], touch_policy=ASKED[1], public_key=b"spki")


def state(*slots, pin=True, puk=True, management=ManagementKey.FACTORY, tries=3):
    return YubiKeyState(1234, "5.7.1", pin, tries, puk, 3, management, True, slots or (SlotState(Slot.SIGN),))


def test_a_blank_one_says_so():
    assert state().blank
    assert state().describe() == (
        "YubiKey 5.7.1, serial 1234; blank: factory PIN, PUK and management key; 3 PIN tries left"
    )


@pytest.mark.parametrize(
    "given",
    [{"pin": False}, {"puk": False}, {"management": ManagementKey.PROTECTED}, {"management": ManagementKey.OTHER}],
)
def test_one_secret_changed_is_not_blank(given):
    assert not state(**given).blank
    assert "still the factory's" in state(**given).describe()


def test_one_in_use_says_what_is_where():
    used = state(KEY, SlotState(Slot.AGREE, certificate=b"x"), pin=False, puk=False, management=ManagementKey.OTHER)
    assert not used.blank
    assert used.describe() == (
        "YubiKey 5.7.1, serial 1234; no factory secrets left; 9a ECCP256 without a certificate; "
        "9d a certificate without a key; 3 PIN tries left"
    )
    assert used.slot(Slot.AGREE).certificate == b"x"
    assert state(tries=1).describe().endswith("; 1 PIN try left")
    assert state(tries=0).describe().endswith("; PIN locked")


def test_a_slots_words():
    assert SlotState(Slot.AGREE).describe() == "9d empty"
    assert SlotState(Slot.SIGN, "ECCP256", certificate=b"x").describe() == "9a ECCP256"
    assert (
        SlotState(Slot.SIGN, "ECCP256", certificate=b"x", provisional=True).describe() == "9a ECCP256, to be certified"
    )


@pytest.mark.parametrize(
    "other, unfinished",
    [
        ({}, True),
        ({"certificate": b"x", "provisional": True}, True),
        ({"certificate": b"x"}, False),
        ({"kind": "RSA2048"}, False),
        ({"kind": None}, False),
        ({"generated": False}, False),
        ({"touch_policy": TouchPolicy.ALWAYS}, False),
        ({"pin_policy": PinPolicy.NEVER}, False),
    ],
)
def test_what_an_unfinished_run_leaves(other, unfinished):
    fields = {name: getattr(KEY, name) for name in KEY.__slots__} | other
    assert SlotState(**fields).unfinished(*ASKED) is unfinished


@pytest.mark.parametrize("tries, pin", [(0, PinState.LOCKED), (1, PinState.FINAL_TRY), (2, PinState.OK)])
def test_a_prompter_sees_the_tries(tries, pin):
    device = state(tries=tries).device()
    assert (device.pin_state, device.tries_left, device.serial) == (pin, tries, "1234")
    assert not device.software


@pytest.mark.parametrize("slot, key_id", [(Slot.SIGN, b"\1"), (Slot.AGREE, b"\3")])
def test_key_ids(slot, key_id):
    assert slot.key_id == key_id


@pytest.mark.parametrize(
    "weak", ["", "12345", "123456789", DEFAULT_PIN, DEFAULT_PUK, "0000000", "päss66", "abc\tdef", "same-pin"]
)
def test_weak_ones_are_refused_and_never_told(weak):
    with pytest.raises(PinRefused) as refused:
        refuse_weak(weak, what="PUK", not_these=(DEFAULT_PIN, DEFAULT_PUK, "same-pin"))
    assert not weak or weak not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("good", ["846213", "pin-9876"])
def test_others_are_taken(good):
    refuse_weak(good, what="PIN", not_these=(DEFAULT_PIN,))
