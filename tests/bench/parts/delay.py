# SPDX-License-Identifier: Apache-2.0
"""The round trip of a message of 100 octets over loopback: while the line idles, and while a transfer fills it.

Idle: all pairs are open at the same time and are asked by turns, in short bursts, so that what else the machine does hits all
of them. Busy: the asking end sends a bulk as fast as it can, and asks every 20 ms.
"""

import statistics
from contextlib import AsyncExitStack

from bench.frame import MESSAGE, python, say, whole_messages
from bench.parts.channel import opened
from bench.plan import Plan
from bench.rows import Bar, Row

TITLE = "round trip of 100 octets"
VARIANTS = {
    "raw": "raw aiortc",
    "fast_1200": "data channel, 1200",
    "ours_1200": "line, 1200",
    "ours": "line, path's size",
}
BURSTS = 10
PINGS = 2000
MOST_BUSY_MS = 100.0


async def measure(plan: Plan) -> dict:
    rounds = []
    for number in range(plan.rounds):
        async with AsyncExitStack() as stack:
            pairs = {
                variant: await stack.enter_async_context(opened(python("bench.ends", variant))) for variant in VARIANTS
            }
            times: dict[str, list[float]] = {variant: [] for variant in pairs}
            for burst in range(BURSTS):
                for variant in list(pairs)[:: 1 if burst % 2 == 0 else -1]:
                    asked = await pairs[variant].offerer.ask("ping", count=PINGS, seconds=plan.seconds / BURSTS)
                    times[variant] += asked["times"]
            busy = {variant: await while_busy(pair, plan.seconds) for variant, pair in pairs.items()}
        idle = {variant: statistics.median(found) for variant, found in times.items()}
        rounds.append({"idle": idle, "busy": busy})
        say(f"round trips: round {number + 1} of {plan.rounds}")
    return {"samples": rounds, "missing": {}}


async def while_busy(pair, seconds: float) -> float:
    """The median in seconds."""
    rate = (await pair.move(20 * MESSAGE))["mb_per_s"]
    size = whole_messages(2e6 * rate * seconds, 40)
    await pair.answerer.ask("expect", size=size)
    times = (await pair.offerer.ask("busy", size=size, seconds=seconds))["times"]
    await pair.answerer.ask("received")
    return statistics.median(times)


def rows(found: dict) -> list[Row]:
    rounds = found["samples"]
    told = []
    for variant, name in VARIANTS.items():
        value = statistics.median(one["idle"][variant] for one in rounds)
        ratio = statistics.median(one["idle"][variant] / one["idle"]["raw"] for one in rounds)
        if variant == "raw":
            told.append(Row(f"idle, {name}, p50", 1e6 * value, "µs"))
        else:
            told.append(Row(f"idle, {name}, p50: × raw aiortc", 1e6 * value, "µs", ratio, Bar(most=1.0)))
    for variant, name in VARIANTS.items():
        value = 1e3 * statistics.median(one["busy"][variant] for one in rounds)
        bar = None if variant == "raw" else Bar(most=MOST_BUSY_MS)
        told.append(Row(f"while a transfer runs, {name}, p50", value, "ms", bar=bar))
    return told
