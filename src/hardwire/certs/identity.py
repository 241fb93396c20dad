# SPDX-License-Identifier: Apache-2.0
"""The proof that a certificate was verified, and the name of a device."""

from dataclasses import InitVar, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from hardwire.certs.gate import GatedCertificate
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
class VerifiedIdentity:
    """A device whose certificate passed every check; made by the verifiers of this package only.

    Verified means: the certificate is the key's own, in its time, for this purpose. *Whose* device it is, only
    a pin, a comparison of short strings or an authority can tell. That the peer holds the key, the handshake shows.
    """

    certificate: GatedCertificate
    did: str
    """The ``did:key`` URI that the certificate names and that encodes its key."""
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
        """The last second of the certificate's validity, aware, UTC."""
        return self.certificate.not_after


def prove(certificate: GatedCertificate, did: str) -> VerifiedIdentity:
    """For the verifiers of this package, as their last line; exported nowhere."""
    return VerifiedIdentity(certificate, did, _SEAL)
