# SPDX-License-Identifier: Apache-2.0
"""X.509 device certificates: octets and the time go in, a proof comes out, or a refusal that says why.

The way of a peer's certificate: :func:`open_gate` (is it well formed, to every reader alike?), then
:func:`verify_self_signed` (is it a device's, in its time, and its own key's?), which alone makes a
:class:`VerifiedIdentity`. Pure: no clock, no randomness, no network, no files.
"""

from hardwire.certs.assurance import Assurance, Attestations, BlobType, Evidence, encode_claim, read_attestations
from hardwire.certs.authority import Grant, Period, Reason, Revocation, issue_device, make_authority, make_crl
from hardwire.certs.devicename import DeviceName, name_of, parse_name
from hardwire.certs.did import did_key, parse_did_key
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.identity import VerifiedIdentity, device_id
from hardwire.certs.issue import make_self_signed
from hardwire.certs.levels import Level, level_of
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
from hardwire.certs.verify import verify_self_signed
from hardwire.errors import CertificateRefused

__all__ = [
    "DEVICE_PURPOSE",
    "MAX_CERTIFICATE",
    "PIV_ATTESTATION",
    "TPM_CERTIFY",
    "Assurance",
    "Attestations",
    "BlobType",
    "CertificateRefused",
    "DeviceName",
    "DeviceRequest",
    "Evidence",
    "GatedCertificate",
    "Grant",
    "KeyKind",
    "KeyUsage",
    "Level",
    "Period",
    "Reason",
    "Revocation",
    "SignatureAlgorithm",
    "Statement",
    "VerifiedIdentity",
    "attestation_nonce",
    "device_id",
    "did_key",
    "encode_claim",
    "issue_device",
    "level_of",
    "make_authority",
    "make_crl",
    "make_request",
    "make_self_signed",
    "name_of",
    "open_gate",
    "parse_did_key",
    "parse_name",
    "read_attestations",
    "read_request",
    "verify_self_signed",
]
