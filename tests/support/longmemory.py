# SPDX-License-Identifier: Apache-2.0
"""A long transfer, and how much memory both ends have in use while it lasts.

``python -m support.longmemory lane|channel OCTETS`` moves so many octets from a pipe into ``/dev/null`` between two
processes over loopback, over the direct lane or over the data channel alone, and prints one JSON object
(:func:`long_transfer`). Nothing is written to a disk, so OCTETS may be more than there is room for.
"""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path

import uvloop

from bench.ends import serve
from bench.frame import Pair, python, running
from bench.laneends import FileEnd
from hardwire.app import events
from hardwire.app.pipes import PipeSource

WAYS = ("lane", "channel")
BLOCK = 1 << 20
SLOWEST = 2e6
FIRST = 5.0
"""Seconds until all is warm: buffers have their size, code is loaded, the lane stands."""


class StreamEnd(FileEnd):
    """An end that moves made-up octets."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self._way = way

    async def opened(self) -> dict:
        """With the channel alone the line has no direct path, as behind two NATs."""
        answer = await super().opened()
        if self._way == "channel":
            self._line.beside._path = lambda: None
        return answer

    async def send_stream(self, size: int) -> dict:
        """Offer ``size`` octets and wait until the peer has them all: ``seconds``."""
        reading, writing = os.pipe()
        feeding = threading.Thread(target=_feed, args=(writing, size))
        feeding.start()
        began = time.monotonic()
        try:
            outcome = await self._transfers.outcome(self._transfers.offer(PipeSource(reading, "long")))
        finally:
            os.close(reading)
            await asyncio.to_thread(feeding.join)
        if not isinstance(outcome, events.FileDone):
            raise TypeError(f"the stream did not arrive: {outcome}")
        return {"seconds": time.monotonic() - began}

    async def take_stream(self) -> dict:
        """Take the next stream to nowhere: ``size``, and in ``direct`` how much of it took the lane."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            while not isinstance(event := await self._told.get(), events.FileDone):
                if isinstance(event, events.FileOffer):
                    self._transfers.accept(event.id, nowhere)
        finally:
            os.close(nowhere)
        return {"size": event.size, "direct": event.direct}


async def long_transfer(way: str, octets: int, every: float = 1.0, first: float = FIRST) -> dict:
    """One transfer between two processes.

    Args:
        way: ``lane`` or ``channel``.
        octets: How much.
        every: Seconds between two looks at the memory.
        first: Seconds that are left out, until all is warm.

    Returns:
        ``seconds``, ``mb_per_s``, ``direct`` (octets that took the lane) and for ``sender`` and ``receiver`` the
        ``samples`` of resident memory in octets with their ``times`` in seconds, and ``spread``: largest less smallest
        after the first seconds, when all is warm.
    """
    command = python("support.longmemory", "end", way)
    async with running(command) as sender, running(command) as receiver:
        pair = Pair(sender, receiver)
        await pair.open()
        looks: list[tuple[float, int, int]] = []
        looking = asyncio.create_task(_look([peer.pid for peer in pair.both], looks, every))
        within = 60 + octets / SLOWEST
        taking = asyncio.create_task(receiver.ask("take_stream", within=within))
        sent, taken = await sender.ask("send_stream", size=octets, within=within), await taking
        looking.cancel()
        await asyncio.wait({looking})
        await pair.close()
    if taken["size"] != octets:
        raise RuntimeError(f"{taken['size']} octets arrived of {octets}")
    times, *memories = map(list, zip(*looks, strict=True))
    return {
        "way": way,
        "octets": octets,
        "seconds": round(sent["seconds"], 2),
        "mb_per_s": round(octets / sent["seconds"] / 1e6, 1),
        "direct": taken["direct"],
        **{
            name: {"times": times, "samples": samples, "spread": _spread(times, samples, first)}
            for name, samples in zip(("sender", "receiver"), memories, strict=True)
        },
    }


async def _look(processes: list[int], looks: list[tuple[float, int, int]], every: float) -> None:
    began = time.monotonic()
    while True:
        looks.append((round(time.monotonic() - began, 2), *(resident(pid) for pid in processes)))
        await asyncio.sleep(every)


def _spread(times: list[float], samples: list[int], first: float) -> int:
    warm = [memory for at, memory in zip(times, samples, strict=True) if at >= first] or samples[-1:]
    return max(warm) - min(warm)


def resident(pid: int) -> int:
    """Octets of a process that are in memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _feed(descriptor: int, size: int) -> None:
    block = os.urandom(BLOCK)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as pipe:
            while size > 0:
                size -= pipe.write(block[:size])
    except BrokenPipeError:
        return


def main(words: list[str]) -> None:
    if words[0] == "end":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(StreamEnd(words[1])))
        return
    print(json.dumps(asyncio.run(long_transfer(words[0], int(words[1])))))


if __name__ == "__main__":
    main(sys.argv[1:])
