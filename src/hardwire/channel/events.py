# SPDX-License-Identifier: Apache-2.0
"""What a line tells its driver, one frozen value at a time.

Transfers have one number on the whole line: odd ones were offered by the initiator, even ones by the responder.
:class:`LineClosed` and :class:`LineFailed` are the last event of a line; exactly one of them comes.
"""

from dataclasses import dataclass, field

from hardwire.channel.lane.events import LaneEvent
from hardwire.channel.messages import CloseReason, StopReason
from hardwire.channel.paths import PathEvent
from hardwire.errors import HardwireError


@dataclass(frozen=True, slots=True)
class PeerConfirmed:
    """The first valid frame of the peer: it finished the same handshake. The contact secret of §13 is now confirmed."""


@dataclass(frozen=True, slots=True)
class ChatReceived:
    """A chat message, each id once. ``text`` is the peer's: strip control characters before showing it."""

    id: bytes
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChatDelivered:
    """The peer's device has the message that ``send_chat`` gave this id (16 octets)."""

    id: bytes


@dataclass(frozen=True, slots=True)
class PeerVerified:
    """The person at the peer compared the strings. Says nothing about whether this side's person did."""

    matched: bool


@dataclass(frozen=True, slots=True)
class FileOffered:
    """The peer offers a file: ``accept_file`` or ``decline_file``.

    Attributes:
        id: Number of the transfer.
        name: 1 to 255 octets of UTF-8: one path component, without control characters. Still the peer's choice.
        size: Octets, at most 2^53.
        sha256: 32 octets.
    """

    id: int
    name: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class FileAccepted:
    """The peer wants the file: send ``chunk_room`` octets at a time with ``send_chunk``, while there is room."""

    id: int


@dataclass(frozen=True, slots=True)
class FileDeclined:
    """The peer does not want the file. The transfer has ended."""

    id: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class FileChunk:
    """The next octets of an accepted file. When they are written, ``acknowledge_written`` lets more come."""

    id: int
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileDone:
    """All octets of an incoming file were handed out: compare the hash, then ``confirm_file``."""

    id: int


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The peer has written the first ``written`` octets of an outgoing file."""

    id: int
    written: int


@dataclass(frozen=True, slots=True)
class FileWindow:
    """There is room again for an outgoing file's next chunk."""

    id: int


@dataclass(frozen=True, slots=True)
class FileComplete:
    """The peer has the whole file, and ``ok`` says whether its hash is the offered one. The transfer has ended."""

    id: int
    ok: bool


@dataclass(frozen=True, slots=True)
class FileCancelled:
    """The peer gave the transfer up, in either direction. It has ended."""

    id: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class EpochAdvanced:
    """A rekey is through: the line now uses epoch ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class LineClosed:
    """A proper end: everything that was sent on channel 0 before it has arrived.

    Attributes:
        reason: Why.
        by_peer: The peer closed it; otherwise this side did.
    """

    reason: CloseReason
    by_peer: bool


@dataclass(frozen=True, slots=True)
class LineFailed:
    """The end without a close frame. Tell the person ``error``; tell the peer nothing: just drop the connection."""

    error: HardwireError


Event = (
    PeerConfirmed
    | ChatReceived
    | ChatDelivered
    | PeerVerified
    | FileOffered
    | FileAccepted
    | FileDeclined
    | FileChunk
    | FileDone
    | FileProgress
    | FileWindow
    | FileComplete
    | FileCancelled
    | EpochAdvanced
    | LaneEvent
    | PathEvent
    | LineClosed
    | LineFailed
)
