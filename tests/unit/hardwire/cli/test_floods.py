# SPDX-License-Identifier: Apache-2.0
import asyncio
import json

import pytest

from hardwire.app.events import (
    FileDone,
    FileFailed,
    FileMoved,
    FileOffer,
    FilePaused,
    FileProgress,
    FileStarted,
    LineClosed,
    PeerFlood,
    Reconnected,
    Said,
)
from hardwire.app.outgoing import inspect_outgoing
from hardwire.cli import floods as module
from hardwire.cli.floods import BURST, Floods
from support.faces import faced, seats
from support.trees import MIB


def offer(number, name="a"):
    return FileOffer(number, name, "file", 5, 1, 0, "00")


def failed(number, code="cancelled", direction="in"):
    return FileFailed(number, "a", direction, code, "the peer stopped it", "ask your peer")


def done(number):
    return FileDone(number, "a", "in", 5, "00", 0.1, None)


class Hand:
    now = 0.0

    def __call__(self):
        return self.now


class Gate:
    """A gate whose clock stands, and what came through."""

    def __init__(self):
        self.hand = Hand()
        self.shown = []
        self.floods = Floods(self.shown.append, self.hand)

    def take(self, *events):
        for event in events:
            self.floods.take(event)

    def after(self, seconds):
        """A second at a time, as the timer does."""
        for _ in range(seconds):
            self.hand.now += 1.0
            self.floods.look()

    def exhaust(self):
        for number in range(BURST):
            self.take(offer(1000 + number), failed(1000 + number))
        self.shown.clear()


@pytest.fixture
async def gate():
    made = Gate()
    yield made
    made.take(LineClosed(clean=True, reason="over"))


async def test_offers_that_are_taken_back_are_counted_and_not_told_one_by_one(gate):
    for number in range(10_000):
        gate.take(offer(number), failed(number))
    assert len(gate.shown) == 2 * BURST
    gate.shown.clear()
    gate.after(30)
    assert gate.shown == [PeerFlood(2 * (10_000 - BURST))]


async def test_a_flood_without_an_end_is_a_line_or_two_a_second(gate):
    gate.exhaust()
    for second in range(100):
        for number in range(50):
            gate.take(offer(100 * second + number), failed(100 * second + number))
        gate.after(1)
    assert len(gate.shown) <= 100 * 2 + 10


async def test_pauses_are_counted_and_the_last_one_is_shown(gate):
    gate.exhaust()
    for turn in range(1001):
        gate.take(FilePaused(1, "a", "peer", turn % 2 == 0))
    assert gate.shown == []
    gate.after(12)
    assert gate.shown == [FilePaused(1, "a", "peer", True), PeerFlood(1000)]


async def test_an_offer_that_stands_is_shown_though_the_peer_floods(gate):
    gate.exhaust()
    gate.take(offer(1, "honest"))
    for number in range(2, 500):
        gate.take(offer(number), failed(number))
    gate.after(1)
    assert gate.shown == [offer(1, "honest")]
    gate.take(failed(1))
    assert gate.shown[-1] == failed(1)


async def test_files_that_arrive_cost_nothing(gate):
    for number in range(10 * BURST):
        gate.take(offer(number), FileStarted(number, "a", "in", 0, 5), done(number))
    assert len(gate.shown) == 30 * BURST
    assert not any(isinstance(event, PeerFlood) for event in gate.shown)


async def test_one_that_arrives_is_told_whole(gate):
    gate.exhaust()
    gate.take(offer(1), FileStarted(1, "a", "in", 0, 5), FileProgress(1, "a", "in", 2, 5, 1.0, None))
    gate.take(FilePaused(1, "a", "here", True), FilePaused(1, "a", "peer", True), FilePaused(1, "a", "peer", False))
    gate.take(FileMoved(3, 1, "a", "in"))
    assert gate.shown == []
    gate.take(done(3))
    assert gate.shown == [
        offer(1), FileStarted(1, "a", "in", 0, 5), FilePaused(1, "a", "here", True), FilePaused(1, "a", "peer", False),
        FileMoved(3, 1, "a", "in"), done(3),
    ]  # fmt: skip


async def test_names_that_are_refused_are_lines_as_well(gate):
    for number in range(1000):
        gate.take(failed(number, "bad-name"))
    assert len(gate.shown) == BURST


async def test_what_a_peer_does_not_cause_passes(gate):
    gate.exhaust()
    mine = [failed(2, direction="out"), FilePaused(2, "a", "here", True), Said("peer", "00", "hello"), done(4)]
    gate.take(*mine)
    assert gate.shown == mine


async def test_somebody_is_asked_about_it(gate):
    gate.exhaust()
    gate.take(offer(1))
    gate.floods.release(1)
    gate.floods.release(2)
    assert gate.shown == [offer(1)]
    gate.take(FilePaused(1, "a", "peer", True), failed(1))
    assert gate.shown[1:] == [failed(1)]


async def test_the_end_of_an_own_file_is_told_and_no_pause_after_it(gate):
    gate.exhaust()
    gate.take(FilePaused(2, "a", "peer", True), failed(2, direction="out"))
    gate.after(12)
    assert gate.shown == [failed(2, direction="out"), PeerFlood(1)]


@pytest.mark.parametrize("end", [LineClosed(clean=True, reason="over"), Reconnected("1", (), "00")])
async def test_at_the_end_everything_is_told(gate, end):
    gate.exhaust()
    gate.take(offer(1), offer(2), failed(2), end)
    assert gate.shown == [offer(1), PeerFlood(2), end]
    assert gate.floods._timer is None


async def test_a_program_reads_the_same(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.02)
    monkeypatch.setattr(module, "TELL_EVERY", 0.1)
    face, said = faced(json_mode=True)
    watched = []
    face.watch = watched.append
    for number in range(500):
        face.emit(offer(number))
        face.emit(failed(number))
    assert len(watched) == 1000  # whoever decides on offers hears of each
    async with asyncio.timeout(5):
        while "peer-flood" not in said.out:  # noqa: ASYNC110 (text has no event)
            await asyncio.sleep(0.01)
    face.emit(LineClosed(clean=True, reason="over"))
    *told, closed = map(json.loads, said.out.splitlines())
    assert closed["event"] == "line-closed"
    counted = sum(event["count"] for event in told if event["event"] == "peer-flood")
    shown = sum(event["event"] != "peer-flood" for event in told)
    assert shown + counted == 1000
    assert shown < 500


async def test_an_offer_that_waits_is_shown_when_it_is_asked_about():
    face, said = faced("y")
    for number in range(BURST):
        face.emit(offer(number))
        face.emit(failed(number))
    face.emit(offer(100, "wanted.txt"))
    assert "wanted.txt" not in said.err
    assert await face.ask("take-file", "take it? ", file=100) == "y"
    assert "wanted.txt" in said.err
    face.emit(LineClosed(clean=True, reason="over"))


async def test_a_peer_that_offers_and_takes_back_over_a_real_line(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(MIB))
    file = inspect_outgoing(tmp_path / "a.bin")
    async with seats() as (one, other):
        running = [asyncio.create_task(seat.session.run()) for seat in (one, other)]
        for _ in range(200):
            one.session.transfers.cancel(one.session.offer(file))
            await asyncio.sleep(0)
        number = one.session.offer(file)
        await other.hears(f"file {number}: peer offers")
        assert other.said.err.count("peer offers") < 150
        await one.session.close()
        await asyncio.gather(*running)
        await other.hears("more offers and pauses of your peer")
