# SPDX-License-Identifier: Apache-2.0
"""Transfers while they move: pauses, other ways, other lines, pipes. Ends and failures: test_transfers.py."""

import asyncio
import os
import select
import threading
from dataclasses import replace

import pytest

from hardwire.app import underway
from hardwire.app.events import FileDone, FileFailed, FileMoved, FileOffer, FilePaused, FileProgress, FileStarted
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.moving import Transfer
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.pipes import PipeSource
from hardwire.app.progress import Meter
from hardwire.app.session import Session
from hardwire.app.transfers import Transfers
from hardwire.channel import CHUNK_SIZE, PATH_CHUNK_MAX, Offer, TransferKind
from hardwire.errors import ConnectionLost, Misuse, TransferIncomplete, UsageError
from support.lines import line_pair
from support.memoryline import memory_pair
from support.people import STRANGER, End, Person, open_ends
from support.trees import MIB, a_tree, portrait


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(underway, "_PROGRESS_EVERY", 0.0)


def a_file(tmp_path, size=40 * MIB + 5):
    """By default much more than a window: something is left to do when the first of it has arrived."""
    (tmp_path / "data.bin").write_bytes(os.urandom(size))
    return inspect_outgoing(tmp_path / "data.bin")


async def begun(alice, bob, source, where):
    number = alice.transfers.offer(source)
    await bob.person.until(FileOffer, id=number)
    bob.transfers.accept(number, where)
    return number


async def turned(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (it is the turning of the loop that moves the frames)
            await asyncio.sleep(0.001)


def far(end, octets):
    return any(step.done >= octets for step in end.person.all(FileProgress))


async def parted(alice, bob):
    """The line between them is lost; what each had under way on it."""
    for end in (alice, bob):
        end.channel.path_lost()
    return [await asyncio.wait_for(end.transfers.leave(), 5) for end in (alice, bob)]


def on_another_line(alice, bob, left):
    """The same two people on a line that follows, with what they had under way; alice's end, and bob's."""
    again, other = memory_pair()
    again.person, other.person = alice.person, bob.person
    for end, rest in ((other, left[1]), (again, left[0])):
        end.transfers = Transfers(end, end.person.emit, "ab" * 32)
        end.transfers.take_over(rest)
    return again, other


class OtherWay:
    """A way beside the line, in memory: what is in flight arrives when told to, or is lost."""

    name = "memory"

    def __init__(self, to, chunk_size=PATH_CHUNK_MAX):
        self.chunk_size = chunk_size
        self.room = 4
        self.flying = []
        self.carried = 0
        self._to = to

    @property
    def may_send(self):
        return len(self.flying) < self.room

    def send(self, transfer, offset, data):
        self.flying.append((transfer, offset, data))
        self.carried += len(data)

    def arrive(self, owner):
        flying, self.flying = self.flying, []
        for transfer, offset, data in flying:
            self._to.receive_chunk(transfer, offset, data, self.chunk_size)
        owner.path_writable()


async def test_a_directory_crosses(tmp_path, inbox):
    top = a_tree(tmp_path / "photos")
    alice, bob = memory_pair()
    number = await begun(alice, bob, inspect_outgoing(top), inbox)
    done = await alice.transfers.outcome(number)
    assert isinstance(done, FileDone)
    assert (await bob.person.until(FileDone)).path == inbox / "photos"
    assert portrait(inbox / "photos") == portrait(top)
    assert bob.person.all(FileStarted) == [FileStarted(number, "photos", "in", 0, done.size)]


async def test_a_way_that_comes_up_and_breaks(tmp_path, inbox):
    file = a_file(tmp_path, 100 * MIB)
    alice, bob = memory_pair()
    number = await begun(alice, bob, file, inbox)
    await turned(lambda: far(alice, MIB))
    way = OtherWay(bob)
    alice.transfers.open_path(way)
    for _ in range(6):
        await turned(lambda: not way.may_send)
        way.arrive(alice.transfers)
    assert way.carried > 20 * MIB
    await turned(lambda: not way.may_send)
    way.flying.clear()  # what was in flight is lost
    alice.transfers.close_path(way)
    alice.transfers.close_path(way)
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    assert (inbox / "data.bin").read_bytes() == file.path.read_bytes()


async def test_a_way_that_carries_everything_with_small_chunks(tmp_path, inbox):
    file = a_file(tmp_path)
    alice, bob = memory_pair()
    way = OtherWay(bob, chunk_size=100_000)
    alice.transfers.open_path(way)
    number = await begun(alice, bob, file, inbox)
    while not alice.person.all(FileDone):
        await asyncio.sleep(0)
        way.arrive(alice.transfers)
    assert way.carried == file.offer.end
    assert (await alice.transfers.outcome(number)).size == file.size
    assert (inbox / "data.bin").read_bytes() == file.path.read_bytes()


async def test_a_stream_over_two_ways(inbox):
    reading, writing = os.pipe()
    data = os.urandom(16 * MIB + 77)
    alice, bob = memory_pair()
    number = await begun(alice, bob, PipeSource(reading, "backup"), inbox)
    feeding = asyncio.create_task(asyncio.to_thread(feed, os.dup(writing), data[: 8 * MIB]))
    await turned(lambda: far(alice, MIB))
    way = OtherWay(bob)
    alice.transfers.open_path(way)
    await feeding
    feeding = asyncio.create_task(asyncio.to_thread(feed, writing, data[8 * MIB :]))
    await turned(lambda: way.flying)
    alice.transfers.close_path(way)  # and nothing of it arrived
    done = await alice.transfers.outcome(number)
    await feeding
    os.close(reading)
    assert (done.size, done.root) == (len(data), (await bob.person.until(FileDone)).root)
    assert (inbox / "backup").read_bytes() == data


def feed(descriptor, data):
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


class Slow(PipeSource):
    """Nothing is read while the gate is closed."""

    def __init__(self, descriptor):
        super().__init__(descriptor, "backup")
        self.gate = threading.Event()
        self.gate.set()

    def read(self, offset, size, enough=0, unwanted=None):
        self.gate.wait(20)
        return super().read(offset, size, enough, unwanted)


async def test_what_was_to_be_sent_again_and_arrived_after_all(inbox):
    reading, writing = os.pipe()
    data = os.urandom(16 * MIB + 77)
    alice, bob = memory_pair()
    source = Slow(reading)
    number = await begun(alice, bob, source, inbox)
    feeding = asyncio.create_task(asyncio.to_thread(feed, writing, data))
    await turned(lambda: far(alice, MIB))
    way = OtherWay(bob)
    alice.transfers.open_path(way)
    await turned(lambda: not way.may_send)
    before = source.acknowledged
    source.gate.clear()
    alice.transfers.close_path(way)
    await asyncio.sleep(0.05)  # the thread stands before the gate
    way.arrive(alice.transfers)
    await turned(lambda: source.acknowledged > before)
    source.gate.set()
    done = await alice.transfers.outcome(number)
    os.close(reading)
    await asyncio.wait({feeding})
    assert isinstance(done, FileDone)
    assert (inbox / "backup").read_bytes() == data


async def on_a_way(inbox, data):
    """A pipe brought that much and is silent now; all of it is on another way: (number, pipe, way, both ends)."""
    reading, writing = os.pipe()
    alice, bob = memory_pair()
    way = OtherWay(bob, chunk_size=len(data) // 2)
    alice.transfers.open_path(way)
    number = await begun(alice, bob, PipeSource(reading, "log"), inbox)
    await asyncio.to_thread(os.write, writing, data[: len(data) // 2])
    await asyncio.to_thread(os.write, writing, data[len(data) // 2 :])
    await turned(lambda: way.carried == len(data))
    return number, reading, writing, way, alice, bob


def full_chunks(data):
    """Octets that go over the line before it waits for another chunk to be full."""
    return len(data) - len(data) % CHUNK_SIZE


async def test_a_way_that_breaks_while_the_pipe_is_silent(inbox):
    """Whoever fills the pipe may be waiting for the other end's answer to what the way had."""
    data = os.urandom(200_000)
    number, reading, writing, way, alice, bob = await on_a_way(inbox, data)
    try:
        alice.transfers.close_path(way)  # and nothing of it arrived
        await turned(lambda: far(bob, full_chunks(data)))
    finally:
        await asyncio.to_thread(feed, writing, b"and last")
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    assert (inbox / "log").read_bytes() == data + b"and last"
    await alice.transfers.settled()
    os.close(reading)


async def test_a_way_that_ends_leaves_what_is_enough_for_the_line(inbox):
    """For a chunk of the way the pipe has not brought enough, and for several of the line it has."""
    reading, writing = os.pipe()
    data = os.urandom(200_000)
    alice, bob = memory_pair()
    way = OtherWay(bob)
    alice.transfers.open_path(way)
    number = await begun(alice, bob, PipeSource(reading, "log"), inbox)
    await asyncio.to_thread(feed, os.dup(writing), data)
    await asyncio.sleep(0.1)
    assert way.carried == 0
    try:
        alice.transfers.close_path(way)
        await turned(lambda: far(bob, full_chunks(data)))
    finally:
        await asyncio.to_thread(feed, writing, b"and last")
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    assert (inbox / "log").read_bytes() == data + b"and last"
    os.close(reading)


async def test_a_line_that_follows_while_the_pipe_is_silent(inbox):
    """The read of the line before still waits for the pipe; what it brought before goes over the next line."""
    data = os.urandom(200_000)
    _, reading, writing, _, alice, bob = await on_a_way(inbox, data)
    left = await parted(alice, bob)
    again, _other = on_another_line(alice, bob, left)
    try:
        await turned(lambda: far(bob, full_chunks(data)))
    finally:
        await asyncio.to_thread(feed, writing, b"and last")
    await bob.person.until(FileDone)
    assert (inbox / "log").read_bytes() == data + b"and last"
    await again.transfers.settled()
    os.close(reading)


async def test_ways_that_come_and_go_leave_no_threads_at_a_silent_pipe(inbox):
    reading, writing = os.pipe()
    alice, bob = memory_pair()
    number = await begun(alice, bob, PipeSource(reading, "log"), inbox)
    try:
        for _ in range(20):
            way = OtherWay(bob)
            for change in (alice.transfers.open_path, alice.transfers.close_path):
                change(way)
                await asyncio.sleep(0.01)
        await asyncio.wait_for(asyncio.to_thread(bool), 5)
    finally:
        feed(writing, b"all of it")
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    assert (inbox / "log").read_bytes() == b"all of it"
    os.close(reading)


async def test_a_change_between_the_look_and_the_wait():
    transfer = Transfer(1, "out", Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "a"), Meter(0, 0.0))
    work = asyncio.create_task(asyncio.sleep(60))
    looks = []

    def vain():
        if not looks:  # it is to change in the very turn in which the wait begins
            asyncio.get_running_loop().call_soon(transfer.wake.set)
        looks.append("look")
        return len(looks) > 1

    assert not await asyncio.wait_for(transfer.until(work, vain), 5)
    work.cancel()


@pytest.mark.parametrize("size", [0, 1, 65_487, MIB])
async def test_streams_of_every_length(inbox, size):
    reading, writing = os.pipe()
    data = os.urandom(size)
    alice, bob = memory_pair()
    number = await begun(alice, bob, PipeSource(reading, "backup"), inbox)
    await asyncio.to_thread(feed, writing, data)
    assert (await alice.transfers.outcome(number)).size == size
    os.close(reading)
    assert (inbox / "backup").read_bytes() == data


async def test_into_a_pipe(tmp_path):
    file = a_file(tmp_path, 100_000)
    with (tmp_path / "out").open("wb") as out:
        alice, bob = memory_pair()
        number = await begun(alice, bob, file, out.fileno())
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        assert (await bob.person.until(FileDone)).path is None
    assert (tmp_path / "out").read_bytes() == file.path.read_bytes()


@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_a_pause_and_going_on(tmp_path, inbox, who):
    file = a_file(tmp_path, 40 * MIB)
    alice, bob = memory_pair()
    number = await begun(alice, bob, file, inbox)
    await turned(lambda: far(bob, MIB))
    here, there = (alice, bob) if who == "sender" else (bob, alice)
    assert here.transfers.pause(number) == 1
    assert here.transfers.pause() == 0, "it is paused already"
    await there.person.until(FilePaused, by="peer", on=True)
    before = -1
    while before != (before := bob.transfers._active[number].sink.received):  # noqa: ASYNC110 (until nothing moves)
        await asyncio.sleep(0.2)
    assert before < file.offer.end
    assert here.transfers.pause(on=False) == 1
    await there.person.until(FilePaused, by="peer", on=False)
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    assert here.person.all(FilePaused) == [
        FilePaused(number, "data.bin", "here", True), FilePaused(number, "data.bin", "here", False),
    ]  # fmt: skip


async def test_a_pause_of_what_does_not_move(tmp_path):
    alice, bob = memory_pair()
    number = alice.transfers.offer(a_file(tmp_path, 5))
    await bob.person.until(FileOffer)
    for end in (alice, bob):
        with pytest.raises(UsageError):
            end.transfers.pause(number)
        with pytest.raises(UsageError):
            end.transfers.pause(99)
        assert end.transfers.pause() == 0


async def test_going_on_after_both_ends_were_gone(tmp_path, inbox):
    file = a_file(tmp_path)
    alice, bob = memory_pair()
    await begun(alice, bob, file, inbox)
    await turned(lambda: far(bob, 5 * MIB))
    alice.close()
    for end in (alice, bob):
        assert (await end.person.until(FileFailed)).resumable
        await end.transfers.settled()
    alice, bob = memory_pair()
    number = await begun(alice, bob, inspect_outgoing(file.path), inbox)
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    for end in (alice, bob):
        (started,) = end.person.all(FileStarted)
        assert started.done >= 5 * MIB
        assert all(step.done >= started.done for step in end.person.all(FileProgress))
    assert (inbox / "data.bin").read_bytes() == file.path.read_bytes()
    await bob.transfers.settled()
    assert [path.name for path in inbox.iterdir()] == ["data.bin"]


async def test_another_line_takes_over(tmp_path, inbox):
    """A file each way and a stream; the old line is cut, nobody is asked again, nothing is sent twice."""
    reading, writing = os.pipe()
    data = os.urandom(40 * MIB)
    file, back = a_file(tmp_path), inspect_outgoing(a_tree(tmp_path / "photos", octets=40 * MIB))
    alice, bob = memory_pair()
    numbers = [await begun(alice, bob, file, inbox), await begun(alice, bob, PipeSource(reading, "stream"), inbox)]
    numbers.append(await begun(bob, alice, back, inbox))
    unanswered = alice.transfers.offer(a_file(tmp_path / "photos", 5))
    await bob.person.until(FileOffer, id=unanswered)
    feeding = asyncio.create_task(asyncio.to_thread(feed, writing, data))
    await turned(
        lambda: all(any(s.id == n and s.done > MIB for s in bob.person.all(FileProgress)) for n in numbers[:2])
    )
    outcomes = [
        asyncio.create_task(end.transfers.outcome(n)) for end, n in zip((alice, alice, bob), numbers, strict=True)
    ]
    left = await parted(alice, bob)
    assert not alice.person.all(FileFailed) + bob.person.all(FileFailed)
    _again, _other = on_another_line(alice, bob, left)
    done = await asyncio.gather(*outcomes)
    await feeding
    os.close(reading)
    assert [type(one) for one in done] == [FileDone] * 3
    moved = {(event.direction, event.name) for event in alice.person.all(FileMoved)}
    assert moved == {("out", "data.bin"), ("out", "stream"), ("in", "photos")}
    assert (inbox / "data.bin").read_bytes() == file.path.read_bytes()
    assert (inbox / "stream").read_bytes() == data
    assert portrait(inbox / "photos")["deep"] == portrait(tmp_path / "photos")["deep"]
    starts = [started.done for started in bob.person.all(FileStarted) if started.name == "data.bin"]
    assert starts[0] == 0
    assert starts[1] > MIB
    # What nobody had answered is offered again, and asked about.
    await turned(lambda: len(bob.person.all(FileOffer)) > 3)


async def test_another_peers_transfers_are_not_taken_over(tmp_path, inbox):
    alice, _ = memory_pair()
    left = await alice.transfers.leave()
    with pytest.raises(UsageError):
        Transfers(alice, alice.person.emit, "cd" * 32).take_over(left)


@pytest.mark.parametrize("taken", [False, True])
async def test_no_other_line_came(tmp_path, inbox, taken):
    file = a_file(tmp_path)
    alice, bob = memory_pair()
    await begun(alice, bob, file, inbox)
    await turned(lambda: far(bob, 2 * MIB))
    left = await parted(alice, bob)
    problem = ConnectionLost("gone")
    for end, rest in zip((alice, bob), left, strict=True):
        if taken and end is bob:
            _, later = memory_pair()
            later.transfers = Transfers(later, bob.person.emit, "ab" * 32)
            later.transfers.take_over(rest)  # but the peer never offers it again
            later.transfers.abandon(problem)
            await later.transfers.settled()
        else:
            end.transfers.give_up(rest, problem)
            await end.transfers.settled()
        assert (await end.person.until(FileFailed)).resumable
    assert left[0].transfers[0].reader._content._open == (-1, -1)  # nothing stays open
    assert [path.name for path in inbox.iterdir()] == [SIDE_DIRECTORY]
    alice, bob = memory_pair()
    number = await begun(alice, bob, file, inbox)
    assert isinstance(await alice.transfers.outcome(number), FileDone)


async def test_real_lines_one_after_another(tmp_path, inbox):
    file = a_file(tmp_path, 64 * MIB)
    async with open_ends() as (alice, bob, lines):
        number = alice.session.offer(file)
        await bob.person.until(FileOffer)
        bob.transfers.accept(number, inbox)
        await turned(lambda: far(bob, 2 * MIB))
        outcome = asyncio.create_task(alice.transfers.outcome(number))
        left = [await end.transfers.leave() for end in (alice, bob)]
        await asyncio.gather(*(line.abort(ConnectionLost("pulled out")) for line in lines))
        async with line_pair() as others:
            ends = [
                End(person, Session(line, person, STRANGER))
                for line, person in zip(others, (Person(), Person()), strict=True)
            ]
            ends[1].transfers.take_over(left[1])
            ends[0].transfers.take_over(left[0])
            assert isinstance(await outcome, FileDone)
            for end in ends:
                await end.close()
    assert (inbox / "data.bin").read_bytes() == file.path.read_bytes()


async def test_what_cannot_be_sent_again(inbox):
    """A peer that says it has less of a stream than it acknowledged before: nobody can help it."""
    reading, writing = os.pipe()
    source = PipeSource(reading, "stream")
    await asyncio.to_thread(feed, writing, bytes(10_000))
    source.read(0, 10_000)
    source.acknowledged = 20_000
    alice, bob = memory_pair()
    number = await begun(alice, bob, source, inbox)
    assert "gone" in (await alice.transfers.outcome(number)).reason
    os.close(reading)


async def test_a_transfer_of_the_peers_has_nothing_to_read():
    offer = Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "a")
    transfer = Transfer(2, "in", offer, Meter(0, 0.0))
    with pytest.raises(Misuse):
        transfer.open_reader()
    assert not transfer.resumable
    with pytest.raises(TransferIncomplete):
        transfer.open_sink(inbox_that_is_not_there(), "ab")


def inbox_that_is_not_there():
    from pathlib import Path

    return Path("/nonexistent/inbox")


async def test_a_silent_pipe_moves_to_another_line(inbox):
    reading, writing = os.pipe()
    alice, bob = memory_pair()
    number = await begun(alice, bob, PipeSource(reading, "stream"), inbox)
    os.write(writing, b"first ")
    await turned(lambda: alice.transfers._active[number].accepted)
    await asyncio.sleep(0.05)
    left = await parted(alice, bob)
    again, _other = on_another_line(alice, bob, left)
    await asyncio.to_thread(feed, writing, b"and last")
    await bob.person.until(FileDone)
    assert (inbox / "stream").read_bytes() == b"first and last"
    await again.transfers.settled()
    os.close(reading)


async def test_a_slow_pipe_arrives_while_it_is_slow(inbox):
    reading, writing = os.pipe()
    alice, bob = memory_pair()
    number = await begun(alice, bob, PipeSource(reading, "log"), inbox)
    data = os.urandom(CHUNK_SIZE + 5)
    await asyncio.to_thread(os.write, writing, data)
    await turned(lambda: far(bob, CHUNK_SIZE))
    await asyncio.to_thread(feed, writing, b"and last")
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    assert (await bob.person.until(FileDone)).size == len(data) + 8
    assert (inbox / "log").read_bytes() == data + b"and last"
    os.close(reading)


async def nobody_reads(tmp_path, size=3 * MIB):
    """A file into a pipe that is full: (file, reading end, writing end, both ends)."""
    file = a_file(tmp_path, size)
    reading, writing = os.pipe()
    alice, bob = memory_pair()
    number = await begun(alice, bob, file, writing)
    await turned(lambda: (one := bob.transfers._active.get(number)) and one.writing and not one.writing.done())
    while select.select([], [writing], [], 0.3)[1]:  # noqa: ASYNC110 (until it is full)
        await asyncio.sleep(0.01)
    return file, reading, writing, alice, bob


async def test_a_pipe_that_nobody_reads_holds_up_no_other_line(tmp_path):
    file, reading, writing, alice, bob = await nobody_reads(tmp_path)
    for _ in range(2):  # and not the line after that either
        left = await parted(alice, bob)
        alice, bob = on_another_line(alice, bob, left)
        await turned(lambda end=bob: len(end.transfers._active) == 1)
    out = bytearray()

    def drain():
        while len(out) < file.offer.size and (data := os.read(reading, MIB)):
            out.extend(data)

    await asyncio.wait_for(asyncio.to_thread(drain), 20)
    assert (await bob.person.until(FileDone)).size == file.offer.size
    assert bytes(out) == file.path.read_bytes()
    for end in (reading, writing):
        os.close(end)


async def test_the_reader_went_away_between_two_lines(tmp_path):
    _, reading, writing, alice, bob = await nobody_reads(tmp_path)
    left = await parted(alice, bob)
    os.close(reading)
    _again, _other = on_another_line(alice, bob, left)
    assert (await bob.person.until(FileFailed)).code == "output-failed"
    os.close(writing)


async def test_a_pipe_that_nobody_reads_and_no_other_line(tmp_path):
    _, reading, writing, alice, bob = await nobody_reads(tmp_path)
    for end in (alice, bob):
        end.channel.path_lost()
        end.transfers.give_up(await asyncio.wait_for(end.transfers.leave(), 5), ConnectionLost("gone"))
        await asyncio.wait_for(end.transfers.settled(), 5)
        assert not (await end.person.until(FileFailed)).resumable or end is alice
    for end in (reading, writing):
        os.close(end)


async def test_a_receiver_that_has_what_never_came_through_the_pipe(inbox):
    reading, writing = os.pipe()
    await asyncio.to_thread(feed, writing, bytes(10_000))
    alice, bob = memory_pair()
    number = alice.transfers.offer(PipeSource(reading, "stream"))
    await bob.person.until(FileOffer, id=number)
    bob.accept_file(number, 1 << 40)
    failed = await asyncio.wait_for(alice.transfers.outcome(number), 5)
    assert "more than ever came" in failed.reason
    os.close(reading)


def held_after(end, octets):
    """Each transfer is paused as soon as that much of it is there."""
    emit = end.transfers._emit

    def watch(event):
        emit(event)
        if isinstance(event, FileProgress) and event.done > octets:
            end.transfers.pause(event.id)

    end.transfers._emit = watch


async def test_consent_is_for_one_offer_and_each_of_them(tmp_path, inbox):
    """The same thing into two directories goes on in both; the same root with other words is a new question."""
    (tmp_path / "other").mkdir()
    file = a_file(tmp_path, 40 * MIB)  # two windows and more, so that neither ends before it is held
    alice, bob = memory_pair()
    held_after(bob, MIB)
    for where in (inbox, tmp_path / "other"):
        await begun(alice, bob, file, where)
    await turned(lambda: {s.id for s in bob.person.all(FileProgress) if s.done > MIB} == {1, 3})
    left = await parted(alice, bob)
    again, other = memory_pair()
    again.person, other.person = alice.person, bob.person
    for end in (again, other):
        end.transfers = Transfers(end, end.person.emit, "ab" * 32)
    other.transfers.take_over(left[1])
    asked = len(bob.person.all(FileOffer))
    again.offer_file(replace(file.offer, name="other.bin"))
    await turned(lambda: len(bob.person.all(FileOffer)) > asked)
    assert len(other.transfers.waiting) == 1
    again.transfers.take_over(left[0])
    await turned(lambda: len(bob.person.all(FileDone)) == 2)
    for where in (inbox, tmp_path / "other"):
        assert (where / "data.bin").read_bytes() == file.path.read_bytes()
    assert len(bob.person.all(FileOffer)) == asked + 1


async def test_of_two_alike_the_one_that_is_not_through_goes_on(tmp_path, inbox):
    """The peer knows of the first that it is through, which is not known here when the line is lost."""
    (tmp_path / "other").mkdir()
    file = a_file(tmp_path, 24 * MIB)
    alice, bob = memory_pair()
    bob.cut = True
    number = await begun(alice, bob, file, inbox)
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    held_after(bob, MIB)
    number = await begun(alice, bob, file, tmp_path / "other")
    await turned(lambda: any(step.id == number for step in bob.person.all(FilePaused)))
    outcome = asyncio.create_task(alice.transfers.outcome(number))
    left = await parted(alice, bob)
    _again, _other = on_another_line(alice, bob, left)
    assert isinstance(await asyncio.wait_for(outcome, 20), FileDone)
    await turned(lambda: len(bob.person.all(FileDone)) == 2)
    for where in (inbox, tmp_path / "other"):
        assert (where / "data.bin").read_bytes() == file.path.read_bytes()


async def test_the_next_line_is_over_at_once(tmp_path, inbox):
    """What was left waits for the line after it, or for its end; nothing is lost between two lines."""
    file = a_file(tmp_path)
    alice, bob = memory_pair()
    number = await begun(alice, bob, file, inbox)
    await turned(lambda: far(bob, 2 * MIB))
    outcome = asyncio.create_task(alice.transfers.outcome(number))
    left = await parted(alice, bob)
    for dead in (True, False):
        again, other = memory_pair()
        for end, person, rest in ((other, bob.person, left[1]), (again, alice.person, left[0])):
            end.person = person
            end.transfers = Transfers(end, person.emit, "ab" * 32)
            if dead:
                end.channel.path_lost()
            end.transfers.take_over(rest)
        if dead:
            left = [await end.transfers.leave() for end in (again, other)]
    assert isinstance(await asyncio.wait_for(outcome, 20), FileDone)
    assert (inbox / "data.bin").read_bytes() == file.path.read_bytes()
