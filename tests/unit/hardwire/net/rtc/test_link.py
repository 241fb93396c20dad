# SPDX-License-Identifier: Apache-2.0
import asyncio
import copy
import time
from dataclasses import replace

import pytest

from hardwire.errors import ConnectionLost, Misuse, NetworkFailed
from hardwire.net.rtc import link as link_module
from hardwire.net.servers import IceServers
from support.links import Recorder, between, fresh_secrets, gather, open_pair, open_towards


async def test_a_link_opens_once():
    async with open_pair() as (first, second):
        with pytest.raises(Misuse):
            await open_towards(first.link, second.link)
        assert first.events.errors == []


async def test_what_cannot_be_sent_is_misuse():
    async with open_pair() as (first, _):
        with pytest.raises(Misuse):
            first.link.send(0, bytes(65_537))
        with pytest.raises(Misuse):
            first.link.send(2, b"x")


async def test_a_link_that_is_not_open_takes_nothing():
    link = await gather(offerer=True, secrets=fresh_secrets())
    assert not link.may_send
    with pytest.raises(ConnectionLost):
        link.send(0, b"x")
    assert not await link.flush()
    await link.close()
    with pytest.raises(Misuse):
        await link.open(fingerprint=bytes(32), candidates=(), events=Recorder(), within=1)


async def test_closing_twice_at_once_and_again_is_one_close():
    async with open_pair() as (first, second):
        await asyncio.gather(first.link.close(), first.link.close())
        await first.link.close()
        await second.events.until(lambda: second.events.errors)
        assert len(second.events.errors) == 1
        assert first.events.errors == []


async def test_closing_is_bounded_when_something_below_hangs(monkeypatch):
    monkeypatch.setattr(link_module, "CLOSE_TIMEOUT", 0.2)
    async with open_pair() as (first, second):

        async def hang():
            await asyncio.sleep(60)

        monkeypatch.setattr(first.link._path.transport, "stop", hang)
        began = time.perf_counter()
        await first.link.close()
        assert time.perf_counter() - began < 1
        assert first.link._path.connection._protocols == []
        await second.link.close()
        await first.link._path.connection.close()


def test_the_bound_is_two_seconds():
    assert link_module.CLOSE_TIMEOUT + link_module.FLUSH_STALL == 2


async def test_flushing_gives_up_on_a_dead_path_and_not_on_a_slow_one(monkeypatch):
    monkeypatch.setattr(link_module, "FLUSH_STALL", 0.15)
    async with open_pair() as (first, second):
        loop = asyncio.get_running_loop()
        packets = []
        between(second.link, lambda data, pass_on: packets.append((data, pass_on)))

        async def trickle():
            while True:
                await asyncio.sleep(0.02)
                if packets:
                    data, pass_on = packets.pop(0)
                    pass_on(data)

        first.link.send(0, bytes(20_000))
        slow = asyncio.create_task(trickle())
        assert await first.link.flush()
        slow.cancel()
        first.link.send(0, b"x")
        began = loop.time()
        assert not await first.link.flush()
        assert loop.time() - began < 0.5


async def test_no_path_is_told_in_time():
    secrets = fresh_secrets()
    first, second = [await gather(offerer=offerer, secrets=secrets) for offerer in (True, False)]
    addresses, fingerprint = second.candidates, second.fingerprint
    await second.close()
    began = time.perf_counter()
    with pytest.raises(NetworkFailed) as caught:
        await first.open(fingerprint=fingerprint, candidates=addresses, events=Recorder(), within=0.5)
    assert caught.value.code == "no-path"
    assert time.perf_counter() - began < 2.5


async def test_the_wrong_secret_finds_no_path():
    first = await gather(offerer=True, secrets=fresh_secrets())
    second = await gather(offerer=False, secrets=fresh_secrets())
    results = await asyncio.gather(
        open_towards(first, second, within=1), open_towards(second, first, within=1), return_exceptions=True
    )
    assert [result.code for result in results] == ["no-path", "no-path"]


async def test_a_knock_is_told_also_to_who_asks_later():
    secrets = fresh_secrets()
    first, second = [await gather(offerer=offerer, secrets=secrets) for offerer in (True, False)]
    early = first._path.connection._early_checks
    knocking = asyncio.create_task(open_towards(second, first))
    async with asyncio.timeout(10):
        while not early:  # noqa: ASYNC110 (it lies in aioice)
            await asyncio.sleep(0.01)
    told = []
    first.on_knock(lambda: told.append("one"))
    assert told == ["one"]
    await asyncio.gather(open_towards(first, second), knocking)
    await asyncio.gather(first.close(), second.close())
    assert told == ["one"]


async def test_no_family_in_common_is_told_at_once(monkeypatch):
    secrets = fresh_secrets()
    link = await gather(offerer=True, secrets=secrets)
    monkeypatch.setattr(type(link._path.connection), "add_peer", _nobody)
    with pytest.raises(NetworkFailed):
        await link.open(fingerprint=bytes(32), candidates=(), events=Recorder(), within=30)


async def _nobody(self, candidates, *, last):
    await self.add_remote_candidate(None)


async def test_a_machine_without_addresses_says_so(monkeypatch):
    monkeypatch.setattr(link_module, "usable_addresses", lambda *, loopback: ())
    with pytest.raises(NetworkFailed) as caught:
        await gather(offerer=True, secrets=fresh_secrets())
    assert caught.value.code == "no-address"
    assert "loopback" in caught.value.hint


async def test_opening_can_be_cancelled_anywhere():
    secrets = fresh_secrets()
    for delay in (0, 0.001, 0.005, 0.02, 0.03, 0.04):
        first, second = [await gather(offerer=offerer, secrets=secrets) for offerer in (True, False)]
        tasks = [asyncio.create_task(open_towards(*pair, within=5)) for pair in ((first, second), (second, first))]
        await asyncio.sleep(delay)
        tasks[0].cancel()
        began = time.perf_counter()
        await asyncio.wait({tasks[0]})
        assert time.perf_counter() - began < 2.5
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(first.close(), second.close())
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_lane_may_go_where_the_path_goes_and_nowhere_else():
    link = await gather(offerer=True, secrets=fresh_secrets())
    assert link.direct_path is None
    await link.close()
    async with open_pair() as (first, second):
        path = first.link.direct_path
        assert path.own.is_loopback
        assert path == second.link.direct_path
        agent = first.link._path.connection
        agent._remote_candidates.append(replace_type(agent._nominated[1].remote_candidate, "relay"))
        assert first.link.direct_path is None  # the peer's relay, at whatever port
        agent._remote_candidates.pop()
        agent._nominated[1].protocol.local_candidate = replace_type(agent._nominated[1].local_candidate, "relay")
        assert first.link.direct_path is None
        settings = replace(second.link._settings, servers=RELAYS)
        second.link._settings = settings
        assert second.link.direct_path is None


RELAYS = IceServers(turn="turn:127.0.0.1:9", username="u", password="p", relay_only=True)


def replace_type(candidate, kind):
    other = copy.copy(candidate)
    other.type, other.port = kind, candidate.port + 1
    return other


async def test_an_end_that_the_peer_is_not_to_take_for_one():
    async with open_pair() as (first, second):
        await first.link.close(silently=True)
        await asyncio.sleep(0.3)
        assert second.events.errors == []
        assert not first.link._path.connection._protocols
