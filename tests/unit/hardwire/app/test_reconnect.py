# SPDX-License-Identifier: Apache-2.0
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hardwire.app import reconnect
from hardwire.app.events import (
    Delivered,
    FileDone,
    FileFailed,
    FileMoved,
    FileOffer,
    FileProgress,
    LineClosed,
    Reconnected,
    Reconnecting,
    Said,
)
from hardwire.app.outgoing import inspect
from hardwire.app.reconnect import History, Reconnector
from hardwire.app.session import Session
from hardwire.channel import DEFAULT_LIMITS, CloseReason, LineFailed
from hardwire.channel import LineClosed as ChannelClosed
from hardwire.channel.chat import CHAT_IDS_KEPT
from hardwire.errors import ConnectionLost, IdentityChanged, LocalError, RecordRefused, UsageError
from hardwire.net import reline
from hardwire.net.rtc import sctpmtu, watch
from hardwire.net.rtc.pmtu import CAUTIOUS
from support.lines import config_for_test, line_pair
from support.links import between, deafen
from support.people import STRANGER, End, Person

LOST = ConnectionLost("no path", code="path-lost")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(reline, "FIRST_OFFER", 0.0)
    monkeypatch.setattr(reline, "BETWEEN_OFFERS", 0.05)


@asynccontextmanager
async def two_people(patience: float = 10.0, **others) -> AsyncIterator[tuple[End, End]]:
    """On a line, with keys in memory, each able to open the next; ``others`` hold other configurations for that."""
    configs = [config_for_test(), config_for_test()]
    async with line_pair(*configs) as lines:
        ends = []
        for name, line, config in zip(("alice", "bob"), lines, configs, strict=True):
            person = Person()
            again = Reconnector(lambda name=name, config=config: others.get(name, config), patience, person.emit)
            ends.append(End(person, Session(line, person, STRANGER, again)))
        try:
            async with asyncio.timeout(10):
                while not all(end.session._again._next.agreed for end in ends):  # noqa: ASYNC110 (on both ends)
                    await asyncio.sleep(0.01)
            yield ends[0], ends[1]
        finally:
            await asyncio.gather(*(end.close() for end in ends))


async def cut(*ends: End) -> None:
    await asyncio.gather(*(end.session._line.abort(LOST) for end in ends))


async def test_a_conversation_goes_on_over_another_line():
    async with two_people() as (alice, bob):
        await alice.session.verify(matched=True)
        first = alice.session._sas
        alice.session.say("before")
        await alice.person.until(Delivered)
        alice.session._line._channel.send_chat("sealed and never sent", alice.session._line._now())
        await cut(alice, bob)
        await alice.person.until(Reconnecting, waiting=1)
        said = alice.session.say("while there was no line")
        assert (await alice.person.until(Said, id=said)).queued
        opened = await alice.person.until(Reconnected)
        assert opened.sas == (await bob.person.until(Reconnected)).sas != first.decimal
        for text in ("sealed and never sent", "while there was no line"):
            await bob.person.until(Said, by="peer", text=text)
        await alice.person.until(Delivered, id=said)
        assert alice.session.verified
        assert not bob.session.verified
        assert alice.session.matches(opened.sas)
        bob.session.say("and back")
        await alice.person.until(Said, by="peer", text="and back")
        # And the line after that one is agreed on in its turn.
        async with asyncio.timeout(10):
            while not all(end.session._again._next.agreed for end in (alice, bob)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await cut(alice, bob)
        async with asyncio.timeout(10):
            while len(bob.person.all(Reconnected)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [said.text for said in bob.person.all(Said) if said.by == "peer"] == [
            "before",
            "sealed and never sent",
            "while there was no line",
        ]


async def test_a_message_whose_receipt_was_lost_is_shown_once():
    async with two_people() as (alice, bob):
        line = alice.session._line
        key = line.send_chat("heard, and not confirmed")
        await bob.person.until(Said, by="peer")
        line._channel._chats._waiting[key] = "heard, and not confirmed"
        await cut(alice, bob)
        await alice.person.until(Reconnected)
        alice.session.say("and this")
        await bob.person.until(Said, by="peer", text="and this")
        assert [said.text for said in bob.person.all(Said)] == ["heard, and not confirmed", "and this"]


async def test_a_file_that_was_under_way_goes_on(tmp_path):
    content = tmp_path / "big.bin"
    content.write_bytes(bytes(range(256)) * 40_000)
    (tmp_path / "in").mkdir()
    async with two_people() as (alice, bob):
        outgoing = await inspect(content)
        number = alice.session.offer(outgoing)
        offered = await bob.person.until(FileOffer)
        bob.session.transfers.accept(offered.id, tmp_path / "in")
        waiting = bob.session.transfers.offered
        await bob.person.until(FileProgress)
        ending = asyncio.create_task(alice.session.transfers.outcome(number))
        await cut(alice, bob)
        await alice.person.until(Reconnecting)
        with pytest.raises(UsageError):
            alice.session.offer(outgoing)
        await bob.session.verify(matched=True)
        done = await asyncio.wait_for(ending, 20)
        assert isinstance(done, FileDone)
        saved = (await bob.person.until(FileDone)).path
        assert saved.read_bytes() == content.read_bytes()
        assert bob.session.transfers.offered is waiting
        for end in (alice, bob):  # and files take direct lanes beside that line, too
            assert end.session._line.beside._keeper._user is end.session.transfers
        assert bob.session.verified


async def test_numbers_go_on_from_line_to_line(tmp_path):
    """An answer that was typed for an offer of the last line never meets an offer of this one."""
    (tmp_path / "old").write_bytes(bytes(100))
    (tmp_path / "new").write_bytes(bytes(200))
    async with two_people() as (alice, bob):
        first = alice.session.offer(await inspect(tmp_path / "old"))
        assert (await bob.person.until(FileOffer)).id == first
        await cut(alice, bob)
        for end in (alice, bob):
            await end.person.until(Reconnected)
        moved = await alice.person.until(FileMoved, was=first)
        second = alice.session.offer(await inspect(tmp_path / "new"))
        newest = await bob.person.until(FileOffer, name="new")
        again = [offer.id for offer in bob.person.all(FileOffer) if offer.name == "old"][-1]
        assert first < again == moved.id < newest.id == second
        for verb in (bob.session.transfers.describe, bob.session.transfers.decline, bob.session.transfers.cancel):
            with pytest.raises(UsageError):
                verb(first)
        with pytest.raises(UsageError):
            bob.session.transfers.accept(first, tmp_path)
        (tmp_path / "in").mkdir()
        bob.session.transfers.accept(newest.id, tmp_path / "in")
        assert (await bob.person.until(FileDone)).id == newest.id
        assert (await alice.person.until(FileDone)).id == second
        assert bob.session.transfers.waiting == (again,)


async def test_a_file_fails_when_nobody_is_found(tmp_path):
    content = tmp_path / "big.bin"
    content.write_bytes(bytes(1000))
    async with two_people(patience=0.3) as (alice, bob):
        alice.session.offer(await inspect(content))
        await bob.person.until(FileOffer)
        await bob.session._again.close()
        await cut(alice)
        assert await alice.ended() is LOST
        assert (await alice.person.until(FileFailed)).code == "connection-lost"


async def test_another_device_ends_it_for_good():
    async with two_people(bob=config_for_test()) as (alice, bob):
        await cut(alice, bob)
        assert isinstance(await alice.ended(), IdentityChanged)
        assert not alice.person.all(Reconnected)
        await bob.session.close()


async def test_a_peer_that_does_not_come_back_is_told_as_the_loss_it_was():
    async with two_people(patience=0.3) as (alice, bob):
        await bob.session._again.close()
        await cut(alice)
        assert await alice.ended() is LOST
        assert alice.person.all(LineClosed)[-1].clean is False


@pytest.mark.parametrize("first", [0, 1])
async def test_an_end_that_has_given_up_takes_the_other_along(first, monkeypatch):
    async with two_people() as ends:
        deaf = ends[1 - first].session._line._link._path.connection
        deafen(monkeypatch, deaf)
        await cut(ends[first])
        for end in ends:
            await end.person.until(Reconnected)
        ends[0].session.say("there you are")
        await ends[1].person.until(Said, by="peer", text="there you are")


async def test_closing_ends_the_search():
    async with two_people(patience=60.0) as (alice, bob):
        await bob.session._again.close()
        await cut(alice)
        await alice.person.until(Reconnecting)
        await asyncio.wait_for(alice.session.close(), 5)
        assert await alice.ended() is LOST


@pytest.mark.parametrize(
    "ended,wanted",
    [
        (LineFailed(LOST), True),
        (LineFailed(ConnectionLost("silent", code="peer-silent")), True),
        (LineFailed(ConnectionLost("the peer ended the line")), False),
        (LineFailed(RecordRefused("a forgery", code="aead")), False),
        (ChannelClosed(CloseReason.LIFE, by_peer=False), True),
        (ChannelClosed(CloseReason.LIFE, by_peer=True), False),  # of a line that is a moment old
        (ChannelClosed(CloseReason.NORMAL, by_peer=True), False),
        (ChannelClosed(CloseReason.NOT_VERIFIED, by_peer=False), False),
    ],
)
async def test_which_ends_are_worth_another_line(ended, wanted):
    async with two_people() as (alice, _):
        assert alice.session._again.wants(ended) is wanted


@pytest.mark.parametrize("left,wanted", [(-1.0, True), (3590.0, True), (3700.0, False)])
async def test_a_peer_may_find_a_line_old_a_little_earlier(left, wanted):
    async with two_people() as (alice, _):
        alice.session._line._opened_at -= DEFAULT_LIMITS.life - left
        assert alice.session._again.wants(ChannelClosed(CloseReason.LIFE, by_peer=True)) is wanted
        assert not alice.session._again.wants(ChannelClosed(CloseReason.NORMAL, by_peer=True))


async def test_a_peer_that_calls_young_lines_old_costs_no_signature():
    async with two_people() as (alice, bob):
        await bob.session._line.close(CloseReason.LIFE)
        assert await alice.ended() is None
        assert not alice.person.all(Reconnecting)
        assert "your peer says" in alice.person.all(LineClosed)[-1].reason


async def test_lines_that_die_young_are_followed_at_growing_intervals():
    async with two_people(patience=7200.0) as (alice, _):
        again = alice.session._again
        assert [again._pause() for _ in range(7)] == [0, 0, 2, 4, 8, 16, 32]
        assert [again._pause() for _ in range(2000)][-1] == reconnect.LONGEST_PAUSE
        again._patience = 120.0
        assert again._pause() == 30.0
        alice.session._line._opened_at -= reconnect.YOUNG
        assert again._pause() == 0
        alice.session._line._opened_at += reconnect.YOUNG
        assert [again._pause() for _ in range(3)] == [0, 0, 2]


async def test_the_pause_is_kept_and_can_be_left(monkeypatch):
    monkeypatch.setattr(reconnect, "AT_ONCE", 0)
    monkeypatch.setattr(reconnect, "FIRST_PAUSE", 300.0)
    async with two_people(patience=3600.0) as (alice, bob):
        await cut(alice, bob)
        for end in (alice, bob):
            await end.person.until(Reconnecting)
        await asyncio.sleep(1.0)  # long enough for a line on loopback
        assert not alice.person.all(Reconnected)
        await asyncio.wait_for(alice.session.close(), 5)
        assert await alice.ended() is LOST


async def test_without_a_next_line_there_is_nothing_to_open():
    again = Reconnector(config_for_test, 1.0, lambda event: None)
    assert not again.wants(LineFailed(LOST))
    assert not again.handle(object())
    assert await again.reopen(0) is None
    await again.close()
    await again.close()


def test_what_was_heard_is_remembered_within_bounds():
    history = History()
    assert history.is_new(b"first")
    assert not history.is_new(b"first")
    for number in range(CHAT_IDS_KEPT):
        assert history.is_new(number.to_bytes(16))
    assert history.is_new(b"first")


def test_what_is_said_without_a_line_is_kept_within_bounds():
    history = History()
    history.hold(((b"1" * 16, "unconfirmed"),))
    assert history.holding
    key = history.add("later")
    assert (len(key), history.held) == (16, [(b"1" * 16, "unconfirmed"), (key, "later")])
    for _ in range(DEFAULT_LIMITS.chats - 2):
        history.add("x")
    with pytest.raises(LocalError) as caught:
        history.add("one too many")
    assert caught.value.code == "chat-backlog"
    assert len(history.release()) == DEFAULT_LIMITS.chats
    assert (history.holding, history.held) == (False, [])


async def test_what_waited_goes_on_waiting_when_the_next_line_is_over_at_once(monkeypatch):
    async with two_people() as (alice, _):
        line, sent = alice.session._line, []

        def send(text, key):
            if sent:
                raise ConnectionLost("over")
            sent.append(text)

        monkeypatch.setattr(line, "send_chat", send)
        history = alice.session._history
        history.hold(((b"1" * 16, "one"), (b"2" * 16, "two"), (b"3" * 16, "three")))
        alice.session._say_again(line)
        assert sent == ["one"]
        assert [text for _, text in history.held] == ["two", "three"]


async def test_what_was_cut_for_a_wider_path_goes_on_over_another_line(monkeypatch, tmp_path):
    """Routers on the narrower one drop what they would have to cut. All else arrives, for as long as there is something.

    On a quiet line the keepalives do not get past what is missing, and the peer gives it up after its 15 s.
    """
    monkeypatch.setattr(watch, "PROBE_INTERVAL", 0.05)
    monkeypatch.setattr(sctpmtu, "SIZES", CAUTIOUS)
    content = tmp_path / "some.bin"
    content.write_bytes(bytes(range(256)) * 5)
    (tmp_path / "in").mkdir()
    async with two_people() as (alice, bob):
        sctp = alice.session._line._link._sctp
        async with asyncio.timeout(10):
            while sctp.packet_size != CAUTIOUS[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for end in (alice, bob):
            between(end.session._line._link, lambda one, pass_on: pass_on(one) if len(one) < 1300 else None)
        number = alice.session.offer(await inspect(content))
        ending = asyncio.create_task(alice.session.transfers.outcome(number))
        bob.session.transfers.accept((await bob.person.until(FileOffer)).id, tmp_path / "in")
        said = 0
        async with asyncio.timeout(20):
            while not alice.person.all(Reconnecting):
                alice.session.say(f"{said}")
                said += 1
                await asyncio.sleep(0.05)
        assert isinstance(await asyncio.wait_for(ending, 20), FileDone)
        await bob.person.until(Said, by="peer", text=f"{said - 1}")
        assert [one.text for one in bob.person.all(Said)] == [f"{number}" for number in range(said)]
