# SPDX-License-Identifier: Apache-2.0
import asyncio
import os

import pytest
from aiortc.rtcsctptransport import DataChunk

from hardwire.net.rtc import sctp as sctp_module
from support.links import between, open_pair


async def test_messages_of_every_size_arrive_whole_and_in_order():
    sizes = [1, 2, 1159, 1160, 1161, 1164, 1168, 2320, 4096, 65_535, 65_536, 1]
    async with open_pair() as (first, second):
        sent = [os.urandom(size) for size in sizes]
        for data in sent:
            first.link.send(0, data)
            second.link.send(1, data)
        await second.events.until(lambda: len(second.events.messages) == len(sent))
        await first.events.until(lambda: len(first.events.messages) == len(sent))
        assert second.events.messages == [(0, data) for data in sent]
        assert first.events.messages == [(1, data) for data in sent]


async def test_control_overtakes_bulk():
    async with open_pair() as (first, second):
        for _ in range(10):
            first.link.send(1, bytes(65_536))
        first.link.send(0, b"urgent")
        await second.events.until(lambda: len(second.events.messages) == 11)
        position = [channel for channel, _ in second.events.messages].index(0)
        assert position < 5


async def test_the_queue_says_when_it_is_full_and_when_it_is_short_again():
    async with open_pair() as (first, second):
        count = 0
        while first.link.may_send:
            first.link.send(1, bytes(65_536))
            count += 1
        assert count * 65_536 >= sctp_module.HIGH_WATER
        await first.events.until(lambda: first.link.may_send)
        assert first.link._sctp.buffered <= sctp_module.LOW_WATER
        await second.events.until(lambda: second.events.octets == count * 65_536)
        assert await first.link.flush()


async def test_everything_arrives_over_a_path_that_loses():
    async with open_pair() as (first, second):
        count = [0]

        def lossy(data, pass_on):
            count[0] += 1
            if count[0] % 20:
                pass_on(data)

        between(second.link, lossy)
        sent = [os.urandom(20_000) for _ in range(20)]
        for data in sent:
            first.link.send(0, data)
        await second.events.until(lambda: len(second.events.messages) == len(sent), within=60)
        assert [data for _, data in second.events.messages] == sent
        assert count[0] > 20
        assert second.events.errors == []


async def test_a_path_that_swaps_and_repeats_changes_nothing():
    async with open_pair() as (first, second):
        kept = []

        def shuffle(data, pass_on):
            kept.append(data)
            if len(kept) == 3:
                for one in (kept[2], kept[0], kept[1], kept[0]):
                    pass_on(one)
                kept.clear()

        undo = between(second.link, shuffle)
        sent = [os.urandom(3000) for _ in range(30)]
        for data in sent:
            first.link.send(0, data)
        await second.events.until(lambda: len(second.events.messages) >= len(sent) - 1, within=60)
        undo()
        await second.events.until(lambda: len(second.events.messages) == len(sent), within=60)
        assert [data for _, data in second.events.messages] == sent


async def test_a_batch_of_packets_costs_one_sack():
    async with open_pair() as (first, second):
        sacks = []
        sctp = second.link._sctp
        plain = sctp._put_sack
        sctp._put_sack = lambda most: (sacks.append(1), plain(most))[1]
        for _ in range(8):
            first.link.send(1, bytes(65_536))
        await second.events.until(lambda: second.events.octets == 8 * 65_536)
        packets = 8 * (65_536 // 1160 + 1)
        assert 0 < len(sacks) <= packets // 2 + 8


async def test_question_and_answer_cost_a_packet_each():
    async with open_pair() as (first, second):
        heard = first.link._sctp.packets_heard, second.link._sctp.packets_heard
        for count in range(1, 51):
            first.link.send(0, b"question")
            await second.events.until(lambda count=count: len(second.events.messages) == count)
            second.link.send(0, b"answer")
            await first.events.until(lambda count=count: len(first.events.messages) == count)
        packets = first.link._sctp.packets_heard - heard[0], second.link._sctp.packets_heard - heard[1]
        # Room for the SACK that a slow machine's timer sends by itself.
        assert max(packets) < 60
        assert await first.link.flush()


async def test_a_lone_fragment_is_acknowledged_after_a_moment():
    async with open_pair() as (first, second):
        sctp = first.link._sctp
        chunk = DataChunk(flags=2)
        chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = sctp._out.next_tsn, 0, 0, 53
        chunk.user_data = b"half of it"
        sctp._out.number += 1
        before = sctp.packets_heard
        await sctp._send_chunk(chunk)
        await asyncio.sleep(0.1)
        assert sctp.packets_heard == before + 1
        assert second.events.messages == []


async def test_an_association_that_is_closed_takes_nothing():
    async with open_pair() as (first, second):
        await first.link.close()
        sctp = first.link._sctp
        with pytest.raises(ConnectionError):
            sctp.send(0, b"x")
        await sctp._handle_data(bytes(40))
        await sctp.emptied()
        sctp.probe()
        await second.events.until(lambda: second.events.errors)
