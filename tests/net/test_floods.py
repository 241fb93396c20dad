# SPDX-License-Identifier: Apache-2.0
"""Floods of a peer that has the keys, and of strangers: how much is looked at, what is kept, and who lives on.

How long it takes is measured by ``bash hsm/up.sh bench floods``; what is counted here is the same on every machine.
"""

import asyncio
from itertools import islice

import pytest

from hardwire.errors import ConnectionLost, WireError
from hardwire.net.rtc import work
from hardwire.net.rtc.inbound import MAX_DUPLICATES, MOST_PIECES
from support.attacks import attacked, decrypted, encrypted, from_datagrams, from_packets, from_strangers, grow_flight
from support.floods import DATAGRAMS, FLOODS, HONEST, STRANGERS
from support.forge import Aim, Sealer, data
from support.links import open_pair

TURNS = 4
LEFT = 2000
MOST_CHUNKS = 300
"""In one packet."""

FORBIDDEN = {
    "a message over the limit",
    "the window ignored",
    "crumbs without a beginning",
    "crumbs, unordered",
    "crumbs in both streams",
    "crumbs in all streams",
    "crumbs without an end",
    "numbers far ahead",
    "SACK of what was never sent",
    "RE-CONFIG in a loop",
    "FORWARD TSN",
}
ENDS = {"ABORT", "SHUTDOWN"}
CHEAP = {
    "the window filled, again and again",
    "duplicates",
    "holes in full packets",
    "SACK of gaps",
    "SACK of duplicates",
    "an unknown chunk",
    "padding",
    "a chunk of no length",
}
"""One chunk of data, of acknowledgement or of nothing in a packet: as much work as an honest one."""
BROKEN = {"records of no known kind", "warnings"}


class Counted(work.Account):
    """An account that time does not fill, and that remembers what was spent."""

    def __init__(self, balance: int = LEFT) -> None:
        super().__init__(0.0)
        self.balance = balance
        self.spent = self.largest = 0
        self.paid = balance

    def refill(self, now: float) -> None:
        pass

    def admits(self, size: int) -> bool:
        before = self.balance
        admitted = super().admits(size)
        self.paid += self.balance - before
        return admitted

    def charge(self, units: int) -> None:
        super().charge(units)
        self.spent += units
        self.largest = max(self.largest, units)


async def feed(turns, take, victim, count: int = TURNS) -> int:
    """So many turns, or until the line has ended; how many packets that were."""
    packets = 0
    for many, _, turn in islice(turns, count):
        take(turn)
        packets += many
        await asyncio.sleep(0)
        if victim.events.errors:
            break
    return packets


def check_kept(sctp) -> None:
    """What is held for a peer has bounds."""
    inbound = sctp._in
    assert inbound.held <= 2 * sctp._window
    assert inbound.pieces <= MOST_PIECES
    assert len(inbound.beyond) <= MOST_PIECES
    assert len(inbound.streams) <= 2
    assert len(inbound.duplicates) <= MAX_DUPLICATES


async def still_works(attacker, victim) -> None:
    """A message of the peer arrives, and one of ours leaves."""
    sctp, before = victim.link._sctp, len(victim.events.messages)
    sctp.account = work.Account(0.0)
    inbound = sctp._in
    place = inbound.streams[0].next if 0 in inbound.streams else 0
    aim = Aim.at(sctp)
    from_packets(victim)(next(decrypted(iter([aim.packet(data(aim.tsn, b"and now?", place=place))])))[2])
    assert (0, b"and now?") in victim.events.messages[before:]
    sent = sctp._out.number
    if sctp._out.is_empty:
        victim.link.send(0, b"still here")
        assert sctp._out.number == sent + 1


@pytest.mark.parametrize("name", FLOODS)
async def test_a_peer_pays_for_its_chunks_or_ends_its_line(name):
    async with attacked() as (attacker, victim):
        sctp = victim.link._sctp
        aim = Aim.at(sctp)
        if name.startswith("SACK"):
            grow_flight(victim.link, aim)
        account = sctp.account = Counted()
        tasks = len(asyncio.all_tasks())
        heard = sctp.packets_heard
        packets = await feed(encrypted(attacker, FLOODS[name](aim)), from_datagrams(victim), victim)
        assert account.spent <= account.paid + account.largest
        assert account.largest <= MOST_CHUNKS * work.HEARTBEAT
        assert len(asyncio.all_tasks()) <= tasks + 2
        check_kept(sctp)
        if name in FORBIDDEN:
            assert isinstance(victim.events.errors[0], WireError)
            assert victim.events.errors[0].code == "transport-limit"
        elif name in ENDS:
            assert len(victim.events.errors) == 1
        else:
            assert victim.events.errors == []
            # Some of it is unread, and the path is alive all the same.
            assert (account.refused > packets // 4) == (name not in CHEAP)
            assert name == "INIT" or sctp.packets_heard - heard == packets
            await still_works(attacker, victim)


@pytest.mark.parametrize("name", [name for name in HONEST if "64 KiB" in name])
async def test_bulk_pays_for_itself(name):
    async with attacked() as (attacker, victim):
        account = victim.link._sctp.account = Counted(1)
        await feed(encrypted(attacker, HONEST[name](Aim.at(victim.link._sctp))), from_datagrams(victim), victim)
        assert account.refused == 0
        assert victim.events.octets > 1e6


async def test_records_made_by_hand_are_records():
    async with attacked() as (attacker, victim):
        sctp = victim.link._sctp
        heard = sctp.packets_heard
        victim.link._dtls.single(Sealer(attacker.link)(Aim.at(sctp).packet(bytes(100))))
        assert sctp.packets_heard == heard + 1


@pytest.mark.parametrize("name", DATAGRAMS)
async def test_datagrams_of_a_peer_leave_nothing_behind(name):
    async with attacked() as (attacker, victim):
        sctp = victim.link._sctp
        flood = DATAGRAMS[name](attacker.link, victim.link)
        next(flood)
        await feed(flood, from_datagrams(victim), victim, 2)
        await asyncio.sleep(0.01)
        if name in BROKEN:
            # OpenSSL reads nothing any more: a line that went on would be one in name only.
            assert len(victim.events.errors) == 1
        else:
            assert victim.events.errors == []
            heard = sctp.packets_heard
            victim.link._dtls.single(Sealer(attacker.link)(Aim.at(sctp).packet(bytes(16))))
            await asyncio.sleep(0.01)
            # Who asks for another handshake has ended the line with the next packet that is none.
            ends = name.startswith("a record of a handshake")
            assert (sctp.packets_heard - heard, len(victim.events.errors)) == ((0, 1) if ends else (1, 0))


async def test_a_line_that_broke_says_so_before_it_has_told_it():
    async with attacked() as (attacker, victim):
        victim.link._dtls.single(Sealer(attacker.link)(bytes(100), 60))
        with pytest.raises(ConnectionLost):
            victim.link.send(0, b"too late")
        await victim.events.until(lambda: victim.events.errors)
        assert isinstance(victim.events.errors[0], ConnectionLost)


@pytest.mark.parametrize("name", STRANGERS)
async def test_strangers_get_no_further_than_the_door(name, monkeypatch):
    async with open_pair() as (first, second):
        agent = second.link._path.connection
        seen = []
        monkeypatch.setattr(agent, "request_received", lambda *words: seen.append(words))
        monkeypatch.setattr(agent, "data_received", lambda *words: seen.append(words))
        flood = STRANGERS[name](second.link, first.link)
        next(flood)
        await feed(flood, from_strangers(second), second, 2)
        assert seen == []
        monkeypatch.undo()
        first.link.send(0, b"nobody else")
        await second.events.until(lambda: second.events.messages == [(0, b"nobody else")])


async def ask(one, other) -> None:
    """A message, and that it came."""
    before = len(other.events.messages)
    one.link.send(0, b"?")
    await other.events.until(lambda: len(other.events.messages) > before)


async def echo(first, second, least: int, over: asyncio.Event) -> int:
    """Question and answer until the flood is over, and some more; how many there were."""
    count = 0
    while not over.is_set() or count < least:
        await ask(first, second)
        await ask(second, first)
        count += 1
    return count


@pytest.mark.parametrize("name", ["holes", "HEARTBEAT, tiny", "messages of an octet", "a message over the limit"])
async def test_another_line_of_the_process_does_not_notice(name):
    """What the peer of one line does is between those two: the other line answers between any two turns."""
    async with open_pair() as (first, second), attacked() as (attacker, victim):
        over = asyncio.Event()
        echoing = asyncio.create_task(echo(first, second, 20, over))
        flood = encrypted(attacker, FLOODS[name](Aim.at(victim.link._sctp)))
        answered = []
        for number in range(12):
            for _, _, turn in islice(flood, 1):
                from_datagrams(victim)(turn)
            answered.append(len(first.events.messages))
            await asyncio.sleep(0.005)
            if number == 6 and victim.events.errors:
                await victim.link.close()
                break
        over.set()
        assert await echoing >= 20
        assert answered[-1] > answered[0]
        assert first.events.errors == second.events.errors == []
