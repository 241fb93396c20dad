# SPDX-License-Identifier: Apache-2.0
"""The first path engine: ``cryptography.x509.verification``.

It builds and validates a path from a leaf to one of the anchors: signatures, dates (the anchor's too), path length,
name constraints, criticality. The profile's own rules stand elsewhere; here the engine is told which extensions may
be there, and that the leaf carries the purpose of a device. Its word for no is one exception with a sentence.
"""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.x509 import verification

from hardwire.certs.profile import ANY_PURPOSE, DEVICE_PURPOSE, SERVER_PURPOSE
from hardwire.certs.refusal import ISSUER_HINT, refused

_EITHER: Final = verification.Criticality.AGNOSTIC
_DEVICE: Final = x509.ObjectIdentifier(DEVICE_PURPOSE)
_SERVERS: Final = frozenset(map(x509.ObjectIdentifier, (SERVER_PURPOSE, ANY_PURPOSE)))
# Read, limited and applied by the second engine; the first need only not stumble over them.
_LEFT_TO_SECOND: Final[tuple[type[x509.ExtensionType], ...]] = (
    x509.CertificatePolicies,
    x509.PolicyConstraints,
    x509.InhibitAnyPolicy,
)


def _has_purpose(
    _policy: verification.Policy, _certificate: x509.Certificate, purposes: x509.ExtendedKeyUsage | None
) -> None:
    if purposes is None or _DEVICE not in purposes:
        raise ValueError("the purpose of a hardwire device is missing")


def _may_serve(
    _policy: verification.Policy, _certificate: x509.Certificate, purposes: x509.ExtendedKeyUsage | None
) -> None:
    if purposes is not None and not _SERVERS & set(purposes):
        raise ValueError("it is for other purposes than a server's")


def _accept(_policy: verification.Policy, _certificate: x509.Certificate, _value: x509.ExtensionType | None) -> None:
    """The gate has read it, the second engine applies it."""


def _tolerant() -> verification.ExtensionPolicy:
    policy = verification.ExtensionPolicy.permit_all()
    for kind in _LEFT_TO_SECOND:
        policy = policy.may_be_present(kind, _EITHER, _accept)
    return policy


_AUTHORITIES: Final = _tolerant().require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
_ANY_LEAF: Final = _tolerant()
_HOSTS: Final = (
    _tolerant()
    .require_present(x509.SubjectAlternativeName, _EITHER, _accept)
    .may_be_present(x509.ExtendedKeyUsage, _EITHER, _may_serve)
)
_HOST_AUTHORITIES: Final = _AUTHORITIES.may_be_present(x509.ExtendedKeyUsage, _EITHER, _may_serve)
_DEVICES: Final = _tolerant().require_present(x509.ExtendedKeyUsage, _EITHER, _has_purpose)


def find_path(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    *,
    at: datetime,
    longest: int,
    device: bool,
    hostname: str | None = None,
) -> list[x509.Certificate]:
    """The path that this engine finds and accepts, leaf first, the anchor last.

    Args:
        leaf: The certificate of the peer.
        between: Authorities that may be used, in any order.
        anchors: Certificates that are trusted.
        at: The time.
        longest: Authorities between leaf and anchor, at most.
        device: Whether the leaf must carry the purpose of a device.
        hostname: A host name or address that the leaf must carry, for the purpose of a server; for comparison with
            public suites.

    Raises:
        CertificateRefused: ``cert-path``.
    """
    leaves = _DEVICES if device else _ANY_LEAF if hostname is None else _HOSTS
    authorities = _AUTHORITIES if hostname is None else _HOST_AUTHORITIES
    try:
        builder = (
            verification.PolicyBuilder()
            .store(verification.Store(list(anchors)))
            .time(at)
            .max_chain_depth(longest)
            .extension_policies(ca_policy=authorities, ee_policy=leaves)
        )
        if hostname is None:
            return builder.build_client_verifier().verify(leaf, list(between)).chain
        return builder.build_server_verifier(_subject(hostname)).verify(leaf, list(between))
    except Exception as error:
        # VerificationError is the declared one; whatever else comes on hostile octets means no, too.
        raise refused(
            "cert-path", f"does not lead to a trust anchor: {error}", hint=ISSUER_HINT, evidence={"engine": "first"}
        ) from error


def _subject(hostname: str) -> verification.Subject:
    try:
        return x509.IPAddress(ip_address(hostname))
    except ValueError:
        return x509.DNSName(hostname)
