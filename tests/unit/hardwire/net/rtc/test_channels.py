# SPDX-License-Identifier: Apache-2.0
"""Data channels of one association, against plain aiortc, honest and not."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiortc.rtcsctptransport import WEBRTC_BINARY, WEBRTC_DCEP, WEBRTC_STRING

from hardwire.errors import ConnectionLost, Misuse
from hardwire.net.rtc import bridge as bridge_module
from hardwire.net.rtc.channels import MOST_CHANNELS, MOST_LABEL
from hardwire.net.rtc.fastsctp import MOST_MESSAGE
from hardwire.net.rtc.sctp import HIGH_WATER, LOW_WATER
from support.sdppeers import AiortcPeer, BridgePeer, connect


@asynccontextmanager
async def connected(*, we_offer: bool = True):
    ours, theirs = BridgePeer(), AiortcPeer()
    try:
        async with asyncio.timeout(30):
            await connect(*((ours, theirs) if we_offer else (theirs, ours)))
        yield ours, theirs
    finally:
        await asyncio.gather(ours.close(), theirs.close())


@pytest.mark.parametrize("we_offer", [True, False])
async def test_numbers_follow_the_dtls_role(we_offer):
    async with connected(we_offer=we_offer) as (ours, _):
        channels = ours.bridge.channels
        # We offer, and are the server: odd. We answer, and are the client: even; the peer's own is odd.
        assert ours.channel == 1
        expected = [3, 5] if we_offer else [0, 2]
        assert [channels.create("a"), channels.create("b")] == expected
        await ours.until(lambda: ours.channel == expected[1])


async def test_labels():
    async with connected() as (ours, theirs):
        channels = ours.bridge.channels
        for label in ("grün", "a\nb", "x" * (MOST_LABEL + 1)):
            with pytest.raises(Misuse):
                channels.create(label)
        channels.create("")
        channels.create("x" * MOST_LABEL)
        await theirs.until(lambda: theirs.channel.label == "x" * MOST_LABEL)


async def test_a_message_is_what_the_peer_takes_at_most():
    ours, theirs = BridgePeer(), AiortcPeer()
    await ours.create("small", {})
    answer = await theirs.answer(await ours.offer())
    sizes = [line for line in answer.splitlines() if line.startswith("a=max-message-size")]
    await ours.accept(answer.replace(sizes[0], "a=max-message-size:1000"))
    await ours.call("opened")
    assert ours.bridge.channels.most_message == 1000
    for data in (bytes(1001), "ü" * 501):
        with pytest.raises(Misuse):
            ours.send_now(data)
    ours.send_now("ü" * 500)
    assert await theirs.heard(1) == ["ü" * 500]
    await asyncio.gather(ours.close(), theirs.close())


async def test_the_queue_tells_when_it_is_short_again():
    async with connected() as (ours, theirs):
        channels, number = ours.bridge.channels, ours.channel
        told: list[int] = []
        ours.writable = told.append
        await theirs.expect(2 * HIGH_WATER)
        for _ in range(2 * HIGH_WATER // 65_536):
            ours.send_now(bytes(65_536))
        assert channels.buffered(number) > HIGH_WATER
        assert not channels.may_send(number)
        await theirs.received()
        assert told == [number]
        assert channels.buffered(number) <= LOW_WATER
        assert channels.may_send(number)


async def test_a_channel_that_is_not_there():
    async with connected() as (ours, _):
        channels = ours.bridge.channels
        assert not channels.may_send(9)
        assert channels.buffered(9) == 0
        channels.end(9)
        with pytest.raises(ConnectionLost):
            channels.send(9, b"x")
        waiting = channels.create("not yet")
        assert not channels.may_send(waiting)
        with pytest.raises(ConnectionLost):
            channels.send(waiting, b"x")
    for refused in (lambda: channels.create("late"), lambda: channels.send(ours.channel, b"x")):
        with pytest.raises(ConnectionLost):
            refused()
    assert not ours.errors
    assert not ours.gone


async def test_a_closed_channel_is_told_and_the_others_go_on():
    async with connected() as (ours, theirs):
        first = ours.channel
        await ours.until(lambda: ours.bridge.channels.may_send(first))
        second = ours.bridge.channels.create("second")
        await ours.until(lambda: ours.channel == second)
        ours.bridge.channels.end(first)
        await ours.until(lambda: ours.gone)
        assert ours.gone == [first]
        await ours.say("goes on")
        assert await theirs.heard(1) == ["goes on"]
        assert not ours.errors
        # The number is free again.
        assert ours.bridge.channels.create("third") == first


async def test_nothing_is_told_after_the_end():
    async with connected() as (ours, theirs):
        label, told = ours.label, []
        ours.writable = told.append
        await ours.say("x" * (2 * LOW_WATER))
        ours.bridge.channels.stop()
        await theirs.say("after it")
        theirs.channel.close()
        theirs.connection.createDataChannel("another")
        await asyncio.sleep(0.2)
        assert (ours.texts, ours.gone, ours.errors, ours.label, told) == ([], [], [], label, [])


async def test_we_open_no_more_channels_than_are_taken():
    async with connected() as (ours, _):
        for _ in range(MOST_CHANNELS - 1):
            ours.bridge.channels.create("more")
        with pytest.raises(ConnectionLost):
            ours.bridge.channels.create("too many")


async def test_a_peer_that_opens_too_many_channels():
    async with connected() as (ours, theirs):
        told: list[int] = []
        ours.opened = lambda channel, label: told.append(channel)
        for number in range(MOST_CHANNELS + 20):
            theirs.connection.createDataChannel(str(number))
        await ours.until(lambda: ours.errors)
        assert [error.code for error in ours.errors] == ["transport-limit"]
        assert len(told) == MOST_CHANNELS - 1
        with pytest.raises(ConnectionLost):
            ours.send_now(b"x")


OPEN = b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00x"
HOSTILE = {
    "opened twice": (1, WEBRTC_DCEP, OPEN),
    "ACK of nothing": (9, WEBRTC_DCEP, b"\x02"),
    "a label that is no text": (9, WEBRTC_DCEP, OPEN[:-1] + b"\xff"),
    "text that is none": (1, WEBRTC_STRING, b"\xff\xfe"),
    "too long": (1, WEBRTC_BINARY, bytes(MOST_MESSAGE + 1)),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_no_honest_peer_sends(name):
    async with connected() as (ours, theirs):
        await theirs.connection.sctp._send(*HOSTILE[name])
        async with asyncio.timeout(10):
            await ours.until(lambda: ours.errors)
        assert [error.code for error in ours.errors] == ["transport-limit"]
        assert not ours.texts


async def test_what_is_not_a_message_is_nothing():
    async with connected() as (ours, theirs):
        for stream, protocol, data in ((1, WEBRTC_DCEP, b"\x03"), (1, WEBRTC_DCEP, b"\x09"), (9, WEBRTC_BINARY, b"x")):
            await theirs.connection.sctp._send(stream, protocol, data)
        await theirs.say("after it")
        assert await ours.heard(1) == ["after it"]


async def test_a_hostile_peer_on_the_transports_of_aiortc(monkeypatch):
    monkeypatch.setattr(bridge_module, "is_fast", lambda: False)
    async with connected() as (ours, theirs):
        for number in range(MOST_CHANNELS + 20):
            theirs.connection.createDataChannel(str(number))
        await ours.until(lambda: ours.errors)
        assert [error.code for error in ours.errors] == ["transport-limit"]
