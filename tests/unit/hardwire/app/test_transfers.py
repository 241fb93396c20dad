# SPDX-License-Identifier: Apache-2.0
import asyncio
import mmap
import os
import re
import threading
from pathlib import Path

import pytest

from hardwire.app import underway as underway_module
from hardwire.app.events import FileDone, FileFailed, FileOffer, FilePaused, FileProgress, LineClosed, Said
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.incoming import Incoming
from hardwire.app.outgoing import OutgoingFile, inspect_outgoing
from hardwire.channel.tree import mismatch
from hardwire.errors import ConnectionLost, LocalError, Misuse, UsageError
from support.deliveries import DATA, a_file, empty, failed, kept, offered, pretended
from support.memoryline import memory_pair
from support.people import open_ends
from support.trees import MIB


def sparse(outbox: Path, size: int) -> OutgoingFile:
    with (outbox / "large.bin").open("wb") as file:
        file.truncate(size)
    return inspect_outgoing(outbox / "large.bin")


async def moving(end) -> FileProgress:
    return await end.person.until(FileProgress)


async def far(end) -> None:
    """More than a leaf is proved. Looked at each turn of the loop: events are a quarter of a second apart, and a
    quick machine is through by the second."""
    async with asyncio.timeout(20):
        while not any(one.meter.done > 2_000_000 for one in end.transfers._active.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_file_goes_over_whole(outbox, inbox, monkeypatch):
    monkeypatch.setattr(underway_module, "_PROGRESS_EVERY", 0.0)
    file = a_file(outbox)
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(file)
        assert alice.transfers.outgoing == (number,)
        offer = await offered(bob)
        assert offer == FileOffer(number, "report.pdf", "file", len(DATA), 1, 0, file.offer.root.hex())
        assert bob.transfers.offered.is_set()
        assert bob.transfers.waiting == (number,)
        assert bob.transfers.describe(number) == offer
        assert empty(inbox), "nothing is written before somebody accepts"
        bob.transfers.accept(number, inbox)
        assert bob.transfers.waiting == ()
        got = await bob.person.until(FileDone)
        sent = await alice.person.until(FileDone)
        assert await alice.transfers.outcome(number) == sent
        assert alice.transfers.outgoing == ()
        for end, done, way in ((alice, sent, "out"), (bob, got, "in")):
            assert (done.id, done.name, done.direction, done.size) == (number, "report.pdf", way, len(DATA))
            assert done.root == file.offer.root.hex()
            steps = [step.done for step in end.person.all(FileProgress)]
            assert steps  # how many depends on how much of it came while the disk was busy
            assert steps == sorted(steps)
            assert steps[-1] == len(DATA)
        assert got.path == inbox / "report.pdf"
        assert sent.path is None
        assert got.path.read_bytes() == DATA
        await bob.transfers.settled()
        assert [path.name for path in inbox.iterdir()] == ["report.pdf"]


async def test_an_empty_file_is_a_file(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox, data=b""))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        assert (inbox / "report.pdf").read_bytes() == b""


async def test_both_ways_and_several_at_a_time(outbox, inbox):
    files = [a_file(outbox, f"{n}.bin", os.urandom(200_000 + n)) for n in range(4)]
    async with open_ends() as (alice, bob, _):
        for n, file in enumerate(files):
            sender, receiver = (alice, bob) if n % 2 else (bob, alice)
            number = sender.session.offer(file)
            await offered(receiver, number)
            receiver.transfers.accept(number, inbox)
        for end in (alice, bob):
            for file in files:
                await end.person.until(FileDone, name=file.name)
        for end in (alice, bob):  # the last word of each is heard, before which the note of it stays
            await end.transfers.settled()
    assert {path.name: path.read_bytes() for path in inbox.iterdir()} == {
        file.name: file.path.read_bytes() for file in files
    }


async def test_declined(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.decline(number)
        assert (await failed(bob, "declined")).reason == "declined here"
        outcome = await alice.transfers.outcome(number)
        assert (outcome.code, outcome.reason) == ("declined", "the peer said no")
        with pytest.raises(UsageError):
            bob.transfers.accept(number, inbox)


@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_cancelled_on_the_way(outbox, inbox, who):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(sparse(outbox, 100_000_000))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await moving(bob)
        assert kept(inbox)
        (alice if who == "sender" else bob).transfers.cancel(number)
        reasons = {(await failed(end, "cancelled")).reason for end in (alice, bob)}
        assert reasons == {"stopped here", "the peer stopped it"}
        await bob.transfers.settled()
        assert empty(inbox)
        alice.session.say("still there?")
        await bob.person.until(Said, by="peer")


async def test_both_cancel_at_once_and_click_twice(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(sparse(outbox, 500_000_000))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await far(bob)
        for end in (alice, bob):  # before either hears of the other
            assert end.transfers.cancel(number) == 1
            with pytest.raises(UsageError, match="no transfer"):
                end.transfers.cancel(number)
            assert end.transfers.cancel() == 0
        for end in (alice, bob):
            await failed(end, "cancelled")
        number = alice.session.offer(a_file(outbox))
        await offered(bob, number)
        bob.transfers.accept(number, inbox)
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        with pytest.raises(UsageError, match="no transfer"):
            alice.transfers.cancel(number)
        with pytest.raises(UsageError, match="no transfer"):
            bob.transfers.pause(number)
        for end in (alice, bob):
            assert len(end.person.all(FileFailed)) == 1
        await bob.transfers.settled()
        assert [path.name for path in inbox.iterdir()] == ["report.pdf"]


async def test_both_pause_at_once_and_both_must_let_it_go_on(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(sparse(outbox, 200_000_000))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await far(bob)
        for end in (alice, bob):
            assert end.transfers.pause(number) == 1
            assert end.transfers.pause(number) == 0
        for end in (alice, bob):
            await end.person.until(FilePaused, by="peer", on=True)
        assert alice.transfers.pause(number, on=False) == 1
        await bob.person.until(FilePaused, by="peer", on=False)
        await asyncio.sleep(0.1)
        held = bob.transfers._active[number].meter.done
        await asyncio.sleep(0.2)
        assert bob.transfers._active[number].meter.done == held, "the other one holds it still"
        assert bob.transfers.pause(number, on=False) == 1
        assert isinstance(await alice.transfers.outcome(number), FileDone)


async def test_cancelled_before_it_was_answered(outbox):
    async with open_ends() as (alice, bob, _):
        alice.session.offer(a_file(outbox))
        await offered(bob)
        alice.transfers.cancel()
        await failed(bob, "cancelled")
        assert bob.transfers.waiting == ()
        assert (await failed(alice, "cancelled")).reason == "stopped here"


async def test_a_file_that_cannot_fit(inbox):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(pretended(size=1 << 52))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        here = await failed(bob, "disk-full")
        assert here.reason.startswith("no room for 4.5 PB in")
        assert "--dir" in here.hint
        assert (await alice.transfers.outcome(number)).reason == "the peer has no room for it"
        assert empty(inbox)


async def test_a_directory_that_went_away(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.accept(number, inbox / "gone")
        assert (await failed(bob, "disk")).reason.endswith("no such file or directory")
        assert (await alice.transfers.outcome(number)).reason == "it failed at the peer"


async def test_a_disk_that_fills_up_on_the_way(outbox, inbox):
    """From some moment on the kernel says what it says of a full disk: the file becomes /dev/full."""
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(sparse(outbox, 100_000_000))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await far(bob)
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, bob.transfers._active[number].sink._layout._open[1])
        os.close(full)
        here = await failed(bob, "disk-full")
        assert here.reason.startswith("no room for")
        assert here.resumable
        assert (await alice.transfers.outcome(number)).reason == "the peer has no room for it"
        assert kept(inbox)


async def test_a_reader_of_the_peers_pipe_that_went_away(outbox):
    """Nothing is kept of what went into a pipe, and nobody says that it is."""
    reading, writing = os.pipe()
    os.close(reading)
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.accept(number, writing)
        here = await failed(bob, "output-failed")
        assert (here.hint, here.resumable) == ("ask your peer to send it again", False)
        there = await alice.transfers.outcome(number)
        assert there.hint == "send the same again: if your peer kept what arrived, it goes on from there"
    os.close(writing)


async def test_a_file_that_changes_while_it_is_sent(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        file = sparse(outbox, 100_000_000)
        number = alice.session.offer(file)
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await moving(bob)
        with file.path.open("ab") as more:
            more.write(b"!")
        assert "changed since it was offered" in (await failed(alice, "file-changed")).reason
        assert (await failed(bob, "file-changed")).reason == "the file changed at the peer while it was sent"
        assert empty(inbox)


async def test_a_file_that_is_written_to_through_a_mapping(outbox, inbox):
    """Its time stays what it was until the kernel comes to it; the octets tell, and both ends say what happened."""
    path = outbox / "notes.db"
    path.write_bytes(bytes(40 * MIB))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[30 * MIB] = 1
        source = inspect_outgoing(path)
        before = path.stat().st_mtime_ns
        mapped[30 * MIB] = 2
        assert path.stat().st_mtime_ns == before, "nobody sees it by the time"
        async with open_ends() as (alice, bob, _):
            number = alice.session.offer(source)
            await offered(bob)
            bob.transfers.accept(number, inbox)
            assert (await failed(bob, "hash-mismatch")).resumable
            there = await alice.transfers.outcome(number)
            assert (there.code, there.resumable) == ("file-changed", False)
            assert "notes.db: changed since it was offered" in there.reason
            await bob.transfers.settled()
            assert kept(inbox)
            number = alice.session.offer(inspect_outgoing(path))
            await offered(bob, number)
            bob.transfers.accept(number, inbox)
            assert isinstance(await alice.transfers.outcome(number), FileDone)
            assert (inbox / "notes.db").read_bytes()[30 * MIB] == 2


@pytest.mark.parametrize("touched", ["removed", "replaced"])
async def test_a_file_that_changes_before_it_is_sent(outbox, inbox, touched):
    async with open_ends() as (alice, bob, _):
        file = a_file(outbox)
        number = alice.session.offer(file)
        await offered(bob)
        file.path.unlink()
        if touched == "replaced":
            os.mkfifo(file.path)
        bob.transfers.accept(number, inbox)
        assert isinstance(await alice.transfers.outcome(number), FileFailed)
        await bob.person.until(FileFailed)
        assert empty(inbox)


async def test_a_line_that_is_cut_leaves_no_name(outbox, inbox):
    async with open_ends() as (alice, bob, lines):
        number = alice.session.offer(sparse(outbox, 100_000_000))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await far(bob)
        await lines[0].abort(ConnectionLost("pulled out"))
        problem = await bob.ended()
        assert isinstance(problem, ConnectionLost)
        assert problem.exit_code == 30
        kinds = [type(event) for event in bob.person.events]
        assert kinds.index(FileFailed) < kinds.index(LineClosed)
        assert kept(inbox)
        assert isinstance(await alice.transfers.outcome(number), FileFailed)


@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_a_line_that_is_closed_leaves_no_name(outbox, inbox, who):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(sparse(outbox, 100_000_000))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await far(bob)
        closing, other = (alice, bob) if who == "sender" else (bob, alice)
        await closing.session.close()
        assert await other.ended() is None, "a goodbye is a goodbye, whatever was on its way"
        for end in (alice, bob):
            await failed(end, "closed")
        assert kept(inbox)


async def test_more_than_the_line_carries_at_a_time():
    async with open_ends() as (alice, _, _):
        numbers = [alice.session.offer(pretended()) for _ in range(16)]
        with pytest.raises(LocalError) as caught:
            alice.session.offer(pretended())
        assert caught.value.code == "too-many-transfers"
        assert not isinstance(caught.value, Misuse)
        assert alice.transfers.outgoing == tuple(numbers)


async def test_the_second_of_two_may_end_first(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        numbers = [alice.session.offer(a_file(outbox, name)) for name in ("one", "two")]
        await offered(bob, numbers[1])
        bob.transfers.decline(numbers[1])
        await failed(alice, "declined")
        bob.transfers.accept(numbers[0], inbox)
        outcomes = [await alice.transfers.outcome(number) for number in numbers]
        assert [type(outcome) for outcome in outcomes] == [FileDone, FileFailed]


async def test_numbers_that_name_nothing(inbox):
    async with open_ends() as (alice, _, _):
        mine = alice.session.offer(pretended())
        for wrong in (0, 99, mine):
            for verb in (
                lambda key: alice.transfers.accept(key, inbox),
                alice.transfers.decline,
                alice.transfers.describe,
            ):
                with pytest.raises(UsageError):
                    verb(wrong)
        with pytest.raises(UsageError):
            alice.transfers.cancel(99)
        with pytest.raises(UsageError):
            await alice.transfers.outcome(99)
        alice.transfers.cancel()
        alice.transfers.cancel()
        assert not alice.transfers.handle(object())


async def test_a_slow_disk_holds_nobody_up(outbox, inbox, monkeypatch):
    """Waiting for a disk takes longer than a peer waits for a sign of life; so it is not waited for on the loop."""
    at_work, go_on = threading.Event(), threading.Event()
    for name in ("_begin", "finish"):
        monkeypatch.setattr(Incoming, name, slowly(getattr(Incoming, name), at_work, go_on))
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        for word in ("reserving", "finishing"):
            await asyncio.to_thread(at_work.wait, 10)
            at_work.clear()
            alice.session.say(word)
            await bob.person.until(Said, text=word)
            assert alice.person.all(FileDone) == []
            if word == "finishing":
                bob.transfers.cancel(number)  # too late: it is whole
            go_on.set()
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        assert (await bob.person.until(FileDone)).path.read_bytes() == DATA
        assert bob.person.all(FileFailed) == []


async def test_a_whole_file_is_kept_when_the_line_ends_just_then(outbox, inbox, monkeypatch):
    at_work, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(Incoming, "finish", slowly(Incoming.finish, at_work, go_on))
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await asyncio.to_thread(at_work.wait, 10)
        await alice.session.close()
        assert isinstance(await alice.transfers.outcome(number), FileFailed), "here nobody knows whether it arrived"
        go_on.set()
        assert await bob.ended() is None
        kinds = [type(event) for event in bob.person.events]
        assert kinds.index(FileDone) < kinds.index(LineClosed)
        assert {path.name for path in inbox.iterdir()} == {SIDE_DIRECTORY, "report.pdf"}, "the sender does not know it"


@pytest.mark.parametrize("verb", ["cancel", "pause"])
@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_stopped_or_held_while_it_gets_its_name(outbox, inbox, monkeypatch, who, verb):
    """What is whole is kept, whoever thinks of it too late; and who takes it back is not given it twice either."""
    at_work, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(Incoming, "finish", slowly(Incoming.finish, at_work, go_on))
    async with open_ends() as (alice, bob, _):
        file = a_file(outbox)
        number = alice.session.offer(file)
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await asyncio.to_thread(at_work.wait, 10)
        one, other = (alice, bob) if who == "sender" else (bob, alice)
        getattr(one.transfers, verb)(number)
        one.session.say("now")
        await other.person.until(Said, by="peer")
        go_on.set()
        assert (await bob.person.until(FileDone)).path.read_bytes() == DATA
        taken_back = (who, verb) == ("sender", "cancel")
        outcome = await alice.transfers.outcome(number)
        assert isinstance(outcome, FileFailed if taken_back else FileDone)
        assert bob.person.all(FileFailed) == []
        for end in (alice, bob):
            assert end.transfers.cancel() == end.transfers.pause() == 0, "after the end"
        if taken_back:
            monkeypatch.undo()
            await bob.transfers.settled()
            number = alice.session.offer(file)
            await offered(bob, number)
            bob.transfers.accept(number, inbox)
            assert isinstance(await alice.transfers.outcome(number), FileDone)
        await bob.transfers.settled()
        assert [path.name for path in inbox.iterdir()] == ["report.pdf"]


@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_paused_before_it_is_answered(outbox, inbox, who):
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        end = alice if who == "sender" else bob
        assert end.transfers.pause() == 0
        with pytest.raises(UsageError, match="not under way yet"):
            end.transfers.pause(number)
        bob.transfers.accept(number, inbox)
        assert isinstance(await alice.transfers.outcome(number), FileDone)


async def test_the_receiver_leaves_while_a_file_gets_its_name(outbox, inbox, monkeypatch):
    at_work, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(Incoming, "finish", slowly(Incoming.finish, at_work, go_on))
    file = a_file(outbox)
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(file)
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await asyncio.to_thread(at_work.wait, 10)
        leaving = asyncio.create_task(bob.session.close())
        there = await alice.transfers.outcome(number)
        assert (there.code, there.resumable) == ("closed", True)
        assert not leaving.done(), "what is being put in its place is not left there"
        go_on.set()
        await leaving
        await bob.person.until(FileDone)
    monkeypatch.undo()
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(file)
        await offered(bob)
        bob.transfers.accept(number, inbox)
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        await bob.transfers.settled()
        assert [path.name for path in inbox.iterdir()] == ["report.pdf"]


@pytest.mark.parametrize("keeps", [True, False])
async def test_the_verdict_leaves_before_the_goodbye(outbox, inbox, monkeypatch, keeps):
    """The receiver is stopped in the last instant: what is in its place a moment later has arrived for both."""
    at_work, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(Incoming, "finish", slowly(Incoming.finish if keeps else refuses, at_work, go_on))
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await asyncio.to_thread(at_work.wait, 10)
        bob.running.cancel()  # as Ctrl-C does: nobody takes in the line's events any more
        leaving = asyncio.create_task(bob.session.close())
        await asyncio.sleep(0.1)
        go_on.set()
        there = await alice.transfers.outcome(number)
        assert isinstance(there, FileDone) if keeps else there.code == "hash-mismatch"
        await leaving
        await bob.person.until(FileDone if keeps else FileFailed)


def refuses(*_arguments: object) -> None:
    raise mismatch()


async def test_an_offer_that_ends_while_the_space_is_reserved(outbox, inbox, monkeypatch):
    at_work, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(Incoming, "_begin", slowly(Incoming._begin, at_work, go_on))
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(outbox))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        await asyncio.to_thread(at_work.wait, 10)
        alice.transfers.cancel(number)
        alice.session.say("never mind")
        await bob.person.until(Said, by="peer")
        assert bob.person.all(FileFailed) == [], "it is said when it is true"
        go_on.set()
        await failed(bob, "cancelled")
        assert empty(inbox)


def slowly(work, at_work: threading.Event, go_on: threading.Event):
    def wait(*arguments):
        at_work.set()
        assert go_on.wait(10)
        go_on.clear()
        return work(*arguments)

    return wait


async def test_memory_does_not_grow_with_the_file(outbox, inbox):
    alice, bob = memory_pair()
    file = sparse(outbox, 200_000_000)
    before = peak_of_memory()
    number = alice.transfers.offer(file)
    await bob.person.until(FileOffer)
    bob.transfers.accept(number, inbox)
    done = await alice.transfers.outcome(number)
    grown = peak_of_memory(reset=False) - before
    assert isinstance(done, FileDone)
    assert (inbox / "large.bin").stat().st_size == 200_000_000
    assert grown < 40_000_000, f"{grown / 1e6:.0f} MB for a window of 8 MB"


def peak_of_memory(*, reset: bool = True) -> int:
    """The most memory this process had at once, in octets, since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kib) * 1024
