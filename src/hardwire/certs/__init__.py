# SPDX-License-Identifier: Apache-2.0
"""X.509 device certificates: octets and the time go in, a proof comes out, or a refusal that says why.

The way of a peer's certificate: :func:`open_gate` (is it well formed, to every reader alike?), then
:func:`verify_self_signed` (is it a device's, in its time, and its own key's?), which alone makes a
:class:`VerifiedIdentity`. Pure: no clock, no randomness, no network, no files.
"""

from hardwire.certs.assurance import Assurance, assurance_of, encode_claim
from hardwire.certs.did import did_key, parse_did_key
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.identity import VerifiedIdentity, device_id
from hardwire.certs.issue import make_self_signed
from hardwire.certs.profile import DEVICE_PURPOSE, MAX_CERTIFICATE, KeyKind, KeyUsage, SignatureAlgorithm
from hardwire.certs.verify import verify_self_signed
from hardwire.errors import CertificateRefused

__all__ = [
    "DEVICE_PURPOSE",
    "MAX_CERTIFICATE",
    "Assurance",
    "CertificateRefused",
    "GatedCertificate",
    "KeyKind",
    "KeyUsage",
    "SignatureAlgorithm",
    "VerifiedIdentity",
    "assurance_of",
    "device_id",
    "did_key",
    "encode_claim",
    "make_self_signed",
    "open_gate",
    "parse_did_key",
    "verify_self_signed",
]
