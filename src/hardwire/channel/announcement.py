# SPDX-License-Identifier: Apache-2.0
"""Announcements: how two ends that no told address leads to any more find each other on a network (protocol.md §14.12).

::

    announcement = nonce[12] ‖ AES-256-GCM of plain under the key of its sender's role             342 octets
    plain        = u32 number ‖ u32 generation ‖ v16 candidates ‖ zeros up to 314 octets

For everybody without the keys, two of them are two times 342 octets of noise. For the other end an announcement is an
address to check with credentials that both have, and nothing else: it moves no line. Numbers only grow, so that one
that was recorded says nothing twice.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hardwire.channel.paths import PATH_CANDIDATES_MAX
from hardwire.channel.ratchet import PEER_OF
from hardwire.errors import Misuse, WireError
from hardwire.handshake.events import Role
from hardwire.handshake.schedule import AEAD_TAG_SIZE, digest, expand_label
from hardwire.wire import Reader, Writer

NONCE_SIZE: Final = 12
"""Octets, random for every announcement."""
_KEY_SIZE: Final = 32
_PLAIN_SIZE: Final = 4 + 4 + 2 + PATH_CANDIDATES_MAX
ANNOUNCEMENT_SIZE: Final = NONCE_SIZE + _PLAIN_SIZE + AEAD_TAG_SIZE
"""Octets of every announcement: 342."""
_NUMBER_MAX: Final = 2**32 - 1
_LABEL: Final = {Role.RESPONDER: b"announce r", Role.INITIATOR: b"announce i"}


class Sought(IntEnum):
    """What is looked for: keys and numbers of each are its own."""

    PATH = 0
    """Another path under the same association."""
    NEXT_LINE = 1
    """The line that was agreed for the case that this one dies; its generation is 0."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the other end says of itself.

    Attributes:
        generation: Of the path that the addresses belong to.
        candidates: 0 to 304 octets: addresses as §6 writes them, not read yet.
    """

    generation: int
    candidates: bytes = field(repr=False)


def announcement_key(exporter: bytes, role: Role, sought: Sought) -> bytes:
    """The 32 octets under which a role announces. ``exporter`` is the line's, 32 octets (§9)."""
    return expand_label(exporter, _LABEL[role], digest(sought.to_bytes(1)), _KEY_SIZE)


class Announcer:
    """Makes this side's announcements of one line and knows the other side's.

    Args:
        exporter: Of the line, 32 octets (§9).
        role: This side's.
        sought: What is looked for.
    """

    def __init__(self, exporter: bytes, role: Role, sought: Sought) -> None:
        self._own = AESGCM(announcement_key(exporter, role, sought))
        self._peer = AESGCM(announcement_key(exporter, PEER_OF[role], sought))
        self._number = 0
        self._heard = 0

    def announce(self, generation: int, candidates: bytes, nonce: bytes) -> bytes:
        """The next announcement, 342 octets.

        Args:
            generation: Of the path.
            candidates: 0 to 304 octets.
            nonce: 12 fresh random octets.

        Raises:
            Misuse: Sizes that are none, or more than 2^32 announcements.
        """
        if len(nonce) != NONCE_SIZE or len(candidates) > PATH_CANDIDATES_MAX or self._number == _NUMBER_MAX:
            raise Misuse(f"announcement {self._number + 1} with {len(candidates)} octets of candidates")
        self._number += 1
        plain = Writer().u32(self._number).u32(generation).v16(candidates).getvalue()
        return nonce + self._own.encrypt(nonce, plain.ljust(_PLAIN_SIZE, b"\0"), None)

    def hear(self, datagram: bytes) -> Announced | None:
        """What the other end says; None when it is not the other end that speaks, or not anew."""
        if len(datagram) != ANNOUNCEMENT_SIZE:
            return None
        try:
            plain = self._peer.decrypt(datagram[:NONCE_SIZE], datagram[NONCE_SIZE:], None)
            reader = Reader(plain, "announcement")
            number, generation, candidates = reader.u32(), reader.u32(), reader.v16(high=PATH_CANDIDATES_MAX)
            reader.zeros()
        except (InvalidTag, WireError):
            return None
        if number <= self._heard:
            return None
        self._heard = number
        return Announced(generation, candidates)
