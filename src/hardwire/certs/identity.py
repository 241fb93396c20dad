# SPDX-License-Identifier: Apache-2.0
"""The proof that a certificate was verified, and the name of a device."""

from dataclasses import InitVar, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from hardwire.certs.anchor import TrustAnchor
from hardwire.certs.gate import GatedCertificate
from hardwire.certs.names import GeneralName
from hardwire.certs.status import RevocationFact
from hardwire.errors import Misuse

_SEAL: Final = object()


def device_id(spki: bytes) -> bytes:
    """The 32 octets that name a device: SHA-256 over a label and its SubjectPublicKeyInfo (docs/protocol.md §12).

    Over the key and never over a certificate, whose octets anyone can vary.

    Args:
        spki: DER SubjectPublicKeyInfo.
    """
    return sha256(b"HBI1 device id" + spki).digest()


@dataclass(frozen=True, slots=True)
class Endorsement:
    """What an organisation says about a device, as far as it was verified.

    Attributes:
        anchor: The organisation at the end of the chain.
        authorities: The certificates between, the device's own issuer first; may be empty.
        names: Names beside the did:key: mail addresses, host names, serial numbers of hardware.
        policies: Certificate policies that hold along the whole chain, dotted OIDs; ``2.5.29.32.0`` says "any".
        revocation: What is known of the device's certificate and of each authority's, in their order; empty
            when nobody asked.
    """

    anchor: TrustAnchor
    authorities: tuple[GatedCertificate, ...]
    names: tuple[GeneralName, ...]
    policies: frozenset[str]
    revocation: tuple[RevocationFact, ...]


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """A device whose certificate passed every check; made by the verifiers of this package only.

    Verified means: the certificate is the key's own or an organisation's word about it, in its time, for this
    purpose. *Whose* device it is, only a pin, a comparison of short strings or the organisation can tell. That the
    peer holds the key, the handshake shows.
    """

    certificate: GatedCertificate
    did: str
    """The ``did:key`` URI that the certificate names and that encodes its key."""
    endorsement: Endorsement | None = None
    """The organisation's part; None for a certificate that vouches for itself."""
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Misuse("a verified identity is made by the verifiers of hardwire.certs only")

    @property
    def spki(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        return self.certificate.spki

    @property
    def device_id(self) -> bytes:
        """The 32 octets that name the device; see :func:`device_id`."""
        return device_id(self.certificate.spki)

    @property
    def not_after(self) -> datetime:
        """The last second of validity of the whole chain, aware, UTC."""
        ends = [self.certificate.not_after]
        if self.endorsement is not None:
            ends += [one.not_after for one in self.endorsement.authorities]
            ends.append(self.endorsement.anchor.certificate.not_after)
        return min(ends)

    @property
    def organisation(self) -> str | None:
        """The name of the organisation that vouches for the device; None when none does."""
        return None if self.endorsement is None else self.endorsement.anchor.name


def prove(certificate: GatedCertificate, did: str, endorsement: Endorsement | None = None) -> VerifiedIdentity:
    """For the verifiers of this package, as their last line; exported nowhere."""
    return VerifiedIdentity(certificate, did, endorsement, _SEAL)
