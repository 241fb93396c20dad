# SPDX-License-Identifier: Apache-2.0
"""The way that data takes here, against aiortc's own, over a link that does its worst: what arrives is what was sent."""

import asyncio
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
