# SPDX-License-Identifier: Apache-2.0
"""BER-TLV as smart cards speak it (ISO/IEC 7816-4, 5.2.2): tags of one to three octets, definite lengths."""

from collections.abc import Iterator

_MORE = 0x1F
_LONG = 0x80


def tlv(tag: int, value: bytes) -> bytes:
    """One object."""
    size = len(value)
    if size < _LONG:
        length = bytes([size])
    else:
        octets = size.to_bytes((size.bit_length() + 7) // 8)
        length = bytes([_LONG | len(octets)]) + octets
    return tag.to_bytes((tag.bit_length() + 7) // 8) + length + value


def read(data: bytes) -> dict[int, bytes]:
    """All objects on this level; a tag that comes twice keeps its last value. A broken object raises ValueError."""
    return dict(_objects(data))


def _objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        end = at + 1
        if data[at] & _MORE == _MORE:
            while data[end : end + 1] >= b"\x80":
                end += 1
            end += 1
        tag = int.from_bytes(data[at:end])
        size, end = int.from_bytes(data[end : end + 1]), end + 1
        if size & _LONG:
            count = size & ~_LONG
            size, end = int.from_bytes(data[end : end + count]), end + count
        at = end + size
        if at > len(data) or end > len(data):
            raise ValueError("an object is longer than what holds it")
        yield tag, data[end:at]
