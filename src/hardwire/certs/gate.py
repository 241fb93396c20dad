# SPDX-License-Identifier: Apache-2.0
"""The gate: the first and only door for a certificate's octets.

In order: the size; the canonical-DER walk; the exact shape; asn1crypto; ``cryptography`` with every field
touched; and all three must have read the same thing. Every layer must accept, and any exception of a library,
declared or not, is a refusal. What comes out is well formed and nothing more: no trust, no time and no device
profile is looked at here (:mod:`hardwire.certs.verify` does).
"""

from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardwire.certs import asn1, profile, shape
from hardwire.certs.extensions import Values
from hardwire.certs.facts import Facts, require_agreement
from hardwire.certs.profile import KeyKind, KeyUsage
from hardwire.certs.refusal import refused
from hardwire.certs.shape import Extension, Shape
from hardwire.certs.spki import PublicKey
from hardwire.errors import Misuse

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class GatedCertificate:
    """A certificate that passed the gate; only :func:`open_gate` makes one.

    Two are equal when their octets are; a *device* is told by its key (``spki``), never by these octets, which
    anyone can vary (docs/protocol.md §12).
    """

    der: bytes = field(repr=False)
    """The octets as received."""
    spki: bytes = field(compare=False, repr=False)
    """DER SubjectPublicKeyInfo."""
    public_key: PublicKey = field(compare=False, repr=False)
    shape: Shape = field(compare=False)
    parsed: x509.Certificate = field(compare=False, repr=False)
    """As ``cryptography`` reads it."""
    second: Any = field(compare=False, repr=False)
    """As asn1crypto reads it (``asn1crypto.x509.Certificate``), for the second path engine."""
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Misuse("a gated certificate is made by open_gate only")

    @property
    def key_kind(self) -> KeyKind:
        """The kind of the public key."""
        return self.shape.key_kind

    @property
    def serial(self) -> int:
        """Positive, at most 20 octets."""
        return self.shape.serial

    @property
    def not_before(self) -> datetime:
        """The first second of validity, aware, UTC."""
        return self.shape.not_before

    @property
    def not_after(self) -> datetime:
        """The last second of validity, aware, UTC."""
        return self.shape.not_after

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """All extensions, in their order; no OID occurs twice."""
        return self.shape.extensions

    @property
    def values(self) -> Values:
        """What the extensions say."""
        return self.shape.values

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are the same name, octet for octet."""
        return self.shape.issuer == self.shape.subject

    @property
    def key_usage_digital_signature(self) -> bool | None:
        """Whether the key may sign; None when the certificate has no keyUsage and so forbids nothing."""
        usage = self.values.key_usage
        return None if usage is None else KeyUsage.DIGITAL_SIGNATURE in usage


def open_gate(der: bytes) -> GatedCertificate:
    """Read one DER certificate of at most 8192 octets from a stranger.

    Raises:
        CertificateRefused: ``cert-size``, ``cert-der``, ``cert-shape``, ``cert-version``, ``cert-serial``,
            ``cert-algorithm``, ``cert-name``, ``cert-validity``, ``cert-key``, ``cert-extension``,
            ``cert-unreadable`` or ``cert-ambiguous``.
    """
    if len(der) > profile.MAX_CERTIFICATE:
        raise refused("cert-size", f"is {len(der)} octets long, {profile.MAX_CERTIFICATE} are allowed")
    seen = shape.read(der)
    try:
        second, twin = asn1.read(der)
        parsed = x509.load_der_x509_certificate(der)
        public_key = parsed.public_key()
        third = _touch(parsed)
    except Exception as error:
        # The libraries leak undeclared exceptions on hostile input; each of them means no.
        raise refused("cert-unreadable", "cannot be read by the certificate libraries") from error
    require_agreement(_facts(seen), second, third)
    # The shape let no other kind of key through.
    key = cast("PublicKey", public_key)
    return GatedCertificate(der, seen.spki, key, seen, parsed, twin, _SEAL)


def _facts(seen: Shape) -> Facts:
    return Facts(
        seen.serial,
        seen.issuer,
        seen.subject,
        seen.not_before,
        seen.not_after,
        seen.spki,
        tuple((one.oid, one.critical, one.value) for one in seen.extensions),
    )


def _touch(parsed: x509.Certificate) -> Facts:
    """What ``cryptography`` sees; it parses lazily, so each field is asked for once."""
    for name in (parsed.issuer, parsed.subject):
        name.rfc4514_string()
    _ = (
        parsed.version,
        parsed.signature,
        parsed.signature_hash_algorithm,
        parsed.signature_algorithm_parameters,
        parsed.tbs_certificate_bytes,
    )
    return Facts(
        serial=parsed.serial_number,
        issuer=parsed.issuer.public_bytes(),
        subject=parsed.subject.public_bytes(),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        spki=parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        extensions=tuple((one.oid.dotted_string, one.critical, one.value.public_bytes()) for one in parsed.extensions),
    )
