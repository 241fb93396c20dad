# SPDX-License-Identifier: Apache-2.0
"""A network between two ends, for UDP: delay, random loss, and a rate with a queue that several may share.

``tc netem`` is not in every kernel; this needs no rights and no kernel. Each end is told a port of the crossing in the
place of the other end's, and datagrams leave from the crossing's other port, as late and as thinned out as asked.
Delays are those of one direction in seconds, losses are shares, rates octets a second (0: none), queues octets.
"""

import asyncio
import heapq
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """Of one direction."""

    delay: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    queue: float = 500_000.0


class Bottleneck:
    """One direction of a link, shared by everything that is put into it."""

    def __init__(self, conditions: Conditions, seed: int = 1) -> None:
        self._conditions = conditions
        self._chance = random.Random(seed)
        self._free_at = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self.passed = self.dropped = 0

    def put(self, size: int, arrive: Callable[[], None]) -> bool:
        """A packet of ``size`` octets: call ``arrive`` when it is there; whether it will be."""
        loop, conditions = asyncio.get_running_loop(), self._conditions
        now = loop.time()
        if self._chance.random() < conditions.loss:
            self.dropped += 1
            return False
        at = now
        if conditions.rate:
            begin = max(self._free_at, now)
            if (begin - now) * conditions.rate > conditions.queue:
                self.dropped += 1
                return False
            at = self._free_at = begin + size / conditions.rate
        self.passed += 1
        self._count += 1
        heapq.heappush(self._due, (at + conditions.delay, self._count, arrive))
        if self._timer is None:
            self._timer = loop.call_at(self._due[0][0], self._release)
        return True

    def _release(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.0002
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        self._timer = loop.call_at(self._due[0][0], self._release) if self._due else None


class Crossing:
    """Two UDP ports between two ends: what the one end sends to ``left`` leaves from ``right``, and back.

    Args:
        there: Of what arrives at ``left``.
        back: Of what arrives at ``right``.
    """

    def __init__(self, there: Bottleneck, back: Bottleneck) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = [self._bind(), self._bind()]
        self._ends: list[tuple[str, int] | None] = [None, None]
        for side, way in ((0, there), (1, back)):
            self._loop.add_reader(self._sockets[side].fileno(), self._read, side, way)

    @property
    def left(self) -> tuple[str, int]:
        return self._sockets[0].getsockname()

    @property
    def right(self) -> tuple[str, int]:
        return self._sockets[1].getsockname()

    def expect(self, side: str, end: tuple[str, int]) -> None:
        """Who will be at this side."""
        self._ends[side == "right"] = end

    def close(self) -> None:
        for one in self._sockets:
            self._loop.remove_reader(one.fileno())
            one.close()

    def _bind(self) -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            one.setsockopt(socket.SOL_SOCKET, option, 4 * 1024 * 1024)
        one.bind(("127.0.0.1", 0))
        return one

    def _read(self, side: int, way: Bottleneck) -> None:
        for _ in range(64):
            try:
                data, source = self._sockets[side].recvfrom(65_536)
            except OSError:
                return
            self._ends[side] = source
            way.put(len(data) + 28, lambda data=data: self._write(1 - side, data))

    def _write(self, side: int, data: bytes) -> None:
        end = self._ends[side]
        try:
            if end is not None and self._sockets[side].fileno() >= 0:
                self._sockets[side].sendto(data, end)
        except OSError:
            return
