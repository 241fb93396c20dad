# SPDX-License-Identifier: Apache-2.0
"""The SDP bridge and plain aiortc's RTCPeerConnection: every pair of roles, in-band and agreed channels, 20 MB each way."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hardwire.net.rtc import bridge as bridge_module
from hardwire.net.rtc.pmtu import COMMON, TRIES
from hardwire.net.rtc.sctpmtu import READ_AT_ONCE
from support.sdppeers import LOOPBACK, AiortcPeer, BridgePeer, connect, move

SIZE = 20_000_000
SMALL = 2_000_000


@asynccontextmanager
async def connected(*, we_offer: bool = True, active: bool = True, **options):
    ours, theirs = BridgePeer(replace(LOOPBACK, active=active)), AiortcPeer()
    try:
        async with asyncio.timeout(30):
            await connect(*((ours, theirs) if we_offer else (theirs, ours)), **options)
        yield ours, theirs
    finally:
        await asyncio.gather(ours.close(), theirs.close())


@pytest.mark.parametrize("we_offer", [True, False])
async def test_twenty_megabytes_each_way(we_offer):
    async with connected(we_offer=we_offer) as (ours, theirs):
        assert ours.label == theirs.channel.label == "tested"
        assert ours.channel == theirs.channel.id
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            assert await move(sender, receiver, SIZE) > 0


async def test_it_is_not_left_behind_by_probes_that_it_reads_in_pieces(monkeypatch):
    async with connected() as (ours, theirs):
        dtls, pieces = theirs.connection.sctp.transport, []
        take = dtls._data_receiver._handle_data
        monkeypatch.setattr(dtls._data_receiver, "_handle_data", lambda data: (pieces.append(len(data)), take(data))[1])
        async with asyncio.timeout(10):
            while ours.bridge._sctp.packet_size < max(COMMON):  # noqa: ASYNC110 (nothing tells it)
                await asyncio.sleep(0.01)
        assert [pieces[at : at + 2] for at, size in enumerate(pieces) if size == READ_AT_ONCE] == [[1500, 548]] * TRIES
        await ours.say("still in time")
        assert await theirs.heard(1) == ["still in time"]
        assert dtls._ssl.pending() == 0


@pytest.mark.parametrize("we_offer", [True, False])
async def test_the_passive_side_of_dtls(we_offer):
    # aiortc always answers as the active side, and takes either.
    async with connected(we_offer=we_offer, active=False) as (ours, theirs):
        assert ours.bridge._is_server
        await move(ours, theirs, SMALL)
        await move(theirs, ours, SMALL)


@pytest.mark.parametrize("we_offer", [True, False])
async def test_on_the_transports_of_aiortc(monkeypatch, we_offer):
    monkeypatch.setattr(bridge_module, "is_fast", lambda: False)
    async with connected(we_offer=we_offer) as (ours, theirs):
        assert "a=max-message-size:65536\r\n" in ours.bridge.description
        await move(ours, theirs, SMALL)
        await move(theirs, ours, SMALL)


async def test_an_agreed_channel_with_text_and_empty_messages():
    async with connected(negotiated=True, id=7) as (ours, theirs):
        assert ours.channel == 7
        for one, other in ((ours, theirs), (theirs, ours)):
            for text in ("grüße", "", "x" * 20_000):
                await one.say(text)
            one.send_now(b"")
            one.send_now(b"12345")
            assert await other.heard(5) == ["grüße", "", "x" * 20_000, "0 octets", "5 octets"]


async def test_a_closed_channel_leaves_the_others():
    async with connected() as (ours, theirs):
        first, channel = theirs.channel, ours.channel
        second = ours.bridge.channels.create("second")
        await ours.until(lambda: ours.channel == second)
        first.close()
        await ours.until(lambda: ours.gone)
        assert ours.gone == [channel]
        await ours.say("still here")
        assert await theirs.heard(1) == ["still here"]
        ours.bridge.channels.end(second)
        await ours.until(lambda: len(ours.gone) == 2)
        await theirs.until(lambda: theirs.channel.readyState == "closed")
        assert not ours.errors


async def test_a_peer_that_leaves_is_told_once():
    async with connected() as (ours, theirs):
        await theirs.close()
        await ours.until(lambda: ours.errors)
        await ours.close()
        assert [error.code for error in ours.errors] == ["connection-lost"]
        assert not ours.gone
