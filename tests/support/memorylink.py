# SPDX-License-Identifier: Apache-2.0
"""The edge of a link, in memory: what the drivers ask of RtcLink, delivered to the other end by hand."""

import asyncio
from collections import deque

from hardwire.errors import ConnectionLost


class MemoryLink:
    direct_path = None

    def __init__(self) -> None:
        self.sent: deque[tuple[int, bytes]] = deque()
        self.may_send = True
        self.broken = False
        self.flushed = 0
        self.told: list[tuple[int, tuple]] = []
        self.changes = 0
        self.closed = asyncio.Event()

    def send(self, channel: int, data: bytes) -> None:
        if self.broken:
            raise ConnectionLost("the line is not open")
        self.sent.append((channel, data))

    def roam(self, credentials, events) -> None:
        self.roaming = events
        self.credentials = credentials

    def peer_path(self, generation, candidates) -> None:
        self.told.append((generation, candidates))

    def change_path(self) -> None:
        self.changes += 1

    async def flush(self) -> bool:
        self.flushed += 1
        return True

    async def close(self, *, silently: bool = False) -> None:
        self.silently = silently
        self.closed.set()


class Hand:
    """A clock that is moved by hand; timers of the event loop are fired by :meth:`fire`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def deliver(link: MemoryLink, target) -> int:
    """Hand everything that was sent to the other end; how many messages that were."""
    count = 0
    while link.sent:
        target.message(*link.sent.popleft())
        count += 1
    return count
