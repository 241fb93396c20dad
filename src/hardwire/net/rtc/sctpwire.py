# SPDX-License-Identifier: Apache-2.0
"""SCTP packets, octet by octet, for the chunks that come by the thousand: DATA and SACK (RFC 9260 §3).

Everything else is built and read by aiortc's chunk classes.
"""

from struct import Struct
from typing import Final

from google_crc32c import value as crc32c

COMMON: Final = Struct("!HHLL")
"""Ports, verification tag, and the place of the checksum."""
TAG_AT: Final = 4
CHECKSUM_AT: Final = 8
CHECKSUM: Final = Struct("<L")
NO_CHECKSUM: Final = bytes(4)
CHUNK: Final = Struct("!BBH")
DATA: Final = Struct("!BBHLHHL")
DATA_FIELDS: Final = Struct("!LHHL")
SACK: Final = Struct("!BBHLLHH")
SACK_FIELDS: Final = Struct("!LLHH")

COMMON_SIZE: Final = 12
CHUNK_HEADER: Final = 4
DATA_HEADER: Final = 16
SACK_SIZE: Final = 16
GAP_SIZE: Final = 4
LEAST_PACKET: Final = COMMON_SIZE + CHUNK_HEADER

TYPE_DATA: Final = 0
TYPE_INIT: Final = 1
TYPE_SACK: Final = 3
TYPE_HEARTBEAT: Final = 4
TYPE_HEARTBEAT_ACK: Final = 5
IMMEDIATE: Final = 8
"""Flag of a DATA chunk: the sender wants a SACK at once (RFC 7053)."""

MOST_GAPS: Final = 200
"""Gap blocks that are listed or looked at; a SACK may leave the rest out (RFC 9260 §6.2.1)."""


def open_packet(view: memoryview, size: int) -> bytes | None:
    """The packet with its checksum field zeroed, if the checksum is right; ``view`` is changed likewise."""
    if size < LEAST_PACKET:
        return None
    (checksum,) = CHECKSUM.unpack_from(view, CHECKSUM_AT)
    view[CHECKSUM_AT:COMMON_SIZE] = NO_CHECKSUM
    packet = bytes(view[:size])
    return packet if crc32c(packet) == checksum else None


def close_packet(view: memoryview, size: int, ports: tuple[int, int], tag: int) -> None:
    """Put the common header in front of the chunks that are in place."""
    COMMON.pack_into(view, 0, *ports, tag, 0)
    CHECKSUM.pack_into(view, CHECKSUM_AT, crc32c(bytes(view[:size])))


def put_sack(
    view: memoryview, at: int, *, tsn: int, window: int, gaps: list[tuple[int, int]], duplicates: list[int]
) -> int:
    """Write a SACK chunk; where it ends."""
    size = SACK_SIZE + GAP_SIZE * (len(gaps) + len(duplicates))
    SACK.pack_into(view, at, TYPE_SACK, 0, size, tsn, window, len(gaps), len(duplicates))
    if size > SACK_SIZE:
        words = b"".join(first.to_bytes(2, "big") + last.to_bytes(2, "big") for first, last in gaps)
        words += b"".join(one.to_bytes(4, "big") for one in duplicates)
        view[at + SACK_SIZE : at + size] = words
    return at + size


def read_gaps(packet: bytes, at: int, count: int) -> list[tuple[int, int]]:
    """The gap blocks that begin at ``at``: the first :data:`MOST_GAPS` of them."""
    values = Struct(f"!{2 * min(count, MOST_GAPS)}H").unpack_from(packet, at)
    return list(zip(values[::2], values[1::2], strict=True))
