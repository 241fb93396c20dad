# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from hwkeys import DeviceInfo, PinState


def test_a_device_cannot_be_changed():
    device = DeviceInfo("tpm", True, "IBM", "SW TPM", "", "x", "tpm:", PinState.OK)
    assert (device.tries_left, device.keys) == (None, ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        device.software = False


def test_the_states_of_a_pin():
    assert {state.name for state in PinState} == {"OK", "COUNT_LOW", "FINAL_TRY", "LOCKED", "NOT_SET", "UNKNOWN"}
