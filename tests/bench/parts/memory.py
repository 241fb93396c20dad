# SPDX-License-Identifier: Apache-2.0
"""Resident memory: both ends while much is moved over the data channel and over a lane, and of lines that idle.

A transfer is as support/longmemory.py makes it: from a pipe to nowhere, between two processes. Its change is the difference
between the least and the most that an end held once all was warm. Idle lines have both their ends in one process
(support/idlelines.py), as have the connections of plain aiortc.
"""

import asyncio
import contextlib
import json

from bench.frame import environment, python, say
from bench.plan import Plan
from bench.rows import Bar, Row
from support.longmemory import FIRST, WAYS, long_transfer

TITLE = "resident memory"
FLAT = Bar(most=50.0)
BESIDE_RAW = Bar(most=1.0)
INTERVAL = 0.1
FASTEST = 400e6
IDLE_SECONDS = 3.0
NAMES = {"lane": "a lane", "channel": "the data channel"}


async def measure(plan: Plan) -> dict:
    found: dict = {"octets": plan.long, "lines": plan.lines, "missing": {}}
    # Of a short transfer there is no time to leave out so much.
    first = min(FIRST, plan.long / FASTEST)
    for way in WAYS:
        found[way] = await long_transfer(way, plan.long, INTERVAL, first)
        say(f"memory: {plan.long / 1e9:.1f} GB over {NAMES[way]} are done")
    found["idle"] = {kind: await idle(kind, plan.lines) for kind in ("raw", "ours")}
    return found


async def idle(kind: str, lines: int) -> dict[str, float]:
    """``alive``, and ``each``: octets that one line takes with both its ends."""
    command = python("support.idlelines", kind, str(lines), str(IDLE_SECONDS))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment())
    try:
        told, _ = await asyncio.wait_for(process.communicate(), 60 + 4 * lines)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the process with idle lines of {kind} failed")
    return json.loads(told)


def rows(found: dict) -> list[Row]:
    told = []
    for way in WAYS:
        words = f"{found['octets'] / 1e9:.1f} GB over {NAMES[way]}"
        ends = [found[way][end] for end in ("sender", "receiver")]
        told.append(Row(f"{words}: change of either end", max(end["spread"] for end in ends) / 1e6, "MB", bar=FLAT))
        most = max(max(end["samples"]) for end in ends)
        told.append(Row(f"{words}: most of either end", most / 1e6, "MB"))
    idling, lines = found["idle"], found["lines"]
    raw, ours = (idling[kind]["each"] / 1e6 for kind in ("raw", "ours"))
    told.append(Row(f"each of {lines} idle connections of raw aiortc, both ends", raw, "MB"))
    told.append(Row(f"each of {lines} idle lines, both ends", ours, "MB"))
    told.append(Row("idle line: more than raw aiortc by", ours - raw, "MB", bar=BESIDE_RAW))
    told.append(Row("idle lines that are still there", idling["ours"]["alive"], "", bar=Bar(least=lines)))
    return told
