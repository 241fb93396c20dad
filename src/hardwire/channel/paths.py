# SPDX-License-Identifier: Apache-2.0
"""What the two ends tell each other about how to meet again (protocol.md §14.10).

Two things are told in good time, while the line is alive:

* where the own *spare* can be found: the addresses of the path that will carry the line when the one in use is lost.
  Paths are counted; the ICE credentials of each follow from the line's exporter and its number, and are never sent;
* the *next offer* and its answer, codes as people carry them (§6), for the case that the line itself dies.

Neither is believed for more than it says: a path is found by ICE's authenticated checks, and the next line proves both
identities all over again. What is here is the order of the messages; addresses and codes are read by whoever uses them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hardwire.channel.messages import Kind
from hardwire.errors import Misuse, RecordRefused, WireError
from hardwire.handshake.events import Role
from hardwire.handshake.schedule import digest, expand_label
from hardwire.wire import Reader, Writer

UFRAG_SIZE: Final = 6
"""Octets of an ICE user fragment before base64: 8 characters."""
PASSWORD_SIZE: Final = 18
"""Octets of an ICE password before base64: 24 characters."""
PATH_CANDIDATES_MAX: Final = 16 * 19
"""Octets of the candidates of one path, at most: sixteen of IPv6."""
CODE_MAX: Final = 512
"""Octets of the next code, at most; no code of §6 is longer than 359."""
TELLINGS_MAX: Final = 64
"""How often one generation may be told: each replaces the one before."""

_UFRAG_LABEL: Final = {Role.RESPONDER: b"path r ufrag", Role.INITIATOR: b"path i ufrag"}
_PASSWORD_LABEL: Final = {Role.RESPONDER: b"path r password", Role.INITIATOR: b"path i password"}


class NextOp(IntEnum):
    """First octet of a record about the next line."""

    OFFER = 0x01
    """From the responder, who made the offer of this line as well."""
    ANSWER = 0x02
    """From the initiator."""


@dataclass(frozen=True, slots=True)
class PathTold:
    """The peer can be found there next.

    Attributes:
        generation: Number of the path; never lower than the one told before.
        candidates: 0 to 304 octets: addresses as §6 writes them, not read yet.
    """

    generation: int
    candidates: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NextOffered:
    """At the initiator: the code that opens the next line. Replaces an earlier one.

    Attributes:
        code: An offer of §6, not read yet.
    """

    code: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NextAnswered:
    """At the responder: the answer to its last offer, or to an earlier one.

    Attributes:
        code: An answer of §6, not read yet.
    """

    code: bytes = field(repr=False)


PathEvent = PathTold | NextOffered | NextAnswered


def path_credentials(exporter: bytes, role: Role, generation: int) -> tuple[bytes, bytes]:
    """User fragment (6 octets) and password (18) of a role's end of a path, before base64.

    Args:
        exporter: Of the line, 32 octets (§9).
        role: Whose end.
        generation: Of the path, at least 1.
    """
    context = digest(generation.to_bytes(4))
    ufrag = expand_label(exporter, _UFRAG_LABEL[role], context, UFRAG_SIZE)
    return ufrag, expand_label(exporter, _PASSWORD_LABEL[role], context, PASSWORD_SIZE)


class Paths:
    """Both directions of it, on one line.

    Args:
        role: This side's.
        emit: Takes an event.
        send: Seals and queues one record on channel 0.
    """

    def __init__(self, role: Role, *, emit: Callable[[PathEvent], None], send: Callable[[int, bytes], None]) -> None:
        self._role = role
        self._emit = emit
        self._send = send
        self._own = _Count()
        self._peer = _Count()
        self._offered = False

    def tell(self, generation: int, candidates: bytes) -> bool:
        """Tell where this side can be found next; false when it was told too often, and the peer learns nothing new.

        Raises:
            Misuse: A generation that counts down, or candidates of more than 304 octets.
        """
        if len(candidates) > PATH_CANDIDATES_MAX or not self._own.goes_on_with(generation):
            raise Misuse(f"generation {generation} with {len(candidates)} octets of candidates")
        if not self._own.count(generation):
            return False
        self._send(Kind.PATH, Writer().u32(generation).raw(candidates).getvalue())
        return True

    def tell_next(self, code: bytes) -> None:
        """Send the next offer (as the responder) or the answer to it (as the initiator).

        Raises:
            Misuse: A code of more than 512 octets, or an answer without an offer.
        """
        offering = self._role is Role.RESPONDER
        if not 1 <= len(code) <= CODE_MAX or not (offering or self._offered):
            raise Misuse(f"a next code of {len(code)} octets")
        self._offered = True
        self._send(Kind.NEXT, Writer().u8(NextOp.OFFER if offering else NextOp.ANSWER).raw(code).getvalue())

    def on_path(self, payload: bytes) -> None:
        """Kind 0x09 arrived. Raises WireError or RecordRefused."""
        reader = Reader(payload, "path")
        generation, candidates = reader.u32(), reader.rest()
        if len(candidates) > PATH_CANDIDATES_MAX:
            raise WireError("path: more addresses than a peer may have")
        if not (self._peer.goes_on_with(generation) and self._peer.count(generation)):
            raise RecordRefused("a path was told out of turn", code="path-order")
        self._emit(PathTold(generation, candidates))

    def on_next(self, payload: bytes) -> None:
        """Kind 0x0B arrived. Raises WireError or RecordRefused."""
        reader = Reader(payload, "next code")
        op, code = reader.u8(), reader.rest()
        if not 1 <= len(code) <= CODE_MAX:
            raise WireError(f"next code: {len(code)} octets")
        if op == NextOp.OFFER and self._role is Role.INITIATOR:
            self._offered = True
            self._emit(NextOffered(code))
        elif op == NextOp.ANSWER and self._role is Role.RESPONDER and self._offered:
            self._emit(NextAnswered(code))
        else:
            raise RecordRefused("the next line was agreed out of turn", code="next-order")


class _Count:
    """The last generation that a side told of, and how often."""

    __slots__ = ("_generation", "_times")

    def __init__(self) -> None:
        self._generation = 1
        self._times = 0

    def goes_on_with(self, generation: int) -> bool:
        """Whether it may come next: none is told again after a later one."""
        return generation >= self._generation

    def count(self, generation: int) -> bool:
        """Note it; false when it has been told too often."""
        self._times = self._times + 1 if generation == self._generation else 1
        self._generation = generation
        return self._times <= TELLINGS_MAX
