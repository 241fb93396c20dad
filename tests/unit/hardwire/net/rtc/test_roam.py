# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress
from dataclasses import replace

import pytest

from hardwire.net.rtc import roam as roam_module
from hardwire.net.rtc import watch as watch_module
from hardwire.net.rtc.path import Path, PathSettings
from hardwire.net.servers import NO_SERVERS
from support.links import fresh_secrets
from support.netsamples import open_sockets
from support.roaming import Roaming, roaming_pair, until


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_INTERVAL", 0.15)
    monkeypatch.setattr(roam_module, "FIRST_SPARE", 0.0)
    monkeypatch.setattr(roam_module, "LINGER", 0.2)
    monkeypatch.setattr(roam_module, "NOTHING_TO_BIND", 0.1)


async def both_told(first: Roaming, second: Roaming, generation: int = 1) -> None:
    await until(lambda: all(any(told[0] == generation for told in one.told) for one in (first, second)))


async def test_a_line_moves_because_somebody_wants_to():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        before = first.end.link._path
        for number in (1, 2, 3):
            await both_told(first, second, number)
            (first if number % 2 else second).end.link.change_path()
            await until(lambda number=number: first.generation == second.generation == number)
            first.end.link.send(0, b"over path %d" % number)
            await second.end.events.until(lambda number=number: len(second.end.events.messages) == number)
        assert first.end.link._path is not before
        await until(lambda: not before.connection._protocols)
        assert first.end.events.errors == second.end.events.errors == []


async def test_nothing_is_lost_when_it_moves_in_the_middle():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        for number in range(200):
            first.end.link.send(0, number.to_bytes(4) + bytes(4000))
        first.end.link.change_path()
        await second.end.events.until(lambda: len(second.end.events.messages) == 200)
        assert [int.from_bytes(data[:4]) for _, data in second.end.events.messages] == list(range(200))
        await until(lambda: first.generation == second.generation == 1)


async def test_a_path_on_which_nothing_is_heard_is_told_and_left(monkeypatch):
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        first.cut(monkeypatch)
        second.cut(monkeypatch)
        first.end.link.send(0, b"waits")
        # One of them may be told by the other's knock before it notices by itself.
        await until(lambda: all(one.news in (["lost", "moved"], ["moved"]) for one in (first, second)))
        assert "lost" in first.news + second.news
        await second.end.events.until(lambda: second.end.events.messages == [(0, b"waits")])
        assert first.end.events.errors == []


async def test_a_path_that_comes_back_before_another_is_found(monkeypatch):
    async with roaming_pair() as (first, second):
        for one in (first, second):
            one.connected = False  # no end knows where the other can be found next
            one.told.clear()
        await asyncio.sleep(0.1)
        first.end.link._roamer._peer.clear()
        second.end.link._roamer._peer.clear()
        with monkeypatch.context() as patch:
            first.cut(patch)
            second.cut(patch)
            await until(lambda: first.news == second.news == ["lost"])
            first.end.link.send(0, b"waits")
        await until(lambda: first.news == second.news == ["lost", "back"])
        await second.end.events.until(lambda: second.end.events.messages == [(0, b"waits")])
        assert (first.generation, second.generation) == (0, 0)


async def test_an_address_that_is_taken_away_moves_the_line_at_once(monkeypatch):
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("127.0.0.2")]
        first.end.link._roamer._settings = _with_addresses(first, lambda: (addresses[1],))
        await until(lambda: first.generation == second.generation == 1)
        assert first.news[0] == "lost"
        first.end.link.send(0, b"from elsewhere")
        await second.end.events.until(lambda: second.end.events.messages)


async def test_an_address_that_is_told_no_more_but_still_here_carries_on():
    """Of many IPv6 addresses two are told, and each new one may take the place of the one in use."""
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        roamer = first.end.link._roamer
        here, newer = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("127.0.0.2")
        roamer._settings = replace(roamer._settings, addresses=lambda: (newer,), present=lambda: (here, newer))
        await until(lambda: len(first.told) == 2)
        await asyncio.sleep(4 * watch_module.PROBE_INTERVAL)
        assert (first.generation, first.news, second.news) == (0, [], [])


async def test_both_move_at_once(monkeypatch):
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        # Each has two addresses to be found at, one of which survives.
        both = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("127.0.0.2"))
        for one in (first, second):
            one.end.link._roamer._settings = _with_addresses(one, lambda: both)
        await until(lambda: all(len(one.told[-1][1]) == 2 for one in (first, second)))
        await asyncio.sleep(0.05)
        for one in (first, second):
            one.connected = False  # what is told now does not arrive: what was told must do
            one.end.link._roamer._settings = _with_addresses(one, lambda: both[1:])
        await until(lambda: first.generation == second.generation == 1)
        first.end.link.send(0, b"x")
        await second.end.events.until(lambda: second.end.events.messages)


async def test_an_address_that_comes_is_told_and_moves_nothing():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        first.end.link._roamer._settings = _with_addresses(
            first, lambda: (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("127.0.0.3"))
        )
        await until(lambda: len(first.told) == 2)
        assert {str(one.address) for one in first.told[-1][1]} == {"127.0.0.1", "127.0.0.3"}
        assert (first.generation, first.news) == (0, [])


async def test_without_any_address_it_waits_for_one(monkeypatch):
    monkeypatch.setattr(roam_module, "FIRST_SPARE", 0.2)
    async with roaming_pair() as (first, second):
        first.end.link._roamer._settings = _with_addresses(first, lambda: ())
        await until(lambda: first.news == ["lost"] and second.told != [])
        await asyncio.sleep(0.3)
        assert first.told == []
        first.end.link._roamer._settings = _with_addresses(first, lambda: (ipaddress.ip_address("127.0.0.4"),))
        await until(lambda: first.generation == second.generation == 1)
        await until(lambda: first.news[-1] == "moved")
        assert first.end.link._path.local_address == "127.0.0.4"


async def test_an_address_that_comes_back_is_told_with_the_socket_it_had():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        here, there = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("127.0.0.2")
        for number, now in enumerate([(here, there), (here,), (here, there)], 2):
            first.end.link._roamer._settings = _with_addresses(first, lambda now=now: now)
            await until(lambda number=number: len(first.told) == number)
        assert len(first.told[-2][1]) == 1
        assert set(first.told[-1][1]) == set(first.told[-3][1])
        assert first.generation == 0


async def test_with_a_relay_the_spare_is_made_anew():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        roamer = first.end.link._roamer
        relayed = replace(roamer._settings.servers, turn="turn:127.0.0.1:9", username="u", password="p")
        asked = []
        roamer._settings = replace(roamer._settings, servers=relayed, addresses=lambda: roamer.path.addresses[:1])
        roamer._make = lambda: asked.append("anew") or second.end.link._roamer._make()
        roamer._stale.set()
        await until(lambda: asked)


async def test_late_news_does_nothing():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        old = first.told[-1]
        first.end.link.change_path()
        await until(lambda: first.generation == second.generation == 1)
        await both_told(first, second, 2)
        known = dict(second.end.link._roamer._peer)
        second.end.link.peer_path(*old)
        second.end.link.peer_path(0, old[1])
        assert second.end.link._roamer._peer == known


async def test_a_stranger_moves_nothing():
    """Who knows the addresses of a spare, but no password, is not heard."""
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        secrets = fresh_secrets()
        stranger = Path(
            PathSettings(True, secrets.offer, secrets.answer, (ipaddress.ip_address("127.0.0.1"),), NO_SERVERS)
        )
        await stranger.gather()
        await stranger.add_peer(second.told[-1][1])
        finding = asyncio.create_task(stranger.find())
        await asyncio.sleep(0.3)
        await stranger.close()
        assert await finding is False
        assert second.generation == 0
        assert not second.end.link._roamer._wanted.is_set()


async def test_closing_leaves_no_task_and_no_socket():
    before = open_sockets()
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        first.end.link.change_path()
        await until(lambda: first.generation == second.generation == 1)
        spares = [one.end.link._roamer for one in (first, second)]
    await asyncio.sleep(0.05)
    assert all(spare._task.done() for spare in spares)
    assert open_sockets() == before
    assert [str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def _with_addresses(one: Roaming, addresses):
    return replace(one.end.link._roamer._settings, addresses=addresses, present=addresses)


async def test_what_is_told_of_paths_far_ahead_is_kept_for_nobody():
    async with roaming_pair() as (first, second):
        await both_told(first, second)
        roamer = first.end.link._roamer
        for generation in range(100):
            roamer.peer_ready(generation, ())
        assert set(roamer._peer) == {1, 2}


async def test_a_peer_that_moves_again_and_again_waits_for_what_is_left(monkeypatch):
    monkeypatch.setattr(roam_module, "MOST_LINGERING", 2)
    monkeypatch.setattr(roam_module, "LINGER", 1.0)
    async with roaming_pair() as (first, second):
        most = 0
        for number in (1, 2, 3):
            await both_told(first, second, number)
            first.end.link.change_path()
            await until(lambda number=number: first.generation == second.generation == number)
            most = max(most, *(len(one.end.link._roamer._lingering) for one in (first, second)))
        assert most == 2


async def test_a_system_that_does_not_say_which_addresses_there_are(monkeypatch):
    """For want of descriptors, say: nothing is lost by that, and lost paths are still noticed and left."""

    def refuses():
        raise OSError(24, "Too many open files")

    async with roaming_pair() as (first, second):
        await both_told(first, second)
        roamer = first.end.link._roamer
        known = roamer._known
        roamer._settings = _with_addresses(first, refuses)
        await asyncio.sleep(3 * watch_module.PROBE_INTERVAL)
        assert first.news == []
        first.cut(monkeypatch)
        second.cut(monkeypatch)
        await until(lambda: first.generation == second.generation == 1)
        await until(lambda: len(first.told) == 2)
        roamer._settings = replace(_with_addresses(first, refuses), addresses=lambda: known[1:])
        await asyncio.sleep(3 * watch_module.PROBE_INTERVAL)
        assert first.generation == 1


async def test_a_library_that_stumbles_once_does_not_end_all_moving(monkeypatch):
    gather, stumbles = Path.gather, [RuntimeError("gathering"), RuntimeError("again")]

    async def stumble(path):
        if stumbles:
            raise stumbles.pop()
        await gather(path)

    async with roaming_pair() as (first, second):
        monkeypatch.setattr(Path, "gather", stumble)
        await both_told(first, second)
        assert not stumbles
