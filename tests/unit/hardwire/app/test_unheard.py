# SPDX-License-Identifier: Apache-2.0
"""A line that ends between the last octet and the last word: nobody gets anything twice, and both know in the end."""

import asyncio
import os

from hardwire.app import unheard
from hardwire.app.events import FileDone, FileFailed, FileOffer, LineClosed
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.pipes import PipeSource
from hardwire.app.transfers import Transfers
from hardwire.channel import events as line_events
from hardwire.errors import ConnectionLost
from support.memoryline import memory_pair
from support.people import open_ends
from support.trees import MIB


def left(inbox):
    return {path.name for path in inbox.iterdir()}


async def turned(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (it is the turning of the loop that moves the frames)
            await asyncio.sleep(0.001)


async def cut_before_the_last_word(source, where):
    """Bob has it and says so; Alice never hears it. What both leave, and Alice's wait."""
    alice, bob = memory_pair()
    number = alice.transfers.offer(source)
    await bob.person.until(FileOffer, id=number)
    honest = bob.channel.confirm_file

    def unheard(*words, **named):
        for end in (alice, bob):
            end.cut = True
            end.channel.path_lost()
        honest(*words, **named)

    bob.channel.confirm_file = unheard
    bob.transfers.accept(number, where)
    await bob.person.until(FileDone)
    outcome = asyncio.create_task(alice.transfers.outcome(number))
    return alice, bob, outcome, [await end.transfers.leave() for end in (alice, bob)]


def another(alice, bob, rest):
    """The next line of both."""
    ends = memory_pair()
    for end, before, of_it in zip(ends, (alice, bob), rest, strict=True):
        end.person = before.person
        end.transfers = Transfers(end, end.person.emit, "ab" * 32, before.transfers.last)
        end.transfers.take_over(of_it)
    return ends


def a_file(tmp_path, size=3 * MIB):
    (tmp_path / "data.bin").write_bytes(os.urandom(size))
    return inspect_outgoing(tmp_path / "data.bin")


async def test_the_next_line_brings_the_last_word_and_not_the_file(tmp_path, inbox):
    alice, bob, outcome, rest = await cut_before_the_last_word(a_file(tmp_path), inbox)
    assert [one.offer.name for one in rest[1].unheard] == ["data.bin"]
    assert left(inbox) == {"data.bin", SIDE_DIRECTORY}
    alice, bob = another(alice, bob, rest)
    assert isinstance(await outcome, FileDone)
    assert len(bob.person.all(FileOffer)) == len(bob.person.all(FileDone)) == 1, "nobody is asked, or told, twice"
    await bob.transfers.settled()
    assert left(inbox) == {"data.bin"}


async def test_a_stream_too(tmp_path, inbox):
    reading, writing = os.pipe()
    os.write(writing, b"some octets")
    os.close(writing)
    alice, bob, outcome, rest = await cut_before_the_last_word(PipeSource(reading, "notes"), inbox)
    assert left(inbox) == {"notes"}
    alice, bob = another(alice, bob, rest)
    assert isinstance(await outcome, FileDone)
    assert (inbox / "notes").read_bytes() == b"some octets"
    assert left(inbox) == {"notes"}
    os.close(reading)


async def test_a_second_line_that_is_lost_just_then(tmp_path, inbox):
    alice, bob, outcome, rest = await cut_before_the_last_word(a_file(tmp_path), inbox)
    alice, bob = another(alice, bob, rest)
    for end in (alice, bob):
        end.cut = True
        end.channel.path_lost()
    rest = [await end.transfers.leave() for end in (alice, bob)]
    assert len(rest[1].unheard) == 1
    another(alice, bob, rest)
    assert isinstance(await outcome, FileDone)
    assert len(bob.person.all(FileDone)) == 1


async def test_what_somebody_took_away_meanwhile_is_offered_as_ever(tmp_path, inbox):
    alice, bob, outcome, rest = await cut_before_the_last_word(a_file(tmp_path), inbox)
    (inbox / "data.bin").unlink()
    alice, bob = another(alice, bob, rest)
    await turned(lambda: len(bob.person.all(FileOffer)) == 2)
    bob.transfers.accept(bob.transfers.waiting[0], inbox)
    assert isinstance(await outcome, FileDone)
    assert (inbox / "data.bin").exists()


async def test_a_goodbye_is_enough(tmp_path, inbox):
    alice, bob, outcome, rest = await cut_before_the_last_word(a_file(tmp_path), inbox)
    _, bob = another(alice, bob, [type(rest[0])(rest[0].peer, ()), rest[1]])
    await bob.transfers.goodbye()
    assert left(inbox) == {"data.bin"}
    alice.transfers.give_up(rest[0], ConnectionLost("gone"))
    outcome.cancel()


async def test_a_program_that_ends_before_it_heard_the_last_word(tmp_path, inbox):
    """Its goodbye is in order, and says that it did not hear: what it offers again does not come twice."""
    file = a_file(tmp_path)
    async with open_ends() as (alice, bob, _):
        plain = alice.transfers.handle
        alice.transfers.handle = lambda event: isinstance(event, line_events.FileComplete) or plain(event)
        number = alice.session.offer(file)
        await bob.person.until(FileOffer, id=number)
        bob.transfers.accept(number, inbox)
        await bob.person.until(FileDone)
        await alice.session.close()
        assert await bob.ended() is None
        assert bob.person.all(LineClosed)[0].clean
        await bob.transfers.settled()
        assert left(inbox) == {"data.bin", SIDE_DIRECTORY}
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(file)
        await bob.person.until(FileOffer, id=number)
        bob.transfers.accept(number, inbox)
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        await alice.session.close()
        await bob.ended()
    assert left(inbox) == {"data.bin"}


async def test_a_line_that_ends_for_good_keeps_the_note(tmp_path, inbox):
    file = a_file(tmp_path)
    alice, bob, outcome, _ = await cut_before_the_last_word(file, inbox)
    outcome.cancel()
    assert left(inbox) == {"data.bin", SIDE_DIRECTORY}
    alice, bob = memory_pair()  # other processes, for all they know
    number = alice.transfers.offer(inspect_outgoing(file.path))
    await bob.person.until(FileOffer, id=number)
    bob.transfers.accept(number, inbox)
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    await bob.transfers.settled()
    assert left(inbox) == {"data.bin"}
    assert not bob.person.all(FileFailed)


async def test_who_has_it_all_and_closes_at_once_leaves_no_note(tmp_path, inbox):
    """As a program does that wanted this one file. The peer hears of it, and offers it no more."""
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(a_file(tmp_path))
        await bob.person.until(FileOffer, id=number)
        bob.transfers.accept(number, inbox)
        await bob.person.until(FileDone)
        await bob.session.close()
        assert isinstance(await alice.transfers.outcome(number), FileDone)
        await bob.transfers.settled()
        assert left(inbox) == {"data.bin"}


async def taken_and_never_heard_of(monkeypatch, ends, line, file, inbox):
    """The file is whole at Bob's, and Alice's machine never has the word of it."""
    alice, bob = ends
    honest = line.delivered

    async def not_yet():
        return await honest() and False

    monkeypatch.setattr(line, "delivered", not_yet)
    number = alice.session.offer(file)
    await bob.person.until(FileOffer, id=number)
    bob.transfers.accept(number, inbox)
    await bob.person.until(FileDone)


async def test_closing_waits_a_moment_for_that_and_no_longer(tmp_path, inbox, monkeypatch):
    monkeypatch.setattr(unheard, "LAST_WORDS", 0.05)
    async with open_ends() as (alice, bob, lines):
        await taken_and_never_heard_of(monkeypatch, (alice, bob), lines[1], a_file(tmp_path), inbox)
        async with asyncio.timeout(10):
            await bob.session.close()
    assert left(inbox) == {"data.bin", SIDE_DIRECTORY}


async def test_closing_that_is_broken_off_meanwhile_still_says_goodbye(tmp_path, inbox, monkeypatch):
    """Somebody presses Ctrl-C once more."""
    async with open_ends() as (alice, bob, lines):
        await taken_and_never_heard_of(monkeypatch, (alice, bob), lines[1], a_file(tmp_path), inbox)
        closing = asyncio.create_task(bob.session.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        await alice.person.until(LineClosed, clean=True)
