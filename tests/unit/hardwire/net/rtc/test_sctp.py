# SPDX-License-Identifier: Apache-2.0
import asyncio
import os

import pytest
from aiortc.rtcsctptransport import DataChunk, SackChunk

from hardwire.net.rtc import sctp as sctp_module
from hardwire.net.rtc.sctp import AssociationRefused
from support.links import open_pair


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


async def test_everything_arrives_over_a_path_that_loses(monkeypatch):
    async with open_pair() as (first, second):
        plain = second.link._path.connection.data_received
        count = [0]

        def lossy(data, component):
            count[0] += 1
            if count[0] % 20:
                plain(data, component)

        monkeypatch.setattr(second.link._path.connection, "data_received", lossy)
        sent = [os.urandom(20_000) for _ in range(20)]
        for data in sent:
            first.link.send(0, data)
        await second.events.until(lambda: len(second.events.messages) == len(sent), within=60)
        assert [data for _, data in second.events.messages] == sent
        assert second.events.errors == []


async def test_a_path_that_swaps_and_repeats_changes_nothing(monkeypatch):
    async with open_pair() as (first, second):
        plain = second.link._path.connection.data_received
        kept = []

        def shuffle(data, component):
            kept.append(data)
            if len(kept) == 3:
                for one in (kept[2], kept[0], kept[1], kept[0]):
                    plain(one, component)
                kept.clear()

        monkeypatch.setattr(second.link._path.connection, "data_received", shuffle)
        sent = [os.urandom(3000) for _ in range(30)]
        for data in sent:
            first.link.send(0, data)
        await second.events.until(lambda: len(second.events.messages) >= len(sent) - 1, within=60)
        monkeypatch.setattr(second.link._path.connection, "data_received", plain)
        await second.events.until(lambda: len(second.events.messages) == len(sent), within=60)
        assert [data for _, data in second.events.messages] == sent


async def test_two_packets_cost_one_sack():
    async with open_pair() as (first, second):
        sacks = []
        sctp = second.link._sctp
        plain = sctp._send_sack

        async def counted():
            sacks.append(1)
            await plain()

        sctp._send_sack = counted
        for _ in range(4):
            first.link.send(1, bytes(65_536))
        await second.events.until(lambda: second.events.octets == 4 * 65_536)
        packets = 4 * (65_536 // 1160 + 1)
        assert len(sacks) <= packets // 2 + 4


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


async def test_a_sack_that_lists_gaps_travels_alone():
    async with open_pair() as (first, _):
        sctp = first.link._sctp
        chunk = DataChunk()
        chunk.user_data = b"answer"
        assert sctp._fits_sack(chunk)
        sctp._sack_misordered.add(7)
        assert not sctp._fits_sack(chunk)
        sctp._sack_misordered.clear()
        chunk.user_data = bytes(sctp_module.USERDATA_MAX_LENGTH - sctp_module._SACK_SIZE + 1)
        assert not sctp._fits_sack(chunk)


async def test_a_sack_fits_one_packet_whatever_the_peer_leaves_out(monkeypatch):
    async with open_pair() as (first, second):
        sctp = first.link._sctp
        sizes = []
        plain = first.link._dtls.send_now
        monkeypatch.setattr(first.link._dtls, "send_now", lambda data: (sizes.append(len(data)), plain(data)))
        sack = SackChunk()
        sack.cumulative_tsn = sctp._last_received_tsn
        sack.gaps = [(place, place) for place in range(2, 4000, 2)]
        sack.duplicates = list(range(3000))
        await sctp._send_chunk(sack)
        assert sizes
        assert max(sizes) < 1200
        assert second.events.errors == []


async def test_a_lone_fragment_is_acknowledged_after_a_moment():
    async with open_pair() as (first, second):
        sctp = first.link._sctp
        chunk = DataChunk(flags=2)
        chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = sctp._local_tsn, 0, 0, 53
        chunk.user_data = b"half of it"
        before = first.link._sctp.packets_heard
        await sctp._send_chunk(chunk)
        await asyncio.sleep(0.1)
        assert first.link._sctp.packets_heard == before + 1
        assert second.events.messages == []


async def test_sacks_are_held_against_what_was_sent():
    async with open_pair() as (first, _):
        sctp = first.link._sctp
        good = SackChunk()
        good.cumulative_tsn = sctp._last_sacked_tsn
        sctp._check_sack(good)
        for gaps in ([(0, 1)], [(1, 1)], [(2, 1)], [(1, 65_535)]):
            bad = SackChunk()
            bad.cumulative_tsn, bad.gaps = sctp._last_sacked_tsn, gaps
            with pytest.raises(AssociationRefused):
                sctp._check_sack(bad)


async def test_an_association_that_is_closed_takes_nothing():
    async with open_pair() as (first, second):
        await first.link.close()
        sctp = first.link._sctp
        with pytest.raises(ConnectionError):
            sctp.send(0, b"x")
        await sctp._handle_data(b"anything")
        await sctp.emptied()
        sctp.probe()
        await second.events.until(lambda: second.events.errors)


async def test_a_send_that_would_wait_is_a_bug_and_says_so():
    async def waits():
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="waited"):
        sctp_module._run(waits())


async def test_a_new_path_does_not_wait_for_the_timer_of_the_old_one():
    async with open_pair() as (first, second):
        sctp = first.link._sctp
        pair = first.link._path.connection._nominated.pop(1)
        first.link.send(0, b"there was no path")
        sctp._rto = 60.0
        sctp._t3_restart()
        await asyncio.sleep(0.05)
        first.link._path.connection._nominated[1] = pair
        sctp.path_changed()
        await second.events.until(lambda: second.events.messages == [(0, b"there was no path")], within=2)
        assert sctp._rto <= 3.0
