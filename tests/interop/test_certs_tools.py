# SPDX-License-Identifier: Apache-2.0
"""Judges that were written elsewhere read what is made here, and what they make is read here.

GnuTLS is asked to read only: its verifier takes no trust anchor that is not an authority, which is right for it.
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardwire.certs import CertificateRefused, did_key, make_self_signed, open_gate, verify_self_signed
from hardwire.certs.profile import DEVICE_PURPOSE
from support.certparts import KEY, P384_KEY, RSA

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2048, 1, 1, tzinfo=UTC)
KEYS = pytest.mark.parametrize("key", [KEY, P384_KEY, RSA], ids=["P-256", "P-384", "RSA"])


def _run(*command: str) -> str:
    # The judges are part of the set-up: a missing one fails, it does not skip.
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    path = tmp_path / "device.der"
    path.write_bytes(make_self_signed(key, not_before=BEGIN, not_after=END, serial=0xC0FFEE))
    return path


@KEYS
def test_openssl_reads_it(key: ec.EllipticCurvePrivateKey, certificate: Path) -> None:
    text = _run(
        "openssl", "x509", "-inform", "DER", "-in", str(certificate), "-noout", "-text", "-certopt", "ext_error"
    )
    assert f"URI:{did_key(key.public_key())}" in text
    assert DEVICE_PURPOSE in text
    assert "CA:FALSE" in text
    assert "Subject: CN = hardwire device" in text or "Subject: CN=hardwire device" in text


@KEYS
def test_openssl_verifies_it_strictly(certificate: Path, tmp_path: Path) -> None:
    pem = tmp_path / "device.pem"
    _run("openssl", "x509", "-inform", "DER", "-in", str(certificate), "-out", str(pem))
    strict = ("-x509_strict", "-check_ss_sig", "-partial_chain", "-policy_check")
    assert "OK" in _run("openssl", "verify", *strict, "-trusted", str(pem), str(pem))


@KEYS
def test_certtool_reads_it(key: ec.EllipticCurvePrivateKey, certificate: Path) -> None:
    text = _run("certtool", "--certificate-info", "--inder", "--infile", str(certificate))
    assert "error" not in text.lower()
    assert f"URI: {did_key(key.public_key())}" in text
    assert DEVICE_PURPOSE in text
    assert "Certificate Authority (CA): FALSE" in text
    assert "Digital signature" in text


def test_a_device_certificate_made_by_openssl_is_accepted(tmp_path: Path) -> None:
    key, pem, der = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "cert.der"
    public = tmp_path / "public.der"
    _run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    _run("openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER", "-out", str(public))
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    did = did_key(load_der_public_key(public.read_bytes()))  # type: ignore[arg-type]
    _run(
        "openssl", "req", "-x509", "-new", "-key", str(key), "-sha256", "-days", "30", "-subj", "/CN=hardwire device",
        "-config", "/dev/null", "-out", str(pem),
        "-addext", "basicConstraints=critical,CA:FALSE",
        "-addext", "keyUsage=critical,digitalSignature",
        "-addext", f"extendedKeyUsage={DEVICE_PURPOSE}",
        "-addext", f"subjectAltName=URI:{did}",
        "-addext", "authorityKeyIdentifier=none",
    )  # fmt: skip
    _run("openssl", "x509", "-in", str(pem), "-outform", "DER", "-out", str(der))
    gated = open_gate(der.read_bytes())
    assert verify_self_signed(gated, at=gated.not_before).did == did


def test_an_everyday_certificate_of_openssl_passes_the_gate_and_is_no_device(tmp_path: Path) -> None:
    key, der = tmp_path / "key.pem", tmp_path / "cert.der"
    _run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", str(key))
    _run("openssl", "req", "-x509", "-new", "-key", str(key), "-days", "30", "-subj", "/O=Example/CN=example.org", "-outform", "DER", "-out", str(der))  # fmt: skip
    gated = open_gate(der.read_bytes())
    with pytest.raises(CertificateRefused) as caught:
        verify_self_signed(gated, at=gated.not_before)
    assert caught.value.code == "cert-profile-extension"
