# SPDX-License-Identifier: Apache-2.0
"""A peer that holds the invite and ignores every limit: the line ends quickly, and the work stays bounded."""

import asyncio
import time

import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import (
    WEBRTC_BINARY,
    WEBRTC_STRING,
    DataChunk,
    ForwardTsnChunk,
    InitChunk,
    SackChunk,
)

from hardwire.errors import ConnectionLost, WireError
from support.rawpeer import open_with_raw


async def test_a_plain_webrtc_peer_can_talk():
    end, peer = await open_with_raw()
    try:
        peer.channels[0].send(b"from outside")
        peer.channels[1].send(b"y" * 65_536)
        await end.events.until(lambda: end.events.octets == 12 + 65_536)
        assert (0, b"from outside") in end.events.messages
        end.link.send(0, b"back")
        end.link.send(1, b"z" * 65_536)
        await peer.until(lambda: len(peer.got) == 2)
        assert (0, b"back") in peer.got
        assert end.events.errors == []
    finally:
        await end.link.close()
        await peer.stop()


async def oversize(peer):
    peer.sctp._remote_max_message_size = 0
    peer.channels[0].send(b"x" * 65_537)


async def sixteen_megabytes(peer):
    peer.sctp._remote_max_message_size = 0
    peer.channels[1].send(b"x" * 16_000_000)


async def text(peer):
    peer.channels[0].send("text")


async def empty_text(peer):
    peer.channels[0].send("")


async def nothing(peer):
    peer.channels[0].send(b"")


async def channel_opening(peer):
    RTCDataChannel(peer.sctp, RTCDataChannelParameters(label="more"))


async def other_stream(peer):
    await peer.sctp._send(2, WEBRTC_BINARY, b"x")


async def highest_stream(peer):
    await peer.sctp._send(65_535, WEBRTC_BINARY, b"x")


async def unordered(peer):
    await peer.sctp._send(0, WEBRTC_BINARY, b"x", ordered=False)


async def late_change_of_kind(peer):
    chunk = DataChunk(flags=2)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = peer.sctp._local_tsn, 0, 0, WEBRTC_BINARY
    chunk.user_data = b"a"
    await peer.sctp._send_chunk(chunk)
    chunk.flags, chunk.tsn, chunk.protocol = 1, chunk.tsn + 1, WEBRTC_STRING
    await peer.sctp._send_chunk(chunk)


async def stream_reset(peer):
    peer.channels[0].close()


async def forward_tsn(peer):
    chunk = ForwardTsnChunk()
    chunk.cumulative_tsn = peer.sctp._local_tsn + 5
    await peer.sctp._send_chunk(chunk)


async def sack_of_the_future(peer):
    chunk = SackChunk()
    chunk.cumulative_tsn = (peer.sctp._last_received_tsn + 1000) % 2**32
    await peer.sctp._send_chunk(chunk)


async def sack_with_endless_gaps(peer):
    chunk = SackChunk()
    chunk.cumulative_tsn = peer.sctp._last_received_tsn
    chunk.gaps = [(1, 65_535)] * 200
    for _ in range(50):
        await peer.sctp._send_chunk(chunk)


async def far_ahead(peer):
    chunk = DataChunk(flags=3)
    chunk.tsn, chunk.stream_id, chunk.stream_seq = (peer.sctp._local_tsn + 100_000) % 2**32, 0, 0
    chunk.protocol, chunk.user_data = WEBRTC_BINARY, b"x"
    await peer.sctp._send_chunk(chunk)


async def fragments(peer, *, skip_first, size, count):
    """Fragments of one message that never ends; without the first one nothing can ever be delivered."""
    for number in range(count):
        if peer.sctp.state == "closed":
            return
        chunk = DataChunk(flags=2 if number == 0 else 0)
        chunk.tsn = (peer.sctp._local_tsn + number + skip_first) % 2**32
        chunk.stream_id, chunk.stream_seq, chunk.protocol = 0, 0, WEBRTC_BINARY
        chunk.user_data = b"x" * size
        await peer.sctp._send_chunk(chunk)
        await asyncio.sleep(0)


async def endless_message(peer):
    await fragments(peer, skip_first=0, size=1000, count=400)


async def endless_crumbs(peer):
    await fragments(peer, skip_first=0, size=1, count=6000)


async def endless_gap(peer):
    await fragments(peer, skip_first=1, size=1, count=6000)


ATTACKS = [
    oversize,
    sixteen_megabytes,
    text,
    empty_text,
    nothing,
    channel_opening,
    other_stream,
    highest_stream,
    unordered,
    late_change_of_kind,
    stream_reset,
    forward_tsn,
    sack_of_the_future,
    sack_with_endless_gaps,
    far_ahead,
    endless_message,
    endless_crumbs,
    endless_gap,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_the_line_ends_at_the_first_octet_too_many(attack):
    end, peer = await open_with_raw()
    try:
        began, cpu = time.perf_counter(), time.process_time()
        task = asyncio.create_task(attack(peer))
        await end.events.until(lambda: end.events.errors, within=20)
        took, used = time.perf_counter() - began, time.process_time() - cpu
        await task
        assert isinstance(end.events.errors[0], WireError), end.events.errors
        assert end.events.errors[0].code == "transport-limit"
        assert len(end.events.errors) == 1
        assert not any(len(data) > 65_536 for _, data in end.events.messages)
        # Both ends run in this process; the sender's own work is counted too.
        assert took < 10
        assert used < 8
    finally:
        await end.link.close()
        await peer.stop()


async def test_duplicates_and_late_inits_change_nothing():
    end, peer = await open_with_raw()
    try:
        peer.channels[0].send(b"once")
        await end.events.until(lambda: end.events.octets == 4)
        chunk = DataChunk(flags=3)
        chunk.tsn, chunk.stream_id, chunk.stream_seq = (peer.sctp._local_tsn - 1) % 2**32, 0, 0
        chunk.protocol, chunk.user_data = WEBRTC_BINARY, b"once"
        for _ in range(200):
            await peer.sctp._send_chunk(chunk)
        init = InitChunk()
        init.initiate_tag, init.advertised_rwnd, init.initial_tsn = 1, 1, 1
        init.outbound_streams = init.inbound_streams = 1
        tag, peer.sctp._remote_verification_tag = peer.sctp._remote_verification_tag, 0
        await peer.sctp._send_chunk(init)
        peer.sctp._remote_verification_tag = tag
        peer.channels[0].send(b"twice")
        await end.events.until(lambda: end.events.octets == 9)
        assert end.events.messages == [(0, b"once"), (0, b"twice")]
        assert end.events.errors == []
    finally:
        await end.link.close()
        await peer.stop()


async def test_noise_on_the_socket_changes_nothing():
    end, peer = await open_with_raw()
    try:
        pair = peer.ice._connection._nominated[1]
        for noise in (
            b"\x00",
            b"\x16" * 40,
            b"\x80" * 200,
            b"\xff" * 1400,
            bytes(range(20, 64)),
            b"\x17\xfe\xfd" + bytes(60),
        ):
            pair.protocol.transport.sendto(noise, pair.remote_addr)
        peer.channels[0].send(b"still here")
        await end.events.until(lambda: end.events.octets == 10)
        assert end.events.errors == []
    finally:
        await end.link.close()
        await peer.stop()


async def test_a_peer_that_leaves_is_noticed_at_once():
    end, peer = await open_with_raw()
    try:
        await peer.stop()
        await end.events.until(lambda: end.events.errors, within=2)
        assert isinstance(end.events.errors[0], ConnectionLost)
    finally:
        await end.link.close()
