# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from hwkeys import PinState
from hwkeys.tpm.state import TpmState, _letters, is_software

STATE = TpmState("IBM", "SW TPM", 0, 3, 1000, in_lockout=False)


@pytest.mark.parametrize(
    "failures, lockout, left, state",
    [
        (0, False, 3, PinState.OK),
        (1, False, 2, PinState.COUNT_LOW),
        (2, False, 1, PinState.FINAL_TRY),
        (3, False, 0, PinState.LOCKED),
        (9, False, 0, PinState.LOCKED),
        (0, True, 0, PinState.LOCKED),
    ],
)
def test_how_near_to_lock_out(failures, lockout, left, state):
    now = dataclasses.replace(STATE, failures=failures, in_lockout=lockout)
    assert (now.tries_left, now.pin_state) == (left, state)
    info = now.info("device:/dev/tpmrm0")
    assert (info.tries_left, info.pin_state) == (left, state)
    assert info.uri == "tpm:?tcti=device:/dev/tpmrm0"


def test_lock_out_says_how_long():
    assert "wait 1000 s" in STATE.locked().hint
    assert "wait" not in dataclasses.replace(STATE, interval=0).locked().hint


@pytest.mark.parametrize(
    "manufacturer, model, software",
    [
        ("IBM", "SW TPM", True),
        ("MSFT", "xCG fTPM", True),
        ("IBM", "", False),
        ("INTC", "Intel", False),
        ("STM", "", False),
    ],
)
def test_software_is_known_by_its_own_words(manufacturer, model, software):
    assert is_software(manufacturer, model) is software


def test_letters():
    assert _letters([0x53572020, 0x2054504D, 0, 0]) == "SW TPM"
    assert _letters([0x49424D00]) == "IBM"
    assert _letters([0xFF414243]) == "\ufffdABC"
