# SPDX-License-Identifier: Apache-2.0
"""Which datagrams are handed to DTLS: trains of whole records to our reader, and before that what aiortc reads whole.

aiortc 1.16 puts a whole datagram into OpenSSL's buffer and then reads once, at most 1500 octets. A peer that packs
several records of data into a datagram, or one larger record, leaves something behind each time, and nothing bounds
what piles up. Honest peers send one record of data in a datagram; flights of the DTLS handshake may share one.

OpenSSL takes a record of another version for a header without a body, and what follows for records. Whoever knows the
addresses could have one datagram swallow those behind it in its train, or cost the work of a thousand.
"""

from typing import Final

_HEADER: Final = 13
"""Octets of a DTLS 1.2 record before its content (RFC 6347 §4.1); the last two are its length."""
_LENGTH_AT: Final = 11
_TYPES: Final = range(20, 64)
"""First octets that are DTLS (RFC 7983); aiortc looks at no others here."""
_APPLICATION_DATA: Final = 23
_VERSION: Final = b"\xfe\xfd"
"""DTLS 1.2 (RFC 6347 §4.1), and no other once there is a connection."""
_HELLO_VERSION: Final = b"\xfe\xff"
"""DTLS 1.0: what a ClientHello may come in."""
_LEAST_OVERHEAD: Final = 16
_ONE_READ: Final = 1500
MAX_DATA: Final = _HEADER + _LEAST_OVERHEAD + _ONE_READ
"""Octets of a record of data that one read takes whole, whatever the cipher."""
_MOST_RECORDS: Final = 8
"""Records in a datagram: a flight of the handshake has five."""
MAX_DATAGRAM: Final = 20_000
"""Octets of a datagram; a DTLS record has at most 16 KiB and a little."""


def is_dtls(data: bytes) -> bool:
    """Whether it may be DTLS at all."""
    return bool(data) and data[0] in _TYPES and len(data) <= MAX_DATAGRAM


def is_readable(data: bytes) -> bool:
    """Whether one read leaves nothing of it behind."""
    return _is_framed(data, _VERSION, _HELLO_VERSION) and (data[0] != _APPLICATION_DATA or len(data) <= MAX_DATA)


def is_framed(data: bytes) -> bool:
    """Whether it is DTLS as honest peers send it: one record of data, or records of anything else.

    A record costs the same work however small it is, and thirty of them fit a datagram.
    """
    return _is_framed(data, _VERSION)


def _is_framed(data: bytes, *versions: bytes) -> bool:
    if not is_dtls(data):
        return False
    if data[0] == _APPLICATION_DATA:
        return data[1:3] == _VERSION and _end(data, 0) == len(data)
    at = 0
    for _ in range(_MOST_RECORDS):
        if data[at] == _APPLICATION_DATA or data[at + 1 : at + 3] not in versions:
            return False
        at = _end(data, at)
        if at >= len(data):
            return True
    return False


def all_records(data: memoryview, segment: int) -> bool:
    """Whether each datagram of a train is one whole record of data, so that the train can be read in one go."""
    whole = len(data)
    if _HEADER < whole <= segment <= MAX_DATAGRAM:
        return data[0] == _APPLICATION_DATA and bytes(data[1:3]) == _VERSION and _end(data, 0) == whole
    if not whole or not 0 < segment <= MAX_DATAGRAM or (whole - 1) % segment < _HEADER:
        return False
    many, last = (whole - 1) // segment, (whole - 1) % segment + 1
    # One octet of each record at a time: their types, and the two of their versions and of their lengths.
    full, rest = (segment - _HEADER).to_bytes(2), (last - _HEADER).to_bytes(2)
    return (
        bytes(data[::segment]) == _APPLICATION_DATA.to_bytes() * (many + 1)
        and bytes(data[1::segment]) == _VERSION[:1] * (many + 1)
        and bytes(data[2::segment]) == _VERSION[1:] * (many + 1)
        and bytes(data[_LENGTH_AT::segment]) == full[:1] * many + rest[:1]
        and bytes(data[_LENGTH_AT + 1 :: segment]) == full[1:] * many + rest[1:]
    )


def _end(data: bytes | memoryview, at: int) -> int:
    return at + _HEADER + int.from_bytes(data[at + _LENGTH_AT : at + _HEADER])
