# SPDX-License-Identifier: Apache-2.0
"""The attestation blobs of a credential: what a device claims of its key's home, and what it can prove of it.

A blob is ``u16 type ‖ body`` (docs/protocol.md §8). This file knows the types and takes the blobs apart. A claim is
believed by nobody, and shown as such. Evidence is carried here as octets; whoever knows devices and roots judges it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

from hardwire.errors import Misuse, WireError
from hardwire.wire import Reader, Writer


class BlobType(IntEnum):
    """Every type of attestation blob, on one screen. A receiver skips the types that are not its own."""

    CLAIM = 0x0001
    """One octet: 0 software, 1 token, 2 TPM."""
    PIV = 0x0002
    """A PIV card's attestation of the leaf's key: DER, SEQUENCE OF Certificate."""
    TPM = 0x0003
    """A TPM's certification of the leaf's key: DER, tcg-attest-tpm-certify and certificates."""
    OCSP = 0x0010
    """Revocation status of a certificate of the credential: DER, one OCSPResponse (RFC 6960)."""


EVIDENCE: Final = frozenset({BlobType.PIV, BlobType.TPM})
"""The types that prove something. A key has one home: a credential carries at most one of them."""


class Assurance(Enum):
    """What is claimed of the key's home, and believed as little as that; the value is what a person reads."""

    SOFTWARE_TOKEN = "SOFTWARE TOKEN"  # noqa: S105 - a token that is no secret
    TOKEN_CLAIMED = "token, unproven"  # noqa: S105 - the same
    TPM_CLAIMED = "TPM, unproven"
    UNPROVEN = "unproven"


_LEVELS: Final[Mapping[int, Assurance]] = {
    0: Assurance.SOFTWARE_TOKEN,
    1: Assurance.TOKEN_CLAIMED,
    2: Assurance.TPM_CLAIMED,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Octets that a device made about its key; judged by nobody yet.

    Attributes:
        kind: ``PIV`` or ``TPM``.
        body: The blob without its type, at least 1 octet.
    """

    kind: BlobType
    body: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.kind not in EVIDENCE or not self.body:
            raise Misuse("evidence is a body of octets about a PIV card's or a TPM's key")

    def encode(self) -> bytes:
        """The attestation blob."""
        return Writer().u16(self.kind).raw(self.body).getvalue()


@dataclass(frozen=True, slots=True)
class Attestations:
    """What the attestation blobs of a credential say, apart from those of other types.

    Attributes:
        claim: ``UNPROVEN`` when nothing is claimed.
        evidence: None when nothing is to be proved.
    """

    claim: Assurance = Assurance.UNPROVEN
    evidence: Evidence | None = None


def encode_claim(assurance: Assurance) -> bytes:
    """The attestation blob, 3 octets, that claims ``assurance``.

    Raises:
        Misuse: ``UNPROVEN`` is what a device is that claims nothing; there is no blob for it.
    """
    for level, known in _LEVELS.items():
        if known is assurance:
            return Writer().u16(BlobType.CLAIM).u8(level).getvalue()
    raise Misuse("a device that claims nothing sends no claim")


def encode_status(response: bytes) -> bytes:
    """The attestation blob around one DER OCSPResponse, 1 to 8190 octets."""
    return Writer().u16(BlobType.OCSP).raw(response).getvalue()


def read_statuses(blobs: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The OCSP responses of a credential, in their order; unjudged.

    Raises:
        WireError: A blob too short for a type, or a status without a body.
    """
    found = []
    for blob in blobs:
        reader = Reader(blob, "attestation")
        if reader.u16() == BlobType.OCSP:
            if not reader.remaining:
                raise WireError("attestation: a status without a body", code="assurance")
            found.append(reader.rest())
    return tuple(found)


def read_attestations(blobs: tuple[bytes, ...]) -> Attestations:
    """Take the attestation blobs of a credential apart; the evidence in them stays unjudged.

    Raises:
        WireError: A blob too short for its type; a claim that is malformed, of an unknown level, or made twice;
            evidence that is empty, or given twice.
    """
    claim: Assurance | None = None
    evidence: Evidence | None = None
    for blob in blobs:
        reader = Reader(blob, "attestation")
        number = reader.u16()
        if number == BlobType.CLAIM:
            if claim is not None:
                raise WireError("attestation: two claims", code="assurance")
            claim = _claim(reader)
        elif number in EVIDENCE:
            if evidence is not None:
                raise WireError("attestation: two pieces of evidence for one key", code="assurance")
            if not reader.remaining:
                raise WireError("attestation: evidence without a body", code="assurance")
            evidence = Evidence(BlobType(number), reader.rest())
    return Attestations(claim or Assurance.UNPROVEN, evidence)


def _claim(reader: Reader) -> Assurance:
    level = reader.u8()
    reader.end()
    if level not in _LEVELS:
        raise WireError(f"attestation: the unknown level {level} is claimed", code="assurance")
    return _LEVELS[level]
