# SPDX-License-Identifier: Apache-2.0
"""Judging a TPM's certification of a key: "this key was made in this TPM, stays there, and signed nothing of mine".

Three things are tied together. The enrolment authority's certificate says that an attestation key lives in a real TPM
(how it knows: ``hwkeys.evidence.enrolment``). The attestation key, which is restricted and therefore signs nothing but
what the TPM itself says, signs the identity key's Name and the judge's nonce. The Name is a hash of the public area,
which holds the key and what may be done with it.

Wire forms: TPM 2.0 Library, part 2 §10.12 (TPMS_ATTEST), §11.3 (TPMT_SIGNATURE).
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from hwkeys.errors import EvidenceRefused, KeyNotAsAsked
from hwkeys.evidence.chain import spki_of, verify_chain
from hwkeys.evidence.maker import Maker, maker_of
from hwkeys.evidence.values import TpmEvidence
from hwkeys.tpm.public import PublicArea, decode_public, refuse_unfit

ATTESTATION_PURPOSE = x509.ObjectIdentifier("2.23.133.8.3")
"""tcg-kp-AIKCertificate, the extended key usage of an attestation key's certificate."""

_MAGIC = 0xFF544347
_CERTIFY = 0x8017
_ECDSA = 0x0018
_HASHES: dict[int, hashes.HashAlgorithm] = {0x000B: hashes.SHA256(), 0x000C: hashes.SHA384()}


@dataclass(frozen=True, slots=True)
class TpmAttestation:
    """What was proved.

    Attributes:
        maker: Manufacturer, model and version of the TPM, as the enrolment authority copied them from the maker's
            certificate; None when it did not. The statement's own firmware version is of no use: a TPM hides it from
            keys outside the endorsement hierarchy.
        nonce: The judge's.
    """

    maker: Maker | None
    nonce: bytes


def verify_tpm_attestation(
    evidence: TpmEvidence,
    *,
    public_key: ec.EllipticCurvePublicKey,
    nonce: bytes,
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> TpmAttestation:
    """Judge.

    The checks, in this order; a code for each:

    1. ``tpm-not-enrolled``, ``evidence-malformed``, ``chain-…``: the attestation key's certificate leads to a root, as
       in ``hwkeys.evidence.chain``.
    2. ``tpm-attestation-key``: the certificate is one for an attestation key.
    3. ``tpm-signature``: that key signed the statement.
    4. ``tpm-magic``: the TPM made the statement itself, rather than sign what it was handed.
    5. ``tpm-type``: it certifies a key; a quote or a time stamp does not.
    6. ``tpm-nonce``: it is fresh.
    7. ``tpm-name``: it is about the public area that came with it.
    8. ``tpm-attributes``: that key was made in the TPM, cannot leave it, signs what its holder wants or agrees on
       secrets, may not be guessed at, and has no policy by which it could be used without its PIN.
    9. ``key-mismatch``: that key is the identity's.

    Args:
        evidence: As received.
        public_key: The identity's key.
        nonce: What the judge chose, or what both ends know to be fresh.
        roots: The enrolment authorities that the caller trusts.
        at: The time, with its zone.

    Raises:
        EvidenceRefused: With the code of the check.
    """
    if not evidence.certificates:
        raise EvidenceRefused(
            "the TPM's attestation key has no certificate", code="tpm-not-enrolled", hint="enrol the TPM first"
        )
    leaf = verify_chain(evidence.certificates, roots=roots, at=at)[0]
    _check_signature(evidence, _attestation_key(leaf))
    name = _statement(evidence.attest, nonce)
    area = _area(evidence.public)
    if not hmac.compare_digest(name, area.name()):
        raise EvidenceRefused("the statement is about another key than the one shown", code="tpm-name")
    try:
        refuse_unfit(area)
        certified = area.public_key()
    except KeyNotAsAsked as error:
        raise EvidenceRefused(error.message, code="tpm-attributes") from error
    if spki_of(certified) != spki_of(public_key):
        raise EvidenceRefused("the TPM certifies another key", code="key-mismatch")
    return TpmAttestation(maker_of(leaf), nonce)


def _attestation_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    by_oid = {extension.oid: extension.value for extension in certificate.extensions}
    purposes, usage = by_oid.get(x509.ExtendedKeyUsage.oid), by_oid.get(x509.KeyUsage.oid)
    key = certificate.public_key()
    fit = isinstance(purposes, x509.ExtendedKeyUsage) and ATTESTATION_PURPOSE in purposes
    if isinstance(usage, x509.KeyUsage) and not usage.digital_signature:
        fit = False
    if not fit or not isinstance(key, ec.EllipticCurvePublicKey):
        raise EvidenceRefused("the certificate is not one for an attestation key", code="tpm-attestation-key")
    return key


def _check_signature(evidence: TpmEvidence, key: ec.EllipticCurvePublicKey) -> None:
    reader = _Reader(evidence.signature)
    scheme, hash_number = reader.numbers(">HH")
    r, s = reader.sized(), reader.sized()
    reader.end()
    algorithm = _HASHES.get(hash_number)
    if scheme != _ECDSA or algorithm is None:
        raise EvidenceRefused("the statement is not signed by ECDSA with SHA-2", code="tpm-signature")
    signature = utils.encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    try:
        key.verify(signature, evidence.attest, ec.ECDSA(algorithm))
    except InvalidSignature as error:
        raise EvidenceRefused("the attestation key did not sign the statement", code="tpm-signature") from error


def _statement(attest: bytes, nonce: bytes) -> bytes:
    reader = _Reader(attest)
    (magic,) = reader.numbers(">I")
    if magic != _MAGIC:
        raise EvidenceRefused("the statement was not made by the TPM itself", code="tpm-magic")
    (kind,) = reader.numbers(">H")
    if kind != _CERTIFY:
        raise EvidenceRefused("the statement does not certify a key", code="tpm-type")
    reader.sized()  # the signer's qualified name: the certificate says who it is
    extra = reader.sized()
    reader.numbers(">QIIBQ")  # clock, resets, restarts, safe, firmware
    name = reader.sized()
    reader.sized()  # the qualified name: the way to the key through its parents
    reader.end()
    if not nonce or not hmac.compare_digest(extra, nonce):
        raise EvidenceRefused("the statement is not the answer to this question", code="tpm-nonce")
    return name


def _area(public: bytes) -> PublicArea:
    try:
        return decode_public(public)
    except KeyNotAsAsked as error:
        raise EvidenceRefused(error.message, code="evidence-malformed") from error


class _Reader:
    """Takes a TPM's structure apart, to its last octet."""

    def __init__(self, octets: bytes) -> None:
        self._rest = octets

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def sized(self) -> bytes:
        (size,) = self.numbers(">H")
        return self._take(size)

    def end(self) -> None:
        if self._rest:
            raise EvidenceRefused("the TPM's structure goes on after its end", code="evidence-malformed")

    def _take(self, size: int) -> bytes:
        if len(self._rest) < size:
            raise EvidenceRefused("the TPM's structure is cut short", code="evidence-malformed")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
