# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardwire.certs import DEVICE_PURPOSE, open_gate
from hardwire.certs.authority import Grant, Period, Reason, Revocation, issue_device, make_authority, make_crl
from hardwire.certs.devicename import parse_name
from hardwire.certs.did import did_key
from hardwire.certs.levels import Level
from hardwire.certs.request import make_request, read_request
from hardwire.errors import CertificateRefused, DeviceFailed, Misuse, UsageError
from support.certparts import KEY, OTHER_KEY, P384_KEY, RSA

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = Period(BEGIN, BEGIN + timedelta(days=3650))
YEAR = Period(BEGIN, BEGIN + timedelta(days=365))
WEEK = Period(BEGIN, BEGIN + timedelta(days=7))
SERIAL = 0x4FFF_0000_1111_2222
NAMES = (parse_name("pump7.example.org"), parse_name("id:4711"))


def authority(key=OTHER_KEY):
    return open_gate(make_authority(key, organisation="ACME", serial=1, period=PERIOD))


def device(grant=Grant(SERIAL, YEAR), issuer=None, key=OTHER_KEY):  # noqa: B008 - frozen
    return open_gate(issue_device(read_request(make_request(KEY)), grant, authority=issuer or authority(key), key=key))


def extension(gated, kind):
    return gated.parsed.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("key", [OTHER_KEY, P384_KEY, RSA], ids=["P-256", "P-384", "RSA"])
def test_an_authority_of_each_kind_issues_and_takes_back(key):
    issuer = authority(key)
    made = device(issuer=issuer, key=key)
    made.parsed.verify_directly_issued_by(issuer.parsed)
    crl = x509.load_der_x509_crl(
        make_crl([Revocation(SERIAL, BEGIN)], number=1, period=WEEK, authority=issuer, key=key)
    )
    assert crl.is_signature_valid(issuer.public_key)
    assert crl.get_revoked_certificate_by_serial_number(SERIAL) is not None


def test_the_certificate_of_an_authority():
    made = authority()
    constraints = extension(made, x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = extension(made, x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, False)
    assert made.parsed.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "ACME"
    made.parsed.verify_directly_issued_by(made.parsed)


def test_the_certificate_of_a_device():
    issuer = authority()
    made = device(Grant(SERIAL, YEAR, NAMES, Level.ATTESTED), issuer)
    assert (made.serial, made.not_before, made.not_after) == (SERIAL, YEAR.begin, YEAR.end)
    assert made.parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "pump7.example.org"
    first, *names = extension(made, x509.SubjectAlternativeName).value
    assert first.value == did_key(KEY.public_key())
    assert names == [name.general for name in NAMES]
    assert [one.dotted_string for one in extension(made, x509.ExtendedKeyUsage).value] == [DEVICE_PURPOSE]
    (policy,) = extension(made, x509.CertificatePolicies).value
    assert policy.policy_identifier.dotted_string == Level.ATTESTED.policy
    assert not extension(made, x509.BasicConstraints).value.ca
    assert (
        extension(made, x509.AuthorityKeyIdentifier).value.key_identifier
        == extension(issuer, x509.SubjectKeyIdentifier).value.digest
    )


def test_without_names_and_level():
    made = device()
    assert made.parsed.subject.rfc4514_string() == "CN=hardwire device"
    assert not [one for one in made.parsed.extensions if isinstance(one.value, x509.CertificatePolicies)]


def test_a_list():
    rows = [
        Revocation(3, BEGIN + timedelta(days=1), Reason.KEY_COMPROMISE),
        Revocation(2, BEGIN),
        Revocation(4, BEGIN, Reason.SUPERSEDED),
    ]
    crl = x509.load_der_x509_crl(make_crl(rows, number=7, period=WEEK, authority=authority(), key=OTHER_KEY))
    number = crl.extensions.get_extension_for_class(x509.CRLNumber)
    assert (number.value.crl_number, number.critical) == (7, False)
    assert (crl.last_update_utc, crl.next_update_utc) == (WEEK.begin, WEEK.end)
    assert [row.serial_number for row in crl] == [2, 4, 3]
    reasons = [[one.value.reason.value for one in row.extensions] for row in crl]
    assert reasons == [[], ["superseded"], ["keyCompromise"]]


def test_every_reason_can_be_written():
    rows = [Revocation(number, BEGIN, reason) for number, reason in enumerate(Reason, 1)]
    assert len(x509.load_der_x509_crl(make_crl(rows, number=1, period=WEEK, authority=authority(), key=OTHER_KEY))) == 5


def test_an_empty_list():
    assert not len(x509.load_der_x509_crl(make_crl([], number=1, period=WEEK, authority=authority(), key=OTHER_KEY)))


@pytest.mark.parametrize("begin,end", [(BEGIN, BEGIN - timedelta(seconds=1)), (BEGIN.replace(tzinfo=None),) * 2,
                                       (BEGIN, BEGIN.replace(microsecond=1))])  # fmt: skip
def test_dates_that_are_none(begin, end):
    with pytest.raises(Misuse):
        Period(begin, end)


@pytest.mark.parametrize("serial", [0, 1 << 159])
def test_serials_out_of_bounds(serial):
    with pytest.raises(Misuse):
        device(Grant(serial, YEAR))
    with pytest.raises(Misuse):
        make_crl([Revocation(serial, BEGIN)], number=1, period=WEEK, authority=authority(), key=OTHER_KEY)


@pytest.mark.parametrize("period", [replace(YEAR, begin=BEGIN - timedelta(seconds=1)),
                                    replace(YEAR, end=PERIOD.end + timedelta(seconds=1))])  # fmt: skip
def test_nothing_outlives_its_authority(period):
    with pytest.raises(Misuse):
        device(Grant(SERIAL, period))


@pytest.mark.parametrize("number", [0, (1 << 63) + 1])
def test_numbers_out_of_bounds(number):
    with pytest.raises(Misuse):
        make_crl([], number=number, period=WEEK, authority=authority(), key=OTHER_KEY)


def test_a_serial_twice():
    with pytest.raises(Misuse):
        make_crl([Revocation(1, BEGIN)] * 2, number=1, period=WEEK, authority=authority(), key=OTHER_KEY)


def test_too_many(monkeypatch):
    monkeypatch.setattr("hardwire.certs.authority.MAX_REVOKED", 1)
    with pytest.raises(Misuse):
        make_crl([Revocation(n, BEGIN) for n in (1, 2)], number=1, period=WEEK, authority=authority(), key=OTHER_KEY)


def test_a_key_that_is_not_the_authoritys():
    with pytest.raises(DeviceFailed) as caught:
        device(issuer=authority(), key=P384_KEY)
    assert caught.value.code == "bad-signature"
    with pytest.raises(DeviceFailed):
        make_crl([], number=1, period=WEEK, authority=authority(), key=KEY)


def test_keys_of_another_kind():
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(UsageError):
        make_authority(key, organisation="ACME", serial=1, period=PERIOD)
    with pytest.raises(UsageError):
        device(issuer=authority(), key=key)
    with pytest.raises(UsageError):
        make_crl([], number=1, period=WEEK, authority=authority(), key=key)


def test_an_authority_that_no_peer_would_believe():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    root = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(OTHER_KEY.public_key()).serial_number(9)
        .not_valid_before(PERIOD.begin).not_valid_after(PERIOD.end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(OTHER_KEY, hashes.SHA256())
    )  # fmt: skip
    nobody = open_gate(root.public_bytes(Encoding.DER))
    with pytest.raises(CertificateRefused):
        device(issuer=nobody)
    with pytest.raises(CertificateRefused):
        make_crl([], number=1, period=WEEK, authority=nobody, key=OTHER_KEY)
