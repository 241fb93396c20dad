# SPDX-License-Identifier: Apache-2.0
"""What is told of files, directories and pipes: offers, how far they are, how they end."""

from dataclasses import dataclass
from pathlib import Path

from hardwire.app.events.event import Event


@dataclass(frozen=True, slots=True)
class FileOffer(Event):
    """The peer offers something; nothing is written before it is accepted.

    Attributes:
        id: Number of the transfer on this line.
        name: As the peer calls it.
        kind: ``file``, ``directory``, or ``stream`` (its size is known at its end).
        size: Octets of content; 0 for a stream.
        files: How many regular files.
        directories: How many directories, not counting itself.
        root: Hex of the 32 octets that bind all of it (docs/protocol.md §14.11); a stream's comes at its end.
    """

    id: int
    name: str
    kind: str
    size: int
    files: int
    directories: int
    root: str


@dataclass(frozen=True, slots=True)
class FileStarted(Event):
    """It moves now; ``done`` octets of its content were at the receiver already, from an earlier time."""

    id: int
    name: str
    direction: str
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class FilePaused(Event):
    """``by`` (``here`` or ``peer``) holds a transfer (``on``), or lets it go on."""

    id: int
    name: str
    by: str
    on: bool


@dataclass(frozen=True, slots=True)
class FileMoved(Event):
    """A transfer goes on over a new line with the same peer, and has another number there."""

    id: int
    was: int
    name: str
    direction: str


@dataclass(frozen=True, slots=True)
class FileProgress(Event):
    """How far a transfer is. ``rate`` in octets a second, ``eta`` in seconds or None while unknown.

    ``size`` is 0 as long as nobody knows it.
    """

    id: int
    name: str
    direction: str
    done: int
    size: int
    rate: float
    eta: float | None


@dataclass(frozen=True, slots=True)
class WayChanged(Event):
    """Files take another way from now on: a ``direct`` connection beside the line that opened, or is gone."""

    way: str
    open: bool


@dataclass(frozen=True, slots=True)
class FileDone(Event):
    """All of it, its hashes checked by the receiver. ``path`` is where it lies there; None elsewhere, and in a pipe.

    ``direct``: octets of it that went over a direct connection; the others went over the line's own data channel. The
    receiver counts each once; the sender also those that it sent both ways, when a connection opened or broke.
    ``sha256``: of the file, in hex, where somebody asked for it (``--sha256``); empty for a directory, and for a file
    that another process began to receive.
    """

    id: int
    name: str
    direction: str
    size: int
    root: str
    seconds: float
    path: Path | None
    direct: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FileFailed(Event):
    """A transfer that ended without a file; nothing is left under its name.

    ``resumable``: what arrived is kept by the receiver, and the same offer by the same peer goes on from there.
    A sender can only suppose so: what went into a pipe there begins anew. Never after somebody's no.
    """

    id: int
    name: str
    direction: str
    code: str
    reason: str
    hint: str
    resumable: bool = False


@dataclass(frozen=True, slots=True)
class PeerFlood(Event):
    """So many events about offers that the peer took back, and about its pauses, were left out: they came too fast."""

    count: int
