# SPDX-License-Identifier: Apache-2.0
"""Whether the peer is still heard: a silent one is probed, and silence after some rounds is the end of the path.

Of a link that may move (:mod:`hardwire.net.rtc.roam`) it is the end of the path only; of another one, of the link.

A path may also be alive and of no use. What was cut for a wider path keeps its size (its number is bound to its
octets), so routers have to cut it on a narrower one, and where such pieces are dropped it never arrives, whatever else
does. Then the link has ended as lost: on the next one everything is cut anew.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from hardwire.errors import ConnectionLost
from hardwire.net.rtc.plain import PlainSctp
from hardwire.net.rtc.roam import Roamer, RoamEvents
from hardwire.net.rtc.sctp import LineSctp

PROBE_INTERVAL: Final = 0.8
DEAD_AFTER_PROBES: Final = 5
"""Rounds: between 4 s and 4.8 s from the last sign of life."""
GIVE_UP_PROBES: Final = 19
"""Rounds, about 15 s, after which a link that cannot move yet has ended: a person may be thinking."""
ROUNDS_IN_VAIN: Final = 10
"""Rounds with a sign of life in which what is first missing did not arrive, because a router had to cut it."""
COPIES_IN_VAIN: Final = 4
"""Of it, at least: on a bad path one piece of many is lost more often than a packet."""


class Watch:
    """The watch over one association.

    Args:
        sctp: The association.
        is_over: Whether the link has ended: then there is nothing to watch.
        ended: Told why, when a link that cannot move has ended, or any whose path is of no use (``path-lost``).

    Attributes:
        moved: The association was given another path, and nothing is heard over it yet.
    """

    def __init__(
        self, sctp: LineSctp | PlainSctp, *, is_over: Callable[[], bool], ended: Callable[[ConnectionLost], None]
    ) -> None:
        self.moved = False
        self._lost = False
        self._in_vain = 0
        self._acknowledged = -1
        self._sctp = sctp
        self._is_over = is_over
        self._ended = ended
        self._roaming: tuple[Roamer, RoamEvents] | None = None

    def roam(self, roamer: Roamer, events: RoamEvents) -> None:
        """From now on another path is looked for."""
        self._roaming = roamer, events

    async def run(self) -> None:
        """Probe a silent peer; several unanswered probes in a row mean that the path is dead.

        Rounds are counted instead of seconds: when this process itself was held up, or the machine slept, the
        packets that wait in the socket are read before the next round.
        """
        silent, heard = 0, self._sctp.packets_heard
        while not self._is_over():
            await asyncio.sleep(PROBE_INTERVAL)
            silent = silent + 1 if self._sctp.packets_heard == heard else 0
            heard = self._sctp.packets_heard
            if silent:
                self._sctp.probe()
            if self._is_of_no_use(silent):
                self._ended(ConnectionLost("connection lost: the path became too narrow", code="path-lost"))
            elif self._roaming is not None:
                self._judge_path(*self._roaming, silent)
            elif silent >= GIVE_UP_PROBES:
                self._ended(ConnectionLost(f"no sign of the peer for {GIVE_UP_PROBES * PROBE_INTERVAL:.0f} s"))

    def _is_of_no_use(self, silent: int) -> bool:
        """One round: whether the peer is heard, for some of them, and still does not get what routers have to cut."""
        acknowledged, copies = self._sctp.acknowledged, self._sctp.cut_in_vain
        if self._lost or self.moved or not copies or acknowledged != self._acknowledged:
            self._in_vain = 0
        elif not silent:
            self._in_vain += 1
        self._acknowledged = acknowledged
        return self._in_vain >= ROUNDS_IN_VAIN and copies >= COPIES_IN_VAIN

    def _judge_path(self, roamer: Roamer, events: RoamEvents, silent: int) -> None:
        """One round: an address that was taken away ends the path at once, silence after some rounds."""
        gone = roamer.look()
        if not self._lost and (gone or silent >= DEAD_AFTER_PROBES):
            self._lost = True
            events.path_lost()
            roamer.want()
        elif (self._lost or self.moved) and not silent and not gone:
            if not self.moved:
                self._sctp.path_changed()
            moved, self._lost, self.moved = self.moved, False, False
            events.path_found(moved=moved)
