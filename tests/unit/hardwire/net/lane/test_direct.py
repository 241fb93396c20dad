# SPDX-License-Identifier: Apache-2.0
import asyncio
import os
import threading
import tracemalloc

import pytest

from hardwire.channel.bulk import PATH_CHUNK_MAX
from hardwire.channel.lane import LaneKind, LaneOpener, LaneSealer
from hardwire.errors import Misuse, RecordRefused
from hardwire.net.lane import direct as direct_module
from hardwire.net.lane.direct import QUEUE, DirectLane
from support.lanes import Told, lane_pair, met_pair


def lane_threads():
    return [one for one in threading.enumerate() if one.name.startswith("hardwire lane")]


async def test_chunks_cross_in_order_both_ways_at_a_time():
    (here, told_here), (there, told_there) = await lane_pair()
    sent = [(1, n << 20, os.urandom(PATH_CHUNK_MAX if n < 5 else 77)) for n in range(6)]
    for transfer, offset, data in sent:
        here.send(transfer, offset, data)
        there.send(transfer + 1, offset, data)
    await told_there.until(lambda told: len(told.chunks) == 6)
    await told_here.until(lambda told: len(told.chunks) == 6)
    assert told_there.chunks == sent
    assert told_here.chunks == [(transfer + 1, offset, data) for transfer, offset, data in sent]
    assert here.idle
    await asyncio.gather(here.close(), there.close())
    assert not lane_threads()


async def test_it_says_when_it_is_full_and_when_there_is_room():
    (here, told), (there, told_there) = await lane_pair()
    data = bytes(PATH_CHUNK_MAX)
    count = 0
    while here.may_send:
        here.send(1, count << 20, data)
        count += 1
    assert count == QUEUE // PATH_CHUNK_MAX
    assert not here.idle
    await told.until(lambda told: told.writables == 1)
    assert here.may_send
    await told_there.until(lambda told: len(told.chunks) == count)
    await asyncio.gather(here.close(), there.close())


async def test_a_goodbye_and_everything_before_it_arrives():
    (here, told), (there, told_there) = await lane_pair()
    for n in range(3):
        here.send(1, n << 20, bytes(PATH_CHUNK_MAX))
    await here.close(clean=True)
    await told_there.until(lambda told: told.ends)
    assert told_there.ends == [None]
    assert len(told_there.chunks) == 3
    assert told.ends == []
    assert not there.may_send
    there.send(2, 0, b"late")
    assert there.idle
    await there.close()
    await here.close()


async def test_an_end_without_a_goodbye_is_a_cut():
    (here, _), (there, told_there) = await lane_pair()
    await here.close()
    await told_there.until(lambda told: told.ends)
    assert [error.code for error in told_there.ends] == ["lane-cut"]
    await there.close()


@pytest.mark.parametrize("sealed", ["twice", "another kind", "an end that says more", "a short chunk"])
async def test_what_no_honest_peer_sends_breaks_it(sealed):
    met, peer = await met_pair()
    told = Told()
    lane = DirectLane(met, told)
    frame = {
        "twice": (LaneKind.CHUNK, bytes(13)),
        "another kind": (LaneKind.TAKEN, b""),
        "an end that says more": (LaneKind.END, b"x"),
        "a short chunk": (LaneKind.CHUNK, bytes(11)),
    }[sealed]
    octets = bytes(peer.sealer.seal(*frame))
    peer.connection.setblocking(True)
    peer.connection.sendall(octets + (octets if sealed == "twice" else b""))
    await told.until(lambda told: told.ends)
    (error,) = told.ends
    assert isinstance(error, RecordRefused)
    assert error.code == ("lane-forged" if sealed == "twice" else "lane-frame")
    peer.connection.close()
    await lane.close()


async def test_a_peer_that_does_not_read_is_left_at_once():
    met, peer = await met_pair()
    told = Told()
    lane = DirectLane(met, told)
    while lane.may_send:
        lane.send(1, 0, bytes(PATH_CHUNK_MAX))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(1):
        await lane.close()
    assert not lane_threads()
    peer.connection.close()


async def test_a_loop_that_is_busy_makes_the_peer_wait():
    """Opened chunks do not pile up: what nobody has taken yet is a handful, and TCP holds the rest."""
    (here, _), (there, told_there) = await lane_pair()
    handed = []
    there._loop = SlowLoop(there._loop, handed)
    for n in range(12):
        here.send(1, n << 20, bytes(PATH_CHUNK_MAX))
    await asyncio.sleep(0.5)
    assert len(handed) == direct_module.WAITING_CHUNKS
    while len(told_there.chunks) < 12:
        while handed:
            callback, arguments = handed.pop(0)
            callback(*arguments)
        await asyncio.sleep(0.01)
    await asyncio.gather(here.close(), finish(there, handed))


class SlowLoop:
    """Keeps what a thread hands to the loop until the test passes it on."""

    def __init__(self, loop, handed):
        self._loop = loop
        self._handed = handed

    def call_soon_threadsafe(self, callback, *arguments):
        if "_arrived" in callback.__name__:
            self._handed.append((callback, arguments))
        else:
            self._loop.call_soon_threadsafe(callback, *arguments)


async def finish(lane, handed):
    await lane.close()
    handed.clear()


async def test_a_lane_that_is_worn_out_ends_by_itself(monkeypatch):
    monkeypatch.setattr(direct_module, "WORN_AFTER", 4)
    (here, told), (there, told_there) = await lane_pair()
    for n in range(4):
        here.send(1, n, b"x")
    await told.until(lambda told: told.ends)
    assert told.ends == [None]
    await here.close(clean=True)
    await told_there.until(lambda told: told.ends)
    assert told_there.ends == [None]
    assert len(told_there.chunks) == 4
    await there.close()


async def test_what_is_held_does_not_grow_with_what_is_carried():
    (here, sender), (there, _) = await lane_pair()

    class Count(Told):
        total = 0

        def chunk(self, transfer, offset, data):
            self.total += len(data)
            self.changed.set()

    there._events = counted = Count()
    tracemalloc.start()
    for n in range(64):
        await sender.until(lambda _: here.may_send)
        here.send(1, n << 20, bytes(PATH_CHUNK_MAX))
    await counted.until(lambda told: told.total == 64 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 << 20
    await asyncio.gather(here.close(), there.close())


async def test_a_thread_that_ends_for_whatever_reason_says_so():
    (here, told), (there, _) = await lane_pair()
    here.send(1, 0, bytes(PATH_CHUNK_MAX + 1))
    await told.until(lambda told: told.ends)
    assert isinstance(told.ends[0], Misuse)
    async with asyncio.timeout(5):
        await asyncio.gather(here.close(), there.close())
    assert not lane_threads()


@pytest.mark.parametrize("what, method", [(LaneSealer, "seal"), (LaneOpener, "receive")], ids=["send", "receive"])
async def test_a_thread_that_dies_of_a_fault_says_so_and_it_is_reported(monkeypatch, what, method):
    reported = []
    monkeypatch.setattr(threading, "excepthook", lambda died: reported.append((died.thread.name, died.exc_type)))
    (here, told_here), (there, told_there) = await lane_pair()
    monkeypatch.setattr(what, method, _no_memory)
    here.send(1, 0, b"octets")
    victim = told_here if method == "seal" else told_there
    await victim.until(lambda told: told.ends)
    assert [(error.code, error.message) for error in victim.ends] == [
        ("lane-cut", "the direct lane broke: an internal error")
    ]
    async with asyncio.timeout(5):
        await asyncio.gather(here.close(), there.close())
    assert not lane_threads()
    name = "hardwire lane send" if method == "seal" else "hardwire lane receive"
    assert reported == [(name, MemoryError)]


def _no_memory(*_):
    raise MemoryError


@pytest.mark.parametrize("which", ["send", "receive"])
async def test_a_system_that_gives_no_thread(monkeypatch, which):
    mine, theirs = await met_pair()
    starting = threading.Thread.start

    def start(thread):
        if thread.name == f"hardwire lane {which}":
            raise RuntimeError("can't start new thread")
        starting(thread)

    told = Told()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start"):
            DirectLane(mine, told)
    assert mine.connection.fileno() == -1
    async with asyncio.timeout(5):
        while lane_threads():  # noqa: ASYNC110 (the one that began has no other way to say that it ends)
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    assert told.ends == []
    theirs.connection.close()


async def test_a_system_that_sets_nothing_on_a_connection_that_is_over(monkeypatch):
    mine, theirs = await met_pair()
    with monkeypatch.context() as patch:
        patch.setattr(direct_module.socket.socket, "setsockopt", _refuses)
        lane = DirectLane(mine, Told())
    theirs.connection.close()
    await lane.close()
    assert not lane_threads()


def _refuses(*_):
    raise OSError(22, "Invalid argument")


async def test_what_the_peers_machine_has_is_known():
    (here, _), (there, told) = await lane_pair()
    here.send(1, 0, bytes(PATH_CHUNK_MAX))
    assert here.taken()[1]
    await told.until(lambda told: told.chunks)
    async with asyncio.timeout(5):
        while here.taken()[1]:  # noqa: ASYNC110 (TCP's own word for it is on its way)
            await asyncio.sleep(0.01)
    assert here.taken()[0] > PATH_CHUNK_MAX
    await asyncio.gather(here.close(), there.close())
    assert here.taken()[0] > PATH_CHUNK_MAX  # the connection is gone, and cannot be asked
