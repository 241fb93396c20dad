# SPDX-License-Identifier: Apache-2.0
"""From a device's certificate to a root that the caller trusts: signatures, and the right to sign.

What is checked, in this order, each with a code of its own:

1. ``evidence-malformed``: at most 8192 octets each, X.509 version 3, every extension readable and given once.
2. ``chain-root``: the last one's issuer is a configured root. It may be sent along, which makes no difference.
3. ``chain-issuer``: each one's issuer is the subject of the next.
4. ``chain-authority``: each but the first may issue certificates, and as many levels of them; the first may not.
5. ``chain-algorithm``: SHA-2, and RSA of 2048 bits or more, or P-256, P-384, P-521.
6. ``chain-signature``: each one is signed by the next.
7. ``chain-expired``: all, and the root, are valid at the time.
8. ``chain-extension``: no critical extension that nobody here understands.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hwkeys.errors import EvidenceRefused
from hwkeys.evidence.der import BITS, wrap
from hwkeys.evidence.values import MAX_CERTIFICATE, MAX_CERTIFICATES

_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.CertificatePolicies,
)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_MIN_RSA = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate and all of its extensions.

    Raises:
        EvidenceRefused: ``evidence-malformed``.
    """
    if len(der) > MAX_CERTIFICATE:
        raise EvidenceRefused(f"a certificate has at most {MAX_CERTIFICATE} octets", code="evidence-malformed")
    try:
        certificate = x509.load_der_x509_certificate(der)
        # cryptography reads lazily: touching is what checks.
        certificate.extensions, certificate.public_key(), certificate.subject, certificate.issuer
        # A signature has no unused bits (RFC 5280 §4.1.1.3); their number is not signed, and not every reader looks.
        whole = der.endswith(wrap(BITS, b"\0", certificate.signature))
    except Exception as error:  # unreadable, unsupported, twice the same, other versions: they share no other parent
        raise EvidenceRefused("a certificate cannot be read", code="evidence-malformed") from error
    if not whole:
        raise EvidenceRefused("a certificate does not end in its signature", code="evidence-malformed")
    return certificate


def load_roots(octets: bytes) -> tuple[x509.Certificate, ...]:
    """Read the roots that a person configured: PEM, one or many, or one in DER.

    Raises:
        EvidenceRefused: ``root-malformed``, or ``root-authority`` when one of them is no authority.
    """
    try:
        pem = b"-----BEGIN" in octets
        roots = x509.load_pem_x509_certificates(octets) if pem else [x509.load_der_x509_certificate(octets)]
        authorities = [_may_issue(root) for root in roots]
    except (ValueError, x509.DuplicateExtension) as error:
        raise EvidenceRefused("the roots cannot be read", code="root-malformed", hint="give PEM or DER") from error
    if not all(authorities):
        raise EvidenceRefused(
            "one of the roots is not an authority", code="root-authority", hint="give the vendor's CA"
        )
    return tuple(roots)


def verify_chain(
    certificates: Sequence[bytes], *, roots: Sequence[x509.Certificate], at: datetime
) -> tuple[x509.Certificate, ...]:
    """Lead a device's certificate back to a root; see the checks above.

    Args:
        certificates: DER; the device's first, each followed by its issuer. The root may be last, or be left out.
        roots: Whom the caller trusts.
        at: The time, with its zone.

    Returns:
        The certificates without the root.

    Raises:
        EvidenceRefused: With the code of the check.
    """
    if not 1 <= len(certificates) <= MAX_CERTIFICATES:
        raise EvidenceRefused(f"a chain has 1 to {MAX_CERTIFICATES} certificates", code="evidence-malformed")
    path = [read_certificate(der) for der in certificates]
    if path[-1] in roots:
        path.pop()
    root = _root_of(path, roots)
    issuers = [*path[1:], root]
    for subject, issuer in zip(path, issuers, strict=True):
        if subject.issuer != issuer.subject:
            raise EvidenceRefused("a certificate is not followed by its issuer", code="chain-issuer")
    _check_authorities(path, issuers)
    for subject, issuer in zip(path, issuers, strict=True):
        _check_signature(subject, issuer)
    for certificate in (*path, root):
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise EvidenceRefused("a certificate is not valid at this time", code="chain-expired")
    for extension in (extension for certificate in path for extension in certificate.extensions):
        if extension.critical and not isinstance(extension.value, _UNDERSTOOD):
            name = extension.oid.dotted_string
            raise EvidenceRefused(f"the critical extension {name} is not understood", code="chain-extension")
    return tuple(path)


def _root_of(path: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> x509.Certificate:
    named = [root for root in roots if path and root.subject == path[-1].issuer]
    if not named:
        raise EvidenceRefused(
            "the chain does not lead to a configured root", code="chain-root", hint="configure the maker's root"
        )
    # Two roots of one name are told apart by the key; which of them is wrong when neither fits does not matter.
    return next((root for root in named if _signed(path[-1], root)), named[0])


def _check_authorities(path: Sequence[x509.Certificate], issuers: Sequence[x509.Certificate]) -> None:
    if _may_issue(path[0]):
        raise EvidenceRefused("the device's certificate is an authority's", code="chain-authority")
    for below, issuer in enumerate(issuers):
        if not _may_issue(issuer, below):
            raise EvidenceRefused("a certificate was issued by one that may not issue it", code="chain-authority")


def _may_issue(certificate: x509.Certificate, below: int = 0) -> bool:
    by_oid = {extension.oid: extension.value for extension in certificate.extensions}
    basic = by_oid.get(x509.BasicConstraints.oid)
    usage = by_oid.get(x509.KeyUsage.oid)
    if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
        return False
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return False
    return basic.path_length is None or basic.path_length >= below


def _check_signature(subject: x509.Certificate, issuer: x509.Certificate) -> None:
    key = issuer.public_key()
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
    )
    try:
        algorithm = subject.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if not strong or not isinstance(algorithm, _HASHES):
        raise EvidenceRefused("a certificate is signed in a way that is too weak", code="chain-algorithm")
    if not _signed(subject, issuer):
        raise EvidenceRefused("a certificate is not signed by its issuer", code="chain-signature")


def _signed(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def spki_of(key: x509.Certificate | ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    """The SubjectPublicKeyInfo, DER: keys are compared by it."""
    public = key.public_key() if isinstance(key, x509.Certificate) else key
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
