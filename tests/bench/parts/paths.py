# SPDX-License-Identifier: Apache-2.0
"""A path with a round trip of 50 ms, 50 MB/s and random losses: plain aiortc and the data channel, packets of 1200 octets.

The path is a proxy in this process (support/udpproxy.py). Both send for the same time, from small windows on, and what arrives in
it counts. A stall is a time without any message at the receiver.
"""

import json
import re
import statistics
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager

from bench.frame import MESSAGE, Pair, Peer, arriving, python, running, say
from bench.plan import Plan
from bench.rows import Bar, Row
from support.udpproxy import Bottleneck, Conditions, Crossing

TITLE = "50 ms round trip"
LOSSES = {0.0: 3.0, 0.001: 2.0, 0.01: 1.5}
VARIANTS = {"raw": "raw aiortc", "fast_1200": "data channel"}
ONE_WAY = 0.025
RATE, QUEUE = 50e6, 1e6
SETTLE = 4 * MESSAGE
MOST = 1 << 40
LONGEST_STALL = 3.0
STRETCH = 4.0
LEAST_SECONDS = 2.0
"""At 1 % loss plain aiortc needs a quarter of a second for a message."""
CANDIDATE = re.compile(r"127\.0\.0\.1 (\d+) typ host")


class Crossed(Pair):
    """A pair that is told a crossing's ports in the place of each other's."""

    def __init__(self, offerer: Peer, answerer: Peer, crossing: Crossing) -> None:
        super().__init__(offerer, answerer)
        self._crossing = crossing

    def seen_by_answerer(self, offer: dict) -> dict:
        self._crossing.expect("left", ("127.0.0.1", _port(offer)))
        return _redirected(offer, self._crossing.right)

    def seen_by_offerer(self, answer: dict) -> dict:
        self._crossing.expect("right", ("127.0.0.1", _port(answer)))
        return _redirected(answer, self._crossing.left)


def _port(description: dict) -> int:
    told = json.loads(description["text"])
    if "sdp" in told:
        return int(CANDIDATE.search(told["sdp"]).group(1))
    return next(port for host, port in told["candidates"] if host == "127.0.0.1")


def _redirected(description: dict, address: tuple[str, int]) -> dict:
    told, (host, port) = json.loads(description["text"]), address
    if "sdp" in told:
        told["sdp"] = CANDIDATE.sub(f"{host} {port} typ host", told["sdp"])
    else:
        told["candidates"] = [[host, port]]
    return {"text": json.dumps(told)}


@asynccontextmanager
async def crossed(variant: str, there: Bottleneck, back: Bottleneck):
    """An open pair over these two directions; its ends are killed, since what they pour may take long to drain."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hardwire-bench-"))
        command = python("bench.ends", variant)
        ends = [await stack.enter_async_context(running(command, directory)) for _ in range(2)]
        crossing = Crossing(there, back)
        stack.callback(crossing.close)
        pair = Crossed(*ends, crossing)
        await pair.open()
        yield pair


async def measure(plan: Plan) -> dict:
    found: dict = {"missing": {}, "losses": {}}
    for loss in LOSSES:
        rounds = [await _round(loss, max(LEAST_SECONDS, STRETCH * plan.seconds), seed) for seed in range(plan.rounds)]
        found["losses"][str(loss)] = rounds
        say(f"50 ms: {loss:.1%} loss is done")
    return found


async def _round(loss: float, seconds: float, seed: int) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    for variant in VARIANTS:
        there, back = (Bottleneck(Conditions(ONE_WAY, loss, RATE, QUEUE), 2 * seed + way) for way in (1, 2))
        async with crossed(variant, there, back) as pair:
            await pair.move(SETTLE)
            await pair.answerer.ask("expect", size=MOST)
            pouring = pair.pour(MOST)
            (rate,) = await arriving([pair], seconds)
            figures[variant] = {"mb_per_s": rate / 1e6, "gap": (await pair.answerer.ask("counted"))["gap"]}
            pouring.cancel()
            figures[variant]["lost"] = there.dropped / max(1, there.dropped + there.passed)
    return figures


def rows(found: dict) -> list[Row]:
    told = []
    for loss, rounds in found["losses"].items():
        for variant, name in VARIANTS.items():
            words = f"{float(loss):.1%} loss, {name}"
            value = statistics.median(one[variant]["mb_per_s"] for one in rounds)
            if variant == "raw":
                told.append(Row(words, value, "MB/s"))
                continue
            ratio = statistics.median(one[variant]["mb_per_s"] / one["raw"]["mb_per_s"] for one in rounds)
            told.append(Row(f"{words}: × raw aiortc", value, "MB/s", ratio, Bar(LOSSES[float(loss)])))
            longest = max(one[variant]["gap"] for one in rounds)
            told.append(Row(f"{words}: longest stall", longest, "s", bar=Bar(most=LONGEST_STALL)))
    return told
