# SPDX-License-Identifier: Apache-2.0
"""What an authority signs: its own certificate, a device's, and the list of those it takes back.

The key is a ``cryptography`` private key of any implementation, so also one in a token. Nothing is decided here: whom
to certify, and what was found out about the device, is the caller's. Whatever was signed is read back through the gate,
and verified, before it is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardwire.certs.anchor import trust_anchor
from hardwire.certs.chain import Trust, verify_chain
from hardwire.certs.crl import MAX_ENTRIES, read_crl
from hardwire.certs.devicename import DeviceName
from hardwire.certs.did import did_key
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.issue import key_usage, usable_key
from hardwire.certs.levels import Level
from hardwire.certs.profile import DEVICE, DEVICE_PURPOSE, MAX_SERIAL, SUBJECT, KeyUsage
from hardwire.certs.request import DeviceRequest
from hardwire.certs.status import RevocationMode, RevocationRules
from hardwire.errors import CertificateRefused, DeviceFailed, Misuse

AUTHORITY_SUBJECT: Final = "hardwire device authority"
MAX_REVOKED: Final = MAX_ENTRIES
"""Entries in a list made here: as many as a reader takes."""


class Reason(Enum):
    """Why a certificate is taken back (RFC 5280 §5.3.1); the value is what a person writes."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation"


_FLAGS: Final = {
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.CESSATION_OF_OPERATION: x509.ReasonFlags.cessation_of_operation,
}


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last second, both aware and whole."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        if any(moment.utcoffset() is None or moment.microsecond for moment in (self.begin, self.end)):
            raise Misuse("dates need a time zone and whole seconds")
        if self.end < self.begin:
            raise Misuse("nothing ends before it begins")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a device gets.

    Attributes:
        serial: 1 to 2^159 - 1, never used before by this authority.
        period: Of validity; inside the authority's own.
        names: Beside the did:key.
        level: What the authority found out about the key's home; None says nothing.
    """

    serial: int
    period: Period
    names: tuple[DeviceName, ...] = ()
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Revocation:
    """One certificate taken back, and when."""

    serial: int
    at: datetime
    reason: Reason = Reason.UNSPECIFIED


def make_authority(key: CertificateIssuerPrivateKeyTypes, *, organisation: str, serial: int, period: Period) -> bytes:
    """The self-signed DER certificate of an authority that issues to devices and to nobody else (pathLen 0).

    Raises:
        UsageError: ``key-kind``.
        DeviceFailed: ``bad-signature``.
        Misuse: A serial outside its bounds.
    """
    public_key, digest = usable_key(key)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_SUBJECT),
        ]
    )
    usages = frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN})
    builder = (
        _dated(serial, period)
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    der = builder.sign(key, digest).public_bytes(Encoding.DER)
    made = open_gate(der)
    _require_signature(made, made)
    trust_anchor(der)
    return der


def issue_device(
    request: DeviceRequest, grant: Grant, *, authority: GatedCertificate, key: CertificateIssuerPrivateKeyTypes
) -> bytes:
    """The DER certificate of a device; exactly one signature is made.

    Args:
        request: Read and proved.
        grant: What it gets.
        authority: The issuer's certificate.
        key: Its key.

    Raises:
        UsageError: ``key-kind``.
        DeviceFailed: ``bad-signature``: also when ``key`` is not the authority's.
        CertificateRefused: No peer would accept a certificate of this authority.
        Misuse: The grant outlives the authority.
    """
    _, digest = usable_key(key)
    anchor = trust_anchor(authority.der)
    if grant.period.begin < authority.not_before or grant.period.end > authority.not_after:
        raise Misuse("a certificate lies within the time of its authority")
    common = grant.names[0].text if grant.names else SUBJECT
    builder = (
        _dated(grant.serial, grant.period)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])]))
        .issuer_name(authority.parsed.subject)
        .public_key(request.public_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(DEVICE.usages_required), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(DEVICE_PURPOSE)]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.UniformResourceIdentifier(did_key(request.public_key)),
                    *(name.general for name in grant.names),
                ]
            ),
            critical=False,
        )
        .add_extension(_authority_key(authority), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key), critical=False)
    )
    if grant.level is not None:
        policy = x509.PolicyInformation(x509.ObjectIdentifier(grant.level.policy), None)
        builder = builder.add_extension(x509.CertificatePolicies([policy]), critical=False)
    der = builder.sign(key, digest).public_bytes(Encoding.DER)
    made = open_gate(der)
    _require_signature(made, authority)
    # What a peer will ask, asked here first.
    trust = Trust((anchor,), revocation=RevocationRules(RevocationMode.OFF))
    verify_chain((made,), trust, at=grant.period.begin)
    return der


def make_crl(
    revoked: Sequence[Revocation],
    *,
    number: int,
    period: Period,
    authority: GatedCertificate,
    key: CertificateIssuerPrivateKeyTypes,
) -> bytes:
    """The DER list of the certificates taken back, as of ``period.begin``; the next is due at ``period.end``.

    Args:
        revoked: Each serial once.
        number: CRLNumber (RFC 5280 §5.2.3), 1 to 2^63: higher than of every list before.
        period: thisUpdate and nextUpdate.
        authority: The issuer's certificate.
        key: Its key.

    Raises:
        UsageError: ``key-kind``.
        DeviceFailed: ``bad-signature``.
        Misuse: A number or a serial outside its bounds, a serial twice, or too many.
    """
    _, digest = usable_key(key)
    trust_anchor(authority.der)
    if not 1 <= number <= 1 << 63:
        raise Misuse("a list's number is between 1 and 2^63")
    if len({one.serial for one in revoked}) != len(revoked) or len(revoked) > MAX_REVOKED:
        raise Misuse(f"a list holds each serial number once, and at most {MAX_REVOKED} of them")
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.parsed.subject)
        .last_update(period.begin)
        .next_update(period.end)
        .add_extension(_authority_key(authority), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for one in sorted(revoked, key=lambda each: (each.at, each.serial)):
        builder = builder.add_revoked_certificate(_entry(one))
    made = builder.sign(key, digest)
    der = made.public_bytes(Encoding.DER)
    try:
        read_crl(der).check_signature(authority)
    except CertificateRefused as error:
        raise _bad_signature() from error
    return der


def _dated(serial: int, period: Period) -> x509.CertificateBuilder:
    if not 1 <= serial < 1 << (8 * MAX_SERIAL - 1):
        raise Misuse("a serial number is positive and has at most 20 octets")
    return x509.CertificateBuilder().serial_number(serial).not_valid_before(period.begin).not_valid_after(period.end)


def _entry(one: Revocation) -> x509.RevokedCertificate:
    if not 1 <= one.serial < 1 << (8 * MAX_SERIAL - 1):
        raise Misuse("a serial number is positive and has at most 20 octets")
    builder = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at)
    if one.reason is not Reason.UNSPECIFIED:  # RFC 5280 §5.3.1: left out rather than said
        builder = builder.add_extension(x509.CRLReason(_FLAGS[one.reason]), critical=False)
    return builder.build()


def _authority_key(authority: GatedCertificate) -> x509.AuthorityKeyIdentifier:
    """The issuer's own subjectKeyIdentifier, which every anchor has, so that strict readers find the same octets."""
    own = authority.parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _require_signature(made: GatedCertificate, authority: GatedCertificate) -> None:
    try:
        made.parsed.verify_directly_issued_by(authority.parsed)
    except Exception as error:
        raise _bad_signature() from error


def _bad_signature() -> DeviceFailed:
    return DeviceFailed(
        "the device made a signature that does not verify with the authority's certificate", code="bad-signature"
    )
