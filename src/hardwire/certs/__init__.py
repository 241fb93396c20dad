# SPDX-License-Identifier: Apache-2.0
"""X.509 device certificates: octets, trust and the time go in, a proof comes out, or a refusal that says why.

The way of a peer's certificate: :func:`open_gate` (is it well formed, to every reader alike?), then
:func:`verify_self_signed` (is it a device's, in its time, and its own key's?) or :func:`verify_chain` (did an
organisation that is trusted here issue it, for this?). These two alone make a :class:`VerifiedIdentity`. Pure: no
clock, no randomness, no network, no files. docs/certificates.md is the document of the whole.
"""

from hardwire.certs.anchor import TrustAnchor, trust_anchor
from hardwire.certs.assurance import (
    Assurance,
    Attestations,
    BlobType,
    Evidence,
    encode_claim,
    encode_status,
    read_attestations,
    read_statuses,
)
from hardwire.certs.authority import Grant, Period, Reason, Revocation, issue_device, make_authority, make_crl
from hardwire.certs.chain import CHAIN_CHECKS, Trust, verify_chain
from hardwire.certs.checklist import Check, Checklist, Verdict
from hardwire.certs.crl import SignedCrl, read_crl
from hardwire.certs.devicename import DeviceName, name_of, parse_name
from hardwire.certs.did import did_document, did_key, parse_did_key
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.identity import Endorsement, VerifiedIdentity, device_id
from hardwire.certs.issue import make_self_signed
from hardwire.certs.levels import Level, level_of
from hardwire.certs.names import GeneralName, NameKind
from hardwire.certs.ocsp import OcspAnswer, read_ocsp
from hardwire.certs.path import PATH_CHECKS, PathInput, PathReport, check_path
from hardwire.certs.profile import DEVICE_PURPOSE, MAX_CERTIFICATE, KeyKind, KeyUsage, SignatureAlgorithm
from hardwire.certs.request import (
    PIV_ATTESTATION,
    TPM_CERTIFY,
    DeviceRequest,
    Statement,
    attestation_nonce,
    make_request,
    read_request,
)
from hardwire.certs.second import load_engines
from hardwire.certs.spki import PublicKey, load_spki
from hardwire.certs.status import (
    CrlMemory,
    RevocationFact,
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    Source,
)
from hardwire.certs.verify import SELF_SIGNED_CHECKS, verify_self_signed
from hardwire.errors import CertificateRefused

__all__ = [
    "CHAIN_CHECKS",
    "DEVICE_PURPOSE",
    "MAX_CERTIFICATE",
    "PATH_CHECKS",
    "PIV_ATTESTATION",
    "SELF_SIGNED_CHECKS",
    "TPM_CERTIFY",
    "Assurance",
    "Attestations",
    "BlobType",
    "CertificateRefused",
    "Check",
    "Checklist",
    "CrlMemory",
    "DeviceName",
    "DeviceRequest",
    "Endorsement",
    "Evidence",
    "GatedCertificate",
    "GeneralName",
    "Grant",
    "KeyKind",
    "KeyUsage",
    "Level",
    "NameKind",
    "OcspAnswer",
    "PathInput",
    "PathReport",
    "Period",
    "PublicKey",
    "Reason",
    "Revocation",
    "RevocationFact",
    "RevocationMaterial",
    "RevocationMode",
    "RevocationRules",
    "SignatureAlgorithm",
    "SignedCrl",
    "Source",
    "Statement",
    "Trust",
    "TrustAnchor",
    "Verdict",
    "VerifiedIdentity",
    "attestation_nonce",
    "check_path",
    "device_id",
    "did_document",
    "did_key",
    "encode_claim",
    "encode_status",
    "issue_device",
    "level_of",
    "load_engines",
    "load_spki",
    "make_authority",
    "make_crl",
    "make_request",
    "make_self_signed",
    "name_of",
    "open_gate",
    "parse_did_key",
    "parse_name",
    "read_attestations",
    "read_crl",
    "read_ocsp",
    "read_request",
    "read_statuses",
    "trust_anchor",
    "verify_chain",
    "verify_self_signed",
]
