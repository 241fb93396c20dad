# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardwire.certs import GatedCertificate, KeyKind, open_gate
from hardwire.errors import CertificateRefused, Misuse
from support.certmutants import Mutant, accepted, mutants
from support.certparts import KEY, RSA, RSA_SHA256, Parts, build, extension, spki, tlv

VECTORS = Path(__file__).parents[3] / "vectors" / "hbi1.json"
FORM = [one for one in mutants() if not one.code.startswith("cert-profile")]
GATE_CODES = {
    "cert-size", "cert-der", "cert-shape", "cert-version", "cert-serial", "cert-algorithm",
    "cert-name", "cert-validity", "cert-key", "cert-extension", "cert-unreadable",
}  # fmt: skip


@pytest.mark.parametrize("mutant", [m for m in FORM if m.code in GATE_CODES], ids=lambda m: m.name)
def test_refuses_the_form_of(mutant: Mutant) -> None:
    with pytest.raises(CertificateRefused) as caught:
        open_gate(mutant.der)
    assert caught.value.code == mutant.code
    assert caught.value.exit_code == 20
    assert caught.value.hint


@pytest.mark.parametrize("der", [pytest.param(der, id=name) for name, der in accepted()])
def test_lets_well_formed_certificates_through(der: bytes) -> None:
    gated = open_gate(der)
    assert gated.der == der
    assert gated.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == gated.spki


def test_tells_what_it_saw() -> None:
    gated = open_gate(build(Parts()))
    assert gated.spki == spki(KEY)
    assert gated.key_kind is KeyKind.P256
    assert gated.serial == 0x1234
    assert gated.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert gated.not_after == datetime(2036, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert [one.oid for one in gated.extensions] == ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17"]
    assert [one.critical for one in gated.extensions] == [True, True, False, False]
    assert gated.key_usage_digital_signature is True


def test_key_usage_is_unknown_when_absent_and_false_when_it_forbids() -> None:
    assert open_gate(build(Parts(extensions={"2.5.29.15": b""}))).key_usage_digital_signature is None
    agreement = extension("2.5.29.15", bytes.fromhex("03020308"), critical=tlv(0x01, b"\xff"))
    assert open_gate(build(Parts(extensions={"2.5.29.15": agreement}))).key_usage_digital_signature is False


def test_accepts_an_authority_because_the_profile_is_not_its_business() -> None:
    constraints = extension("2.5.29.19", tlv(0x30, b"\x01\x01\xff", b"\x02\x01\x00"), critical=b"\x01\x01\xff")
    assert open_gate(build(Parts(extensions={"2.5.29.19": constraints}))).values.authority


def test_knows_the_rsa_key_kind() -> None:
    assert open_gate(build(Parts(key=RSA, inner=RSA_SHA256))).key_kind is KeyKind.RSA


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda vector: vector["name"])
@pytest.mark.parametrize("side", ["cred_I", "cred_R"])
def test_accepts_the_certificates_of_the_handshake_vectors(vector: dict[str, str], side: str) -> None:
    credential = bytes.fromhex(vector[side])
    assert credential[:2] == b"\x01\x01"
    size = int.from_bytes(credential[2:4])
    assert open_gate(credential[4 : 4 + size]).key_usage_digital_signature is True


def test_the_largest_certificate_is_8192_octets() -> None:
    def sized(padding: int) -> bytes:
        return build(
            Parts(
                more=extension("1.2.3.4", tlv(0x04, bytes(padding))),
                signature=lambda _: bytes.fromhex("3006020101020101"),
            )
        )

    fits = 8192 - len(sized(7000)) + 7000
    assert len(sized(fits)) == 8192
    open_gate(sized(fits))
    with pytest.raises(CertificateRefused, match="8193 octets") as caught:
        open_gate(sized(fits + 1))
    assert caught.value.code == "cert-size"


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x00\x00", b"\x30\x00", b"-----BEGIN CERTIFICATE-----", bytes(8192)])
def test_refuses_junk(junk: bytes) -> None:
    with pytest.raises(CertificateRefused):
        open_gate(junk)


def test_nobody_else_makes_a_gated_certificate() -> None:
    gated = open_gate(build(Parts()))
    with pytest.raises(Misuse):
        GatedCertificate(gated.der, gated.spki, gated.public_key, gated.shape, gated.parsed, gated.second)
    with pytest.raises(Misuse):
        GatedCertificate(gated.der, gated.spki, gated.public_key, gated.shape, gated.parsed, gated.second, object())
    with pytest.raises((Misuse, ValueError, TypeError)):
        dataclasses.replace(gated, der=b"")
    with pytest.raises(dataclasses.FrozenInstanceError):
        gated.der = b""  # type: ignore[misc]


def test_equality_is_of_the_octets() -> None:
    der = build(Parts())
    assert open_gate(der) == open_gate(der)
    assert hash(open_gate(der)) == hash(open_gate(der))
    assert open_gate(der) != open_gate(build(Parts(serial=b"\x02\x01\x05")))
