# SPDX-License-Identifier: Apache-2.0
"""Evidence as it comes from a device and as it travels: octets that nobody has judged yet.

Both kinds are written as one DER value, so that whoever carries them needs to know only a size. A TPM's is in the TCG
form, ``tcg-attest-tpm-certify`` (2.23.133.20.1), followed by the certificates of the attestation key::

    SEQUENCE {
        OBJECT IDENTIFIER,
        SEQUENCE { tpmSAttest, signature, tpmTPublic },  -- OCTET STRINGs
        SEQUENCE OF Certificate }

A PIV card's is its certificates, the attestation first: ``SEQUENCE OF Certificate``.
"""

from dataclasses import dataclass
from typing import Self

from hwkeys.errors import EvidenceRefused
from hwkeys.evidence.der import OCTETS, SEQUENCE, items, unwrap, wrap

MAX_EVIDENCE = 32 * 1024
"""Octets of one encoded piece of evidence."""

MAX_CERTIFICATES = 6
"""In one piece of evidence."""

MAX_CERTIFICATE = 8192
"""Octets of one of them."""

_TPM_CERTIFY = bytes.fromhex("060567810514") + b"\x01"  # OBJECT IDENTIFIER 2.23.133.20.1


@dataclass(frozen=True, slots=True)
class PivEvidence:
    """What a PIV card says about a key generated in it.

    Attributes:
        certificates: DER; the attestation of the key first, then its issuer (F9), then what leads towards a root.
    """

    certificates: tuple[bytes, ...]

    def encode(self) -> bytes:
        """One DER value."""
        return wrap(SEQUENCE, *self.certificates)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The reverse.

        Raises:
            EvidenceRefused: ``evidence-malformed``.
        """
        return cls(_certificates(_bounded(octets)))


@dataclass(frozen=True, slots=True)
class TpmEvidence:
    """TPM2_Certify of a key by an attestation key.

    Attributes:
        attest: TPMS_ATTEST.
        signature: TPMT_SIGNATURE over it.
        public: TPMT_PUBLIC of the certified key.
        certificates: DER; the attestation key's first, then what leads towards the enrolment root. Empty when the key
            has not been enrolled yet.
    """

    attest: bytes
    signature: bytes
    public: bytes
    certificates: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """One DER value."""
        return wrap(SEQUENCE, _TPM_CERTIFY, self.statement(), wrap(SEQUENCE, *self.certificates))

    def statement(self) -> bytes:
        """The inner SEQUENCE alone, as a certificate request carries it beside its type and the certificates."""
        return wrap(SEQUENCE, *(wrap(OCTETS, part) for part in (self.attest, self.signature, self.public)))

    @classmethod
    def of_statement(cls, octets: bytes, certificates: tuple[bytes, ...]) -> Self:
        """The reverse of :meth:`statement`.

        Args:
            octets: The inner SEQUENCE.
            certificates: DER; the attestation key's first.

        Raises:
            EvidenceRefused: ``evidence-malformed``.
        """
        parts = [unwrap(OCTETS, each) for _tag, each in items(unwrap(SEQUENCE, _bounded(octets)))]
        if len(parts) != 3:  # noqa: PLR2004 - as in the class
            raise EvidenceRefused("the evidence has not the three parts of a certification", code="evidence-malformed")
        attest, signature, public = parts
        return cls(attest, signature, public, certificates)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The reverse.

        Raises:
            EvidenceRefused: ``evidence-malformed``.
        """
        outer = [each for _tag, each in items(unwrap(SEQUENCE, _bounded(octets)))]
        if len(outer) != 3 or outer[0] != _TPM_CERTIFY:  # noqa: PLR2004 - kind, statement, certificates
            raise EvidenceRefused("the evidence is not of the kind tcg-attest-tpm-certify", code="evidence-malformed")
        return cls.of_statement(outer[1], _certificates(outer[2]))


Evidence = PivEvidence | TpmEvidence


def _bounded(octets: bytes) -> bytes:
    if len(octets) > MAX_EVIDENCE:
        raise EvidenceRefused(f"evidence has at most {MAX_EVIDENCE} octets", code="evidence-malformed")
    return octets


def _certificates(octets: bytes) -> tuple[bytes, ...]:
    found = items(unwrap(SEQUENCE, octets))
    if len(found) > MAX_CERTIFICATES or any(tag != SEQUENCE for tag, _each in found):
        raise EvidenceRefused(f"evidence carries at most {MAX_CERTIFICATES} certificates", code="evidence-malformed")
    return tuple(each for _tag, each in found)
