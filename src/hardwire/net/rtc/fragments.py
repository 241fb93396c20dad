# SPDX-License-Identifier: Apache-2.0
"""The values that the sending half of an association works with."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

FLYING: Final = 0
ARRIVED: Final = 1
LOST: Final = 2
GIVEN_UP: Final = 3


class SackRefused(Exception):
    """A SACK for something that was never sent."""


@dataclass(slots=True, eq=False)
class Message:
    """One message on its way.

    Args:
        stream: Its stream.
        sequence: Its place in the stream; 0 and without meaning when it is unordered.
        protocol: Payload protocol identifier.
        data: Its octets, at least one.
        unordered: It may overtake others.
        expires: When it is given up, by the same clock; never: infinite.
        retransmissions: How often a fragment of it is sent again at most.
    """

    stream: int
    sequence: int
    protocol: int
    data: bytes
    unordered: bool = False
    expires: float = math.inf
    retransmissions: float = math.inf
    cut: int = 0
    given_up: bool = False


class Fragment:
    """A DATA chunk and what became of it. Numbers count from this side's first packet as 1.

    ``place`` is where it began in the packet that it left in last: octets of the chunks before it.
    """

    __slots__ = ("count", "data", "flags", "message", "number", "place", "sent_at", "size", "state")

    def __init__(self, number: int, flags: int, message: Message, data: bytes) -> None:
        self.number = number
        self.flags = flags
        self.message = message
        self.data = data
        self.size = len(data)
        self.place = 0
        self.sent_at = 0.0
        self.count = 0
        self.state = FLYING


class Sack(NamedTuple):
    """A selective acknowledgement.

    Args:
        tsn: Everything through this one has arrived.
        window: Octets that the peer has room for.
        gaps: First and last of each run beyond, as distances from ``tsn``.
        duplicates: How many TSNs came more than once.
    """

    tsn: int
    window: int
    gaps: Iterable[tuple[int, int]] = ()
    duplicates: int = 0
