# SPDX-License-Identifier: Apache-2.0
"""Probes on links that carry more or less than they did."""

import asyncio

import pytest
from aiortc.rtcsctptransport import HeartbeatAckChunk, parse_packet

from hardwire.net.rtc.pmtu import BASE, CAUTIOUS, SIZES, TRIES
from support.links import open_pair
from support.sctplink import Weather, connect, run


@pytest.mark.parametrize(
    "kinds, largest, found",
    [
        (("line", "line"), 20_000, SIZES[0]),
        (("line", "line"), 9000, 8912),
        (("fast", "fast"), 1404, 1404),
        (("fast", "fast"), 1200, BASE),
        (("fast", "aiortc"), 20_000, 1412),
        (("line", "aiortc"), 20_000, 1412),
    ],
)
def test_each_direction_finds_what_it_carries(kinds, largest, found):
    async def main():
        there, back = Weather(largest=largest), Weather(largest=1300)
        first, second = await connect(kinds, there, back)
        await asyncio.sleep(30)
        assert first.sctp.packet_size == found
        assert kinds[1] == "aiortc" or second.sctp.packet_size == BASE
        data = bytes(range(256)) * 200
        first.send(0, data)
        second.send(1, data)
        await second.until(lambda: second.got == [(0, data)])
        await first.until(lambda: first.got == [(1, data)])
        if found > BASE:
            before = first.dtls._pipe.sent
            first.send(0, data)
            await second.until(lambda: len(second.got) == 2)
            assert first.dtls._pipe.sent - before <= len(data) // (found - 28) + 3

    run(main())


def test_a_peer_that_reads_in_pieces_is_not_left_behind():
    """Whether or not the datagram gets there with which it reads the rest of a probe."""

    async def late(seed):
        first, second = await connect(("fast", "aiortc"), Weather(drop=0.3), Weather(), seed=seed)
        behind = []
        deliver = second.dtls.deliver
        second.dtls.deliver = lambda packet: (deliver(packet), behind.append(len(second.dtls.unread)))
        await asyncio.sleep(60)
        assert first.sctp.packet_size in {BASE, *CAUTIOUS[1:]}
        assert not second.dtls.unread
        return max(behind, default=0)

    assert 0 < max(run(late(seed)) for seed in range(20)) <= TRIES


def test_a_path_that_becomes_narrower_without_a_word_loses_nothing():
    async def main():
        first, second = await connect(("line", "line"), Weather())
        await asyncio.sleep(5)
        assert first.sctp.packet_size == SIZES[0]
        first.dtls._pipe.weather.largest = 1300
        data = bytes(range(256)) * 250
        first.send(0, data)
        await second.until(lambda: second.got == [(0, data)], within=20)
        assert first.sctp.packet_size == BASE
        first.dtls._pipe.weather.largest = 20_000
        await asyncio.sleep(30)
        assert first.sctp.packet_size == SIZES[0]

    run(main())


@pytest.mark.parametrize("pause", [0.02, 0.2, 2.0])
def test_it_is_noticed_although_small_messages_still_arrive(pause):
    """Then there is something new in each round trip, and no timeout."""

    async def main():
        first, second = await connect(("line", "line"), Weather(largest=1450))
        await asyncio.sleep(12)
        assert first.sctp.packet_size == 1412
        first.dtls._pipe.weather.largest = 1300
        loop = asyncio.get_running_loop()
        began = loop.time()
        first.send(1, bytes(3000))
        while (1, bytes(3000)) not in second.got:
            assert loop.time() - began < 5
            first.send(0, b"small")
            await asyncio.sleep(pause)
        assert first.sctp.packet_size == BASE

    run(main())


@pytest.mark.parametrize("count, size", [(5, 330), (8, 150)])
def test_it_is_noticed_when_all_that_is_large_are_small_messages_in_one_packet(count, size):
    """They are sent together whenever they are lost, and something new that is alone in its packet arrives."""

    async def main():
        first, second = await connect(("line", "line"), Weather(largest=1450))
        await asyncio.sleep(12)
        assert first.sctp.packet_size == 1412
        weather = first.dtls._pipe.weather
        weather.largest, weather.drop = 1300, 1.0
        for number in range(count):
            first.send(1, bytes([number]) * size)
        weather.drop = 0.0
        loop = asyncio.get_running_loop()
        began = loop.time()
        while len([one for one in second.got if one[0] == 1]) < count:
            assert loop.time() - began < 5
            first.send(0, b"small")
            await asyncio.sleep(0.02)
        assert first.sctp.packet_size == BASE

    run(main())


@pytest.mark.parametrize("count, size", [(40, 50_000), (4000, 300)])
def test_losses_alone_are_no_hole(count, size):
    """On a bad path large packets are lost again as well, and others of them arrive."""

    async def main():
        weather = Weather(largest=1450, drop=0.05)
        first, second = await connect(("line", "line"), weather, Weather(drop=0.05), seed=3)
        await asyncio.sleep(30)
        assert first.sctp.packet_size == 1412
        for _ in range(count):
            first.send(1, bytes(size))
        await second.until(lambda: len(second.got) == count)
        assert first.sctp.packet_size == 1412

    run(main())


def test_a_queue_that_overflows_is_no_hole():

    async def main():
        weather = Weather(delay=0.002, rate=5e6, queue=40_000, largest=1450)
        first, second = await connect(("line", "line"), weather, Weather(delay=0.002))
        await asyncio.sleep(30)
        for _ in range(400):
            first.send(1, bytes(50_000))
        await second.until(lambda: len(second.got) == 400)
        assert first.sctp.packet_size == 1412
        assert first.dtls._pipe.lost > 50

    run(main())


def test_a_socket_that_is_full_says_nothing_of_sizes():
    """It is full whenever bulk moves: a probe leaves first when there is room."""

    async def main():
        first, _ = await connect(("line", "line"), Weather())
        first.dtls.is_blocked = True
        await asyncio.sleep(3.5)
        assert first.sctp.packet_size == BASE
        first.dtls.is_blocked = False
        first.sctp.unblocked()
        await asyncio.sleep(0.1)
        assert first.sctp.packet_size == SIZES[0]

    run(main())


def test_another_path_is_probed_anew():
    async def main():
        first, second = await connect(("line", "line"), Weather())
        await asyncio.sleep(5)
        first.dtls._pipe.weather.largest = 1420
        first.sctp.path_changed()
        assert first.sctp.packet_size == BASE
        first.send(0, b"at once")
        await second.until(lambda: second.got)
        await asyncio.sleep(30)
        assert first.sctp.packet_size == 1412

    run(main())


def test_an_answer_that_is_late_proves_nothing_for_another_path():
    """Whoever is in between may hold an answer back, and let it go when the line has moved."""

    async def main():
        first, second = await connect(("line", "line"), Weather(), Weather())
        held = []
        answers = second.sctp._answer_heartbeat
        second.sctp._answer_heartbeat = lambda body: answers(body) if held else held.append(body)
        while not held:  # noqa: ASYNC110 (it lies on the other end)
            await asyncio.sleep(0.01)
        first.dtls._pipe.weather.largest = 1300
        first.sctp.path_changed()
        answers(held[0])
        second.dtls.flush()
        await asyncio.sleep(0.05)
        assert first.sctp.packet_size == BASE

    run(main())


def test_an_answer_that_was_not_asked_for_proves_nothing():
    async def main():
        first, second = await connect(("line", "line"), Weather(largest=1200))
        await asyncio.sleep(0.2)
        for nonce in (bytes(12), b"", b"hardwire"):
            answer = HeartbeatAckChunk()
            answer.params.append((1, nonce))
            await second.sctp._send_chunk(answer)
        await second.sctp._send_chunk(HeartbeatAckChunk())
        await asyncio.sleep(1)
        assert first.sctp.packet_size == BASE
        assert first.is_open

    run(main())


def test_a_probe_is_a_heartbeat_with_padding_and_as_long_as_it_says():
    async def main():
        first, _ = await connect(("fast", "fast"), Weather())
        seen = []
        plain = first.dtls._pipe.send
        first.dtls._pipe.send = lambda packet, **how: (seen.append(packet), plain(packet, **how))
        await asyncio.sleep(1)
        probe = next(packet for packet in seen if len(packet) > BASE)
        assert len(probe) in SIZES
        # aiortc does not know padding, and finds the heartbeat.
        assert [type(chunk).__name__ for chunk in parse_packet(probe)[3]] == ["HeartbeatChunk"]
        await first.sctp.stop()
        assert first.sctp._mtu_timer is None

    run(main())


async def test_loopback_carries_whole_records():
    async with open_pair() as (first, second):
        async with asyncio.timeout(5):
            while {first.link._sctp.packet_size, second.link._sctp.packet_size} != {SIZES[0]}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        first.link.send(1, bytes(65_536))
        await second.events.until(lambda: second.events.octets == 65_536)
