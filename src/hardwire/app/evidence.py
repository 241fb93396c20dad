# SPDX-License-Identifier: Apache-2.0
"""Evidence in a certificate request: asked of the device, put into the form that travels, judged by the authority."""

from datetime import datetime
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hardwire.app.attestation import Trust
from hardwire.certs import PIV_ATTESTATION, TPM_CERTIFY, DeviceRequest, Statement, attestation_nonce
from hardwire.errors import CertificateRefused
from hwkeys.evidence import PivEvidence, TpmEvidence, verify_piv_attestation, verify_tpm_attestation

_HINT: Final = "a YubiKey attests keys that were generated in it; a TPM's attestation key must be enrolled first"


def statement_of(key: object, spki: bytes) -> Statement | None:
    """What the key's device can say for it; None when it can say nothing that anybody could check."""
    try:
        evidence = hwkeys.capability(key, hwkeys.Attester).attest(attestation_nonce(spki))
    except hwkeys.Unsupported:
        return None
    if not evidence.certificates:
        return None  # a TPM that nobody has enrolled: its statement is signed by a key that nobody knows
    if isinstance(evidence, PivEvidence):
        return Statement(PIV_ATTESTATION, evidence.certificates[0], evidence.certificates[1:])
    return Statement(TPM_CERTIFY, evidence.statement(), evidence.certificates)


def judge_statement(request: DeviceRequest, trust: Trust, at: datetime) -> str:
    """Judge the evidence in a request.

    Args:
        request: Read and proved.
        trust: The makers and enrolment authorities that the person believes, each about its own kind of device.
        at: The time, aware.

    Returns:
        What was proved, in words: ``YubiKey 5 (serial 4711)``.

    Raises:
        CertificateRefused: ``request-unattested`` without evidence; ``request-evidence`` with the check that said no.
    """
    statement = request.statement
    if statement is None:
        raise CertificateRefused(
            "the certificate request carries no evidence that its key is in hardware",
            code="request-unattested",
            hint=_HINT,
        )
    try:
        if statement.kind == PIV_ATTESTATION:
            piv = PivEvidence(trust.piv.complete((statement.value, *statement.certificates)))
            shown = verify_piv_attestation(piv, public_key=request.public_key, roots=trust.piv.roots, at=at)
            return shown.model if shown.serial is None else f"{shown.model} (serial {shown.serial})"
        tpm = TpmEvidence.of_statement(statement.value, trust.tpm.complete(statement.certificates))
        # A statement about an RSA key would be refused for the same reason: it certifies another key.
        key = cast("ec.EllipticCurvePublicKey", request.public_key)
        nonce = attestation_nonce(request.spki)
        proved = verify_tpm_attestation(tpm, public_key=key, nonce=nonce, roots=trust.tpm.roots, at=at)
    except hwkeys.EvidenceRefused as problem:
        raise CertificateRefused(
            f"the evidence in the certificate request is refused: {problem.message}",
            code="request-evidence",
            hint=problem.hint or _HINT,
            evidence={"check": problem.code},
        ) from problem
    return "TPM" if proved.maker is None else f"TPM by {proved.maker.manufacturer} {proved.maker.model}"
