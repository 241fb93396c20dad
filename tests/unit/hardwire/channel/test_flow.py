# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.filecontrol import FileFinish
from hardwire.channel.flow import REPEATS_MAX, STEP_MAX, Incoming, Outgoing, State, wrong
from hardwire.channel.messages import Chunk
from hardwire.errors import WireError

HASH = bytes(32)


def incoming(end, *, window=8, received=0):
    return Incoming(end, State.MOVING, window, received=received, written=received, told=received)


def refused(flow, offset, data, size=4):
    with pytest.raises(WireError) as caught:
        flow.take(Chunk(1, offset, data), size)
    assert caught.value.code == "transfer"


def test_chunks_of_one_way():
    flow = incoming(10)
    assert flow.take(Chunk(1, 0, b"abcd"), 4) == b"abcd"
    assert flow.take(Chunk(1, 4, b"efgh"), 4) == b"efgh"
    assert flow.credit == 0
    refused(flow, 8, b"ij")
    flow.told = 4
    assert flow.take(Chunk(1, 8, b"ij"), 4) == b"ij"
    assert flow.received == 10


def test_chunks_that_are_not_due():
    refused(incoming(10), 1, b"bcde")
    refused(incoming(10), 0, b"abc")
    refused(incoming(10), 0, b"abcde")
    refused(incoming(10), 0, b"")
    refused(incoming(10, received=10), 10, b"")
    refused(Incoming(10, window=8), 0, b"abcd")


def test_what_comes_again_over_another_way_is_dropped():
    flow = incoming(20, received=4)
    assert flow.take(Chunk(1, 0, b"abcd"), 4) == b""
    assert flow.take(Chunk(1, 2, b"cdefgh"), 6) == b"efgh"
    assert flow.received == 8
    assert flow.repeated == 6
    assert flow.take(Chunk(1, 8, b"ijkl"), 4) == b"ijkl"
    assert flow.repeated == 0


def test_what_comes_again_and_again_is_not():
    flow = incoming(20, received=4)
    for _ in range(2 * REPEATS_MAX):  # a chunk is half a window here
        assert flow.take(Chunk(1, 0, b"abcd"), 4) == b""
    refused(flow, 0, b"abcd")


def test_chunks_with_one_new_octet_each_do_not_fill_a_memory():
    """The window counts octets; what waits for a slow disk is chunks, and a way has large ones."""
    way = 1 << 20
    flow = incoming(100 * way, window=8 * way, received=way)
    chunk = memoryview(bytes(way))
    for _ in range(8 * REPEATS_MAX):
        piece = flow.take(Chunk(1, flow.received + 1 - way, chunk), way)
        assert len(piece) == 1
        assert not isinstance(piece, memoryview), "a view of an octet keeps a mebibyte"
    refused(flow, flow.received + 1 - way, chunk, way)


def test_the_end_of_a_stream():
    flow = incoming(None, window=100)
    assert flow.take(Chunk(1, 0, b"abcd"), 4) == b"abcd"
    assert flow.credit == 96
    assert flow.take(Chunk(1, 4, b"ef"), 4) == b"ef"
    refused(flow, 6, b"gh")
    assert flow.take(Chunk(1, 4, b"ef"), 4) == b""  # another way was taken
    for size in (5, 7):
        with pytest.raises(WireError):
            flow.finish(FileFinish(1, size, HASH))
    flow.finish(FileFinish(1, 6, HASH))
    assert flow.end == 6
    with pytest.raises(WireError):
        flow.finish(FileFinish(1, 6, HASH))


def test_a_stream_that_ends_before_its_last_chunks():
    with pytest.raises(WireError):
        Incoming(None).finish(FileFinish(1, 0, HASH))
    flow = incoming(None, window=100)
    flow.finish(FileFinish(1, 6, HASH))
    assert flow.take(Chunk(1, 0, b"abcd"), 4) == b"abcd"
    assert flow.take(Chunk(1, 4, b"ef"), 4) == b"ef"


def test_a_window_smaller_than_a_chunk_bounds_it():
    flow = incoming(100, window=8)
    assert flow.due(0, 1 << 20) == 8
    assert flow.take(Chunk(1, 0, bytes(8)), 1 << 20) == bytes(8)


def test_when_to_widen_the_window():
    flow = incoming(10, window=8)
    assert not flow.news()
    flow.received, flow.written = 4, 1
    assert not flow.news()
    flow.written = 2
    assert flow.news()
    flow.held = True
    assert not flow.news()
    flow.held, flow.told = False, 2
    flow.received, flow.written = 10, 3
    assert not flow.news()
    flow.told, flow.written = 9, 10
    assert flow.news()
    flow.told = 10
    assert not flow.news()


def test_a_wide_window_is_widened_in_steps_no_larger_than_others():
    flow = incoming(1 << 30, window=1 << 26)
    flow.received, flow.written = 1 << 25, STEP_MAX - 1
    assert not flow.news()
    flow.written = STEP_MAX
    assert flow.news()


def test_a_sender_goes_back_and_jumps_forward():
    out = Outgoing(10, window=8)
    assert not out.accepted
    assert not out.acknowledge(1)
    out.go_to(0)
    assert out.state is State.MOVING
    out.go_to(8)
    assert out.acknowledge(2)
    out.go_to(out.written)
    assert (out.sent, out.highest) == (2, 8)
    assert not out.acknowledge(2)
    assert not out.acknowledge(9)
    assert out.acknowledge(6)
    assert out.sent == 6
    out.go_to(10)
    assert out.state is State.WHOLE


def test_complaints():
    assert wrong(3, "x").message == "transfer 3: the peer sent x"
