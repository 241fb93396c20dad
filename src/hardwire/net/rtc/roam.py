# SPDX-License-Identifier: Apache-2.0
"""From one path to the next under a living association (docs/protocol.md §14.8).

Each side always holds one *spare*: a path of the next generation with sockets of its own, told to the peer inside the
line while that is alive, and idle until somebody wants to move. Both ends know the credentials of every generation from
the line, so whoever has lost the path just begins to check the other's spare, from whatever addresses it has now. The
other end hears an authenticated check on its spare and begins as well. So nothing has to be said at the time when
nothing can be said.

One task does it all, in this order, for ever::

    gather a spare ─► tell the peer ─► wait until somebody wants to move ─► find a pair ─► take over, and again
          ▲                                            │                        │
          └── this machine's addresses changed: bound as well (with a relay: a new spare of the same generation)

What moves a line: the heart stops (:mod:`hardwire.net.rtc.link`), the address under the path is taken away, the peer
knocks, or :meth:`Roamer.want`. Only ICE's own authenticated checks decide where packets go; a stranger who records and
repeats them gains an answer of the same size, and nothing moves. What a peer tells about an earlier generation does
nothing.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Container, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hardwire.net.candidate import Candidate, IPAddress
from hardwire.net.invite import IceCredentials
from hardwire.net.rtc.path import Path, PathSettings
from hardwire.net.servers import IceServers

FIRST_SPARE: Final = 0.5
"""Seconds that a young line goes without a spare: most of what a short one does is over by then."""
AHEAD: Final = 2
"""Generations beyond the own one, of which the peer may have a spare already."""
LINGER: Final = 5.0
"""Seconds that the path before is still listened to: the peer may move a little later."""
MOST_LINGERING: Final = 4
"""Paths that are left and still listened to: a peer that moves again and again cannot take every socket there is."""
DISPOSE: Final = 0.5
"""Seconds that giving a path back may take: a relay is told, and may be out of reach."""
NOTHING_TO_BIND: Final = 2.0
"""Seconds between two attempts while this machine has no address, or its relay does not answer."""


@dataclass(frozen=True, slots=True)
class RoamSettings:
    """How paths of a line are made.

    Args:
        offerer: This side made the offer of the line.
        credentials: Of a generation: the offerer's, then the answerer's.
        addresses: What can be bound and told now.
        present: Every address that this machine has now, also those that are left out above.
        servers: Helpers, if the person asked for any.
    """

    offerer: bool
    credentials: Callable[[int], tuple[IceCredentials, IceCredentials]] = field(repr=False)
    addresses: Callable[[], tuple[IPAddress, ...]]
    present: Callable[[], Container[IPAddress]]
    servers: IceServers


class RoamEvents(Protocol):
    """Who is told; called synchronously, from the event loop."""

    def path_ready(self, generation: int, candidates: tuple[Candidate, ...]) -> None:
        """The peer must learn these addresses, inside the line; each call replaces what was told before."""

    def path_lost(self) -> None:
        """Nothing is heard any more; another path is being looked for."""

    def path_found(self, *, moved: bool) -> None:
        """The peer is heard again: over another path, or over the one that was lost."""


class Roamer:
    """The paths of one line.

    Args:
        settings: How they are made.
        path: The one that the line opened with: generation 0.
        take: Puts the association onto a path.
        ready: Told the addresses of a new spare.

    Attributes:
        path: The one in use.
        generation: Its number.
    """

    def __init__(
        self,
        settings: RoamSettings,
        path: Path,
        *,
        take: Callable[[Path], None],
        ready: Callable[[int, tuple[Candidate, ...]], None],
    ) -> None:
        self.path = path
        self.generation = 0
        self._settings = settings
        self._take = take
        self._ready = ready
        self._known = path.addresses
        self._peer: dict[int, tuple[Candidate, ...]] = {}
        self._seeking: Path | None = None
        self._wanted = asyncio.Event()
        self._stale = asyncio.Event()
        self._side: set[asyncio.Task[None]] = set()
        self._lingering: set[Path] = set()
        self._stopped = False
        self._task = asyncio.create_task(self._run(), name="hardwire roaming")

    def want(self) -> None:
        """Move to the next path as soon as there is one."""
        self._wanted.set()

    def look(self) -> bool:
        """Compare this machine's addresses with those known; whether the one under the path was taken away."""
        now = self._addresses()
        if now != self._known:
            self._known = now
            self._stale.set()
        if (own := self.path.local_address) is None:
            return False
        address = ipaddress.ip_address(own)
        if address in now:
            return False
        try:
            # A newer IPv6 address may have taken its place among the few that are told, and it is here all the same.
            return address not in self._settings.present()
        except OSError:
            return False

    def _addresses(self) -> tuple[IPAddress, ...]:
        """What can be bound now, or what was known when the system does not say, which takes it a descriptor."""
        try:
            return self._settings.addresses()
        except OSError:
            return self._known

    def peer_ready(self, generation: int, candidates: Sequence[Candidate]) -> None:
        """The peer told of its spare. A generation that is in use, or was, is late news and does nothing.

        The peer may be one path ahead, when it moved first; what it says beyond is kept for nobody.
        """
        if not self.generation < generation <= self.generation + AHEAD:
            return
        self._peer[generation] = tuple(candidates)
        if self._seeking is not None and generation == self.generation + 1:
            self._beside(self._seeking.add_peer(candidates), "hardwire path candidates")

    def stop(self) -> None:
        """Move no more, from now on. :meth:`close` waits until everything but the path in use is given back."""
        if not self._stopped:  # a second cancellation would interrupt the giving back
            self._stopped = True
            for task in (self._task, *self._side):
                task.cancel()

    async def close(self) -> None:
        """Give back the spare and what lingers; the path in use stays its user's."""
        self.stop()
        await asyncio.wait({self._task, *self._side})
        await asyncio.gather(*map(_dispose, self._lingering))

    # ------------------------------------------------------------------ the one task

    async def _run(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), FIRST_SPARE)
        while True:
            while len(self._lingering) >= MOST_LINGERING:
                await asyncio.wait(self._side, return_when=asyncio.FIRST_COMPLETED)
            self._stale.clear()
            spare, pause = self._make(), 0.0
            try:
                found = await self._gather(spare) and await self._attempt(spare)
            except Exception:  # noqa: BLE001  (what a library makes of a bad moment must not end all moving)
                found, pause = False, NOTHING_TO_BIND
            except BaseException:
                await _dispose(spare)
                raise
            if found:
                self._move(spare)
            else:
                await _dispose(spare)
                await asyncio.sleep(pause)

    def _make(self) -> Path:
        settings = self._settings
        offerer, answerer = settings.credentials(self.generation + 1)
        own, peer = (offerer, answerer) if settings.offerer else (answerer, offerer)
        self._known = self._addresses()
        return Path(PathSettings(settings.offerer, own, peer, self._known, settings.servers), on_knock=self.want)

    async def _gather(self, spare: Path) -> bool:
        await spare.gather()
        if spare.candidates:
            self._ready(self.generation + 1, spare.candidates)
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stale.wait(), NOTHING_TO_BIND)
        return False

    async def _attempt(self, spare: Path) -> bool:
        """Wait until a move is wanted, and look for a pair; false when the spare must be made anew before."""
        seeking = asyncio.create_task(self._seek(spare), name="hardwire path seeking")
        adapting = asyncio.create_task(self._adapt(spare), name="hardwire path adapting")
        try:
            await asyncio.wait({seeking, adapting}, return_when=asyncio.FIRST_COMPLETED)
            return seeking.done() and seeking.result()
        finally:
            self._seeking = None
            seeking.cancel()
            adapting.cancel()
            await asyncio.wait({seeking, adapting})

    async def _adapt(self, spare: Path) -> None:
        """Follow this machine's addresses. A relay may have been asked from one that is gone: that ends the attempt."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            if self._settings.servers.turn is not None:
                return
            await spare.adapt(self._addresses())
            if spare.candidates:
                self._ready(self.generation + 1, spare.candidates)

    async def _seek(self, spare: Path) -> bool:
        await self._wanted.wait()
        self._seeking = spare
        await spare.add_peer(self._peer.get(self.generation + 1, ()))
        return await spare.find()

    def _move(self, path: Path) -> None:
        before, self.path = self.path, path
        self.generation += 1
        self._wanted.clear()
        self._peer = {number: told for number, told in self._peer.items() if number > self.generation}
        self._take(path)
        self._lingering.add(before)
        self._beside(self._linger(before), "hardwire path lingering")

    def _beside(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    async def _linger(self, path: Path) -> None:
        await asyncio.sleep(LINGER)
        # Still listed while it closes: whoever cancels this task finds it there.
        await _dispose(path)
        self._lingering.discard(path)


async def _dispose(path: Path) -> None:
    """Close it properly, which a relay that is gone cannot hold up."""
    try:
        async with asyncio.timeout(DISPOSE):
            await path.close()
    except TimeoutError:
        path.force_close()
