# SPDX-License-Identifier: Apache-2.0
"""Which datagrams are handed to DTLS: those that aiortc reads to their end.

aiortc 1.16 puts a whole datagram into OpenSSL's buffer and then reads once, at most 1500 octets. A peer that packs
several records of data into a datagram, or one larger record, leaves something behind each time, and nothing bounds
what piles up. Honest peers send one record of data in a datagram; flights of the DTLS handshake may share one.
"""

from typing import Final

_HEADER: Final = 13
"""Octets of a DTLS 1.2 record before its content (RFC 6347 §4.1); the last two are its length."""
_LENGTH_AT: Final = 11
_TYPES: Final = range(20, 64)
"""First octets that are DTLS (RFC 7983); aiortc looks at no others here."""
_APPLICATION_DATA: Final = 23
_LEAST_OVERHEAD: Final = 16
_ONE_READ: Final = 1500
MAX_DATA: Final = _HEADER + _LEAST_OVERHEAD + _ONE_READ
"""Octets of a record of data that one read takes whole, whatever the cipher."""
MAX_DATAGRAM: Final = 20_000
"""Octets of a datagram; a DTLS record has at most 16 KiB and a little."""


def is_readable(data: bytes) -> bool:
    """Whether one read leaves nothing of it behind."""
    if not data or data[0] not in _TYPES or len(data) > MAX_DATAGRAM:
        return False
    if data[0] == _APPLICATION_DATA:
        return len(data) <= MAX_DATA and _end(data, 0) == len(data)
    at = 0
    while at < len(data):
        if data[at] == _APPLICATION_DATA:
            return False
        at = _end(data, at)
    return True


def _end(data: bytes, at: int) -> int:
    return at + _HEADER + int.from_bytes(data[at + _LENGTH_AT : at + _HEADER])
