# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardwire.certs import CertificateRefused, load_spki
from support.certchains import ED_KEY, spki_of
from support.certparts import KEY, P256, P384_KEY, RSA, ec_algorithm, ec_spki, explicit_p256, point, tlv

POINT = point(KEY, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize("key", [KEY, P384_KEY, RSA, ED_KEY], ids=["P-256", "P-384", "RSA", "Ed25519"])
def test_loads(key) -> None:
    assert load_spki(spki_of(key)) == key.public_key()


def test_the_largest_rsa_key_fits() -> None:
    large = rsa.RSAPublicNumbers((1 << 64) - 1, (1 << 8192) - 1).public_key()
    octets = large.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert load_spki(octets) == large


@pytest.mark.parametrize(
    "octets, code",
    [
        (bytes(1201), "cert-size"),
        (b"", "cert-der"),
        (b"\x30\x00", "cert-shape"),
        (b"\x04\x00", "cert-shape"),
        (ec_spki(ec_algorithm(P256), point(KEY, PublicFormat.CompressedPoint)), "cert-key"),
        (ec_spki(ec_algorithm(P256), b"\x06" + POINT[1:]), "cert-key"),
        (ec_spki(ec_algorithm(P256), POINT[:-1] + bytes([POINT[-1] ^ 1])), "cert-key"),
        (ec_spki(ec_algorithm(P256), POINT[:-1] + b"\0", 1), "cert-key"),
        (ec_spki(ec_algorithm(explicit_p256()), POINT), "cert-key"),
        (ec_spki(ec_algorithm(), POINT), "cert-key"),
        (spki_of(ED_KEY)[:-1], "cert-der"),
        (tlv(0x30, bytes.fromhex("300506032b6570"), tlv(0x03, b"\0" + bytes(31))), "cert-key"),
    ],
)
def test_refuses(octets: bytes, code: str) -> None:
    with pytest.raises(CertificateRefused) as caught:
        load_spki(octets)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "bits, exponent",
    [(2047, 65537), (2049, 65537), (3071, 65537), (8193, 65537), (2048, 3), (2048, 65538), (2048, 1 << 64 | 1)],
)
def test_rsa_bounds(bits: int, exponent: int) -> None:
    from support.certparts import integer, oid

    numbers = tlv(0x30, integer((1 << (bits - 1)) + 1), integer(exponent))
    algorithm = tlv(0x30, oid("1.2.840.113549.1.1.1"), b"\x05\x00")
    with pytest.raises(CertificateRefused) as caught:
        load_spki(tlv(0x30, algorithm, tlv(0x03, b"\0", numbers)))
    assert caught.value.code == "cert-key"


def test_an_even_modulus_is_refused() -> None:
    from support.certparts import integer, oid

    numbers = tlv(0x30, integer(1 << 2047), integer(65537))
    algorithm = tlv(0x30, oid("1.2.840.113549.1.1.1"), b"\x05\x00")
    with pytest.raises(CertificateRefused, match="even"):
        load_spki(tlv(0x30, algorithm, tlv(0x03, b"\0", numbers)))
