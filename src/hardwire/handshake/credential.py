# SPDX-License-Identifier: Apache-2.0
"""What a side shows of itself: certificates, and optional evidence that the key is in hardware (protocol.md §8).

The same octets are hashed, committed to, signed and handed to the policy. A credential is therefore never
re-encoded on its way: the machine keeps what it received, and the parsed form is only for reading.
"""

from dataclasses import dataclass
from typing import Final, Self

from hardwire.errors import Misuse, WireError
from hardwire.wire import Reader, Writer

VERSION: Final = 0x01
CERTIFICATES_MAX: Final = 4
ATTESTATIONS_MAX: Final = 4
ITEM_MAX: Final = 8192
"""Octets of one certificate or one attestation blob, at most."""
CREDENTIAL_MAX: Final = 15_000
"""Octets of an encoded credential, at most; with a signature it fits the largest padding bucket."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Certificates and attestation of one side.

    Attributes:
        certificates: 1 to 4 DER certificates, the leaf first, each 1 to 8192 octets.
        attestations: 0 to 4 attestation blobs, each 1 to 8192 octets.

    Raises:
        Misuse: when built with more, fewer or larger parts, or when the encoding exceeds 15 000 octets.
    """

    certificates: tuple[bytes, ...]
    attestations: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.certificates) <= CERTIFICATES_MAX:
            raise Misuse(f"a credential has 1 to {CERTIFICATES_MAX} certificates, not {len(self.certificates)}")
        if len(self.attestations) > ATTESTATIONS_MAX:
            raise Misuse(f"a credential has at most {ATTESTATIONS_MAX} attestations, not {len(self.attestations)}")
        if not all(1 <= len(item) <= ITEM_MAX for item in self.certificates + self.attestations):
            raise Misuse(f"a part of a credential has 1 to {ITEM_MAX} octets")
        size = len(self.encode())
        if size > CREDENTIAL_MAX:
            raise Misuse(f"a credential has at most {CREDENTIAL_MAX} octets, not {size}")

    @property
    def leaf(self) -> bytes:
        """The DER certificate of the key that signs this handshake."""
        return self.certificates[0]

    def encode(self) -> bytes:
        """The octets that are hashed, signed and sent."""
        writer = Writer().u8(VERSION)
        for items in (self.certificates, self.attestations):
            writer.u8(len(items))
            for item in items:
                writer.v16(item)
        return writer.getvalue()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a peer's credential.

        Raises:
            WireError: for anything but one well-formed credential of at most 15 000 octets.
        """
        if len(data) > CREDENTIAL_MAX:
            raise WireError(f"credential: {len(data)} octets, at most {CREDENTIAL_MAX} allowed")
        reader = Reader(data, "credential")
        reader.expect(VERSION)
        certificates = _items(reader, 1, CERTIFICATES_MAX)
        attestations = _items(reader, 0, ATTESTATIONS_MAX)
        reader.end()
        return cls(certificates, attestations)


def _items(reader: Reader, low: int, high: int) -> tuple[bytes, ...]:
    count = reader.u8()
    if not low <= count <= high:
        raise WireError(f"credential: {count} parts of a kind, {low} to {high} allowed")
    return tuple(reader.v16(low=1, high=ITEM_MAX) for _ in range(count))
