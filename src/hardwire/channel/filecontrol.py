# SPDX-License-Identifier: Apache-2.0
"""What two ends say to each other about a transfer: kind 0x02 of the record layer (protocol.md §14.7)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardwire.channel.fields import NAME_MAX, built, flag, member, name_fits, require, utf8
from hardwire.channel.manifest import ENTRIES_MAX, MANIFEST_MAX
from hardwire.channel.messages import CHUNK_SIZE
from hardwire.channel.tree import HASH_SIZE, LEAF_MIN, leaf_count, leaf_size
from hardwire.wire import U32_MAX, Reader, Writer

FILE_SIZE_MAX: Final = 1 << 53
"""Octets of a transfer's content, at most: what every JSON reader still counts exactly."""
WINDOW_MIN: Final = CHUNK_SIZE
WINDOW_MAX: Final = 64 << 20
"""Bounds of the window that a receiver grants."""
TRANSFER_MAX: Final = U32_MAX
"""The greatest number of a transfer."""


class FileOp(IntEnum):
    """First octet of a file control payload."""

    OFFER = 0x01
    ACCEPT = 0x02
    DECLINE = 0x03
    WRITTEN = 0x04
    CONFIRM = 0x05
    CANCEL = 0x06
    PAUSE = 0x07
    FINISH = 0x08


class TransferKind(IntEnum):
    """What a transfer is."""

    FILE = 0x01
    DIRECTORY = 0x02
    STREAM = 0x03
    """Octets whose number and root are known only at their end."""


class StopReason(IntEnum):
    """Why a transfer was declined or cancelled: the whole list, and all that the peer is told."""

    PERSON = 0x00
    NO_SPACE = 0x01
    BAD_NAME = 0x02
    BUSY = 0x03
    FILE_CHANGED = 0x04
    FAILED = 0x05


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered. The stream of octets that carries it is manifest ‖ hash list ‖ content.

    Attributes:
        kind: What it is.
        size: Octets of content, at most 2^53; 0 for a stream.
        files: How many regular files it holds.
        manifest: Octets of its encoded manifest; 0 for a stream.
        root: 32 octets: binds manifest, hash list and size (``tree.py``). For a stream, random: it is only a name.
        name: 1 to 255 octets of UTF-8: one path component, without control characters.
        directories: How many directories it holds, not counting itself.
    """

    kind: TransferKind
    size: int
    files: int
    manifest: int
    root: bytes
    name: str
    directories: int = 0

    def __post_init__(self) -> None:
        stream = self.kind is TransferKind.STREAM
        require(0 <= self.size <= (0 if stream else FILE_SIZE_MAX), "a transfer has at most 2^53 octets")
        require(self.files >= 0 and self.directories >= 0, "nothing is there less than no times")
        require(self.files + self.directories < ENTRIES_MAX, f"a transfer has at most {ENTRIES_MAX} entries")
        tree = self.kind is TransferKind.DIRECTORY
        require(tree or (self.files, self.directories) == (1, 0), "a file is one file")
        require(0 <= self.manifest <= (0 if stream else MANIFEST_MAX), "a manifest has at most 2^24 octets")
        require(self.manifest or stream, "a transfer has a manifest, and a stream has none")
        require(len(self.root) == HASH_SIZE, f"a root has {HASH_SIZE} octets")
        require(name_fits(self.name), f"a name is one path component of 1 to {NAME_MAX} octets of utf-8")

    @property
    def preface(self) -> int:
        """Octets before the content: manifest and hash list."""
        return self.manifest + HASH_SIZE * leaf_count(self.size)

    @property
    def end(self) -> int | None:
        """Octets of the whole stream, preface and content; None while nobody knows."""
        return None if self.kind is TransferKind.STREAM else self.preface + self.size

    @property
    def leaf_size(self) -> int:
        """Octets of a leaf."""
        return LEAF_MIN if self.kind is TransferKind.STREAM else leaf_size(self.size)

    def write(self, writer: Writer) -> Writer:
        """Kind, size, files, directories, manifest, root, name."""
        writer.u8(self.kind).u64(self.size).u32(self.files).u32(self.directories).u32(self.manifest)
        return writer.raw(self.root).v8(self.name.encode())


@dataclass(frozen=True, slots=True)
class FileOffer:
    """Operation 0x01, from the sender."""

    id: int
    offer: Offer

    def encode(self) -> bytes:
        """Operation, number, offer."""
        return self.offer.write(Writer().u8(FileOp.OFFER).u32(self.id)).getvalue()


@dataclass(frozen=True, slots=True)
class FileAccept:
    """Operation 0x02, from the receiver: it has ``start`` octets of the stream and takes ``window`` ahead of those."""

    id: int
    window: int
    start: int

    def __post_init__(self) -> None:
        require(WINDOW_MIN <= self.window <= WINDOW_MAX, f"a window has {WINDOW_MIN} to {WINDOW_MAX} octets")

    def encode(self) -> bytes:
        """Operation, number, window, start."""
        return Writer().u8(FileOp.ACCEPT).u32(self.id).u32(self.window).u64(self.start).getvalue()


@dataclass(frozen=True, slots=True)
class FileDecline:
    """Operation 0x03, from the receiver."""

    id: int
    reason: StopReason

    def encode(self) -> bytes:
        """Operation, number, reason."""
        return Writer().u8(FileOp.DECLINE).u32(self.id).u8(self.reason).getvalue()


@dataclass(frozen=True, slots=True)
class FileWritten:
    """Operation 0x04, from the receiver: the first ``written`` octets are off its hands."""

    id: int
    written: int

    def encode(self) -> bytes:
        """Operation, number, octets."""
        return Writer().u8(FileOp.WRITTEN).u32(self.id).u64(self.written).getvalue()


@dataclass(frozen=True, slots=True)
class FileConfirm:
    """Operation 0x05, from the receiver: whether everything is what was offered, and where it belongs."""

    id: int
    ok: bool

    def encode(self) -> bytes:
        """Operation, number, 1 or 0."""
        return Writer().u8(FileOp.CONFIRM).u32(self.id).u8(self.ok).getvalue()


@dataclass(frozen=True, slots=True)
class FileCancel:
    """Operation 0x06, from either side, for a transfer that has not ended."""

    id: int
    reason: StopReason

    def encode(self) -> bytes:
        """Operation, number, reason."""
        return Writer().u8(FileOp.CANCEL).u32(self.id).u8(self.reason).getvalue()


@dataclass(frozen=True, slots=True)
class FilePause:
    """Operation 0x07, from either side, for an accepted transfer: hold on, or go on."""

    id: int
    on: bool

    def encode(self) -> bytes:
        """Operation, number, 1 or 0."""
        return Writer().u8(FileOp.PAUSE).u32(self.id).u8(self.on).getvalue()


@dataclass(frozen=True, slots=True)
class FileFinish:
    """Operation 0x08, from the sender of a stream: how long it was, and its root."""

    id: int
    size: int
    root: bytes

    def __post_init__(self) -> None:
        require(0 <= self.size <= FILE_SIZE_MAX, "a transfer has at most 2^53 octets")
        require(len(self.root) == HASH_SIZE, f"a root has {HASH_SIZE} octets")

    def encode(self) -> bytes:
        """Operation, number, size, root."""
        return Writer().u8(FileOp.FINISH).u32(self.id).u64(self.size).raw(self.root).getvalue()


FileControl = FileOffer | FileAccept | FileDecline | FileWritten | FileConfirm | FileCancel | FilePause | FileFinish


def decode_file_control(payload: bytes) -> FileControl:
    """Kind 0x02, any operation. Raises WireError."""
    reader = Reader(payload, "file control")
    decode = _DECODERS[member(FileOp, reader.u8(), "file control")]
    control = built(lambda: decode(reader, reader.u32()))
    reader.end()
    return control


def _offer(reader: Reader, transfer: int) -> FileOffer:
    kind = member(TransferKind, reader.u8(), "file offer")
    size, files, directories, manifest = reader.u64(), reader.u32(), reader.u32(), reader.u32()
    root, name = reader.take(HASH_SIZE), utf8(reader.v8(low=1), "file name")
    return FileOffer(transfer, Offer(kind, size, files, manifest, root, name, directories))


def _reason(reader: Reader) -> StopReason:
    return member(StopReason, reader.u8(), "file control")


_DECODERS: Final[dict[FileOp, Callable[[Reader, int], FileControl]]] = {
    FileOp.OFFER: _offer,
    FileOp.ACCEPT: lambda reader, transfer: FileAccept(transfer, reader.u32(), reader.u64()),
    FileOp.DECLINE: lambda reader, transfer: FileDecline(transfer, _reason(reader)),
    FileOp.WRITTEN: lambda reader, transfer: FileWritten(transfer, reader.u64()),
    FileOp.CONFIRM: lambda reader, transfer: FileConfirm(transfer, flag(reader, "file confirmation")),
    FileOp.CANCEL: lambda reader, transfer: FileCancel(transfer, _reason(reader)),
    FileOp.PAUSE: lambda reader, transfer: FilePause(transfer, flag(reader, "file pause")),
    FileOp.FINISH: lambda reader, transfer: FileFinish(transfer, reader.u64(), reader.take(HASH_SIZE)),
}
