# SPDX-License-Identifier: Apache-2.0
"""The SDP bridge with itself; with others it is tested in tests/interop."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hardwire.errors import ConnectionLost, HandshakeRefused, Misuse, NetworkFailed, WireError
from hardwire.net.rtc import BridgeSettings, SdpBridge
from hardwire.net.rtc import bridge as bridge_module
from hardwire.net.rtc.fastsctp import FastSctp
from support.sdppeers import LOOPBACK, BridgePeer, connect, move
from support.sdptexts import CHROMIUM_OFFER, instead, line_of, twice

CANDIDATES = re.compile(r"a=candidate:.*\r\n")


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@asynccontextmanager
async def connected(settings: BridgeSettings = LOOPBACK, **options):
    peers = BridgePeer(), BridgePeer(settings)
    try:
        await connect(*peers, **options)
        yield peers
    finally:
        await asyncio.gather(*(peer.close() for peer in peers))


async def described() -> tuple[SdpBridge, SdpBridge]:
    offerer = await SdpBridge.offer(LOOPBACK)
    return offerer, await SdpBridge.answer(LOOPBACK, offerer.description)


async def close(*bridges: SdpBridge) -> None:
    await asyncio.gather(*(bridge.close() for bridge in bridges))


@pytest.mark.parametrize("active", [True, False])
async def test_two_of_them(active):
    async with connected(replace(LOOPBACK, active=active)) as (one, other):
        assert one.bridge._is_server is active
        assert other.bridge._is_server is not active
        assert f"a=setup:{'active' if active else 'passive'}\r\n" in other.bridge.description
        await move(one, other, 1_000_000)
        await move(other, one, 1_000_000, message=262_144)
        assert other.label == "tested"


async def test_facts_are_those_of_a_line():
    offerer, answerer = await described()
    await offerer.accept(answerer.description)
    first, second = await asyncio.gather(*(one.open(BridgePeer(), within=5) for one in (offerer, answerer)))
    assert first.exporter == second.exporter
    assert first.own_fingerprint == second.peer_fingerprint
    assert first.own_fingerprint.hex(":").upper() in offerer.description
    await close(offerer, answerer)


async def test_nothing_is_left_behind():
    before = open_files()
    async with connected() as (one, other):
        await one.say("x")
        assert await other.heard(1) == ["x"]
    await asyncio.sleep(0)
    assert open_files() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_offer_is_read_before_anything_is_opened(monkeypatch):
    def never(*_):
        raise AssertionError("something was opened")

    monkeypatch.setattr(bridge_module, "Path", never)
    before = open_files()
    short = line_of("a=fingerprint")[:-3]
    for text in ("", CHROMIUM_OFFER[:-2], instead("a=fingerprint", short), twice("a=ice-pwd"), "m=\n" * 9000):
        with pytest.raises(WireError) as caught:
            await SdpBridge.answer(LOOPBACK, text)
        assert caught.value.code == "sdp-malformed"
    assert open_files() == before


async def test_an_answer_that_is_refused_may_be_followed_by_a_better_one():
    offerer, answerer = await described()
    answer = answerer.description
    other_offer = answer.replace("a=mid:0", "a=mid:1").replace("BUNDLE 0", "BUNDLE 1")
    for text in (offerer.description, answer[:-2], other_offer):
        with pytest.raises(WireError) as caught:
            await offerer.accept(text)
        assert caught.value.code == "sdp-malformed"
    await offerer.accept(answer)
    await asyncio.gather(*(one.open(BridgePeer(), within=5) for one in (offerer, answerer)))
    await close(offerer, answerer)


async def test_another_certificate_than_the_one_that_was_described():
    offerer, answerer = await described()
    told = line_of("a=fingerprint", answerer.description)
    other = told[:-1] + ("0" if told[-1] != "0" else "1")
    await offerer.accept(answerer.description.replace(told, other))
    peers = BridgePeer(), BridgePeer()
    answering = asyncio.create_task(answerer.open(peers[1], within=5))
    with pytest.raises(HandshakeRefused) as caught:
        await offerer.open(peers[0], within=5)
    assert caught.value.code == "binding-fingerprint"
    with pytest.raises((NetworkFailed, ConnectionLost)):
        await answering
    assert offerer._sctp is None
    assert not any(peer.label or peer.errors for peer in peers)
    await close(offerer, answerer)


async def test_the_order_of_things():
    offerer, answerer = await described()
    assert offerer.skipped == ()
    with pytest.raises(Misuse):
        await offerer.open(BridgePeer(), within=1)
    with pytest.raises(Misuse):
        _ = offerer.channels
    with pytest.raises(Misuse):
        await answerer.accept(offerer.description)
    await offerer.accept(answerer.description)
    with pytest.raises(Misuse):
        await offerer.accept(answerer.description)
    await close(offerer, answerer)
    with pytest.raises(Misuse):
        await offerer.open(BridgePeer(), within=1)


async def test_channels_that_cannot_be_agreed_on():
    for agreed in ((-1,), (65_534,), tuple(range(65))):
        with pytest.raises(Misuse):
            await SdpBridge.offer(replace(LOOPBACK, agreed=agreed))


async def test_an_agreed_channel_needs_no_opening():
    async with connected(negotiated=True, id=0) as (one, other):
        assert one.channel == other.channel == 0
        await one.say("grüße")
        assert await other.heard(1) == ["grüße"]


async def test_the_dtls_role_that_an_offer_asks_for():
    for asked, answered in (("active", "passive"), ("passive", "active")):
        bridge = await SdpBridge.answer(LOOPBACK, instead("a=setup", f"a=setup:{asked}"))
        assert f"a=setup:{answered}\r\n" in bridge.description
        await bridge.close()


async def test_an_answer_keeps_the_names_of_the_offer():
    text = CHROMIUM_OFFER.replace("a=mid:0", "a=mid:data").replace("a=group:BUNDLE 0\r\n", "")
    bridge = await SdpBridge.answer(LOOPBACK, text)
    assert "a=mid:data\r\n" in bridge.description
    assert "BUNDLE" not in bridge.description
    await bridge.close()


async def test_no_path():
    bridge = await SdpBridge.answer(LOOPBACK, CHROMIUM_OFFER)
    with pytest.raises(NetworkFailed) as caught:
        await bridge.open(BridgePeer(), within=0.2)
    assert caught.value.code == "no-path"
    with pytest.raises(Misuse):
        await bridge.open(BridgePeer(), within=0.2)


async def test_hidden_addresses_are_found_by_the_checks_of_their_owner():
    offerer = await SdpBridge.offer(LOOPBACK)
    hidden = re.sub(r"(udp \d+) \S+", r"\1 5f1c.local", offerer.description)
    answerer = await SdpBridge.answer(LOOPBACK, hidden)
    assert answerer.skipped
    assert all("hidden" in reason for reason in answerer.skipped)
    await offerer.accept(answerer.description)
    await asyncio.gather(*(one.open(BridgePeer(), within=5) for one in (offerer, answerer)))
    await close(offerer, answerer)


async def test_candidates_may_come_late():
    offerer = await SdpBridge.offer(LOOPBACK)
    found = [line[2:].rstrip() for line in CANDIDATES.findall(offerer.description)]
    bare = CANDIDATES.sub("", offerer.description)
    answerer = await SdpBridge.answer(LOOPBACK, bare)
    await offerer.accept(CANDIDATES.sub("", answerer.description))
    opening = asyncio.gather(*(one.open(BridgePeer(), within=5) for one in (offerer, answerer)))
    await asyncio.sleep(0.05)
    with pytest.raises(WireError):
        await answerer.add_candidate("candidate:x")
    assert "hidden" in await answerer.add_candidate("candidate:1 1 udp 1 a.local 9 typ host")
    assert not opening.done()
    for line in found:
        assert await answerer.add_candidate(line) is None
    assert await answerer.add_candidate("") is None
    await opening
    await close(offerer, answerer)


async def test_a_path_without_consent_ends_it(monkeypatch):
    monkeypatch.setattr(bridge_module, "_LOOK_INTERVAL", 0.02)
    async with connected() as (one, other):
        one.bridge._path.connection._nominated.clear()
        await one.until(lambda: one.errors)
        assert isinstance(one.errors[0], ConnectionLost)
        assert "no sign" in one.errors[0].message
        await other.close()


async def test_nothing_is_told_once_it_is_being_closed():
    async with connected() as (one, other):
        told = []

        def message(channel, data):
            told.append(data)
            other.bridge._begin_close()

        other.message = message
        for _ in range(100):
            await one.say("x")
        await one.until(lambda: one.errors)
        await other.close()
        assert (told, other.gone, other.errors) == (["x"], [], [])


async def test_on_the_transports_of_aiortc(monkeypatch):
    monkeypatch.setattr(bridge_module, "is_fast", lambda: False)
    async with connected() as (one, other):
        assert not isinstance(one.bridge._sctp, FastSctp)
        # One way, and nothing back but acknowledgements.
        await move(one, other, 2_000_000)


async def test_closing_while_it_opens():
    offerer, answerer = await described()
    await offerer.accept(answerer.description)
    opening = asyncio.create_task(offerer.open(BridgePeer(), within=30))
    await asyncio.sleep(0.1)
    await close(offerer, answerer)
    with pytest.raises(NetworkFailed):
        await opening


async def test_a_peer_that_leaves_while_it_opens():
    offerer, answerer = await described()
    await offerer.accept(answerer.description)

    async def leave(*_):
        raise NetworkFailed("the process has no time")

    answerer._associate = leave
    answering = asyncio.create_task(answerer.open(BridgePeer(), within=5))
    with pytest.raises(ConnectionLost) as caught:
        await offerer.open(BridgePeer(), within=5)
    assert caught.value.message == "the peer went away"
    with pytest.raises(NetworkFailed):
        await answering
    await close(offerer, answerer)


async def test_without_addresses_there_is_no_bridge(monkeypatch):
    monkeypatch.setattr(bridge_module, "usable_addresses", lambda **_: ())
    before = open_files()
    with pytest.raises(NetworkFailed) as caught:
        await SdpBridge.offer(LOOPBACK)
    assert caught.value.code == "no-address"
    assert open_files() == before
