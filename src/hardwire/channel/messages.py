# SPDX-License-Identifier: Apache-2.0
"""The payloads of the record layer's kinds: values to octets and back, one encoding for each (protocol.md §14).

Decoding is strict: a short, long or out-of-range field is a :class:`~hardwire.errors.WireError`. Encoding a value of
this side's that no honest peer would send is a :class:`~hardwire.errors.Misuse`, so both directions share one set of
rules (``fields.py``). The control messages of files are in ``filecontrol.py``.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final

from hardwire.channel.fields import flag, member, require, utf8, utf8_octets
from hardwire.errors import WireError
from hardwire.handshake.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE
from hardwire.wire import Reader, Writer

CHAT_ID_SIZE: Final = 16
ACKS_MAX: Final = 15
"""Ids in one acknowledgement: what the smallest frame holds."""
TEXT_MAX: Final = 16_000
"""Octets of UTF-8 in one chat message, at most; at least one."""
CHUNK_HEAD: Final = Struct(">IQ")
CHUNK_SIZE: Final = 65_499 - CHUNK_HEAD.size
"""Octets of file in every chunk but the last: 65 487, which fills the largest frame without padding."""
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


@dataclass(frozen=True, slots=True)
class Chunk:
    """Kind 0x03, on channel 1: octets of a file from ``offset`` on."""

    id: int
    offset: int
    data: bytes | memoryview = field(repr=False)


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


def encode_chat(message_id: bytes, text: str) -> bytes:
    """Kind 0x01: an id of 16 random octets, and 1 to 16 000 octets of UTF-8. Raises Misuse."""
    octets = utf8_octets(text)
    require(len(message_id) == CHAT_ID_SIZE, "a message id has 16 octets")
    require(1 <= len(octets) <= TEXT_MAX, "a chat message has 1 to 16000 octets of utf-8")
    return message_id + octets


def decode_chat(payload: bytes) -> tuple[bytes, str]:
    """Kind 0x01: id and text. Raises WireError."""
    if not 1 <= len(payload) - CHAT_ID_SIZE <= TEXT_MAX:
        raise WireError(f"chat message: {len(payload)} octets")
    return payload[:CHAT_ID_SIZE], utf8(payload[CHAT_ID_SIZE:], "chat message")


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
    matched = flag(reader, "verification notice")
    reader.end()
    return matched


def decode_close(payload: bytes) -> CloseReason:
    """Kind 0x0F: one octet of the list of reasons. Raises WireError."""
    reader = Reader(payload, "close frame")
    reason = member(CloseReason, reader.u8(), "close frame")
    reader.end()
    return reason


def decode_empty(payload: bytes) -> None:
    """Kinds without a payload. Raises WireError."""
    Reader(payload, "keepalive, dummy or rekey notice").end()


def decode_chunk(payload: bytes) -> Chunk:
    """Kind 0x03; its data is a view of ``payload``. Raises WireError; size and offset are for the transfer to judge."""
    if len(payload) < CHUNK_HEAD.size:
        raise WireError(f"file chunk: {len(payload)} octets")
    transfer, offset = CHUNK_HEAD.unpack_from(payload)
    return Chunk(transfer, offset, memoryview(payload)[CHUNK_HEAD.size :])


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
    return CHUNK_HEAD.pack(transfer, offset)
