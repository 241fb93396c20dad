# SPDX-License-Identifier: Apache-2.0
"""One end of a benchmarked line: a process that does what the lines on its stdin say, one after the other.

``python -m bench.ends VARIANT``. Every command is one JSON object ``{"do": verb, …}`` and is answered
by one object on stdout; ``within`` says how many seconds it may take. The verbs are the public methods of :class:`End`,
and every kind of end has the same, native ones too (peers/node.mjs): what is measured differs in nothing but the line.
Points in time are ``time.monotonic()``, which all processes of a machine share.
"""

import asyncio
import hashlib
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from bench.frame import MESSAGE

ROUND_TRIP_OCTETS = 100
PING = bytes(ROUND_TRIP_OCTETS)
ZEROS = bytes(MESSAGE)
PATIENCE = 30.0
WARM_UP = 5
BUSY_PAUSE = 0.02


class Arrivals:
    """What has come of a bulk: how much, the longest silence in it, its hash if somebody asked for that."""

    def __init__(self) -> None:
        self.octets = 0
        self.missing = 0
        self._ended = self._last = self._gap = 0.0
        self._digest: hashlib._Hash | None = None
        self._whole = asyncio.Event()

    def expect(self, size: int, *, hashed: bool) -> None:
        self.missing, self._gap, self._last = size, 0.0, time.monotonic()
        self._digest = hashlib.sha256() if hashed else None
        self._whole.clear()

    def take(self, data: bytes) -> None:
        """A message, or a piece of a stream."""
        now = time.monotonic()
        self._gap = max(self._gap, now - self._last)
        self._last = now
        if self._digest is not None:
            self._digest.update(data)
        self.octets += len(data)
        self.missing -= len(data)
        if self.missing <= 0:
            self._ended = now
            self._whole.set()

    def so_far(self) -> dict:
        """How much has ever come, and the longest silence since it was expected, up to now."""
        now = time.monotonic()
        return {"octets": self.octets, "at": now, "gap": max(self._gap, now - self._last)}

    async def whole(self) -> dict:
        await self._whole.wait()
        told: dict = {"ended": self._ended, "gap": self._gap}
        return told if self._digest is None else {**told, "sha256": self._digest.hexdigest()}


def bulk(size: int, digest: "hashlib._Hash | None") -> Iterator[bytes]:
    """Messages of 64 KiB: zeros, or random octets that go into the digest."""
    for start in range(0, size, MESSAGE):
        if digest is None:
            yield ZEROS[: size - start]
        else:
            message = os.urandom(min(MESSAGE, size - start))
            digest.update(message)
            yield message


class End(ABC):
    """What the parent can ask of an end. The offerer pings; the answerer echoes without being asked."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self.pong = asyncio.Event()
        self.asking = False
        self.sending = False

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
    def put(self, message: bytes) -> None:
        """Hand in a message of a bulk."""

    @abstractmethod
    async def room(self) -> None:
        """Wait until the line takes another one."""

    @abstractmethod
    def put_ping(self) -> None:
        """Hand in a message of 100 octets that is echoed, beside the bulk if there is one."""

    @abstractmethod
    async def close(self) -> dict:
        """End the line."""

    async def expect(self, size: int, *, hashed: bool = False) -> dict:
        """Get ready to receive."""
        self.arrivals.expect(size, hashed=hashed)
        return {}

    async def send(self, size: int, *, hashed: bool = False) -> dict:
        """Hand in ``size`` octets as fast as the line takes them: ``began``, and their ``sha256`` if it was asked for."""
        digest = hashlib.sha256() if hashed else None
        self.sending, began = True, time.monotonic()
        for message in bulk(size, digest):
            await self.room()
            self.put(message)
        self.sending = False
        return {"began": began} if digest is None else {"began": began, "sha256": digest.hexdigest()}

    async def received(self) -> dict:
        """Wait for the last of the expected octets: ``ended``, the longest ``gap``, and ``sha256`` if it was asked for."""
        return await self.arrivals.whole()

    async def counted(self) -> dict:
        """``octets`` that have come so far, ``at`` what time that was, and the longest ``gap`` in seconds."""
        return self.arrivals.so_far()

    async def cpu(self) -> dict:
        """``seconds`` of processor time so far."""
        return {"seconds": time.process_time()}

    async def round_trip(self) -> None:
        """One message of 100 octets there, and one back."""
        self.pong.clear()
        self.asking = True
        self.put_ping()
        await self.pong.wait()
        self.asking = False

    async def ping(self, count: int, seconds: float) -> dict:
        """At most ``count`` round trips in ``seconds``, at least one; one after the other: ``times`` of each, in seconds."""
        for _ in range(WARM_UP):
            await self.round_trip()
        times: list[float] = []
        stop = time.monotonic() + seconds
        while not times or (len(times) < count and time.monotonic() < stop):
            began = time.perf_counter()
            await self.round_trip()
            times.append(time.perf_counter() - began)
        return {"times": times}

    async def busy(self, size: int, seconds: float) -> dict:
        """Round trips now and then while ``size`` octets are on their way, for so long at most: ``times``."""
        bulk_sent = asyncio.create_task(self.send(size))
        times: list[float] = []
        stop = time.monotonic() + seconds
        await asyncio.sleep(BUSY_PAUSE)
        while not times or (self.sending and time.monotonic() < stop):
            began = time.perf_counter()
            await self.round_trip()
            times.append(time.perf_counter() - began)
            await asyncio.sleep(BUSY_PAUSE)
        await bulk_sent
        return {"times": times}

    def echo_or_pong(self) -> None:
        """A message that is no bulk has come."""
        if self.asking:
            self.pong.set()
        else:
            self.put_ping()


def make_end(variant: str) -> End:
    """``raw``, ``fast``, ``ours``, ``bridge`` or ``tcp``, followed by the packets that it may send at most."""
    cap_packets(variant.rpartition("_")[2])
    kind = variant.partition("_")[0]
    if kind == "ours":
        from bench.ours import LineEnd

        return LineEnd()
    if kind == "fast":
        from bench.fast import FastEnd

        return FastEnd(loopback=not variant.endswith("_net"))
    if kind == "bridge":
        from bench.bridge import BridgeEnd

        return BridgeEnd()
    if kind == "tcp":
        from bench.tcp import TcpEnd

        return TcpEnd()
    from bench.raw import RawEnd

    return RawEnd(("bench",)) if variant == "raw_alone" else RawEnd()


def cap_packets(limit: str) -> None:
    """``1200`` or ``8k`` at the end of a variant's name: no larger packets, whatever the path carries."""
    sizes = {"1200": (), "8k": (8192,)}.get(limit)
    if sizes is not None:
        from hardwire.net.rtc import sctpmtu

        sctpmtu.SIZES = sctpmtu.CAUTIOUS = sizes


async def serve(end: object) -> None:
    """Do what the lines on stdin say, until there are no more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        try:
            async with asyncio.timeout(command.pop("within", PATIENCE)):
                answer = await getattr(end, command.pop("do"))(**command)
        except Exception as error:  # noqa: BLE001  (whatever it was, the parent tells it)
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main(variant: str) -> None:
    factory = None
    if not variant.startswith("raw") or variant == "raw_uvloop":
        import uvloop

        # As the command line runs it; plain aiortc is measured both ways.
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(make_end(variant)))


if __name__ == "__main__":
    main(*sys.argv[1:])
