# SPDX-License-Identifier: Apache-2.0
"""Who gets what at a bottleneck: two lines, and a line beside the kernel's TCP (bench/beside.py), whoever was first.

What is counted is what arrives at both receivers during the same time.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack

from bench.frame import Pair, arriving, environment, python, say
from bench.parts.paths import MOST, ONE_WAY, crossed
from bench.plan import Plan
from bench.rows import Bar, Row
from support.udpproxy import Bottleneck, Conditions

TITLE = "shares of a bottleneck"
FAIR = Bar(25, 75)
TWO_LINES = Conditions(ONE_WAY, 0.0, 4e6, 200_000)
LINES_STRETCH = 6.0
TCP_STRETCH = 10.0


async def measure(plan: Plan) -> dict:
    found: dict = {"missing": {}, "two_lines": await two_lines(LINES_STRETCH * plan.seconds)}
    say("two lines at one bottleneck are done")
    beside = await beside_tcp(TCP_STRETCH * plan.seconds, plan.orders)
    if "error" in beside:
        found["missing"]["a line beside TCP"] = beside["error"]
    else:
        found["beside_tcp"] = beside
    say("a line beside TCP is done")
    return found


async def two_lines(seconds: float) -> list[float]:
    """Octets a second of each."""
    ways = Bottleneck(TWO_LINES), Bottleneck(Conditions(ONE_WAY))
    async with AsyncExitStack() as stack:
        pairs: list[Pair] = [await stack.enter_async_context(crossed("fast_1200", *ways)) for _ in range(2)]
        sending = [pair.pour(MOST) for pair in pairs]
        await asyncio.sleep(seconds / 4)
        rates = await arriving(pairs, seconds)
        for task in sending:
            task.cancel()
    return rates


async def beside_tcp(seconds: float, orders: Sequence[str]) -> dict:
    """By path and order, octets a second of each; or ``error``: why there is no link of our own to be had here."""
    rootless = () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user")
    process = await asyncio.create_subprocess_exec(
        *rootless,
        *python("bench.beside", str(seconds), *orders),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    told, said = await process.communicate()
    if process.returncode:
        return {"error": said.decode(errors="replace").strip().rpartition("\n")[2] or "no namespaces here"}
    return json.loads(told)


def rows(found: dict) -> list[Row]:
    one, other = found["two_lines"]
    told = [Row("two lines, 32 Mbit/s, 50 ms: the first one's share", share(one, other), "%", bar=FAIR)]
    for path, orders in found.get("beside_tcp", {}).items():
        for order, rates in orders.items():
            if "line" in rates:
                words = f"a line beside TCP, {path}, {order}: the line's share"
                told.append(Row(words, share(rates["line"], rates["tcp"]), "%", bar=FAIR))
            else:
                words = f"two TCP flows, {path}: the first one's share"
                told.append(Row(words, share(rates["tcp"], rates["other"]), "%"))
    return told


def share(one: float, other: float) -> float:
    """Of both together, in percent."""
    return 100 * one / (one + other) if one + other else float("nan")
