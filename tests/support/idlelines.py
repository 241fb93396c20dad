# SPDX-License-Identifier: Apache-2.0
"""Many idle lines in one process, and what each costs in memory beside a connection of plain aiortc.

``python -m support.idlelines ours|raw COUNT SECONDS`` opens COUNT of them, both ends in this process, leaves them alone
for SECONDS and prints one JSON object: how many are still there, and the octets of memory that each pair took.
"""

import asyncio
import json
import sys

from hardwire.channel import ChatReceived
from hardwire.net.line import Line
from support.lines import config_for_test, next_of, open_lines
from support.linesoak import memory


async def ours(count: int, seconds: float) -> dict:
    first = await open_lines(config_for_test(), config_for_test())  # what the first one alone loads is nobody's share
    configs = [config_for_test(), config_for_test()]
    before = memory()
    pairs = [await open_lines(*configs) for _ in range(count)]
    await asyncio.sleep(seconds)
    taken = memory() - before
    alive = 0
    for pair in pairs:
        pair[0].send_chat("are you still there?")
        alive += await next_of(pair[1], ChatReceived) is not None
    for pair in (*pairs, first):
        await asyncio.gather(*(line.close() for line in pair if isinstance(line, Line)))
    return {"alive": alive, "each": taken // count}


async def raw(count: int, seconds: float) -> dict:
    from bench.raw import RawEnd

    async def pair() -> tuple:
        here, there = RawEnd(), RawEnd()
        answer = await there.answer((await here.offer())["text"])
        await asyncio.gather(here.accept(answer["text"]), there.opened())
        return here, there

    first = await pair()
    before = memory()
    pairs = [await pair() for _ in range(count)]
    await asyncio.sleep(seconds)
    taken = memory() - before
    alive = sum(one._channel.readyState == "open" for one, _ in pairs)
    for one in (end for both in (*pairs, first) for end in both):
        await one._peer.close()
    return {"alive": alive, "each": taken // count}


if __name__ == "__main__":
    kind, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(asyncio.run({"ours": ours, "raw": raw}[kind](count, seconds))))
