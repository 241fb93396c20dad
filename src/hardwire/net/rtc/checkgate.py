# SPDX-License-Identifier: Apache-2.0
"""Which STUN messages aioice gets to see: answers it waits for, and checks under the right password.

The sockets are open to everybody, and aioice reads all attributes of whatever looks like STUN before it asks for the
password; to a stranger it even answers. Here the password comes first, and costs one HMAC. An ICE check ends with
MESSAGE-INTEGRITY and FINGERPRINT (RFC 8445 §7.1, RFC 8489 §14.5 and §14.7), so both are at known places.

Whoever has the password may send as many checks as an agent in a hurry, and no more. Who merely saw one on its way
can send it again, and would use up what the peer may send: so the same check counts a few times and no more.

Pure: the clock is a parameter.
"""

import hmac
from collections.abc import Container
from typing import Final

HEADER: Final = 20
MOST_STUN: Final = 548
"""Octets of a message whose path is not known (RFC 8489 §6.1)."""
COOKIE: Final = bytes.fromhex("2112a442")
RATE: Final = 100.0
"""Checks a second; an agent sends one in 20 ms at most (RFC 8445 §14.2)."""
MOST: Final = 200.0
"""Checks that are saved up at most."""
MOST_REPEATS: Final = 8
"""Of one check; an agent that has no answer sends it seven times (RFC 8489 §6.2.1)."""
MOST_KNOWN: Final = 512

_INTEGRITY: Final = bytes.fromhex("00080014")
_FINGERPRINT: Final = bytes.fromhex("80280004")
_TAIL: Final = 32
_FINGERPRINT_SIZE: Final = 8
_ID: Final = slice(8, 20)
_CLASS: Final = 0x0110
_REQUEST: Final = 0x0000
_BINDING_REQUEST: Final = b"\x00\x01"
_INDICATION: Final = 0x0010


class CheckGate:
    """For one ICE agent.

    Args:
        password: Of the checks that are for us.
    """

    def __init__(self, password: str) -> None:
        self._key = password.encode()
        self._left = MOST
        self._at = 0.0
        self._known: dict[bytes, int] = {}

    def admits(self, data: bytes, awaited: Container[bytes], now: float) -> bool:
        """Whether a datagram is a STUN message for us.

        Args:
            data: The datagram.
            awaited: Transactions of ours that have no answer yet.
            now: Seconds of the clock.
        """
        size = len(data)
        if not HEADER <= size <= MOST_STUN or int.from_bytes(data[2:4]) != size - HEADER or data[4:8] != COOKIE:
            return False
        kind = int.from_bytes(data[:2]) & _CLASS
        if kind == _REQUEST:
            return self._is_check(data) and self._affords(data[_ID], now)
        return kind != _INDICATION and data[_ID] in awaited

    def _is_check(self, data: bytes) -> bool:
        end = len(data) - _TAIL
        if end < HEADER or data[:2] != _BINDING_REQUEST:
            return False
        if data[end : end + 4] != _INTEGRITY or data[-_FINGERPRINT_SIZE:-4] != _FINGERPRINT:
            return False
        length = (len(data) - HEADER - _FINGERPRINT_SIZE).to_bytes(2)
        found = hmac.digest(self._key, data[:2] + length + data[4:end], "sha1")
        return hmac.compare_digest(found, data[end + 4 : -_FINGERPRINT_SIZE])

    def _affords(self, transaction: bytes, now: float) -> bool:
        self._left = min(MOST, self._left + max(0.0, now - self._at) * RATE)
        self._at = now
        seen = self._known.get(transaction, 0)
        if self._left < 1 or seen >= MOST_REPEATS:
            return False
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[transaction] = seen + 1
        self._left -= 1
        return True
