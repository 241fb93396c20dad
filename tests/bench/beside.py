# SPDX-License-Identifier: Apache-2.0
"""A line beside a TCP flow of the kernel at one bottleneck: ``python -m bench.beside SECONDS`` prints what each got, as JSON.

Data channel and TCP (CUBIC) each have a process at either end of the link (support/tunlab.py); a path is measured with the
line first, with TCP first, and with both at once; how two TCP flows share it shows what can be asked for. Who begins is alone for a while; then both are counted at the receivers, over
the same time. The queue is as long as what the path holds, or 10 ms where that is next to nothing.
"""

import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack

from bench.frame import Pair, arriving, python, running
from support.tunlab import ADDRESSES, link
from support.udpproxy import Bottleneck, Conditions

PATHS = {
    "20 Mbit/s, 50 ms": (Conditions(0.025, 0.0, 2.5e6, 125_000), Conditions(0.025)),
    "100 Mbit/s, 4 ms": (Conditions(0.002, 0.0, 12.5e6, 125_000), Conditions(0.002)),
}
FLOWS = {"line": "fast_net", "tcp": "tcp", "other": "tcp"}
ORDERS = {
    "line first": ("line", "tcp"),
    "TCP first": ("tcp", "line"),
    "at once": ("line", "tcp"),
    "TCP before TCP": ("tcp", "other"),
}
MOST = 1 << 40
HEAD_START = 0.25
"""Of the time counted: how long the first is alone."""
SETTLE = 0.25
"""The same: until what is counted begins."""


class Apart(Pair):
    """The sender is in the left namespace and offers; TCP's offer has no address yet."""

    def seen_by_answerer(self, offer: dict) -> dict:
        told = json.loads(offer["text"])
        told["candidates"] = [[host or ADDRESSES[0], port] for host, port in told["candidates"]]
        return {"text": json.dumps(told)}


async def shares(path: str, order: str, seconds: float) -> dict[str, float]:
    """Octets a second of each flow."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hardwire-bench-"))
        made = stack.enter_context(link(*(Bottleneck(way) for way in PATHS[path])))
        pairs = {}
        for flow in ORDERS[order]:
            commands = [place.command(*python("bench.ends", FLOWS[flow])) for place in (made.left, made.right)]
            ends = [await stack.enter_async_context(running(command, directory)) for command in commands]
            pairs[flow] = Apart(*ends)
            await pairs[flow].open()
        sending = []
        for flow in ORDERS[order]:
            sending.append(pairs[flow].pour(MOST))
            if order != "at once" and len(sending) == 1:
                await asyncio.sleep(HEAD_START * seconds)
        await asyncio.sleep(SETTLE * seconds)
        rates = await arriving(list(pairs.values()), seconds)
        for task in sending:
            task.cancel()
        return dict(zip(pairs, rates, strict=True))


async def measure(seconds: float, paths: list[str], orders: list[str]) -> dict:
    return {path: {order: await shares(path, order, seconds) for order in orders} for path in paths}


async def main(seconds: float, orders: list[str]) -> None:
    try:
        found = await measure(seconds, list(PATHS), orders or list(ORDERS))
    except OSError as problem:
        found = {"error": str(problem)}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
