# SPDX-License-Identifier: Apache-2.0
"""openssl and certtool judge what `hardwire cert` makes: the authority, a device, a list."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardwire.app.offlineca import Wish, create, issue, list_revoked, revoke
from hardwire.app.pem import CERTIFICATE, CRL, REQUEST, to_pem
from hardwire.certs import DEVICE_PURPOSE, Level, Reason, make_request, parse_name, read_request
from support.certparts import KEY, P384_KEY, RSA

DEVICE = ec.generate_private_key(ec.SECP256R1())
YEAR = timedelta(days=365)
STRICT = ("-x509_strict", "-policy_check", "-check_ss_sig")


def run(*words: object, code: int = 0) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(params=[KEY, P384_KEY, RSA], ids=["P-256", "P-384", "RSA"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with ca.pem, device.pem, device.csr, empty.crl and revoked.crl."""
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path / "home"))
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = request.param
    authority = create(tmp_path / "ca", key, key_uri="pkcs11:token=x", organisation="ACME", life=10 * YEAR)
    names = tuple(map(parse_name, ("alice@example.org", "pump7.example.org", "id:4711")))
    asked = make_request(DEVICE, names=names)
    with authority.ledger() as ledger:
        one = issue(authority, ledger, read_request(asked), Wish(names, YEAR, level=Level.CLAIMED), key)
        empty = list_revoked(authority, ledger, timedelta(days=30), key)[1]
        revoke(ledger, one.serial, Reason.KEY_COMPROMISE)
        revoked = list_revoked(authority, ledger, timedelta(days=30), key)[1]
    for name, label, der in (
        ("ca.pem", CERTIFICATE, authority.certificate.der),
        ("device.pem", CERTIFICATE, one.certificate),
        ("device.csr", REQUEST, asked),
        ("empty.crl", CRL, empty),
        ("revoked.crl", CRL, revoked),
    ):
        (tmp_path / name).write_text(to_pem(label, der))
    return tmp_path


def test_openssl_verifies_the_chain(made: Path) -> None:
    assert "OK" in run("openssl", "verify", *STRICT, "-CAfile", made / "ca.pem", made / "device.pem")
    text = run("openssl", "x509", "-in", made / "device.pem", "-noout", "-text", "-certopt", "ext_error")
    for words in (DEVICE_PURPOSE, "CA:FALSE", "email:alice@example.org", "DNS:pump7.example.org", Level.CLAIMED.policy):
        assert words in text


def test_openssl_reads_the_lists_and_refuses_the_revoked(made: Path) -> None:
    for name, number in (("empty.crl", "1"), ("revoked.crl", "2")):
        text = run("openssl", "crl", "-in", made / name, "-CAfile", made / "ca.pem", "-noout", "-text")
        assert "verify OK" in text
        assert f"X509v3 CRL Number: \n                {number}" in text
    assert "Key Compromise" in text
    check = ("openssl", "verify", *STRICT, "-crl_check", "-CAfile", made / "ca.pem")
    assert "OK" in run(*check, "-CRLfile", made / "empty.crl", made / "device.pem")
    assert "certificate revoked" in run(*check, "-CRLfile", made / "revoked.crl", made / "device.pem", code=2)


def test_openssl_reads_the_request(made: Path) -> None:
    text = run("openssl", "req", "-in", made / "device.csr", "-noout", "-verify", "-text")
    assert "verify OK" in text
    assert "email:alice@example.org" in text


def test_certtool_verifies_the_chain_and_reads_the_list(made: Path) -> None:
    words = ("certtool", "--verify", "--load-ca-certificate", made / "ca.pem")
    assert "Chain verification output: Verified" in run(*words, "--infile", made / "device.pem")
    assert "Chain verification output: Verified" in run(
        *words, "--load-crl", made / "empty.crl", "--infile", made / "device.pem"
    )
    refused = run(*words, "--load-crl", made / "revoked.crl", "--infile", made / "device.pem", code=1)
    assert "revoked" in refused
    text = run("certtool", "--crl-info", "--infile", made / "revoked.crl")
    assert "CRL Number" in text
    assert "Revoked certificates (1)" in text


def test_certtool_reads_the_request(made: Path) -> None:
    assert "Self signature: verified" in run("certtool", "--crq-info", "--infile", made / "device.csr")
