# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import der, shape
from hardwire.certs.names import GeneralName, NameKind
from hardwire.certs.profile import DEVICE_PURPOSE, KeyKind, KeyUsage, SignatureAlgorithm
from hardwire.errors import CertificateRefused
from support import certchains
from support.certmutants import Mutant, mutants
from support.certparts import KEY, NOW, Parts, build, common_name, did_of, extension, names, oid, spki, tlv

CODES = {
    "cert-shape", "cert-version", "cert-serial", "cert-algorithm", "cert-name", "cert-validity", "cert-key",
    "cert-extension",
}  # fmt: skip
MUTANTS = [mutant for mutant in mutants() if mutant.code in CODES]


def test_reads_every_member() -> None:
    seen = shape.read(build(Parts()))
    assert seen.serial == 0x1234
    assert seen.algorithm is SignatureAlgorithm.ECDSA_SHA256
    assert seen.issuer == seen.subject == common_name()
    assert seen.not_before < NOW < seen.not_after
    assert seen.spki == spki(KEY)
    assert seen.key_kind is KeyKind.P256
    assert seen.values.authority is False
    assert seen.values.key_usage == {KeyUsage.DIGITAL_SIGNATURE}
    assert seen.values.purposes == (DEVICE_PURPOSE,)
    assert seen.values.alt_names == (GeneralName(NameKind.URI, did_of(KEY)),)
    assert seen.extensions[0] == shape.Extension("2.5.29.19", critical=True, value=b"\x30\x00")


def test_absent_extensions_are_absent() -> None:
    absent = dict.fromkeys(("2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17"), b"")
    seen = shape.read(build(Parts(extensions=absent, more=extension("2.5.29.14", tlv(0x04, b"k")))))
    assert seen.values.authority is False
    assert seen.values.key_usage is None
    assert seen.values.purposes is None
    assert seen.values.alt_names is None


@pytest.mark.parametrize(
    "value, usages",
    [
        ("03020186", {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN}),
        ("0303078880", {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT, KeyUsage.DECIPHER_ONLY}),
        ("030307ff80", set(KeyUsage)),
    ],
)
def test_key_usage_bits(value: str, usages: set[KeyUsage]) -> None:
    usage = extension("2.5.29.15", bytes.fromhex(value), critical=b"\x01\x01\xff")
    assert shape.read(build(Parts(extensions={"2.5.29.15": usage}))).values.key_usage == usages


@pytest.mark.parametrize("value", ["30030101ff", "30060101ff020100", "30060101ff020105"])
def test_authorities(value: str) -> None:
    constraints = extension("2.5.29.19", bytes.fromhex(value), critical=b"\x01\x01\xff")
    assert shape.read(build(Parts(extensions={"2.5.29.19": constraints}))).values.authority


def test_names_of_every_accepted_kind() -> None:
    general = (
        tlv(0xA0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xA0, tlv(0x30, oid("1.2.3"), tlv(0x04, b"serial")))),
        tlv(0x81, b"device@example.org"),
        tlv(0x82, b"device.example.org"),
        tlv(0xA4, common_name()),
        tlv(0x86, b"did:key:z"),
        tlv(0x87, bytes(4)),
        tlv(0x88, oid("1.2.3")[2:]),
    )
    seen = shape.read(build(Parts(extensions={"2.5.29.17": names(*general)})))
    assert seen.values.alt_names is not None
    assert [name.kind.value for name in seen.values.alt_names] == [0xA0, 0x81, 0x82, 0xA4, 0x86, 0x87, 0x88]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_refuses(mutant: Mutant) -> None:
    with pytest.raises(CertificateRefused) as caught:
        shape.read(mutant.der)
    assert caught.value.code == mutant.code


def test_every_refusal_of_the_shape_has_a_mutant() -> None:
    assert {mutant.code for mutant in MUTANTS} == CODES


def test_an_ed25519_signature_has_64_octets() -> None:
    whole = certchains.device(certchains.ED_KEY, certchains.ED_KEY).der()
    tbs, algorithm, signature = der.parse(whole).children
    for size in (63, 65):
        octets = tlv(0x30, tbs.raw, algorithm.raw, tlv(0x03, (signature.content + b"\0")[: 1 + size]))
        with pytest.raises(CertificateRefused) as caught:
            shape.read(octets)
        assert caught.value.code == "cert-algorithm"
