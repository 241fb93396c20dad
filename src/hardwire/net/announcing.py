# SPDX-License-Identifier: Apache-2.0
"""While the other end cannot be found: calls for it on the networks that this machine is on, and listens for it.

::

    announcing = Announcing(announcer, octets, own=..., found=...)
    announcing.start()         it was lost: hear the group from now on; announce after a second, then ever more seldom
    announcing.stop()          it was found, or nobody looks any more

What is said is :mod:`hardwire.channel.announcement`'s matter, how it travels :mod:`hardwire.net.multicast`'s. Here are
the times: after 1, 2, 4, … and then every 60 s, and anew when this machine's addresses have changed, or when the other
end says something new (a firewall lets it in only after packets of ours to it). Nothing that a stranger sends is
answered, and strangers who send much are heard in part.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hardwire.channel import Announcer
from hardwire.channel.announcement import ANNOUNCEMENT_SIZE, NONCE_SIZE
from hardwire.errors import WireError
from hardwire.handshake import Entropy
from hardwire.net import multicast
from hardwire.net.candidate import Candidate, CandidateKind, candidates_of
from hardwire.net.interfaces import usable_addresses, usable_interfaces

FIRST_GAP: Final = 1.0
"""Seconds of silence before the first announcement: where told addresses still lead, nobody needs one. Also the least
time between two."""
LONGEST_GAP: Final = 60.0
HEARD_EACH: Final = 100
"""Datagrams of whoever it is that are looked at between two looks at the clock, that is in :data:`FIRST_GAP`."""

Place = tuple[int, tuple[Candidate, ...]]
"""Number of a path, and where it can be found."""


class Announcing:
    """The search of one end.

    Args:
        announcer: Makes and reads announcements.
        entropy: For nonces.
        own: Where this end can be found at this moment; only its own addresses are announced.
        found: Told where the other end says it is, each time that is something new.
    """

    def __init__(
        self, announcer: Announcer, entropy: Entropy, *, own: Callable[[], Place], found: Callable[[Place], None]
    ) -> None:
        self._announcer = announcer
        self._entropy = entropy
        self._own = own
        self._found = found
        self._last: Place | None = None
        self._ears: list[socket.socket] = []
        self._heard = 0
        self._news = False
        self._told: Place | None = None
        self._gap = FIRST_GAP
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Search from now on; nothing happens when it does so already."""
        if self._task is None:
            self._last = self._told = None
            self._task = asyncio.create_task(self._run(), name="hardwire announcing")

    def stop(self) -> None:
        """Neither hear nor say anything more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._listen(())

    async def _run(self) -> None:
        with suppress(OSError):
            self._listen(self._open())
        self._due = asyncio.get_running_loop().time() + FIRST_GAP
        while True:
            await asyncio.sleep(FIRST_GAP)
            self._hear_more()
            # Sometimes a system does not list its addresses, which takes it a descriptor: then it is asked again.
            with suppress(OSError):
                self._announce(asyncio.get_running_loop().time())

    def _announce(self, now: float) -> None:
        """Say where this end is, if that is due or news."""
        place = self._place()
        if place != self._told or self._news:
            self._gap = FIRST_GAP
        elif now < self._due:
            return
        ears = self._open()
        for ear in self._ears:
            self._hear(ear)  # what waits in it would be lost
        self._listen(ears)  # anew: a card that was down has forgotten that somebody listens
        self._say(*place)
        self._told, self._news = place, False
        self._gap, self._due = min(2 * self._gap, LONGEST_GAP), now + self._gap

    def _place(self) -> Place:
        """What is worth saying: addresses that are this machine's now. A relay's is not, and leads nowhere new."""
        generation, candidates = self._own()
        here = usable_addresses()
        return generation, tuple(one for one in candidates if one.kind is CandidateKind.HOST and one.address in here)

    def _say(self, generation: int, candidates: tuple[Candidate, ...]) -> None:
        if not candidates:
            return
        octets = b"".join(one.encode() for one in candidates)
        for entry in usable_interfaces():
            # Made anew for each network, so that nobody finds the same octets on two of them.
            datagram = self._announcer.announce(generation, octets, self._entropy.octets(NONCE_SIZE))
            with suppress(OSError):
                multicast.send(datagram, entry)

    # ------------------------------------------------------------------ listening

    def _open(self) -> tuple[socket.socket, ...]:
        opened: list[socket.socket] = []
        for entry in usable_interfaces():
            with suppress(OSError):
                opened.append(multicast.listener(entry))
        return tuple(opened)

    def _listen(self, ears: tuple[socket.socket, ...]) -> None:
        """With these from now on. The new ones were there before the old ones go, so that no network sees us leave."""
        loop = asyncio.get_running_loop()
        before, self._ears = self._ears, list(ears)
        for ear in before:
            loop.remove_reader(ear)
            ear.close()
        self._hear_more()

    def _hear_more(self) -> None:
        self._heard = 0
        for ear in self._ears:
            asyncio.get_running_loop().add_reader(ear, self._hear, ear)

    def _hear(self, ear: socket.socket) -> None:
        with suppress(OSError):
            while self._heard < HEARD_EACH:
                datagram = ear.recv(ANNOUNCEMENT_SIZE + 1)
                self._heard += 1
                self._take(datagram)
            # Enough for now; the rest waits in the socket, as far as there is room, until the next look at the clock.
            asyncio.get_running_loop().remove_reader(ear)

    def _take(self, datagram: bytes) -> None:
        announced = self._announcer.hear(datagram)
        if announced is None:
            return
        with suppress(WireError):
            place = announced.generation, candidates_of(announced.candidates)
            if place != self._last:
                self._last, self._news = place, True
                self._found(place)
