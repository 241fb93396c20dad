# SPDX-License-Identifier: Apache-2.0
"""Lines on aiortc's own transports, with each other and with the faster ones."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters

from hardwire.errors import ConnectionLost, WireError
from hardwire.net.rtc import link as link_module
from hardwire.net.rtc import plain as plain_module
from hardwire.net.rtc import watch as watch_module
from hardwire.net.rtc.plain import MOST_UNREAD, PlainSctp
from support.links import between, fresh_secrets, gather, open_pair, open_towards
from support.rawpeer import open_with_raw
from support.roaming import roaming_pair


@pytest.fixture
def _slow(monkeypatch):
    monkeypatch.setattr(link_module, "is_fast", lambda: False)


@asynccontextmanager
async def mixed_pair(monkeypatch):
    """One end on aiortc's transports, one on ours."""
    kinds = iter([False, True])
    monkeypatch.setattr(link_module, "is_fast", lambda: next(kinds))
    secrets = fresh_secrets()
    links = [await gather(offerer=offerer, secrets=secrets) for offerer in (True, False)]
    try:
        yield await asyncio.gather(open_towards(links[0], links[1]), open_towards(links[1], links[0]))
    finally:
        await asyncio.gather(*(link.close() for link in links))


async def exchange(first, second):
    sizes = [1, 1160, 1161, 20_000, 65_536]
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    for data in sent:
        first.link.send(0, data)
        second.link.send(1, data)
    await second.events.until(lambda: len(second.events.messages) == len(sent))
    await first.events.until(lambda: len(first.events.messages) == len(sent))
    assert [data for _, data in second.events.messages] == sent
    assert first.events.messages == [(1, data) for data in sent]
    assert await first.link.flush()
    assert await second.link.flush()


@pytest.mark.usefixtures("_slow")
async def test_two_of_them_talk():
    async with open_pair() as (first, second):
        assert isinstance(first.link._sctp, PlainSctp)
        assert first.facts.exporter == second.facts.exporter
        await exchange(first, second)


async def test_one_of_them_talks_to_a_fast_one(monkeypatch):
    async with mixed_pair(monkeypatch) as (first, second):
        assert isinstance(first.link._sctp, PlainSctp) != isinstance(second.link._sctp, PlainSctp)
        await exchange(first, second)


@pytest.mark.usefixtures("_slow")
async def test_the_queue_says_when_it_is_full_and_when_it_is_short_again():
    async with open_pair() as (first, second):
        count = 0
        while first.link.may_send:
            first.link.send(1, bytes(65_536))
            count += 1
        await first.events.until(lambda: first.link.may_send)
        await second.events.until(lambda: second.events.octets == count * 65_536, within=30)


@pytest.mark.usefixtures("_slow")
async def test_a_silent_line_stays_open_and_a_dead_one_is_told(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_INTERVAL", 0.05)
    async with open_pair() as (first, second):
        await asyncio.sleep(1.5)
        assert first.events.errors == second.events.errors == []
        between(second.link, lambda data, pass_on: None)
        await second.events.until(lambda: second.events.errors, within=5)
        assert isinstance(second.events.errors[0], ConnectionLost)


@pytest.mark.usefixtures("_slow")
async def test_it_moves_to_another_path_as_well():
    async with roaming_pair() as (first, second):
        first.end.link.change_path()
        await first.end.events.until(lambda: first.generation == second.generation == 1)
        first.end.link.send(0, b"from elsewhere")
        await second.end.events.until(lambda: second.end.events.messages == [(0, b"from elsewhere")])


@pytest.mark.usefixtures("_slow")
async def test_acknowledgements_of_what_is_sent_are_no_flood(monkeypatch):
    monkeypatch.setattr(plain_module, "MOST_UNREAD", 128 * 1024)
    async with open_pair() as (first, second):
        for _ in range(128):
            await first.events.until(lambda: first.link.may_send, within=30)
            first.link.send(1, bytes(65_536))
        await second.events.until(lambda: second.events.octets == 128 * 65_536, within=60)
        assert first.link._path.connection.unread < 128 * 1024
        assert first.events.errors == []


async def too_long(peer):
    peer.sctp._remote_max_message_size = 0
    peer.channels[0].send(b"x" * 65_537)


async def text(peer):
    peer.channels[0].send("text")


async def nothing(peer):
    peer.channels[0].send(b"")


async def another_channel(peer):
    RTCDataChannel(peer.sctp, RTCDataChannelParameters(label="more"))


async def without_end(peer):
    peer.sctp._remote_max_message_size = 0
    peer.channels[1].send(b"x" * 2 * MOST_UNREAD)


@pytest.mark.usefixtures("_slow")
@pytest.mark.parametrize(
    "attack", [too_long, text, nothing, another_channel, without_end], ids=lambda one: one.__name__
)
async def test_what_can_be_seen_from_outside_ends_the_line(attack):
    end, peer = await open_with_raw()
    try:
        await attack(peer)
        await end.events.until(lambda: end.events.errors, within=60)
        assert isinstance(end.events.errors[0], WireError)
        assert not end.events.messages
    finally:
        await end.link.close()
        await peer.stop()


@pytest.mark.usefixtures("_slow")
async def test_after_the_end_nothing_is_sent():
    async with open_pair() as (first, second):
        sctp = first.link._sctp
        await first.link.close()
        with pytest.raises(ConnectionError):
            sctp.send(0, b"x")
        sctp.probe()
        sctp.path_changed()
        await sctp.emptied()
        assert not sctp.is_empty
        await second.events.until(lambda: second.events.errors)
        await asyncio.sleep(0)
