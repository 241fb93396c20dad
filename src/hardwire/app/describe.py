# SPDX-License-Identifier: Apache-2.0
"""What a file says of itself, in words; nothing is believed, only read."""

from cryptography import x509
from cryptography.x509 import ocsp

from hardwire.app.pem import CERTIFICATE, CRL, REQUEST, Item
from hardwire.app.text import printable
from hardwire.certs import Level, level_of, read_request
from hardwire.errors import UsageError

_SHOWN = 20
"""Revoked serial numbers that are written out."""


def describe(item: Item) -> dict[str, object]:
    """Name and value of what a person wants to know first.

    Raises:
        UsageError: ``file``; it cannot be read.
        CertificateRefused: A request that proves nothing.
    """
    if item.label == REQUEST:
        return _request(item.der)
    try:
        fields = _certificate(item.der) if item.label == CERTIFICATE else _crl(item.der) if item.label == CRL else {}
        fields = fields or _ocsp(item.der)
    except Exception as problem:
        # The library leaks undeclared exceptions on damaged input.
        raise UsageError(f"the {item.label.lower()} in that file cannot be read", code="file") from problem
    return {name: value for name, value in fields.items() if value not in ("", [])}


def _request(der: bytes) -> dict[str, object]:
    asked = read_request(der)
    evidence = "none" if asked.statement is None else f"{asked.statement.kind}, not judged here"
    return {"kind": "request", "did": asked.did, "asks_for": [one.text for one in asked.names], "evidence": evidence}


def _certificate(der: bytes) -> dict[str, object]:
    one = x509.load_der_x509_certificate(der)
    values = [extension.value for extension in one.extensions]
    names = [name for value in values if isinstance(value, x509.SubjectAlternativeName) for name in value]
    level = level_of(
        policy.policy_identifier.dotted_string
        for value in values
        if isinstance(value, x509.CertificatePolicies)
        for policy in value
    )
    authority = any(isinstance(value, x509.BasicConstraints) and value.ca for value in values)
    return {
        "kind": "authority's certificate" if authority else "certificate",
        "serial": f"{one.serial_number:x}",
        "subject": printable(one.subject.rfc4514_string()),
        "issuer": printable(one.issuer.rfc4514_string()),
        "begins": f"{one.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC",
        "ends": f"{one.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC",
        "name": [printable(str(getattr(name, "value", ""))) for name in names if not isinstance(name, x509.OtherName)],
        "level": level.words if isinstance(level, Level) else "",
    }


def _crl(der: bytes) -> dict[str, object]:
    one = x509.load_der_x509_crl(der)
    numbers = [each.value.crl_number for each in one.extensions if isinstance(each.value, x509.CRLNumber)]
    serials = [f"{row.serial_number:x}" for row in one]
    more = [f"and {len(serials) - _SHOWN} more"] if len(serials) > _SHOWN else []
    return {
        "kind": "list of revoked certificates",
        "number": numbers[0] if numbers else "none",
        "issuer": printable(one.issuer.rfc4514_string()),
        "made": f"{one.last_update_utc:%Y-%m-%d %H:%M:%S} UTC",
        "next_due": f"{one.next_update_utc:%Y-%m-%d %H:%M:%S} UTC" if one.next_update_utc else "never",
        "revoked": serials[:_SHOWN] + more or "none",
    }


def _ocsp(der: bytes) -> dict[str, object]:
    one = ocsp.load_der_ocsp_response(der)
    return {
        "kind": "status of a certificate",
        "serial": f"{one.serial_number:x}",
        "status": one.certificate_status.name.lower(),
        "made": f"{one.this_update_utc:%Y-%m-%d %H:%M:%S} UTC",
    }
