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

from hardwire.channel import PathTold, path_credentials
from hardwire.channel.paths import Paths
from hardwire.errors import ConnectionLost, WireError
from hardwire.handshake import HandshakeDone, Role
from hardwire.net.candidate import MAX_CANDIDATES, Candidate
from hardwire.net.invite import IceCredentials
from hardwire.net.rtc import RtcLink
from hardwire.wire import Reader

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
        loopback: Addresses inside this machine may be told.
        patience: Seconds from the last sign of the peer until it is given up.
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
        loopback: bool,
        patience: float,
        now: Callable[[], float],
        tell: Callable[[PathEvent], None],
        pump: Callable[[], None],
    ) -> None:
        self.heard_at = now()
        self.lost_since: float | None = None
        self._exporter = done.exporter
        self._link = link
        self._paths = paths
        self._loopback = loopback
        self._patience = patience
        self._now = now
        self._tell = tell
        self._pump = pump

    def credentials(self, generation: int) -> tuple[IceCredentials, IceCredentials]:
        """ICE's for a path: those of the offerer of this line, then those of the answerer."""
        return self._of(Role.RESPONDER, generation), self._of(Role.INITIATOR, generation)

    def peer_told(self, told: PathTold) -> None:
        """The peer can be found there next.

        Raises:
            WireError: No address can be read from it, or one that no peer may name.
        """
        self._link.peer_path(told.generation, _read(told.candidates, loopback=self._loopback))

    def path_ready(self, generation: int, candidates: tuple[Candidate, ...]) -> None:
        """Tell the peer, if there is a line to tell it on."""
        with suppress(ConnectionLost), self._paths(self._now()) as paths:
            paths.tell(generation, b"".join(one.encode() for one in candidates))
        self._pump()

    def path_lost(self) -> None:
        """Nothing is heard any more."""
        self.lost_since = self.heard_at
        self._tell(PathLost())

    def path_found(self, *, moved: bool) -> None:
        """Something is heard again, or heard elsewhere."""
        since, self.lost_since = self.lost_since, None
        self._tell(PathFound(moved, 0.0 if since is None else self._now() - since))

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


def _read(octets: bytes, *, loopback: bool) -> tuple[Candidate, ...]:
    reader = Reader(octets, "path")
    found: list[Candidate] = []
    while reader.remaining:
        found.append(Candidate.read(reader, loopback=loopback))
    if len(found) > MAX_CANDIDATES or len(set(found)) != len(found):
        raise WireError("path: the same address twice, or more than a peer may have")
    return tuple(found)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} min"
