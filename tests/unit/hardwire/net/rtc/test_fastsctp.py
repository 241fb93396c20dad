# SPDX-License-Identifier: Apache-2.0
"""What is more than octets in order: other kinds of channels, resets, late INITs, and peers that break rules."""

import asyncio
from unittest.mock import patch

import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import AbortChunk, DataChunk, InitChunk, SackChunk, ShutdownChunk

from hardwire.net.rtc import work
from hardwire.net.rtc.fragments import Fragment
from hardwire.net.rtc.sctpwire import MOST_GAPS
from support.sctplink import Weather, connect, run

PAIRS = [("fast", "aiortc"), ("aiortc", "fast"), ("fast", "fast")]
BAD = Weather(drop=0.1, repeat=0.05, jitter=0.02)


def both(kinds, weather=None, seed=3):
    return connect(kinds, weather or Weather(), seed=seed)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_unordered_messages_all_arrive(kinds):
    async def main():
        first, second = await both(kinds, BAD)
        one, _ = first.channel(4, ordered=False), second.channel(4, ordered=False)
        sent = [bytes([number]) * (1 + number * 300) for number in range(40)]
        for data in sent:
            one.send(data)
        await second.until(lambda: len(second.got) == len(sent))
        assert sorted(data for _, data in second.got) == sorted(sent)
        assert [data for _, data in second.got] != sent

    run(main())


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
@pytest.mark.parametrize("limits", [{"maxRetransmits": 0}, {"maxPacketLifeTime": 100}], ids=str)
def test_messages_that_may_be_lost_hold_nobody_up(kinds, limits):
    async def main():
        first, second = await both(kinds, Weather(drop=0.3, jitter=0.01))
        one, _ = first.channel(4, **limits), second.channel(4, **limits)
        sent = [bytes([number]) * 3000 for number in range(60)]
        for data in sent:
            one.send(data)
            await asyncio.sleep(0.01)
        first.send(0, b"and this one is kept")
        await second.until(lambda: (0, b"and this one is kept") in second.got)
        got = [data for number, data in second.got if number == 4]
        assert 0 < len(got) < len(sent)
        assert got == [data for data in sent if data in got]
        # Whatever was given up: the association goes on.
        first.send(1, bytes(50_000))
        await second.until(lambda: (1, bytes(50_000)) in second.got)

    run(main())


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_texts_and_empty_messages_are_what_they_were(kinds):
    async def main():
        first, second = await both(kinds)
        sent = ["text", "", b"", b"octets"]
        for data in sent:
            first.channels[0].send(data)
        await second.until(lambda: len(second.got) == 4)
        assert [data for _, data in second.got] == sent

    run(main())


@pytest.mark.parametrize("kinds, seeds, drop", [(PAIRS[0], 1, 0.0), (PAIRS[1], 30, 0.1), (PAIRS[2], 30, 0.1)])
def test_a_channel_is_opened_closed_and_its_number_used_again(kinds, seeds, drop):
    """Also when the answer to the reset is lost that the one who was closed asked for, on which aiortc stumbles."""

    async def main(seed):
        first, second = await both(kinds, Weather(drop=drop), seed)
        opened = []
        second.sctp.on("datachannel", lambda channel: (opened.append(channel), channel.on("message", got.append)))
        got = []
        for turn in range(2):
            channel = RTCDataChannel(first.sctp, RTCDataChannelParameters(label="more", id=6))
            channel.on("open", first._changed.set)
            channel.on("close", first._changed.set)
            await first.until(lambda channel=channel: channel.readyState == "open")
            channel.send(b"before it closes" * 1000)
            channel.close()
            await first.until(lambda channel=channel: channel.readyState == "closed")
            assert len(got) == turn + 1
        assert [channel.label for channel in opened] == ["more", "more"]

    for seed in range(seeds):
        run(main(seed))


@pytest.mark.parametrize("kinds", [("fast", "aiortc"), ("fast", "fast")], ids="-".join)
def test_a_channel_can_be_closed_while_another_one_is_busy(kinds):
    async def main():
        first, second = await both(kinds, Weather(rate=1e6, largest=1200))
        channel, _ = first.channel(4), second.channel(4)
        for _ in range(12):
            first.send(1, bytes(250_000))
        channel.send(b"the last word")
        channel.close()
        for _ in range(12):
            first.send(1, bytes(250_000))
        await first.until(lambda: channel.readyState == "closed")
        assert (4, b"the last word") in second.got
        assert len(second.got) < 20
        await second.until(lambda: len(second.got) == 25)

    run(main())


def test_a_reset_is_not_sent_in_the_middle_of_a_packet():
    """Where small messages share packets the next one is fetched while a packet is being built, in the same buffer."""

    async def main():
        first, second = await both(("fast", "fast"), Weather())
        channel, _ = first.channel(4), second.channel(4)
        small = [bytes([number % 256]) * 50 for number in range(400)]
        for number, data in enumerate(small):
            first.send(1, data)
            if number == 200:
                channel.send(b"the last word")
                channel.close()
        await first.until(lambda: channel.readyState == "closed")
        await second.until(lambda: len(second.got) == 401)
        assert [data for number, data in second.got if number == 1] == small
        # Nothing was lost on the way, so nothing had to be sent again.
        assert all(one.count < 2 for one in counted)

    counted = []
    plain = Fragment.__init__

    def keep(self, *arguments):
        plain(self, *arguments)
        counted.append(self)

    with patch.object(Fragment, "__init__", keep):
        run(main())


def test_who_is_told_of_room_may_send_elsewhere_and_nothing_of_it_gets_here():
    """All associations of a thread build their packets in one buffer."""

    async def main():
        first, second = await both(("fast", "fast"), Weather(rate=1e6))
        other, its_peer = await connect(("line", "line"), Weather())
        packets = []
        send = first.dtls._pipe.send
        first.dtls._pipe.send = lambda packet, **how: (packets.append(packet), send(packet, **how))
        first.channels[1].bufferedAmountLowThreshold = 5000
        first.channels[1].on("bufferedamountlow", lambda: other.send(0, b"for nobody else" * 50))
        small = [bytes([number % 256]) * 60 for number in range(400)]
        for data in small:
            first.send(1, data)
        await second.until(lambda: len(second.got) == 400)
        await its_peer.until(lambda: its_peer.got)
        assert [data for _, data in second.got] == small
        assert not [packet for packet in packets if b"for nobody else" in packet]

    run(main())


def test_who_opens_channels_pays_for_them():
    """Each is an object, an answer and an end, and forty requests fit a packet."""

    async def main():
        first, second = await both(("fast", "fast"), Weather())
        opened = []
        second.sctp.on("datachannel", opened.append)
        second.sctp.account.balance = 20 * work.CHANNEL
        for number in range(100, 160):
            RTCDataChannel(first.sctp, RTCDataChannelParameters(label="", id=number))
        await asyncio.sleep(0.015)
        assert 20 <= len(opened) < 60
        await asyncio.sleep(10)
        assert len(opened) == 60

    run(main())


@pytest.mark.parametrize("kinds", [("fast", "aiortc"), ("line", "aiortc"), ("fast", "fast")], ids="-".join)
def test_numbers_do_not_wrap_under_a_peer_that_cannot_bear_it(kinds):
    """aiortc stops when its peer's numbers wrap while one is missing; its own may wrap under us."""

    async def main():
        first, second = await connect(kinds, Weather(drop=0.05), seed=4)
        messages = [bytes([number % 256]) * 700 for number in range(300)]
        for data in messages:
            first.send(0, data)
            second.send(1, data)
        await second.until(lambda: len(second.got) == len(messages))
        await first.until(lambda: len(first.got) == len(messages))

    with patch("aiortc.rtcsctptransport.random32", lambda: 0xFFFF_FFFF - 40):
        run(main())


@pytest.mark.parametrize("kinds", [("fast", "aiortc"), ("fast", "fast")], ids="-".join)
def test_a_late_init_is_answered_and_a_restart_ends_the_association(kinds):
    async def main():
        first, second = await both(kinds)
        first.send(0, b"before")
        second.send(0, b"before")
        await second.until(lambda: second.got)
        await first.until(lambda: first.got)
        init = InitChunk()
        init.initiate_tag, init.initial_tsn = first.sctp._in_from
        init.advertised_rwnd = init.outbound_streams = init.inbound_streams = 65_535
        await say(second, init, tag=0)
        await asyncio.sleep(1)
        second.send(0, b"after")
        await first.until(lambda: len(first.got) == 2)
        assert first.is_open
        init.initiate_tag ^= 1
        await say(second, init, tag=0)
        await asyncio.sleep(1)
        assert not first.is_open
        assert "restart" in first.sctp.refusal

    run(main())


async def say(side, chunk, tag=None):
    plain = side.sctp._remote_verification_tag
    side.sctp._remote_verification_tag = plain if tag is None else tag
    await side.sctp._send_chunk(chunk)
    side.sctp._remote_verification_tag = plain


def data_chunk(tsn, flags=3, stream=0, sequence=0, data=b"x"):
    chunk = DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = tsn, stream, sequence, 53, data
    return chunk


def sack(tsn, gaps=(), window=1_000_000):
    chunk = SackChunk()
    chunk.cumulative_tsn, chunk.advertised_rwnd, chunk.gaps = tsn & 0xFFFFFFFF, window, list(gaps)
    return chunk


@pytest.mark.parametrize(
    "what, words",
    [
        (lambda first: sack(first.sctp._out.next_tsn), "never sent"),
        (lambda first: sack(first.sctp._out.next_tsn - 1, [(2, 3)]), "never sent"),
        (lambda first: data_chunk(first.sctp._in.tsn + 1, sequence=9), "out of its turn"),
        (lambda first: data_chunk(first.sctp._in.tsn + 1, flags=1), None),
    ],
)
def test_a_peer_that_breaks_a_rule_loses_the_association(what, words):
    async def main():
        first, second = await both(("fast", "aiortc"))
        await say(second, what(first))
        await asyncio.sleep(1)
        assert first.is_open is (words is None)
        assert words is None or words in first.sctp.refusal
        assert second.is_open is (words is None)

    run(main())


@pytest.mark.parametrize("chunk", [AbortChunk(), ShutdownChunk()], ids=["abort", "shutdown"])
def test_an_end_is_an_end(chunk):
    async def main():
        first, second = await both(("fast", "aiortc"))
        await say(second, chunk)
        await asyncio.sleep(1)
        assert not first.is_open
        assert first.sctp.refusal is None
        assert all(channel.readyState == "closed" for channel in first.channels) or isinstance(chunk, ShutdownChunk)

    run(main())


def test_what_is_no_packet_or_not_for_us_is_dropped():
    async def main():
        first, second = await both(("fast", "aiortc"))
        await asyncio.sleep(5)
        heard = first.sctp.packets_heard
        await say(second, sack(first.sctp._out.next_tsn + 5), tag=1234)
        await say(second, data_chunk(1), tag=0)
        for junk in (b"", bytes(11), bytes(40)):
            first.sctp.packet(memoryview(bytearray(junk)), len(junk))
        await asyncio.sleep(1)
        assert first.sctp.packets_heard == heard
        assert first.is_open

    run(main())


def test_a_sack_fits_one_packet_whatever_the_peer_leaves_out():
    async def main():
        first, second = await both(("fast", "aiortc"))
        begin = first.sctp._in.tsn
        for number in range(2, 1200, 2):
            await say(second, data_chunk((begin + number) & 0xFFFFFFFF))
        await asyncio.sleep(5)
        sizes = []
        plain = first.dtls._pipe.send
        first.dtls._pipe.send = lambda packet, **how: (sizes.append(len(packet)), plain(packet, **how))
        await say(second, data_chunk((begin + 1300) & 0xFFFFFFFF))
        await asyncio.sleep(0.1)
        assert len(first.sctp._in.beyond) > MOST_GAPS
        assert sizes
        assert max(sizes) <= 1189
        assert second.is_open

    run(main())


def test_endless_reports_of_gaps_are_not_read_for_ever():
    """A flood of SACKs costs a few reads of blocks, and several in one packet cost the association."""

    async def main():
        first, second = await both(("fast", "aiortc"))
        for number in range(300):
            first.send(0, bytes([number % 256]))
        reads = []
        plain = first.sctp._out._beyond
        first.sctp._out._beyond = lambda gaps, now: (reads.append(1), plain(gaps, now))[1]
        through = first.sctp._out.tsn(first.sctp._out.cumulative)
        for _ in range(2000):
            await say(second, sack(through, [(place, place) for place in range(2, 200, 2)]))
        await asyncio.sleep(1)
        assert 0 < len(reads) < 600
        assert first.is_open

        class Two(SackChunk):
            def __bytes__(self):
                return 2 * bytes(sack(first.sctp._out.tsn(first.sctp._out.cumulative)))

        await say(second, Two())
        await asyncio.sleep(1)
        assert "several acknowledgements" in first.sctp.refusal

    run(main())


def test_two_lines_of_messages_share_packets():
    async def main():
        first, second = await both(("fast", "fast"))
        before = first.dtls._pipe.sent
        first.sctp._filling = True
        for number in range(100):
            first.channels[0].send(bytes([number]))
        await asyncio.sleep(0)
        first.sctp._filling = False
        first.sctp.transmit()
        await second.until(lambda: len(second.got) == 100)
        assert [data for _, data in second.got] == [bytes([number]) for number in range(100)]
        assert first.dtls._pipe.sent - before < 10

    run(main())


async def packets_of(side, chunks):
    """What it would send of them."""
    kept, pipe = [], side.dtls._pipe
    plain, pipe.send = pipe.send, lambda packet, **how: kept.append(packet)
    for chunk in chunks:
        await say(side, chunk)
    pipe.send = plain
    return kept


def part_of_message(begin, number):
    return data_chunk((begin + number) & 0xFFFFFFFF, flags=2 if number == 1 else 0, data=bytes(1000))


def hand_in(side, packets):
    """One batch. How many datagrams it is answered with."""
    answers, pipe = [], side.dtls._pipe
    plain, pipe.send = pipe.send, lambda packet, **how: answers.append(packet)
    for packet in packets:
        side.sctp.packet(memoryview(bytearray(packet)), len(packet))
    side.sctp.batch_ended()
    pipe.send = plain
    return len(answers)


def test_other_stacks_send_four_packets_a_sack_and_get_one_for_as_many():
    async def main():
        first, second = await both(("fast", "aiortc"))
        begin = first.sctp._in.tsn
        packets = await packets_of(second, [part_of_message(begin, number) for number in range(1, 36)])
        assert hand_in(first, packets[:12]) == 3
        first.sctp.knows_padding = True
        assert hand_in(first, packets[12:32]) == 1
        first.sctp.knows_padding = False
        assert hand_in(first, packets[32:]) == 1
        assert first.sctp._in.tsn == begin + 35

    run(main())


def test_packets_are_counted_for_that_and_not_what_is_in_them():
    async def main():
        first, second = await both(("fast", "aiortc"))
        begin = first.sctp._in.tsn

        class Nine(DataChunk):
            """Whole messages of one octet."""

            def __bytes__(self):
                places = range(9 * self.tsn, 9 * self.tsn + 9)
                return b"".join(bytes(data_chunk((begin + 1 + one) & 0xFFFFFFFF, sequence=one)) for one in places)

        chunks = [Nine() for _ in range(8)]
        for number, chunk in enumerate(chunks):
            chunk.tsn = number
        first.sctp._since_sack = 0  # those that opened the association are no matter here
        with patch.object(first.sctp, "_deliver"):
            assert hand_in(first, await packets_of(second, chunks)) == 2

    run(main())


def test_while_something_is_missing_a_batch_is_answered_once():
    async def main():
        first, second = await both(("fast", "aiortc"))
        begin = first.sctp._in.tsn
        packets = await packets_of(second, [part_of_message(begin, number) for number in range(1, 21)])
        del packets[2]
        assert hand_in(first, packets) == 1
        assert first.sctp._in.beyond

    run(main())


def test_a_path_that_is_gone_in_the_middle_of_a_batch_ends_the_association():
    async def main():
        first, second = await both(("fast", "aiortc"))
        begin = first.sctp._in.tsn
        packets = await packets_of(second, [part_of_message(begin, number) for number in range(1, 9)])
        with patch.object(first.dtls, "seal", side_effect=ConnectionError):
            assert hand_in(first, packets) == 0
        assert first.sctp._association_state == first.sctp.State.CLOSED

    run(main())


def test_bulk_in_dribbles_is_waited_for_and_round_trips_are_not():
    async def main():
        first, second = await both(("fast", "aiortc"))
        begin = first.sctp._in.tsn
        whole = [data_chunk((begin + number) & 0xFFFFFFFF, sequence=number - 1) for number in range(1, 21)]
        for packet in await packets_of(second, whole):
            hand_in(first, [packet])
        assert first.dtls.lingered == 0
        parts = [part_of_message(begin + 20, number) for number in range(1, 21)]
        for packet in await packets_of(second, parts):
            hand_in(first, [packet])
        assert first.dtls.lingered > 10

    run(main())


async def sacks_of(side, peer, steps):
    """SACKs that ``peer`` would send, so many packets after what ``side`` knows to have arrived."""
    out = side.sctp._out
    return await packets_of(peer, [sack(out.tsn(out.cumulative + step)) for step in steps])


def test_of_the_sacks_of_a_batch_the_furthest_is_worked_on():
    async def main():
        first, second = await both(("fast", "aiortc"), Weather(delay=1.0))
        for number in range(8):
            first.send(0, bytes(900 + number))
        await asyncio.sleep(0)
        out, heard = first.sctp._out, []
        plain, start = out.acknowledged, out.cumulative
        out.acknowledged = lambda sack, now: (heard.append(sack.tsn), plain(sack, now))
        hand_in(first, await sacks_of(first, second, [1, 4, 2]))
        assert out.cumulative == start + 4
        assert heard == [out.tsn(start + 4)]
        # What reports gaps is worked on in its turn, behind what was kept.
        behind = await sacks_of(first, second, [1])
        with_gap = await packets_of(second, [sack(out.tsn(out.cumulative + 1), [(2, 2)])])
        hand_in(first, [*behind, *with_gap])
        assert heard[1:] == [out.tsn(start + 5), out.tsn(start + 5)]
        assert out.cumulative == start + 5
        # A sender of ours sends few, and each is a sample of the round trip.
        first.sctp.knows_padding = True
        hand_in(first, await sacks_of(first, second, [1, 2]))
        assert heard[3:] == [out.tsn(start + 6), out.tsn(start + 7)]

    run(main())


def test_what_was_never_sent_is_no_better_among_others():
    async def main():
        first, second = await both(("fast", "aiortc"), Weather(delay=1.0))
        for number in range(4):
            first.send(0, bytes(900 + number))
        await asyncio.sleep(0)
        hand_in(first, await sacks_of(first, second, [1, 1000, 2]))
        assert "never sent" in first.sctp.refusal

    run(main())


@pytest.mark.parametrize("step", [4, 1000], ids=["right", "never sent"])
def test_a_sack_that_came_is_heard_before_a_timer_that_is_due_with_it(step):
    """The process was held up; over a relay the batch ends behind the timers."""

    async def main():
        first, second = await both(("fast", "aiortc"), Weather(delay=1.0))
        for number in range(4):
            first.send(0, bytes(900 + number))
        await asyncio.sleep(0)
        out, loop = first.sctp._out, asyncio.get_running_loop()
        [packet] = await sacks_of(first, second, [step])
        loop._now += 10
        first.sctp.packet(memoryview(bytearray(packet)), len(packet))
        first.sctp._expired()
        assert out.timeouts == 0
        assert out.is_empty or "never sent" in first.sctp.refusal

    run(main())
