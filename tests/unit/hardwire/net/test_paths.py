# SPDX-License-Identifier: Apache-2.0
"""What a line makes of its paths; how they are found is tried in rtc/test_roam.py and tests/net/test_roaming.py."""

import asyncio
from typing import ClassVar

import pytest

from hardwire.channel import ChatDelivered, ChatReceived, LineFailed, path_credentials
from hardwire.errors import ConnectionLost, WireError
from hardwire.handshake import Role
from hardwire.net import paths
from hardwire.net.paths import PathFound, PathLost, _span
from hardwire.net.servers import IceServers
from support.linepair import Pair
from support.lines import next_of
from support.netsamples import candidate

ADDRESS = candidate("127.0.0.1")


async def test_each_end_learns_where_the_other_can_be_found_next(proofs):
    pair = Pair(proofs)
    pair.links[0].roaming.path_ready(1, (ADDRESS,))
    pair.settle()
    assert pair.links[1].told == [(1, (ADDRESS,))]
    pair.links[0].roaming.path_ready(1, ())
    pair.settle()
    assert pair.links[1].told[-1] == (1, ())
    await pair.end()


async def test_both_ends_know_both_credentials(proofs):
    pair = Pair(proofs)
    made = [link.credentials(3) for link in pair.links]
    assert made[0] == made[1]
    offerer, answerer = made[0]
    assert (len(offerer.ufrag), len(offerer.password)) == (8, 24)
    assert offerer != answerer
    assert pair.links[0].credentials(4) != made[0]
    assert path_credentials(proofs[0].exporter, Role.RESPONDER, 3)[0].hex() != offerer.ufrag
    await pair.end()


@pytest.mark.parametrize(
    "octets",
    [b"\x04", ADDRESS.encode() * 2, bytes.fromhex("04e0000001c350"), bytes.fromhex("047f000001c350")],
    ids=["short", "twice", "multicast", "inside this machine"],
)
async def test_addresses_that_no_peer_may_name_end_the_line(proofs, octets):
    pair = Pair(proofs, loopback=False)
    with pair.lines[0]._channel.paths(pair.hand()) as paths:
        paths.tell(1, octets)
    pair.lines[0]._pump()
    pair.settle()
    failed = await next_of(pair.lines[1], LineFailed)
    assert isinstance(failed.error, WireError)
    assert pair.links[1].told == []
    await pair.end()


async def test_more_addresses_than_a_peer_may_have(proofs):
    pair = Pair(proofs)
    many = b"".join(candidate("127.0.0.1", port).encode() for port in range(1, 18))
    with pair.lines[0]._channel.paths(pair.hand()) as paths:
        paths.tell(1, many)
    pair.lines[0]._pump()
    pair.settle()
    assert isinstance((await next_of(pair.lines[1], LineFailed)).error, WireError)
    await pair.end()


async def test_what_is_said_on_a_lost_path_waits_and_goes_out_when_there_is_one(proofs):
    pair = Pair(proofs)
    first, second = pair.lines
    pair.settle()
    pair.hand.now += 4.0
    pair.links[0].roaming.path_lost()
    assert first.path_is_lost
    assert await next_of(first, PathLost) == PathLost()
    sent = first.send_chat("later")
    assert first.unacknowledged == ((sent, "later"),)
    pair.hand.now += 30.0
    pair.links[0].roaming.path_found(moved=True)
    assert not first.path_is_lost
    assert await next_of(first, PathFound) == PathFound(moved=True, seconds=34.0)
    pair.settle()
    assert (await next_of(second, ChatReceived)).text == "later"
    assert await next_of(first, ChatDelivered) == ChatDelivered(sent)
    pair.links[0].roaming.path_found(moved=True)
    assert await next_of(first, PathFound) == PathFound(moved=True, seconds=0.0)
    await pair.end()


async def test_an_hour_without_a_path_breaks_no_limit(proofs):
    pair = Pair(proofs, patience=7200.0)
    first, second = pair.lines
    first.send_chat("before")
    pair.settle()
    for link in pair.links:
        link.roaming.path_lost()
    pair.hand.now += 3600.0
    for line in pair.lines:
        line._time_out()
    for link in pair.links:
        link.roaming.path_found(moved=False)
    first.send_chat("after")
    pair.settle()
    texts = [(await next_of(second, ChatReceived)).text for _ in range(2)]
    assert texts == ["before", "after"]
    await pair.end()


async def test_an_hour_of_sleep_breaks_no_limit(proofs):
    """Nobody noticed anything: this process did not run, and the clock knows."""
    pair = Pair(proofs)
    first, second = pair.lines
    first.send_chat("before")
    pair.settle()
    pair.hand.now += 3600.0
    for line in pair.lines:
        line._time_out()
    first.send_chat("after")
    pair.settle()
    assert [(await next_of(second, ChatReceived)).text for _ in range(2)] == ["before", "after"]
    await pair.end()


async def test_a_day_of_sleep_is_the_end_of_the_line(proofs):
    pair = Pair(proofs)
    pair.settle()
    pair.hand.now += 86_400.0
    pair.lines[0]._time_out()
    events = [event async for event in pair.lines[0]]
    assert type(events[-1]).__name__ == "LineClosed"
    await pair.end()


async def test_patience_ends_counted_from_the_last_sign(proofs):
    pair = Pair(proofs, patience=60.0)
    first = pair.lines[0]
    pair.settle()
    pair.hand.now += 4.0
    pair.links[0].roaming.path_lost()
    pair.hand.now += 55.9
    first._time_out()
    assert first.path_is_lost
    pair.hand.now += 0.2
    first._time_out()
    failed = await next_of(first, LineFailed)
    assert isinstance(failed.error, ConnectionLost)
    assert (failed.error.code, "60 s" in failed.error.message) == ("path-lost", True)
    pair.links[0].roaming.path_lost()
    pair.links[0].roaming.path_ready(2, (ADDRESS,))
    assert [event async for event in first] == []
    await pair.end()


async def test_a_frame_that_arrives_without_a_path_takes_nothing_of_the_patience(proofs):
    """The address under the path is gone, and something still comes in: the peer's silence counts from no path on."""
    pair = Pair(proofs, patience=600.0)
    first, second = pair.lines
    pair.settle()
    pair.links[0].roaming.path_lost()
    second.send_chat("in passing")
    pair.settle()
    assert (await next_of(first, ChatReceived)).text == "in passing"
    for _ in range(9):
        pair.hand.now += 60.0
        first._time_out()
    assert first.path_is_lost
    assert not first._over
    pair.links[0].roaming.path_found(moved=True)
    pair.settle()
    assert (await next_of(first, PathFound)).moved
    assert not first._over
    await pair.end()


async def test_the_timer_of_a_lost_path_fires_by_itself(proofs):
    pair = Pair(proofs, patience=0.2, real=True)
    pair.links[0].roaming.path_lost()
    failed = await asyncio.wait_for(next_of(pair.lines[0], LineFailed), 3)
    assert failed.error.code == "path-lost"
    await pair.end()


async def test_a_line_can_be_told_to_move(proofs):
    pair = Pair(proofs)
    pair.lines[0].change_path()
    assert pair.links[0].changes == 1
    await pair.end()


def test_spans_are_told_as_people_say_them():
    assert [_span(seconds) for seconds in (30, 119, 120, 7200)] == ["30 s", "119 s", "2 min", "120 min"]


class Calls:
    """What is asked of a search on the network; none is made."""

    made: ClassVar[list["Calls"]] = []

    def __init__(self, announcer, entropy, *, own, found) -> None:
        self.own, self.found = own, found
        self.running = False
        self.made.append(self)

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


async def test_a_lost_peer_is_called_for_until_it_is_found_or_the_line_ends(proofs, monkeypatch):
    monkeypatch.setattr(paths, "Announcing", Calls)
    monkeypatch.setattr(Calls, "made", [])
    pair = Pair(proofs, loopback=False)
    here, there = candidate("192.0.2.7"), candidate("192.0.2.8")
    first, link = Calls.made[0], pair.links[0]
    assert not first.running
    link.roaming.path_ready(1, (here,))
    assert first.own() == (1, (here,))
    link.roaming.path_lost()
    assert first.running
    first.found((1, (there,)))
    assert link.told[-1] == (1, (there,))
    link.roaming.path_found(moved=True)
    assert not first.running
    # What was told before is looked at, too, if it is about the same path.
    pair.links[1].roaming.path_ready(2, (candidate("192.0.2.9"),))
    pair.settle()
    link.roaming.path_lost()
    first.found((2, (there,)))
    assert link.told[-1] == (2, (there, candidate("192.0.2.9")))
    first.found((3, (there,)))
    assert link.told[-1] == (3, (there,))
    await pair.end()
    assert not first.running


async def test_nobody_is_called_for_inside_one_machine_or_with_relays_only(proofs, monkeypatch):
    monkeypatch.setattr(paths, "Announcing", Calls)
    monkeypatch.setattr(Calls, "made", [])
    relays = IceServers(None, "turn:192.0.2.1", "alice", "secret", relay_only=True)
    for changes in ({"loopback": True}, {"loopback": False, "servers": relays}):
        pair = Pair(proofs, **changes)
        pair.links[0].roaming.path_lost()
        await pair.end()
    assert not Calls.made
