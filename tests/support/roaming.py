# SPDX-License-Identifier: Apache-2.0
"""Two open links that roam, each told at once what the other one announces."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hardwire.net.invite import derive_secrets
from support.links import End, deafen, open_pair


@dataclass
class Roaming:
    """One end; a RoamEvents that remembers, and carries announcements while ``connected``."""

    end: End
    peer: "Roaming | None" = None
    connected: bool = True
    news: list[str] = field(default_factory=list)
    told: list[tuple[int, tuple]] = field(default_factory=list)

    def path_ready(self, generation, candidates) -> None:
        self.told.append((generation, candidates))
        if self.connected and self.peer is not None:
            self.peer.end.link.peer_path(generation, candidates)
        self.end.events.changed.set()

    def path_lost(self) -> None:
        self.news.append("lost")
        self.end.events.changed.set()

    def path_found(self, *, moved: bool) -> None:
        self.news.append("moved" if moved else "back")
        self.end.events.changed.set()

    @property
    def generation(self) -> int:
        return self.end.link._roamer.generation

    def cut(self, monkeypatch) -> None:
        """Nothing that arrives at the path in use is heard any more."""
        deafen(monkeypatch, self.end.link._path.connection)


def credentials(generation: int):
    secrets = derive_secrets(generation.to_bytes(16))
    return secrets.offer, secrets.answer


@asynccontextmanager
async def roaming_pair() -> AsyncIterator[tuple[Roaming, Roaming]]:
    async with open_pair() as (first, second):
        ends = Roaming(first), Roaming(second)
        for one, other in (ends, ends[::-1]):
            one.peer = other
            one.end.link.roam(credentials, one)
        yield ends


async def until(condition, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 (what is waited for lies on both ends)
            await asyncio.sleep(0.01)
