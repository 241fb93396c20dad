# SPDX-License-Identifier: Apache-2.0
"""Direct lanes beside real lines: files take them, and arrive whole whatever becomes of them."""

import asyncio
import hashlib
import random
import socket
from contextlib import asynccontextmanager

import pytest

from hardwire.app import events
from hardwire.channel import DEFAULT_LIMITS, ChatReceived
from hardwire.net.lane import keeper as keeper_module
from hardwire.net.lane.door import Door
from support.lanepeople import Tamperer, delivered, file_of, people
from support.netlab import lab, meet

SIZE = 16_000_000


@pytest.mark.parametrize("sender", [0, 1], ids=["offerer", "answerer"])
async def test_a_large_file_takes_the_lane_and_both_say_so(tmp_path, sender):
    async with people(tmp_path) as both:
        sent, done = await delivered(both[sender], both[1 - sender], file_of(tmp_path, SIZE))
        assert sent.direct > SIZE // 2
        assert done.direct > SIZE // 2
        assert (
            both[0].of(events.WayChanged) == both[1].of(events.WayChanged) == [events.WayChanged("direct", open=True)]
        )


async def test_a_small_file_needs_none(tmp_path):
    async with people(tmp_path) as (first, second):
        sent, done = await delivered(first, second, file_of(tmp_path, 300_000))
        assert sent.direct == done.direct == 0
        assert first.line.beside.lane is None
        assert first.of(events.WayChanged) == []


async def test_files_both_ways_at_a_time_and_chat_and_new_keys_meanwhile(tmp_path):
    async with people(tmp_path) as (first, second):
        files = [file_of(tmp_path, SIZE + n, f"{n}.bin") for n in range(3)]
        moving = asyncio.gather(
            delivered(first, second, files[0]), delivered(first, second, files[1]), delivered(second, first, files[2])
        )
        await first.until(lambda: first.of(events.WayChanged))
        first.line.send_chat("while it moves")
        outcomes = await moving
        assert all(done.direct for _, done in outcomes)
        await second.until(lambda: any(isinstance(one, ChatReceived) for one in second.said))


async def test_without_a_direct_path_nothing_is_opened(tmp_path, monkeypatch):
    """That a relay or relay-only leaves no direct path is test_link's; here is what follows of it."""
    opened = []
    monkeypatch.setattr(Door, "open", opened.append)
    async with people(tmp_path) as (first, second):
        monkeypatch.setattr(type(first.line._link), "direct_path", None)
        sent, done = await delivered(first, second, file_of(tmp_path, 3_000_000))
        assert sent.direct == done.direct == 0
        assert opened == []
        assert first.of(events.WayChanged) == []


@pytest.mark.parametrize("seed", range(4))
async def test_killed_at_any_point_the_file_arrives_whole(tmp_path, monkeypatch, seed):
    """The connection is cut, at either end and anywhere, again and again."""
    monkeypatch.setattr(keeper_module, "PAUSE", 0.02)
    chance = random.Random(seed)
    async with people(tmp_path) as both:
        victim = both[chance.randrange(2)]

        async def kill() -> None:
            while True:
                await victim.until(lambda: victim.line.beside.lane)
                await asyncio.sleep(chance.random() * 0.08)
                lane = victim.line.beside.lane
                if lane is not None:
                    lane._connection.shutdown(chance.choice([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR]))
                    await victim.until(lambda lane=lane: victim.line.beside.lane is not lane)

        killing = asyncio.create_task(kill())
        size = 5 * SIZE  # a quick machine has less through before the first cut
        sent, _ = await delivered(*both, file_of(tmp_path, size))
        killing.cancel()
        # It went on where it was: for each time that the lane came or went, at most a window was sent again.
        turns = len(both[0].of(events.WayChanged))
        assert turns > 1
        assert sum(both[0].line.beside.carried(sent.id).values()) < size + turns * DEFAULT_LIMITS.window + (1 << 20)


async def test_an_octet_flipped_on_the_way_costs_the_lane_and_not_the_file(tmp_path, monkeypatch):
    """Between the two ends sits somebody who forwards everything and changes one bit after some megabytes."""
    relay = Tamperer(after=3_000_000)
    original = Door.open

    def open_behind(path):
        door = original(path)
        return None if door is None else relay.before(door)

    monkeypatch.setattr(Door, "open", open_behind)
    monkeypatch.setattr(keeper_module, "PAUSE", 0.02)
    async with people(tmp_path) as (first, second):
        sent, done = await delivered(first, second, file_of(tmp_path, SIZE))
        assert relay.changed == 1
        assert events.WayChanged("direct", open=False) in first.of(events.WayChanged)
        assert sent.direct
        assert done.direct
    relay.stop()


async def test_between_two_machines_and_after_one_of_them_moved():
    """In a network of its own: a lane to the address that ICE found, then another one to where the peer moved."""
    async with lab() as made:
        ends = await asyncio.gather(
            made.machine("a", "host", "support.lanemover", eth0=2),
            made.machine("b", "join", "support.lanemover", eth0=3),
        )
        await meet(*ends)
        for sender, receiver, size in ((ends[0], ends[1], 12_000_000), (ends[1], ends[0], 12_000_001)):
            sender.say(f"file {size}")
            arrived = await receiver.until(60, done=size)
            assert arrived["sha256"] == hashlib.sha256(random.Random(size).randbytes(size)).hexdigest()
            assert arrived["direct"] > 0
            await sender.until(done=size)
        assert (await ends[0].until(way="direct"))["address"] == "10.77.0.3"
        await ends[1].until(way="direct")
        await ends[1].readdress("eth0", 3, 33)
        for end in ends:
            await end.until(60, way="line")
        ends[0].say("file 12000002")
        assert (await ends[0].until(60, way="direct"))["address"] == "10.77.0.33"
        arrived = await ends[1].until(60, done=12_000_002)
        assert arrived["sha256"] == hashlib.sha256(random.Random(12_000_002).randbytes(12_000_002)).hexdigest()


FIREWALL = """
table inet guard {
    chain input { type filter hook input priority filter; RULE }
}
"""
NOBODY_KNOCKS = "tcp flags & (syn | ack) == syn drop;"
CUT = "meta l4proto tcp reject with tcp reset;"


async def guarded(machine, rule):
    """What this machine's firewall does with what comes in; an empty rule lets everything in again."""
    inside = machine.lab.inside(machine.process.pid)
    await machine.lab.run(*inside, "nft", "add table inet guard; flush table inet guard; delete table inet guard")
    if rule:
        await machine.lab.run(*inside, "nft", FIREWALL.replace("RULE", rule))


@asynccontextmanager
async def machines(*rules):
    async with lab() as made:
        ends = await asyncio.gather(
            made.machine("a", "host", "support.lanemover", eth0=2),
            made.machine("b", "join", "support.lanemover", eth0=3),
        )
        for end, rule in zip(ends, rules, strict=True):
            await guarded(end, rule)
        await meet(*ends)
        yield ends


async def crossed(sender, receiver, size):
    """A file goes over whole; how much of it went direct."""
    sender.say(f"file {size}")
    arrived = await receiver.until(60, done=size)
    assert arrived["sha256"] == hashlib.sha256(random.Random(size).randbytes(size)).hexdigest()
    await sender.until(done=size)
    return arrived["direct"]


@pytest.mark.parametrize("guarded_one", [0, 1], ids=["offerer", "answerer"])
async def test_behind_a_firewall_at_one_end_the_lane_comes_from_there(guarded_one):
    """No connection gets in at one of the two, as behind most routers: whichever end it is, it knocks at the other."""
    rules = ["", ""]
    rules[guarded_one] = NOBODY_KNOCKS
    async with machines(*rules) as ends:
        for sender, receiver, size in ((ends[0], ends[1], SIZE), (ends[1], ends[0], SIZE + 1)):
            assert await crossed(sender, receiver, size) > 0


async def test_behind_two_firewalls_files_go_over_the_line_and_nobody_waits():
    async with machines(NOBODY_KNOCKS, NOBODY_KNOCKS) as ends:
        for sender, receiver, size in ((ends[0], ends[1], SIZE), (ends[1], ends[0], SIZE + 1)):
            assert await crossed(sender, receiver, size) == 0
        assert not [told for end in ends for told in end.told if "way" in told]


async def test_a_lane_that_is_reset_on_the_way_and_one_that_follows():
    """A box in between resets what it does not like: the file goes on over the line where it was, then direct again."""
    size = 250_000_000
    async with machines("", "") as (sender, receiver):
        sender.say(f"file {size}")
        await receiver.until(60, way="direct")
        await receiver.until(60, progress=...)
        await guarded(receiver, CUT)
        for end in (sender, receiver):
            await end.until(60, way="line")
        before = max(receiver.all("progress"), default=0)
        await guarded(receiver, "")
        arrived = await receiver.until(60, done=size)
        assert arrived["sha256"] == hashlib.sha256(random.Random(size).randbytes(size)).hexdigest()
        steps = receiver.all("progress")
        assert steps == sorted(steps), "it never went back"
        assert before < size
        assert await crossed(sender, receiver, SIZE) > 0
