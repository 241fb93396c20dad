# SPDX-License-Identifier: Apache-2.0
import dataclasses
import typing

import hardwire.channel
from hardwire.channel import events


def test_every_event_is_frozen_and_exported():
    for event in typing.get_args(events.Event):
        assert event.__name__ in hardwire.channel.__all__
        assert event.__dataclass_params__.frozen
        assert "__dict__" not in dir(event)


def test_contents_stay_out_of_logs():
    assert "secret" not in repr(events.ChatReceived(bytes(16), "secret"))
    assert "secret" not in repr(events.FileChunk(1, 0, b"secret"))


def test_the_public_names_are_all_there():
    assert all(hasattr(hardwire.channel, name) for name in hardwire.channel.__all__)
    assert len(typing.get_args(events.Event)) == 25
    assert dataclasses.is_dataclass(events.LineFailed)
