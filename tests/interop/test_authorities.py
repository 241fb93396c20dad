# SPDX-License-Identifier: Apache-2.0
"""Authorities that other software made: their devices are accepted here, and what is accepted here is accepted there."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hardwire.certs import (
    CertificateRefused,
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    Source,
    Trust,
    VerifiedIdentity,
    did_key,
    trust_anchor,
    verify_chain,
)
from hardwire.certs.profile import DEVICE_PURPOSE

KINDS = pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
OPENSSL_KEYS = {
    "rsa": ("RSA", "rsa_keygen_bits:2048"),
    "p256": ("EC", "ec_paramgen_curve:P-256"),
    "p384": ("EC", "ec_paramgen_curve:P-384"),
}
SWAN_KEYS = {"rsa": ("rsa", "2048"), "p256": ("ecdsa", "256"), "p384": ("ecdsa", "384")}


def _run(*command: object, stdin: Path | None = None) -> bytes:
    # The judges are part of the set-up: a missing one fails, it does not skip.
    done = subprocess.run(
        list(map(str, command)),
        input=stdin.read_bytes() if stdin else None,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    return done.stdout


def _der(path: Path) -> bytes:
    return _run("openssl", "x509", "-in", path, "-outform", "DER")


def _key(place: Path, kind: str) -> Path:
    algorithm, option = OPENSSL_KEYS[kind]
    _run("openssl", "genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", place)
    return place


def _issue(place: Path, name: str, *, key: Path, by: tuple[Path, Path], extensions: str) -> Path:
    """A certificate by openssl, as an administrator would do it with a file of extensions."""
    request, extfile, made = (place / f"{name}.{end}" for end in ("csr", "ext", "pem"))
    extfile.write_text(extensions)
    _run("openssl", "req", "-new", "-key", key, "-subj", f"/O=Other Works/CN={name}", "-out", request)
    _run(
        "openssl", "x509", "-req", "-in", request, "-CA", by[0], "-CAkey", by[1], "-days", "30", "-sha256",
        "-extfile", extfile, "-out", made,
    )  # fmt: skip
    return made


AUTHORITY = """basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid,issuer:always
certificatePolicies = 1.3.6.1.4.1.55555.1
"""


def _device(place: Path, *, by: tuple[Path, Path], kind: str) -> tuple[Path, str]:
    key = _key(place / "device.key", kind)
    did = did_key(load_pem_private_key(key.read_bytes(), None).public_key())  # type: ignore[arg-type]
    extensions = f"""basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = {DEVICE_PURPOSE}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = URI:{did},email:ann@works.example,DNS:laptop.works.example
certificatePolicies = 1.3.6.1.4.1.55555.1
"""
    return _issue(place, "laptop", key=key, by=by, extensions=extensions), did


def _verify(chain: list[Path], root: Path, *, crls: tuple[bytes, ...] = ()) -> VerifiedIdentity:
    mode = RevocationMode.REQUIRE if crls else RevocationMode.OFF
    trust = Trust((trust_anchor(_der(root)),), revocation=RevocationRules(mode))
    return verify_chain([_der(one) for one in chain], trust, at=datetime.now(UTC), material=RevocationMaterial(crls))


def _judges_agree(chain: list[Path], root: Path, place: Path) -> None:
    between = place / "between.pem"
    between.write_bytes(b"".join(one.read_bytes() for one in chain[1:]))
    untrusted = ("-untrusted", between) if chain[1:] else ()
    assert b"OK" in _run("openssl", "verify", "-x509_strict", "-CAfile", root, *untrusted, chain[0])
    whole = place / "whole.pem"
    whole.write_bytes(b"".join(one.read_bytes() for one in chain))
    said = _run("certtool", "--verify", "--load-ca-certificate", root, "--infile", whole)
    assert b"Verified. The certificate is trusted." in said


@KINDS
def test_an_authority_of_openssl(kind: str, tmp_path: Path) -> None:
    root_key, root = _key(tmp_path / "root.key", kind), tmp_path / "root.pem"
    _run(
        "openssl", "req", "-x509", "-new", "-key", root_key, "-sha256", "-days", "300", "-subj", "/O=Other Works",
        "-config", "/dev/null", "-out", root, "-addext", "basicConstraints=critical,CA:TRUE",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "subjectKeyIdentifier=hash",
    )  # fmt: skip
    middle_key = _key(tmp_path / "middle.key", kind)
    middle = _issue(tmp_path, "devices", key=middle_key, by=(root, root_key), extensions=AUTHORITY)
    leaf, did = _device(tmp_path, by=(middle, middle_key), kind=kind)
    identity = _verify([leaf, middle], root)
    assert (identity.did, identity.organisation) == (did, "Other Works")
    assert identity.endorsement is not None
    assert identity.endorsement.policies == {"1.3.6.1.4.1.55555.1"}
    assert [name.text() for name in identity.endorsement.names] == [
        "email:ann@works.example",
        "dns:laptop.works.example",
    ]
    _judges_agree([leaf, middle], root, tmp_path)


@KINDS
def test_an_authority_of_strongswan(kind: str, tmp_path: Path) -> None:
    """Its `pki` makes root, issuing authority and lists; it has no words for a purpose of ours, so openssl issues."""
    algorithm, bits = SWAN_KEYS[kind]
    root, middle = tmp_path / "root.pem", tmp_path / "middle.pem"
    keys = {}
    for name in ("root", "middle"):
        keys[name] = tmp_path / f"{name}.key"
        keys[name].write_bytes(_run("pki", "--gen", "--type", algorithm, "--size", bits, "--outform", "pem"))
    root.write_bytes(
        _run("pki", "--self", "--ca", "--in", keys["root"], "--type", algorithm, "--dn", "O=Swan Works, CN=Root",
             "--digest", "sha256", "--outform", "pem")
    )  # fmt: skip
    middle.write_bytes(
        _run("pki", "--issue", "--ca", "--pathlen", "0", "--in", keys["middle"], "--type", "priv", "--cacert", root,
             "--cakey", keys["root"], "--dn", "O=Swan Works, CN=Devices", "--digest", "sha256", "--outform", "pem")
    )  # fmt: skip
    leaf, did = _device(tmp_path, by=(middle, keys["middle"]), kind=kind)
    assert (_verify([leaf, middle], root).did, _verify([leaf, middle], root).organisation) == (did, "Swan Works")
    _judges_agree([leaf, middle], root, tmp_path)

    serial = x509.load_der_x509_certificate(_der(leaf)).serial_number
    lists = {}
    for name, certificate, more in (("root", root, ()), ("middle", middle, ()), ("bad", middle, ("--reason", "key-compromise", "--serial", f"{serial:x}"))):  # fmt: skip
        lists[name] = _run(
            "pki", "--signcrl", "--cacert", certificate, "--cakey", keys["root" if name == "root" else "middle"],
            "--digest", "sha256", "--outform", "der", *more,
        )  # fmt: skip
    identity = _verify([leaf, middle], root, crls=(lists["root"], lists["middle"]))
    assert identity.endorsement is not None
    assert [fact.source for fact in identity.endorsement.revocation] == [Source.CRL, Source.CRL]
    with pytest.raises(CertificateRefused) as caught:
        _verify([leaf, middle], root, crls=(lists["root"], lists["bad"]))
    assert caught.value.code == "cert-revoked"


def test_a_list_and_an_answer_of_openssl(tmp_path: Path) -> None:
    """openssl's own small authority (`openssl ca`, `openssl ocsp`) takes a device back."""
    key, root = _key(tmp_path / "root.key", "p256"), tmp_path / "root.pem"
    _run(
        "openssl", "req", "-x509", "-new", "-key", key, "-sha256", "-days", "300", "-subj", "/O=Other Works",
        "-config", "/dev/null", "-out", root, "-addext", "basicConstraints=critical,CA:TRUE",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    )  # fmt: skip
    leaf, _ = _device(tmp_path, by=(root, key), kind="p256")
    (tmp_path / "index").touch()
    (tmp_path / "number").write_text("01\n")
    config = tmp_path / "ca.conf"
    config.write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={tmp_path}/index\ncrlnumber={tmp_path}/number\ndefault_md=sha256\n"
        "crl_extensions=x\ndefault_crl_days=7\n[x]\nauthorityKeyIdentifier=keyid\n"
    )
    ca = ("openssl", "ca", "-config", config, "-keyfile", key, "-cert", root)

    def crl() -> bytes:
        _run(*ca, "-gencrl", "-out", tmp_path / "list.pem")
        return _run("openssl", "crl", "-in", tmp_path / "list.pem", "-outform", "DER")

    def answer() -> bytes:
        made = tmp_path / "answer.der"
        _run("openssl", "ocsp", "-index", tmp_path / "index", "-CA", root, "-rsigner", root, "-rkey", key, "-issuer", root,
             "-cert", leaf, "-respout", made, "-ndays", "1", "-noverify", "-no_nonce", "-resp_no_certs")  # fmt: skip
        return made.read_bytes()

    _run(*ca, "-valid", leaf)
    assert _verify([leaf], root, crls=(crl(),)).endorsement is not None
    trust = Trust((trust_anchor(_der(root)),), revocation=RevocationRules(RevocationMode.REQUIRE))

    def with_answer() -> VerifiedIdentity:
        return verify_chain([_der(leaf)], trust, at=datetime.now(UTC), material=RevocationMaterial(ocsp=(answer(),)))

    endorsement = with_answer().endorsement
    assert endorsement is not None
    assert endorsement.revocation[0].source is Source.OCSP
    _run(*ca, "-revoke", leaf, "-crl_reason", "keyCompromise")
    for check in (lambda: _verify([leaf], root, crls=(crl(),)), with_answer):
        with pytest.raises(CertificateRefused) as caught:
            check()
        assert caught.value.code == "cert-revoked"
