# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from hardwire.channel.filecontrol import WINDOW_MAX, WINDOW_MIN
from hardwire.channel.limits import DEFAULT_LIMITS, Limits


def test_the_protocols_numbers():
    assert dataclasses.asdict(DEFAULT_LIMITS) == {
        "rekey_seconds": 60.0,
        "rekey_frames": 1024,
        "rekey_octets": 67_108_864,
        "rekey_idle": 900.0,
        "rekey_pause": 1.0,
        "rekey_answer": 120.0,
        "request_factor": 2.0,
        "stop_seconds": 600.0,
        "stop_frames": 65_536,
        "stop_octets": 1_073_741_824,
        "old_epoch_seconds": 30.0,
        "life": 86_400.0,
        "keepalive": 2.0,
        "silence": 15.0,
        "window": 16_777_216,
        "queue": 1_048_576,
        "transfers": 16,
        "chats": 256,
        "ack_delay": 0.025,
    }
    assert WINDOW_MIN <= DEFAULT_LIMITS.window <= WINDOW_MAX


def test_limits_cannot_be_changed_on_an_open_line():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().life = 1.0  # type: ignore[misc]
