# SPDX-License-Identifier: Apache-2.0
"""How much work a peer may cause: beyond that, its packets are not looked at (docs/adr/0023-peers-pay-for-work.md).

A packet of 1200 octets can hold one chunk or three hundred, and the work is in the chunks. So a peer has an account,
in units of about two microseconds. Each packet pays in, by its size; each chunk is paid for, by its kind; time pays in
slowly. While the account is overdrawn packets are dropped as they are, like a network that is too slow: an honest peer
sends them again, and its congestion control finds the rate. Nobody is ever cut off for it.

What an honest peer sends in bulk pays for itself: a chunk of data in a packet, with a SACK or without. Only packets
with many small messages draw on what time paid in, and so much of it is saved up.

Pure: the clock is a parameter.
"""

from typing import Final

RATE: Final = 16_384
"""Units a second: three or four hundredths of a processor."""
MOST: Final = 65_536
"""Units that are saved up at most."""
OCTETS_OF_A_UNIT: Final = 2048

DATA: Final = 1
SACK: Final = 0
"""There is one in a packet, and the blocks in it are paid for by what we send (:meth:`.flight.Flight.affords`)."""
UNKNOWN: Final = 1
HEARTBEAT: Final = 8
CHANNEL: Final = 24
"""On top for a message of DCEP: objects for a channel, the answer, and its end."""
OTHER: Final = 4
"""A chunk for which aiortc makes objects; parameters come on top."""
OCTETS_OF_PARAMETERS: Final = 8
"""Octets for each further unit of such a chunk: a parameter has four at least."""


class Account:
    """What one peer has left.

    Args:
        now: Seconds of the clock.

    Attributes:
        balance: Units; below zero until the work of the last packet is paid off.
        refused: Packets that were dropped.
    """

    __slots__ = ("_at", "balance", "refused")

    def __init__(self, now: float) -> None:
        self.balance = MOST
        self.refused = 0
        self._at = now

    def refill(self, now: float) -> None:
        """Time pays in; call it once for a batch of packets."""
        units = int((now - self._at) * RATE)
        if units > 0:
            self._at = now
            self.balance = min(MOST, self.balance + units)

    def admits(self, size: int) -> bool:
        """A packet of ``size`` octets pays in; whether it shall be looked at."""
        self.balance += 1 + size // OCTETS_OF_A_UNIT
        if self.balance > 0:
            return True
        self.refused += 1
        return False

    def charge(self, units: int) -> None:
        """Take for the work of a packet that was looked at, whether the account has it or not."""
        self.balance -= units


def of_other(length: int) -> int:
    """Units for a chunk that aiortc reads, by its octets."""
    return OTHER + length // OCTETS_OF_PARAMETERS
