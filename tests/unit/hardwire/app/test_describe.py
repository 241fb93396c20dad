# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from hardwire.app.describe import describe
from hardwire.app.pem import CERTIFICATE, CRL, OCSP, REQUEST, Item
from hardwire.certs import (
    Grant,
    Level,
    Period,
    Revocation,
    issue_device,
    make_authority,
    make_crl,
    make_request,
    open_gate,
    parse_name,
    read_request,
)
from hardwire.errors import UsageError

KEY = ec.generate_private_key(ec.SECP256R1())
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = Period(BEGIN, BEGIN + timedelta(days=30))
AUTHORITY = make_authority(KEY, organisation="ACME", serial=1, period=PERIOD)
GATED = open_gate(AUTHORITY)
NAMES = (parse_name("a.example.org"), parse_name("id:7"))
REQUESTED = make_request(ec.generate_private_key(ec.SECP256R1()), names=NAMES)
DEVICE = issue_device(read_request(REQUESTED), Grant(0xABC, PERIOD, NAMES, Level.CLAIMED), authority=GATED, key=KEY)


def crl(count: int) -> bytes:
    return make_crl(
        [Revocation(n, BEGIN) for n in range(1, count + 1)], number=5, period=PERIOD, authority=GATED, key=KEY
    )


def test_an_authority_and_a_device():
    assert describe(Item(CERTIFICATE, AUTHORITY))["kind"] == "authority's certificate"
    shown = describe(Item(CERTIFICATE, DEVICE))
    assert (shown["kind"], shown["serial"], shown["level"]) == ("certificate", "abc", "token, unproven")
    assert shown["name"][1:] == ["a.example.org"]
    assert shown["ends"] == "2026-01-31 00:00:00 UTC"


def test_a_request():
    shown = describe(Item(REQUEST, REQUESTED))
    assert (shown["asks_for"], shown["evidence"]) == (["a.example.org", "id:7"], "none")


def test_lists():
    shown = describe(Item(CRL, crl(2)))
    assert (shown["number"], shown["revoked"]) == (5, ["1", "2"])
    assert describe(Item(CRL, crl(0)))["revoked"] == "none"
    assert describe(Item(CRL, crl(25)))["revoked"][-1] == "and 5 more"


def test_a_status():
    device, issuer = x509.load_der_x509_certificate(DEVICE), x509.load_der_x509_certificate(AUTHORITY)
    made = (
        ocsp.OCSPResponseBuilder()
        .add_response(device, issuer, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, BEGIN, PERIOD.end, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
        .sign(KEY, hashes.SHA256())
    )
    shown = describe(Item(OCSP, made.public_bytes(Encoding.DER)))
    assert (shown["serial"], shown["status"]) == ("abc", "good")


@pytest.mark.parametrize("label", [CERTIFICATE, CRL, OCSP])
def test_what_cannot_be_read(label):
    with pytest.raises(UsageError):
        describe(Item(label, b"0\x00"))
