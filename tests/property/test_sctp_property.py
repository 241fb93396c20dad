# SPDX-License-Identifier: Apache-2.0
"""The way that data takes here, against aiortc's own, over a link that does its worst: what arrives is what was sent."""

import asyncio
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


async def exchange(kinds, there, back, messages, seed):
    first, second = await connect(kinds, there, back, seed=seed)
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
        pairs = [await connect(("line", "line"), there, Weather(delay=0.025), seed=5) for _ in range(2)]
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
        first, second = await connect(("line", "line"), weather, Weather(delay=0.025, drop=drop), seed=1)
        loop = asyncio.get_running_loop()
        times = []
        plain = second.sctp._on_message
        second.sctp._on_message = lambda number, data: (times.append(loop.time()), plain(number, data))
        await keep_sending(first, 6)
        assert octets(second) / 6 > least
        assert max(later - sooner for sooner, later in itertools.pairwise(times)) < 1

    run(main())
