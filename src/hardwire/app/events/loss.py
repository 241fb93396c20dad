# SPDX-License-Identifier: Apache-2.0
"""What is told when a line loses its peer, in the order in which it is tried (docs/transport.md)."""

from dataclasses import dataclass

from hardwire.app.events.event import Event


@dataclass(frozen=True, slots=True)
class PathLost(Event):
    """Nothing is heard of the peer any more; the line looks for another path. What is sent meanwhile waits.

    Attributes:
        waiting: Chat lines that the peer's device has not confirmed.
    """

    waiting: int


@dataclass(frozen=True, slots=True)
class PathFound(Event):
    """The peer is heard again.

    Attributes:
        moved: Over another path than before.
        seconds: For how long nothing was heard; 0 when the line moved without having been lost.
    """

    moved: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Reconnecting(Event):
    """The line is lost for good; the peer is looked for, to open another one with the same device.

    Attributes:
        waiting: Chat lines that the peer's device has not confirmed; they are sent again.
    """

    waiting: int


@dataclass(frozen=True, slots=True)
class InviteNeeded(Event):
    """The peer was not found: nothing but a new invite helps. Without a person who makes or takes one the line ends.

    Attributes:
        waiting: Chat lines that the peer's device has not confirmed.
    """

    waiting: int


@dataclass(frozen=True, slots=True)
class Reconnected(Event):
    """Another line to the same device is open. What a person has verified holds on.

    Attributes:
        sas: The string of this line, to compare if nobody has compared one yet.
        words: The same as words.
        sid: Hex session id, for logs.
    """

    sas: str
    words: tuple[str, ...]
    sid: str
