# SPDX-License-Identifier: Apache-2.0
"""The payloads of kind 0x0A, by which two sides agree on a direct lane (protocol.md §14.8).

There is no address in them. A lane goes to the address at which the path of the line itself has proved the peer to
be, and a peer that is not trusted with more than that cannot send this machine anywhere else: it names a port, and
only one that needs no privilege to listen on.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardwire.errors import Misuse, WireError
from hardwire.handshake.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE
from hardwire.wire import U16_MAX, Reader, Writer

PORT_MIN: Final = 1024
"""The least port that may be named; 0 stands for none."""


class LaneOp(IntEnum):
    """First octet of the payload."""

    ASK = 0x01
    OFFER = 0x02
    ANSWER = 0x03
    END = 0x04


@dataclass(frozen=True, slots=True)
class LaneAsk:
    """From the responder, which has something to carry."""

    def encode(self) -> bytes:
        """Operation."""
        return bytes((LaneOp.ASK,))


@dataclass(frozen=True, slots=True)
class LaneOffer:
    """From the initiator. ``public`` is a fresh KEM public key (1216 octets), ``port`` where it listens, or 0."""

    number: int
    port: int
    public: bytes

    def encode(self) -> bytes:
        """Operation, number, port, key."""
        return Writer().u8(LaneOp.OFFER).u32(self.number).u16(self.port).raw(self.public).getvalue()


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """From the responder. ``ciphertext`` is the KEM's (1120 octets), ``port`` where it listens, or 0."""

    number: int
    port: int
    ciphertext: bytes

    def encode(self) -> bytes:
        """Operation, number, port, ciphertext."""
        return Writer().u8(LaneOp.ANSWER).u32(self.number).u16(self.port).raw(self.ciphertext).getvalue()


@dataclass(frozen=True, slots=True)
class LaneEnd:
    """From either: it does not want that lane, could not make it, or is done with it."""

    number: int

    def encode(self) -> bytes:
        """Operation, number."""
        return Writer().u8(LaneOp.END).u32(self.number).getvalue()


LaneMessage = LaneAsk | LaneOffer | LaneAnswer | LaneEnd


def decode_lane(payload: bytes) -> LaneMessage:
    """Any operation. Raises WireError."""
    reader = Reader(payload, "lane message")
    op = reader.u8()
    message: LaneMessage
    if op == LaneOp.ASK:
        message = LaneAsk()
    elif op == LaneOp.OFFER:
        message = LaneOffer(reader.u32(), _port(reader), reader.take(PUBLIC_SIZE))
    elif op == LaneOp.ANSWER:
        message = LaneAnswer(reader.u32(), _port(reader), reader.take(CIPHERTEXT_SIZE))
    elif op == LaneOp.END:
        message = LaneEnd(reader.u32())
    else:
        raise WireError(f"lane message: 0x{op:02x} is not in the list")
    reader.end()
    return message


def require_port(port: int) -> int:
    """The port of this side's, checked. Raises Misuse for one that a peer would refuse."""
    if not _fits(port):
        raise Misuse(f"a lane listens on port {PORT_MIN} to {U16_MAX}, or on none, and not on {port}")
    return port


def _port(reader: Reader) -> int:
    port = reader.u16()
    if not _fits(port):
        raise WireError(f"lane message: port {port} is not one that a lane may be made to")
    return port


def _fits(port: int) -> bool:
    return port == 0 or PORT_MIN <= port <= U16_MAX
