# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hardwire.certs import did_document, did_key, parse_did_key
from hardwire.certs.did import _base58
from hardwire.errors import Misuse, WireError
from support.certparts import KEY, P384_KEY, RSA

# W3C CCG, "The did:key Method": the test vectors of the specification, with the coordinates in its JWKs.
P256_VECTORS = [
    (
        "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        "7f235830dd3defa722ef1aa249d6a0ddbba4f990b0817538933f573640653542",
        "856da88d335f1fb25b8bcfbe089528dce09b1f7cb99fdd60f88300f4c2cc6d35",
    ),
    (
        "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
        "8a0ac59a2d3086e8a12a78fd4773a6d52a0ca61ef6c1419e15a05bcc6dafce7b",
        "79fb17e5bd74c7cca3cab8f89f2de919f2dc63b5dbcb52b382a39daa7b2b2483",
    ),
]
P384_VECTORS = [
    "did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9",
    "did:key:z82LkvCwHNreneWpsgPEbV3gu1C6NFJEBg4srfJ5gdxEsMGRJUz2sG9FE42shbn2xkZJh54",
]
# W3C CCG, the same document, §4.1 and the appendix; the second with the key of RFC 8032 §7.1, test 1.
ED25519_VECTORS = [
    (
        "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
    ),
    (
        "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
]
RSA_VECTOR = "did:key:z4MXj1wBzi9jUstyPMS4jQqB6KdJaiatPkAtVtGc6bQEQEEsKTic4G7Rou3iBf9vPmT5dbkm9qsZsuVNjq8HCuW1w24nhBFGkRE4cd2Uf2tfrB3N7h4mnyPp1BF3ZttHTYv3DLUPi1zMdkULiow3M1GfXkoC6DoxDUm1jmN6GBj22SjVsr6dxezRVQc7aj9TxE7JLbMH1wh5X3kA58H3DFW8rnYMakFGbca5CB2Jf6CnGQZmL7o5uJAdTwXfy2iiiyPxXEGerMhHwhjTA1mKYobyk2CpeEcmvynADfNZ5MBvcCS7m3XkFCMNUYBS9NQ3fze6vMSUPsNa6GVYmKx2x6JrdEjCk3qRMMmyjnjCMfR4pXbRMZa3i"
GOOD = P256_VECTORS[0][0]


def _of(*octets: bytes) -> str:
    return "did:key:z" + _base58(b"".join(octets))


@pytest.mark.parametrize("did, x, y", P256_VECTORS)
def test_published_p256(did: str, x: str, y: str) -> None:
    key = parse_did_key(did)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.public_numbers() == ec.EllipticCurvePublicNumbers(int(x, 16), int(y, 16), ec.SECP256R1())
    assert did_key(key) == did


@pytest.mark.parametrize("did", P384_VECTORS)
def test_published_p384(did: str) -> None:
    key = parse_did_key(did)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp384r1"
    assert did_key(key) == did


@pytest.mark.parametrize("did, octets", ED25519_VECTORS)
def test_published_ed25519(did: str, octets: str) -> None:
    key = parse_did_key(did)
    assert isinstance(key, ed25519.Ed25519PublicKey)
    assert key.public_bytes_raw().hex() == octets
    assert did_key(key) == did


def test_published_rsa() -> None:
    key = parse_did_key(RSA_VECTOR)
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
    assert did_key(key) == RSA_VECTOR


@pytest.mark.parametrize("key", [KEY, P384_KEY, RSA], ids=["P-256", "P-384", "RSA"])
def test_round_trip(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    assert parse_did_key(did_key(key.public_key())) == key.public_key()


def test_a_curve_without_a_name_here_is_misuse() -> None:
    with pytest.raises(Misuse, match="secp521r1"):
        did_key(ec.derive_private_key(5, ec.SECP521R1()).public_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:key:z",
        "did:web:example.org",
        GOOD.upper(),
        GOOD.replace("did:key:z", "did:key:m"),
        GOOD.replace("did:key:z", "did:key:1.1:z"),
        GOOD.replace("did:key:z", "did:key:z1"),
        GOOD + "1",
        GOOD[:-1],
        GOOD + "#" + GOOD.removeprefix("did:key:"),
        " " + GOOD,
        GOOD + "\n",
        GOOD.replace("D", "0", 1),
        GOOD.replace("D", "\u0414", 1),
        GOOD[:-1] + "O",
        GOOD[:-1] + "I",
        GOOD[:-1] + "l",
        "did:key:z" + "z" * 2000,
        # a P-521 key of the specification: another kind
        "did:key:z2J9gaYxrKVpdoG9A4gRnmpnRCcxU6agDtFVVBVdn1JedouoZN7SzcyREXXzWgt3gGiwpoHq7K68X4m32D8HgzG8wv3sY5j7",
        _of(b"\x80\x24"),
        _of(b"\x80\x24", b"\x00"),
        _of(b"\x80\x24", b"\x02", b"\xff" * 32),
        _of(b"\x80\x24", b"\x02", (5).to_bytes(31)),
        _of(b"\x80\x24", b"\x05", bytes(32)),
        _of(b"\x81\x24", b"\x02", bytes(32)),
        _of(b"\xed\x01"),
        _of(b"\xed\x01", bytes(31)),
        _of(b"\xed\x01", bytes(33)),
        _of(b"\x85\x24"),
        _of(b"\x85\x24", b"\x30\x00"),
    ],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(WireError) as caught:
        parse_did_key(text)
    assert caught.value.code == "did-key"


@pytest.mark.parametrize("text", ["did:key:z" + "z" * 2000, "did:web:example", GOOD.removeprefix("did:key:z")])
def test_length_and_prefix_are_looked_at_before_the_arithmetic(text: str) -> None:
    with pytest.raises(WireError, match="too long, or does not begin"):
        parse_did_key(text)


def test_a_point_off_the_curve_is_refused() -> None:
    # x = 1 has no point on P-256; x = 5 has.
    assert parse_did_key(_of(b"\x80\x24", b"\x02", (5).to_bytes(32)))
    with pytest.raises(WireError):
        parse_did_key(_of(b"\x80\x24", b"\x02", (1).to_bytes(32)))


def test_an_uncompressed_point_is_another_spelling() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with pytest.raises(WireError, match="one spelling"):
        parse_did_key(_of(b"\x80\x24", point))


def test_an_rsa_key_in_another_wrapping_is_refused() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    wrapped = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(WireError):
        parse_did_key(_of(b"\x85\x24", wrapped))
    elliptic = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(WireError, match="another kind"):
        parse_did_key(_of(b"\x85\x24", elliptic))


@pytest.mark.parametrize("bits, exponent", [(1024, 65537), (2048, 3)])
def test_a_weak_rsa_key_is_refused(bits: int, exponent: int) -> None:
    weak = rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 1).public_key()
    with pytest.raises(WireError, match="RSA key"):
        parse_did_key(did_key(weak))


@pytest.mark.parametrize("did", [P256_VECTORS[0][0], P384_VECTORS[0], ED25519_VECTORS[0][0], RSA_VECTOR])
def test_the_document_of_a_did(did: str) -> None:
    document = did_document(did)
    key = f"{did}#{did[8:]}"
    assert document["id"] == did
    assert document["verificationMethod"] == [
        {"id": key, "type": "Multikey", "controller": did, "publicKeyMultibase": did[8:]}
    ]
    for use in ("authentication", "assertionMethod", "capabilityInvocation", "capabilityDelegation"):
        assert document[use] == [key]
    assert "keyAgreement" not in document


def test_no_document_of_something_else() -> None:
    with pytest.raises(WireError):
        did_document("did:web:example.org")
