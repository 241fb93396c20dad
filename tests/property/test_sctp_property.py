# SPDX-License-Identifier: Apache-2.0
"""The way that data takes here, against aiortc's own, over a link that does its worst: what arrives is what was sent."""

import asyncio
import itertools
import random
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardwire.net.rtc import work
from support.sctplink import Weather, connect, run

PAIRS = [("line", "line"), ("line", "aiortc"), ("fast", "aiortc"), ("fast", "fast")]
MESSAGE = st.tuples(st.integers(0, 1), st.one_of(st.integers(1, 3000), st.integers(1, 65_536)))
WEATHER = st.builds(
    Weather,
    drop=st.sampled_from([0.0, 0.02, 0.1, 0.25]),
    repeat=st.sampled_from([0.0, 0.1]),
    corrupt=st.sampled_from([0.0, 0.05]),
    jitter=st.sampled_from([0.0, 0.005, 0.05]),
)


async def associated(kinds, *weather, seed=0):
    """As :func:`connect`, when no copy of an INIT or a cookie is under way: they begin aiortc's association anew."""
    sides = await connect(kinds, *weather, seed=seed)
    if "aiortc" in kinds:
        await asyncio.sleep(0.2)
    return sides


async def exchange(kinds, there, back, messages, seed):
    first, second = await associated(kinds, there, back, seed=seed)
    chance = random.Random(seed)
    both = [], []
    for each, (side, sent) in zip(messages, ((first, both[0]), (second, both[1])), strict=True):
        for number, size in each:
            data = chance.randbytes(size)
            sent.append((number, data))
            side.send(number, data)
            if chance.random() < 0.3:
                await asyncio.sleep(0.03 * chance.random())
    await second.until(lambda: len(second.got) == len(both[0]))
    await first.until(lambda: len(first.got) == len(both[1]))
    # A moment for what came twice, and for what should not come at all.
    await asyncio.sleep(10)
    for side, sent in ((second, both[0]), (first, both[1])):
        for number in (0, 1):
            assert [data for place, data in side.got if place == number] == [
                data for place, data in sent if place == number
            ]
    assert first.is_open
    assert second.is_open


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
@settings(max_examples=25, deadline=None)
@given(
    there=WEATHER,
    back=WEATHER,
    messages=st.tuples(st.lists(MESSAGE, max_size=12), st.lists(MESSAGE, max_size=12)),
    seed=st.integers(0, 2**32),
)
def test_what_arrives_is_what_was_sent(kinds, there, back, messages, seed):
    run(exchange(kinds, there, back, messages, seed))


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
@settings(max_examples=10, deadline=None)
@given(
    there=WEATHER,
    back=WEATHER,
    messages=st.tuples(st.lists(MESSAGE, max_size=12), st.lists(MESSAGE, max_size=12)),
    seed=st.integers(0, 2**32),
)
def test_so_it_is_for_a_peer_that_always_owes(kinds, there, back, messages, seed):
    """Packets that are not looked at are lost packets."""
    with patch.multiple(work, RATE=300, MOST=5):
        run(exchange(kinds, there, back, messages, seed))


@pytest.mark.parametrize("kinds", [("line", "line"), ("fast", "fast"), ("aiortc", "fast")], ids="-".join)
def test_a_crowd_of_small_messages_arrives_whoever_sends_it(kinds):
    async def main():
        first, second = await associated(kinds, Weather(delay=0.01), seed=1)
        sent = [(number & 1, number.to_bytes(2)) for number in range(3000 if kinds[0] == "aiortc" else 20_000)]
        for each in sent:
            first.send(*each)
        await second.until(lambda: len(second.got) == len(sent))
        for number in (0, 1):
            assert [one for one in second.got if one[0] == number] == [one for one in sent if one[0] == number]
        # aiortc sends each in a packet of its own, and each packet pays for one chunk.
        assert (second.sctp.account.refused > 0) == (kinds[0] != "aiortc")
        assert first.is_open
        assert second.is_open

    with patch.multiple(work, RATE=4000, MOST=2000):
        run(main())


async def mixture(kinds, there, back, messages, seed):
    """Ordered, unordered and limited channels in both directions, some closed in the middle of it."""
    first, second = await associated(kinds, there, back, seed=seed)
    chance = random.Random(seed)
    for side in (first, second):
        side.channel(4, ordered=False)
        side.channel(6, maxRetransmits=1)
        side.channel(8, ordered=False, maxPacketLifeTime=200)
    sent = {first: [], second: []}
    for place, (number, size) in enumerate(messages):
        side = chance.choice((first, second))
        data = place.to_bytes(2) + chance.randbytes(size)
        side.channels[number].send(data)
        sent[side].append((2 * number if number > 1 else number, data))
        if chance.random() < 0.5:
            await asyncio.sleep(0.03 * chance.random())
    for side, peer in ((first, second), (second, first)):
        for number in (0, 1, 4):
            wanted = [data for place, data in sent[side] if place == number]
            await peer.until(lambda peer=peer, number=number, wanted=wanted: len(took(peer, number)) >= len(wanted))
    await asyncio.sleep(10)
    for side, peer in ((first, second), (second, first)):
        for number in (0, 1, 4, 6, 8):
            wanted, got = [data for place, data in sent[side] if place == number], took(peer, number)
            if number in {0, 1}:
                assert got == wanted
            elif number == 4:
                assert sorted(got) == sorted(wanted)
            elif number == 6:
                assert got == [data for data in wanted if data in got]
            else:
                assert set(got) <= set(wanted)
                assert len(set(got)) == len(got)
    assert first.is_open
    assert second.is_open
    return first, second


def took(side, number):
    return [data for place, data in side.got if place == number]


@pytest.mark.parametrize("kinds", [("fast", "aiortc"), ("fast", "fast")], ids="-".join)
@settings(max_examples=25, deadline=None)
@given(
    there=WEATHER,
    back=WEATHER,
    messages=st.lists(
        st.tuples(st.integers(0, 4), st.one_of(st.integers(0, 3000), st.integers(0, 60_000))), max_size=20
    ),
    seed=st.integers(0, 2**32),
)
def test_each_kind_of_channel_keeps_its_promise(kinds, there, back, messages, seed):
    run(mixture(kinds, there, back, messages, seed))


@pytest.mark.parametrize("kinds", [("fast", "aiortc"), ("aiortc", "fast"), ("fast", "fast")], ids="-".join)
@settings(max_examples=10, deadline=None)
@given(there=WEATHER, back=WEATHER, messages=st.lists(st.integers(1, 9000), max_size=6), seed=st.integers(0, 2**32))
@example(Weather(drop=0.25, repeat=0.1), Weather(repeat=0.1, corrupt=0.05, jitter=0.05), [1], 65535)
def test_a_stream_that_is_reset_begins_anew(kinds, there, back, messages, seed):
    """A channel is closed and its number used again: nothing of the first one is lost, and none of it is in the second."""

    async def main():
        first, second = await associated(kinds, there, back, seed=seed)
        chance = random.Random(seed)
        for _ in range(2):
            if "aiortc" in kinds:  # where a copy of an old request closes the channel of the next round
                await asyncio.sleep(0.2)
            one, other = first.channel(4), second.channel(4)
            second.got.clear()
            sent = [chance.randbytes(size) for size in messages]
            for data in sent:
                one.send(data)
            await second.until(lambda sent=sent: len(took(second, 4)) == len(sent))
            one.close()
            await first.until(lambda one=one: one.readyState == "closed")
            await second.until(lambda other=other: other.readyState == "closed")
            assert took(second, 4) == sent
        assert first.is_open
        assert second.is_open

    run(main())


@pytest.mark.parametrize(
    "kinds", [("line", "line"), ("aiortc", "line"), ("aiortc", "fast"), ("fast", "fast")], ids="-".join
)
@settings(max_examples=10, deadline=None)
@given(
    there=WEATHER,
    window=st.integers(1200, 30_000),
    messages=st.lists(MESSAGE, max_size=6),
    seed=st.integers(0, 2**32),
)
def test_a_receiver_without_room_gets_it_all_in_the_end(kinds, there, window, messages, seed):
    """Its window closes whenever a fragment is missing, and no message fits it whole."""

    async def main():
        first, second = await associated(kinds, there, seed=seed)
        second.sctp._in._window = window
        chance = random.Random(seed)
        sent = [(number, chance.randbytes(size)) for number, size in messages]
        for each in sent:
            first.send(*each)
        await second.until(lambda: len(second.got) == len(sent), within=6000)
        for number in (0, 1):
            assert took(second, number) == [data for place, data in sent if place == number]
        assert first.is_open
        assert second.is_open

    run(main())


@pytest.mark.parametrize("kinds", [("line", "line"), ("fast", "aiortc"), ("aiortc", "fast")], ids="-".join)
@pytest.mark.parametrize("seed", range(5))
def test_an_abort_in_the_middle_leaves_a_beginning(kinds, seed):
    """Whoever ends it: what was handed on until then is what was sent first, without a hole."""

    async def main():
        first, second = await associated(kinds, Weather(drop=0.05, repeat=0.1, jitter=0.02), seed=seed)
        sent = [number.to_bytes(2) * 2000 for number in range(60)]
        for data in sent:
            first.send(0, data)
        await second.until(lambda: len(second.got) >= 3 + 7 * seed)
        ending = (first, second)[seed & 1].sctp
        await ending._abort()
        ending._set_state(ending.State.CLOSED)
        await asyncio.sleep(1)
        assert len(second.got) < len(sent)
        assert took(second, 0) == sent[: len(second.got)]

    run(main())


async def keep_sending(side, seconds):
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        while side.sctp.buffered < 200_000:
            side.send(1, bytes(50_000))
        await asyncio.sleep(0.01)


def octets(side):
    return sum(len(data) for _, data in side.got)


def test_two_lines_share_a_bottleneck():
    async def main():
        there = Weather(delay=0.025, rate=1e6, queue=50_000, largest=1200)
        pairs = [await associated(("line", "line"), there, Weather(delay=0.025), seed=5) for _ in range(2)]
        pairs[1][0].dtls._pipe.share(pairs[0][0].dtls._pipe)
        # The second one comes when the first one has filled the link.
        first = asyncio.create_task(keep_sending(pairs[0][0], 23))
        await asyncio.sleep(3)
        before = octets(pairs[0][1])
        await asyncio.gather(first, keep_sending(pairs[1][0], 20))
        one, other = octets(pairs[0][1]) - before, octets(pairs[1][1])
        assert 0.25 < one / (one + other) < 0.75
        assert one + other > 0.8 * 20 * 1e6

    run(main())


@pytest.mark.parametrize("drop, least", [(0.001, 1.5e6), (0.01, 0.45e6)])
def test_random_losses_on_a_long_path_leave_more_than_reno_would(drop, least):
    """Reno's arithmetic allows 0.9 and 0.28 MB/s; and nothing stands still for long."""

    async def main():
        weather = Weather(delay=0.025, rate=10e6, queue=500_000, drop=drop, largest=1200)
        first, second = await associated(("line", "line"), weather, Weather(delay=0.025, drop=drop), seed=1)
        loop = asyncio.get_running_loop()
        times = []
        plain = second.sctp._on_message
        second.sctp._on_message = lambda number, data: (times.append(loop.time()), plain(number, data))
        await keep_sending(first, 6)
        assert octets(second) / 6 > least
        assert max(later - sooner for sooner, later in itertools.pairwise(times)) < 1

    run(main())


def test_a_conversation_before_a_transfer_does_not_slow_it_down():
    async def main():
        first, second = await associated(("line", "line"), Weather(delay=0.025, largest=1200), seed=1)
        for number in range(10):
            first.send(0, bytes(3000 if number % 3 == 0 else 50))
            await asyncio.sleep(0.5)
        before = octets(second)
        await keep_sending(first, 1)
        assert octets(second) - before > 15e6

    run(main())
