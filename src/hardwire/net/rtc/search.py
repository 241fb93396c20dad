# SPDX-License-Identifier: Apache-2.0
"""The search for the first path of a line, while both ends may still change where they can be found.

::

    search = Search(path, addresses)
    search.add(candidates)            where the peer may be; any number of times, also while it runs
    await search.run()                until there is a pair; the caller's patience ends it

Codes are carried for long, and next offers wait for a day: this machine's addresses are looked at all the time.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from hardwire.net.candidate import Candidate, IPAddress
from hardwire.net.rtc.path import Path

LOOK_INTERVAL: Final = 2.0
"""Seconds between two looks at this machine's addresses."""


class Search:
    """One search.

    Args:
        path: Gathered by the time that it runs.
        addresses: What can be bound now; None when only relays are wanted.
    """

    def __init__(self, path: Path, addresses: Callable[[], tuple[IPAddress, ...]] | None) -> None:
        self._path = path
        self._addresses = addresses
        self._told: asyncio.Queue[tuple[Sequence[Candidate], bool]] = asyncio.Queue()

    def add(self, candidates: Sequence[Candidate], *, last: bool = False) -> None:
        """The peer may be there; preference falls along the list. ``last``: nothing is added after these."""
        self._told.put_nowait((candidates, last))

    async def run(self) -> None:
        """Look for a pair that works; ends by itself only with success, or when the path is closed."""
        while not self._told.empty():
            await self._take()
        beside = {
            asyncio.create_task(self._follow_peer(), name="hardwire peer watch"),
            asyncio.create_task(self._follow_addresses(), name="hardwire address watch"),
        }
        try:
            await self._path.find()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    async def _take(self) -> None:
        candidates, last = await self._told.get()
        await self._path.add_peer(candidates, last=last)

    async def _follow_peer(self) -> None:
        while True:
            await self._take()

    async def _follow_addresses(self) -> None:
        while self._addresses is not None:
            if (now := self._addresses()) != self._path.addresses:
                await self._path.adapt(now)
            await asyncio.sleep(LOOK_INTERVAL)
