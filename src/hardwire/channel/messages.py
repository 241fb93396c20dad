# SPDX-License-Identifier: Apache-2.0
"""The payloads of the record layer's kinds: values to octets and back, one encoding for each (protocol.md §14).

Decoding is strict: a short, long or out-of-range field is a :class:`~hardwire.errors.WireError`. Encoding a value of
this side's that no honest peer would send is a :class:`~hardwire.errors.Misuse`, so both directions share one set of
rules; each value checks itself when it is made, and the decoder turns the complaint round.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeVar

from hardwire.errors import Misuse, WireError
from hardwire.handshake.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE
from hardwire.wire import U32_MAX, Reader, Writer

CHAT_ID_SIZE: Final = 16
ACKS_MAX: Final = 15
"""Ids in one acknowledgement: what the smallest frame holds."""
TEXT_MAX: Final = 16_000
"""Octets of UTF-8 in one chat message, at most; at least one."""
NAME_MAX: Final = 255
"""Octets of UTF-8 in a file's name, at most; at least one."""
FILE_SIZE_MAX: Final = 1 << 53
"""Octets of a file, at most: what every JSON reader still counts exactly."""
SHA256_SIZE: Final = 32
CHUNK_HEAD_SIZE: Final = 12
CHUNK_SIZE: Final = 65_499 - CHUNK_HEAD_SIZE
"""Octets of file in every chunk but the last: 65 487, which fills the largest frame without padding."""
WINDOW_MIN: Final = CHUNK_SIZE
WINDOW_MAX: Final = 16 << 20
"""Bounds of the window that a receiver grants."""
CRITICAL: Final = 0x80
"""Kinds from here on must be understood; those below are ignored when they are not."""


class Kind(IntEnum):
    """Kinds of records. 0x08 is reserved."""

    CHAT = 0x01
    FILE = 0x02
    CHUNK = 0x03
    ACK = 0x04
    KEEPALIVE = 0x05
    DUMMY = 0x06
    VERIFICATION = 0x07
    PATH = 0x09
    LANE = 0x0A
    NEXT = 0x0B
    CLOSE = 0x0F
    REKEY_INIT = 0xF0
    REKEY_ACK = 0xF1
    REKEY_FIN = 0xF2
    REKEY_REQUEST = 0xF3


class FileOp(IntEnum):
    """First octet of a file control payload."""

    OFFER = 0x01
    ACCEPT = 0x02
    DECLINE = 0x03
    WRITTEN = 0x04
    CONFIRM = 0x05
    CANCEL = 0x06


class CloseReason(IntEnum):
    """Why a line was closed: the whole list."""

    NORMAL = 0x00
    """Somebody was done."""
    LIFE = 0x01
    """The line has reached its greatest age."""
    NOT_VERIFIED = 0x02
    """The person here says that the strings differ."""
    SHUTDOWN = 0x03
    """The program here is being ended."""


class StopReason(IntEnum):
    """Why a transfer was declined or cancelled: the whole list, and all that the peer is told."""

    PERSON = 0x00
    NO_SPACE = 0x01
    BAD_NAME = 0x02
    BUSY = 0x03
    FILE_CHANGED = 0x04
    FAILED = 0x05


def _require(condition: object, message: str) -> None:
    if not condition:
        raise Misuse(message)


@dataclass(frozen=True, slots=True)
class Chat:
    """Kind 0x01. ``id`` is 16 random octets, ``text`` 1 to 16 000 octets in UTF-8."""

    id: bytes
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        _require(len(self.id) == CHAT_ID_SIZE, f"a message id has {CHAT_ID_SIZE} octets")
        _require(1 <= _utf8_size(self.text) <= TEXT_MAX, f"a chat message has 1 to {TEXT_MAX} octets of utf-8")

    def encode(self) -> bytes:
        """16 octets and the text."""
        return self.id + self.text.encode()


@dataclass(frozen=True, slots=True)
class FileOffer:
    """Operation 0x01 of kind 0x02, from the sender of a file."""

    id: int
    size: int
    sha256: bytes
    name: str

    def __post_init__(self) -> None:
        _require(0 <= self.size <= FILE_SIZE_MAX, "a file has at most 2^53 octets")
        _require(len(self.sha256) == SHA256_SIZE, f"a SHA-256 has {SHA256_SIZE} octets")
        _require(_name_fits(self.name), f"a file's name is one path component of 1 to {NAME_MAX} octets of utf-8")

    def encode(self) -> bytes:
        """Operation, number, size, hash, name."""
        head = Writer().u8(FileOp.OFFER).u32(self.id).u64(self.size)
        return head.raw(self.sha256).v8(self.name.encode()).getvalue()


@dataclass(frozen=True, slots=True)
class FileAccept:
    """Operation 0x02, from the receiver, which grants ``window`` octets ahead of what it has written."""

    id: int
    window: int

    def __post_init__(self) -> None:
        _require(WINDOW_MIN <= self.window <= WINDOW_MAX, f"a window has {WINDOW_MIN} to {WINDOW_MAX} octets")

    def encode(self) -> bytes:
        """Operation, number, window."""
        return Writer().u8(FileOp.ACCEPT).u32(self.id).u32(self.window).getvalue()


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
    """Operation 0x04, from the receiver: the first ``written`` octets are stored."""

    id: int
    written: int

    def encode(self) -> bytes:
        """Operation, number, octets."""
        return Writer().u8(FileOp.WRITTEN).u32(self.id).u64(self.written).getvalue()


@dataclass(frozen=True, slots=True)
class FileConfirm:
    """Operation 0x05, from the receiver: whether the hash of the whole file is the offered one."""

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


FileControl = FileOffer | FileAccept | FileDecline | FileWritten | FileConfirm | FileCancel


@dataclass(frozen=True, slots=True)
class Chunk:
    """Kind 0x03, on channel 1: octets of a file from ``offset`` on."""

    id: int
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RekeyInit:
    """Kind 0xF0: the number of the next epoch and the initiator's KEM public key (1216 octets)."""

    number: int
    public: bytes

    def encode(self) -> bytes:
        """Number and key."""
        return Writer().u32(self.number).raw(self.public).getvalue()


@dataclass(frozen=True, slots=True)
class RekeyAck:
    """Kind 0xF1: the number of the next epoch and the responder's KEM ciphertext (1120 octets)."""

    number: int
    ciphertext: bytes

    def encode(self) -> bytes:
        """Number and ciphertext."""
        return Writer().u32(self.number).raw(self.ciphertext).getvalue()


def decode_chat(payload: bytes) -> Chat:
    """Kind 0x01. Raises WireError."""
    reader = Reader(payload, "chat message")
    message_id = reader.take(CHAT_ID_SIZE)
    return _built(lambda: Chat(message_id, _text(reader.rest(), "chat message")))


def decode_acks(payload: bytes) -> tuple[bytes, ...]:
    """Kind 0x04: the 16-octet ids of 1 to 15 chat messages. Raises WireError."""
    count, rest = divmod(len(payload), CHAT_ID_SIZE)
    if rest or not 1 <= count <= ACKS_MAX:
        raise WireError(f"acknowledgement: {len(payload)} octets")
    reader = Reader(payload, "acknowledgement")
    return tuple(reader.take(CHAT_ID_SIZE) for _ in range(count))


def decode_verification(payload: bytes) -> bool:
    """Kind 0x07: 1 when the strings matched, 0 when they differed. Raises WireError."""
    reader = Reader(payload, "verification notice")
    matched = _flag(reader, "verification notice")
    reader.end()
    return matched


def decode_close(payload: bytes) -> CloseReason:
    """Kind 0x0F: one octet of the list of reasons. Raises WireError."""
    reader = Reader(payload, "close frame")
    reason = _member(CloseReason, reader.u8(), "close frame")
    reader.end()
    return reason


def decode_empty(payload: bytes) -> None:
    """Kinds without a payload. Raises WireError."""
    Reader(payload, "keepalive, dummy or rekey notice").end()


def decode_chunk(payload: bytes) -> Chunk:
    """Kind 0x03. Raises WireError; size and offset are for the transfer to judge."""
    reader = Reader(payload, "file chunk")
    return Chunk(reader.u32(), reader.u64(), reader.rest())


def decode_file_control(payload: bytes) -> FileControl:
    """Kind 0x02, any operation. Raises WireError."""
    reader = Reader(payload, "file control")
    decode = _FILE_DECODERS[_member(FileOp, reader.u8(), "file control")]
    control = _built(lambda: decode(reader, reader.u32()))
    reader.end()
    return control


def decode_rekey_init(payload: bytes) -> RekeyInit:
    """Kind 0xF0. Raises WireError."""
    reader = Reader(payload, "rekey init")
    init = RekeyInit(reader.u32(), reader.take(PUBLIC_SIZE))
    reader.end()
    return init


def decode_rekey_ack(payload: bytes) -> RekeyAck:
    """Kind 0xF1. Raises WireError."""
    reader = Reader(payload, "rekey acknowledgement")
    ack = RekeyAck(reader.u32(), reader.take(CIPHERTEXT_SIZE))
    reader.end()
    return ack


def chunk_head(transfer: int, offset: int) -> bytes:
    """The 12 octets before the data of a chunk; apart from it, so that the data is copied once only."""
    return Writer().u32(transfer).u64(offset).getvalue()


def _offer(reader: Reader, transfer: int) -> FileOffer:
    size, sha256 = reader.u64(), reader.take(SHA256_SIZE)
    return FileOffer(transfer, size, sha256, _text(reader.v8(low=1), "file name"))


_FILE_DECODERS: Final[dict[FileOp, Callable[[Reader, int], FileControl]]] = {
    FileOp.OFFER: _offer,
    FileOp.ACCEPT: lambda reader, transfer: FileAccept(transfer, reader.u32()),
    FileOp.DECLINE: lambda reader, transfer: FileDecline(transfer, _stop_reason(reader)),
    FileOp.WRITTEN: lambda reader, transfer: FileWritten(transfer, reader.u64()),
    FileOp.CONFIRM: lambda reader, transfer: FileConfirm(transfer, _flag(reader, "file confirmation")),
    FileOp.CANCEL: lambda reader, transfer: FileCancel(transfer, _stop_reason(reader)),
}

_Value = TypeVar("_Value")
_Code = TypeVar("_Code", bound=IntEnum)


def _built(make: Callable[[], _Value]) -> _Value:
    """A value from the peer's fields: what would be our misuse is the peer's malformed message."""
    try:
        return make()
    except Misuse as error:
        raise WireError(f"the peer sent what may not be sent: {error.message}") from error


def _member(codes: type[_Code], value: int, what: str) -> _Code:
    try:
        return codes(value)
    except ValueError as error:
        raise WireError(f"{what}: 0x{value:02x} is not in the list") from error


def _stop_reason(reader: Reader) -> StopReason:
    return _member(StopReason, reader.u8(), "file control")


def _flag(reader: Reader, what: str) -> bool:
    value = reader.u8()
    if value not in (0, 1):
        raise WireError(f"{what}: 0x{value:02x} is neither yes nor no")
    return value == 1


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"{what}: not utf-8") from error


def _utf8_size(text: str) -> int:
    """Octets of a text, or 0 for one that has no UTF-8 encoding (lone surrogates)."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def _name_fits(name: str) -> bool:
    # C0, DEL and C1; what else may deceive an eye is for the faces to strip.
    controls = any(ord(sign) < 0x20 or 0x7F <= ord(sign) <= 0x9F for sign in name)  # noqa: PLR2004 - code points
    return 1 <= _utf8_size(name) <= NAME_MAX and not controls and "/" not in name and name not in (".", "..")


TRANSFER_MAX: Final = U32_MAX
"""The greatest number of a transfer."""
