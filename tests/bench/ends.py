# SPDX-License-Identifier: Apache-2.0
"""One end of a benchmarked line: a process that does what the lines on its stdin say, one after the other.

``python -m bench.ends VARIANT offerer|answerer``. Every command is one JSON object ``{"do": verb, …}`` and is answered
by one object on stdout. The verbs are the public methods of :class:`End`; both kinds of end have the same, so that
what is measured differs in nothing but the line. Points in time are ``time.monotonic()``, which all processes of a
machine share.
"""

import asyncio
import json
import sys
import time
from abc import ABC, abstractmethod

ROUND_TRIP_OCTETS = 100
PATIENCE = 30.0


class End(ABC):
    """What the parent can ask of an end. The offerer pings; the answerer echoes without being asked."""

    @abstractmethod
    async def offer(self) -> dict:
        """``text``: an offer for a new line."""

    @abstractmethod
    async def answer(self, text: str) -> dict:
        """``text``: the answer to an offer; from now on this end opens the line by itself."""

    @abstractmethod
    async def accept(self, text: str) -> dict:
        """Take the answer and wait until the line is open: ``open_ms`` from the answer taken to a usable channel."""

    @abstractmethod
    async def opened(self) -> dict:
        """Wait until the line is open here as well."""

    @abstractmethod
    async def round_trip(self) -> None:
        """One message of 100 octets there, and one back."""

    @abstractmethod
    async def expect(self, size: int) -> dict:
        """Get ready to receive."""

    @abstractmethod
    async def send(self, size: int) -> dict:
        """Hand in ``size`` octets as fast as the line takes them: ``began``."""

    @abstractmethod
    async def received(self) -> dict:
        """Wait for the last of the expected octets: ``ended``."""

    @abstractmethod
    async def close(self) -> dict:
        """End the line."""

    async def cpu(self) -> dict:
        """``seconds`` of processor time so far."""
        return {"seconds": time.process_time()}

    async def ping(self, count: int, seconds: float) -> dict:
        """At most ``count`` round trips in ``seconds``, at least one; one after the other: ``times`` of each, in seconds."""
        for _ in range(5):
            await self.round_trip()
        times: list[float] = []
        stop = time.monotonic() + seconds
        while not times or (len(times) < count and time.monotonic() < stop):
            began = time.perf_counter()
            await self.round_trip()
            times.append(time.perf_counter() - began)
        return {"times": times}


def make_end(variant: str, *, offerer: bool) -> End:
    cap_packets(variant.rpartition("_")[2])
    if variant.startswith("ours"):
        from bench.ours import LineEnd

        return LineEnd()
    if variant.startswith("fast"):
        from bench.fast import FastEnd

        return FastEnd()
    from bench.raw import RawEnd

    return RawEnd(offerer=offerer)


def cap_packets(limit: str) -> None:
    """``1200`` or ``8k`` at the end of a variant's name: no larger packets, whatever the path carries."""
    sizes = {"1200": (), "8k": (8192,)}.get(limit)
    if sizes is not None:
        from hardwire.net.rtc import sctpmtu

        sctpmtu.SIZES = sctpmtu.CAUTIOUS = sizes


async def serve(end: End) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await getattr(end, command.pop("do"))(**command)
        except Exception as error:  # noqa: BLE001  (whatever it was, the parent tells it)
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main(variant: str, role: str) -> None:
    factory = None
    if not variant.startswith("raw") or variant == "raw_uvloop":
        import uvloop

        # As the command line runs it; plain aiortc is measured both ways.
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(make_end(variant, offerer=role == "offerer")))


if __name__ == "__main__":
    main(*sys.argv[1:])
