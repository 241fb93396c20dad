# SPDX-License-Identifier: Apache-2.0
"""An address under which a side may be reached, as it stands in an invite (docs/protocol.md §6).

Only IP literals: a name in an invite would make the reader ask a resolver, and tell it who is being called.
One value has one encoding: an IPv4 address is never written in its IPv6-mapped form.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardwire.errors import WireError
from hardwire.wire import Reader, Writer

MAX_CANDIDATES: Final = 16

_KIND_SHIFT: Final = 4
_FAMILY_MASK: Final = 0x0F
_ADDRESS_SIZE: Final = {4: 4, 6: 16}
_PORT_MAX: Final = 65_535

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class CandidateKind(IntEnum):
    """How the address was found; the smaller, the more direct the path (RFC 8445 §5.1.1)."""

    HOST = 0
    SRFLX = 1
    RELAY = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """One UDP transport address.

    Args:
        kind: Own interface, seen by a STUN server, or lent by a TURN server.
        address: IPv4 or IPv6.
        port: 1 to 65 535.
    """

    kind: CandidateKind
    address: IPAddress
    port: int

    def __str__(self) -> str:
        """As people write it: 192.0.2.7:4000, [2001:db8::7]:4000."""
        host = str(self.address) if self.address.version == 4 else f"[{self.address}]"  # noqa: PLR2004  (the IP version)
        return f"{host}:{self.port}"

    def encode(self) -> bytes:
        """Kind and family (1 octet) ‖ address (4 or 16) ‖ port (2)."""
        head = self.kind << _KIND_SHIFT | self.address.version
        return Writer().u8(head).raw(self.address.packed).u16(self.port).getvalue()

    @classmethod
    def read(cls, reader: Reader, *, loopback: bool) -> "Candidate":
        """Take one candidate off ``reader``.

        Raises:
            WireError: Unknown kind or family, port 0, or an address that :func:`refusal` names.
        """
        head = reader.u8()
        family = head & _FAMILY_MASK
        if family not in _ADDRESS_SIZE or head >> _KIND_SHIFT not in tuple(CandidateKind):
            raise WireError(f"invite: 0x{head:02x} is no kind of address")
        packed = reader.take(_ADDRESS_SIZE[family])
        address: IPAddress = ipaddress.IPv4Address(packed) if family == 4 else ipaddress.IPv6Address(packed)  # noqa: PLR2004  (the IP version)
        candidate = cls(CandidateKind(head >> _KIND_SHIFT), address, reader.u16())
        if reason := candidate.refusal(loopback=loopback):
            raise WireError(f"invite: {reason}")
        return candidate

    def refusal(self, *, loopback: bool) -> str | None:
        """Why this candidate may not stand in an invite; ``None`` when it may.

        An invite comes from a stranger and makes this machine send packets to the addresses in it, so it may
        only name addresses that one host can own.
        """
        if not 1 <= self.port <= _PORT_MAX:
            return f"port {self.port} cannot be reached"
        if isinstance(self.address, ipaddress.IPv6Address) and self.address.ipv4_mapped:
            return f"{self.address} is an IPv4 address in disguise"
        if self.address.is_loopback:
            return None if loopback else f"{self.address} is an address inside the sender's own machine"
        if self.address.is_multicast or self.address.is_unspecified or self.address.is_link_local:
            return f"{self.address} is not the address of one host"
        # is_reserved covers 240/4 with the broadcast address; 0/8 is "this network", RFC 1122 §3.2.1.3.
        if isinstance(self.address, ipaddress.IPv4Address) and (self.address.is_reserved or not self.address.packed[0]):
            return f"{self.address} is not the address of one host"
        return None


def candidates_of(octets: bytes, *, loopback: bool = False) -> tuple[Candidate, ...]:
    """Candidates one after the other, to the end.

    Raises:
        WireError: No address can be read from it, one that no peer may name, one twice, or more than 16.
    """
    reader = Reader(octets, "path")
    found: list[Candidate] = []
    while reader.remaining:
        found.append(Candidate.read(reader, loopback=loopback))
    if len(found) > MAX_CANDIDATES or len(set(found)) != len(found):
        raise WireError("path: the same address twice, or more than a peer may have")
    return tuple(found)


def select(candidates: Iterable[Candidate], *, limit: int = MAX_CANDIDATES) -> tuple[Candidate, ...]:
    """The best ``limit`` candidates, each once: direct ones first, otherwise in the order given."""
    return tuple(sorted(dict.fromkeys(candidates), key=lambda candidate: candidate.kind)[:limit])
