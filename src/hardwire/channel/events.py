# SPDX-License-Identifier: Apache-2.0
"""What a line tells its driver, one frozen value at a time.

Transfers have one number on the whole line: odd ones were offered by the initiator, even ones by the responder.
:class:`LineClosed` and :class:`LineFailed` are the last event of a line; exactly one of them comes.
"""

from dataclasses import dataclass, field

from hardwire.channel.filecontrol import Offer, StopReason
from hardwire.channel.lane.events import LaneEvent
from hardwire.channel.messages import CloseReason
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
    """The peer offers a transfer: ``accept_file`` or ``decline_file``. Its name is still the peer's choice."""

    id: int
    offer: Offer


@dataclass(frozen=True, slots=True)
class FileAccepted:
    """The peer takes it, and has ``start`` octets of its stream already.

    Send ``chunk_room`` octets at a time from there with ``send_chunk``, while there is room.
    """

    id: int
    start: int


@dataclass(frozen=True, slots=True)
class FileDeclined:
    """The peer does not want the file. The transfer has ended."""

    id: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class FileChunk:
    """The next octets of an accepted transfer's stream: manifest, hash list, content.

    When they are written, ``acknowledge_written`` lets more come.
    """

    id: int
    offset: int
    data: bytes | memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileFinished:
    """A stream of unknown length ends after ``size`` octets, and has this root. Its last chunks may still be coming."""

    id: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class FileDone:
    """All octets of an incoming transfer were handed out: ``confirm_file`` when they are what they should be."""

    id: int


@dataclass(frozen=True, slots=True)
class FilePaused:
    """The peer holds a transfer (``on``), or lets it go on, in either direction."""

    id: int
    on: bool


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
    """The peer has everything, and ``ok`` says whether it is what was offered. The transfer has ended."""

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
    | FileFinished
    | FileDone
    | FilePaused
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
