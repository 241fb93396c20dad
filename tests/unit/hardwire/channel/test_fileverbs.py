# SPDX-License-Identifier: Apache-2.0
"""Ways beside the line, pauses and streams, through the verbs of an open line; files themselves: test_channel.py."""

import pytest

from hardwire.channel import (
    CHUNK_SIZE,
    FileChunk,
    FileDone,
    FileFinished,
    FileOffered,
    FilePaused,
    LineFailed,
    Offer,
    TransferKind,
)
from hardwire.channel.fileverbs import FileVerbs
from hardwire.channel.limits import Limits
from hardwire.handshake import Role
from support.channelpair import Wire

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names
LANE = 4 * CHUNK_SIZE


def moving(offer, limits=Limits(window=8 * CHUNK_SIZE)):  # noqa: B008 - frozen
    wire = Wire(limits)
    number = wire.initiator.offer_file(offer, 0.0)
    wire.settle()
    assert wire.take(R, FileOffered) == [FileOffered(number, offer)]
    wire.responder.accept_file(number, 0, 0.0)
    wire.settle()
    wire.take(I)
    return wire, number


def test_a_line_is_made_whole_elsewhere():
    with pytest.raises(TypeError):
        FileVerbs()


def test_a_transfer_goes_on_another_way():
    size = 10 * CHUNK_SIZE
    wire, number = moving(Offer(TransferKind.DIRECTORY, 0, 0, size, bytes(32), "a"))
    content = bytes(range(256)) * (size // 256 + 1)
    wire.initiator.send_chunk(number, content[:CHUNK_SIZE], 0.0)
    wire.initiator.rewind_file(number, 0.0)
    assert wire.initiator.chunk_position(number) == 0
    got = b""
    while room := wire.initiator.chunk_room(number, LANE):
        start = wire.initiator.chunk_position(number)
        data = content[start : start + room]
        assert wire.initiator.count_chunk(number, data, LANE, 0.0) == start
        wire.responder.receive_chunk(number, start, data, LANE, 0.0)
        wire.settle()  # the chunk on channel 1 comes late, and again
        for event in wire.take(R):
            if isinstance(event, FileChunk):
                assert event.offset == len(got)
                got += event.data
                wire.responder.acknowledge_written(number, len(got), 0.0)
        wire.settle()
    assert got == content[:size]


def test_a_wrong_chunk_of_another_way_ends_the_line():
    wire, number = moving(Offer(TransferKind.DIRECTORY, 0, 0, 9, bytes(32), "a"))
    wire.responder.receive_chunk(number, 3, b"x", LANE, 0.0)
    (failed,) = wire.take(R, LineFailed)
    assert failed.error.code == "transfer"
    wire.responder.receive_chunk(number, 0, bytes(9), LANE, 0.0)
    assert wire.take(R) == []
    assert wire.responder.chunk_room(number, LANE) == 0


def test_a_chunk_of_another_way_comes_in_the_time_of_the_line():
    """The clock on the wall is ahead of it by all the time without a path: what is sent next would be due then."""
    wire, number = moving(Offer(TransferKind.DIRECTORY, 0, 0, 9, bytes(32), "a"))
    end = wire.responder
    end.time.pause(1.0)
    end.time.resume(1001.0)
    end.send_chat("now", 1001.0)
    before = end._now
    end.receive_chunk(number, 0, bytes(9), LANE, 1001.0)
    assert end._now == before == 1.0


def test_pausing():
    wire, number = moving(Offer(TransferKind.DIRECTORY, 0, 0, 9, bytes(32), "a"))
    wire.responder.pause_file(number, on=True, now=0.0)
    wire.settle()
    assert wire.take(I) == [FilePaused(number, True)]
    assert wire.initiator.chunk_room(number) == 0


def test_a_stream():
    wire, number = moving(Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "a"))
    wire.initiator.send_chunk(number, b"all of it", 0.0)
    wire.initiator.finish_stream(number, b"r" * 32, 0.0)
    wire.settle()
    events = [event for event in wire.take(R) if not isinstance(event, FileChunk)]
    assert events == [FileFinished(number, 9, b"r" * 32), FileDone(number)]
