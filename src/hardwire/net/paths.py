# SPDX-License-Identifier: Apache-2.0
"""Between a line and the paths under it: what one end tells the other about its next path (docs/protocol.md §14.10).

The link finds paths (:mod:`hardwire.net.rtc.roam`), the channel carries what the ends tell each other about them
(:mod:`hardwire.channel.paths`); here addresses become octets and back, and credentials follow from the line.
"""

import base64
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final

from hardwire.channel import Announcer, PathTold, Sought, path_credentials
from hardwire.channel.paths import Paths
from hardwire.errors import ConnectionLost
from hardwire.handshake import HandshakeDone, Role
from hardwire.net.announcing import Announcing, Place
from hardwire.net.candidate import Candidate, candidates_of
from hardwire.net.config import LineConfig
from hardwire.net.invite import IceCredentials
from hardwire.net.rtc import RtcLink

_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class PathLost:
    """Nothing is heard of the peer any more. Another path is looked for; what is sent meanwhile waits."""


@dataclass(frozen=True, slots=True)
class PathFound:
    """The peer is heard again.

    Attributes:
        moved: Over another path than before; otherwise the one that was lost came back.
        seconds: For how long nothing was heard; 0 when the line moved without having been lost.
    """

    moved: bool
    seconds: float


PathEvent = PathLost | PathFound


class PathKeeper:
    """The paths of one line, as the line sees them; a :class:`~hardwire.net.rtc.RoamEvents`.

    Args:
        done: Who the two are, and what the credentials follow from.
        link: Where paths are found.
        paths: The channel's verbs for telling about them, at a time.
        config: What may be told and announced, and for how long a peer without a sign is looked for.
        now: Monotonic seconds.
        tell: Told what a person should know.
        pump: Sends what was told to the peer.

    Attributes:
        heard_at: When the last frame of the peer came.
        lost_since: Since when nothing was heard, while there is no path; None otherwise.
    """

    def __init__(
        self,
        done: HandshakeDone,
        link: RtcLink,
        paths: Callable[[float], AbstractContextManager[Paths]],
        *,
        config: LineConfig,
        now: Callable[[], float],
        tell: Callable[[PathEvent], None],
        pump: Callable[[], None],
    ) -> None:
        self.heard_at = now()
        self.lost_since: float | None = None
        self._exporter = done.exporter
        self._link = link
        self._paths = paths
        self._loopback = config.loopback
        self._patience = config.patience
        self._now = now
        self._tell = tell
        self._pump = pump
        self._own: Place = (0, ())
        self._peer: Place = (0, ())
        self._announcing: Announcing | None = None
        if config.announces:
            announcer = Announcer(done.exporter, done.role, Sought.PATH)
            self._announcing = Announcing(announcer, config.entropy, own=lambda: self._own, found=self._heard)

    def credentials(self, generation: int) -> tuple[IceCredentials, IceCredentials]:
        """ICE's for a path: those of the offerer of this line, then those of the answerer."""
        return self._of(Role.RESPONDER, generation), self._of(Role.INITIATOR, generation)

    def peer_told(self, told: PathTold) -> None:
        """The peer can be found there next.

        Raises:
            WireError: No address can be read from it, or one that no peer may name.
        """
        self._peer = told.generation, candidates_of(told.candidates, loopback=self._loopback)
        self._link.peer_path(*self._peer)

    def path_ready(self, generation: int, candidates: tuple[Candidate, ...]) -> None:
        """Tell the peer, if there is a line to tell it on."""
        self._own = generation, candidates
        with suppress(ConnectionLost), self._paths(self._now()) as paths:
            paths.tell(generation, b"".join(one.encode() for one in candidates))
        self._pump()

    def path_lost(self) -> None:
        """Nothing is heard any more."""
        self.lost_since = self.heard_at
        if self._announcing is not None:
            self._announcing.start()
        self._tell(PathLost())

    def path_found(self, *, moved: bool) -> None:
        """Something is heard again, or heard elsewhere."""
        since, self.lost_since = self.lost_since, None
        self.end()
        self._tell(PathFound(moved, 0.0 if since is None else self._now() - since))

    def end(self) -> None:
        """Nobody looks for a path."""
        if self._announcing is not None:
            self._announcing.stop()

    def _heard(self, place: Place) -> None:
        """The peer announces that it is there, on a network of both; what it told before may still be right."""
        generation, found = place
        told = self._peer[1] if self._peer[0] == generation else ()
        self._link.peer_path(generation, tuple(dict.fromkeys((*found, *told))))

    def _of(self, role: Role, generation: int) -> IceCredentials:
        ufrag, password = path_credentials(self._exporter, role, generation)
        return IceCredentials(base64.b64encode(ufrag).decode(), base64.b64encode(password).decode())

    @property
    def gives_up_at(self) -> float | None:
        """When nobody looks for a path any more; None while there is one."""
        return None if self.lost_since is None else self.lost_since + self._patience

    def given_up(self) -> ConnectionLost:
        """What the line ends with then."""
        return ConnectionLost(
            f"connection lost: no path to the peer was found for {_span(self._patience)}",
            code="path-lost",
            hint="is the peer's machine on, and its network up?",
        )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} min"
