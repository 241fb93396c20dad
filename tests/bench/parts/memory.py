# SPDX-License-Identifier: Apache-2.0
"""Resident memory: both ends while much is moved over the data channel and over a lane, and of lines that idle.

Flat is the difference between the least and the most that either end held after a tenth was through, seen 20 times a second.
The file that goes over the lane is a hole at the sender, which reads as zeros, and real at the receiver. Idle lines have both
their ends in one process (support/idlelines.py), as have the connections of plain aiortc.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable
from pathlib import Path

from bench import lane
from bench.frame import Pair, Peer, environment, python, say, whole_messages
from bench.parts.channel import opened
from bench.plan import Plan
from bench.rows import Bar, Row

TITLE = "resident memory"
FLAT = Bar(most=50.0)
BESIDE_RAW = Bar(most=1.0)
INTERVAL = 0.05
WARM_UP_SHARE = 0.1
SLOWEST = 2e6
IDLE_SECONDS = 3.0
PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """What processes hold while something is done, in octets."""

    def __init__(self, peers: tuple[Peer, ...]) -> None:
        self._peers = peers
        self._seen: list[tuple[int, ...]] = []

    async def during(self, work: Awaitable[object]) -> dict[str, float]:
        """Await it: ``swing`` and ``most``, of whichever end it is more."""
        task = asyncio.ensure_future(work)
        while not task.done():
            self._seen.append(tuple(resident(peer.pid) for peer in self._peers))
            await asyncio.wait([task], timeout=INTERVAL)
        await task
        warm = self._seen[int(len(self._seen) * WARM_UP_SHARE) :]
        held = list(zip(*warm, strict=True))
        return {"swing": max(max(one) - min(one) for one in held), "most": max(max(one) for one in held)}


def resident(pid: int) -> int:
    """Octets of a process that are in memory; OSError on a system without /proc."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


async def measure(plan: Plan) -> dict:
    missing: dict[str, str] = {}
    found: dict = {"octets": plan.long, "lines": plan.lines, "missing": missing}
    found["channel"] = await over_channel(plan.long)
    say(f"memory: {plan.long / 1e9:.1f} GB over the data channel are done")
    if shutil.disk_usage(tempfile.gettempdir()).free < 1.5 * plan.long:
        missing["memory over a lane"] = f"no room for {plan.long / 1e9:.1f} GB in {tempfile.gettempdir()}"
    else:
        found["lane"] = await over_lane(plan.long)
        say(f"memory: {plan.long / 1e9:.1f} GB over a lane are done")
    found["idle"] = {kind: await idle(kind, plan.lines) for kind in ("raw", "ours")}
    return found


async def over_channel(octets: int) -> dict[str, float]:
    """The whole line with packets of the path's size, memory to memory."""
    async with opened(python("bench.ends", "ours")) as pair:
        return await Watch(pair.both).during(_move(pair, whole_messages(octets)))


async def _move(pair: Pair, size: int) -> None:
    within = 60 + size / SLOWEST
    await pair.answerer.ask("expect", size=size)
    await pair.offerer.ask("send", size=size, within=within)
    await pair.answerer.ask("received", within=within)


async def over_lane(octets: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="hardwire-bench-") as here:
        directory = Path(here)
        source, arrived = directory / "file.bin", directory / "arrived"
        arrived.mkdir()
        with source.open("wb") as file:
            file.truncate(octets)
        async with lane.ends(directory) as both:
            return await Watch(both).during(_file(both, source, arrived, 60 + octets / SLOWEST))


async def _file(both: tuple[Peer, Peer], source: Path, arrived: Path, within: float) -> None:
    sender, receiver = both
    await sender.ask("inspect", path=str(source), within=within)
    taking = asyncio.create_task(receiver.ask("take_file", directory=str(arrived), within=within))
    await sender.ask("send_file", within=within)
    await taking


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
    for way, name in (("channel", "the data channel"), ("lane", "a lane")):
        if way in found:
            words = f"{found['octets'] / 1e9:.1f} GB over {name}"
            told.append(Row(f"{words}: change of either end", found[way]["swing"] / 1e6, "MB", bar=FLAT))
            told.append(Row(f"{words}: most of either end", found[way]["most"] / 1e6, "MB"))
    if "idle" in found:
        idle, lines = found["idle"], found["lines"]
        raw, ours = (idle[kind]["each"] / 1e6 for kind in ("raw", "ours"))
        told.append(Row(f"each of {lines} idle connections of raw aiortc, both ends", raw, "MB"))
        told.append(Row(f"each of {lines} idle lines, both ends", ours, "MB"))
        told.append(Row("idle line: more than raw aiortc by", ours - raw, "MB", bar=BESIDE_RAW))
        told.append(Row("idle lines that are still there", idle["ours"]["alive"], "", bar=Bar(least=lines)))
    return told
