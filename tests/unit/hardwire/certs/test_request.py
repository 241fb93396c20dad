# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hardwire.certs import der
from hardwire.certs.devicename import parse_name
from hardwire.certs.did import did_key
from hardwire.certs.encode import integer, oid, sequence, set_of, tlv
from hardwire.certs.request import (
    MAX_REQUEST,
    PIV_ATTESTATION,
    TPM_CERTIFY,
    DeviceRequest,
    Statement,
    attestation_nonce,
    make_request,
    read_request,
)
from hardwire.errors import CertificateRefused, DeviceFailed, Misuse, UsageError
from support.certparts import ECDSA_SHA256, KEY, OTHER_KEY, P256, P384_KEY, RSA, ec_algorithm, ec_spki, point, spki

NAMES = tuple(map(parse_name, ("alice@example.org", "pump7.example.org", "id:4711")))
STATEMENT = Statement(TPM_CERTIFY, sequence(tlv(0x04, b"attest"), tlv(0x04, b"sig"), tlv(0x04, b"public")))
CERTIFICATE = sequence(integer(1))
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hardwire device")]).public_bytes()
ATTESTATION = oid("1.2.840.113549.1.9.16.2.59")
EXTENSIONS = oid("1.2.840.113549.1.9.14")
SAN = oid("2.5.29.17")


def uri(key=KEY) -> bytes:
    return tlv(0x86, did_key(key.public_key()).encode())


def wish(*general: bytes, kind: bytes = SAN) -> bytes:
    return sequence(kind, tlv(0x04, sequence(*general)))


def asking(*wishes: bytes) -> bytes:
    return sequence(EXTENSIONS, set_of(sequence(*wishes)))


def evidence(*parts: bytes) -> bytes:
    return sequence(ATTESTATION, set_of(sequence(*parts)))


def statement(kind: str = TPM_CERTIFY, value: bytes = STATEMENT.value) -> bytes:
    return sequence(oid(kind), value)


def by_hand(
    *attributes: bytes, key=KEY, version: bytes = integer(0), public: bytes | None = None, extra: bytes = b"", signer=None,
    algorithm: bytes = ECDSA_SHA256,
) -> bytes:  # fmt: skip
    info = sequence(
        version, SUBJECT, spki(key) if public is None else public, tlv(0xA0, *(attributes or (asking(wish(uri())),))), extra
    )  # fmt: skip
    signer = signer or key
    if isinstance(signer, rsa.RSAPrivateKey):
        signature = signer.sign(info, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = signer.sign(info, ec.ECDSA(hashes.SHA256()))
    return sequence(info, algorithm, tlv(0x03, b"\0", signature))


def refusal(octets: bytes) -> str:
    with pytest.raises(CertificateRefused) as caught:
        read_request(octets)
    assert caught.value.message.startswith("the certificate request ")
    assert "hardwire cert request" in caught.value.hint
    return caught.value.code


@pytest.mark.parametrize("key", [KEY, P384_KEY, RSA], ids=["P-256", "P-384", "RSA"])
def test_what_was_made_is_read(key):
    read = read_request(make_request(key, names=NAMES, statement=STATEMENT))
    assert read.spki == spki(key)
    assert read.did == did_key(key.public_key())
    assert read.names == NAMES
    assert read.statement == STATEMENT
    assert read.public_key == key.public_key()


def test_without_names_and_evidence():
    read = read_request(make_request(KEY))
    assert (read.names, read.statement) == ((), None)
    assert read == read_request(by_hand())


def test_certificates_of_the_evidence():
    shown = Statement(PIV_ATTESTATION, CERTIFICATE, (CERTIFICATE, sequence(integer(2))))
    assert read_request(make_request(KEY, statement=shown)).statement == shown


def test_other_software_reads_it():
    parsed = x509.load_der_x509_csr(make_request(KEY, names=NAMES[:1]))
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["alice@example.org"]
    assert parsed.is_signature_valid


def test_only_the_reader_makes_one():
    with pytest.raises(Misuse):
        DeviceRequest(KEY.public_key(), spki(KEY), "did:key:z", (), None)


def test_the_nonce_is_about_the_key():
    assert len(attestation_nonce(spki(KEY))) == 32
    assert attestation_nonce(spki(KEY)) != attestation_nonce(spki(OTHER_KEY))


def test_a_device_that_signs_with_another_key():
    class Wrong(ec.EllipticCurvePrivateKey):
        curve, key_size = KEY.curve, 256
        exchange = private_bytes = private_numbers = __copy__ = __deepcopy__ = None

        def public_key(self):
            return KEY.public_key()

        def sign(self, data, signature_algorithm):
            return OTHER_KEY.sign(data, signature_algorithm)

    with pytest.raises(DeviceFailed) as caught:
        make_request(Wrong())
    assert caught.value.code == "bad-signature"


def test_a_key_of_another_kind():
    with pytest.raises(UsageError) as caught:
        make_request(ed25519.Ed25519PrivateKey.generate())
    assert caught.value.code == "key-kind"


def test_nothing_is_made_that_would_be_refused():
    with pytest.raises(Misuse):
        make_request(KEY, names=tuple(parse_name(f"id:{n}") for n in range(9)))


def test_too_large():
    assert refusal(bytes(MAX_REQUEST + 1)) == "request-size"


def test_every_octet_counts():
    made = make_request(KEY, names=NAMES, statement=STATEMENT)
    for at in range(0, len(made), 7):
        changed = bytearray(made)
        changed[at] ^= 0x01
        assert refusal(bytes(changed)).startswith("request-")


RSA_SMALL = rsa.generate_private_key(65537, 1024)
RSA_3 = rsa.generate_private_key(3, 2048)
ED = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
P521 = ec.derive_private_key(77, ec.SECP521R1())
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
ASKED = asking(wish(uri()))


@pytest.mark.parametrize(
    "code,octets",
    [
        ("request-der", by_hand() + b"\0"),
        ("request-der", by_hand(*sorted([ASKED, evidence(sequence(statement()))], reverse=True))),
        ("request-shape", tlv(0x30, integer(1))),
        ("request-shape", tlv(0x31, *der.parse(by_hand()).children[0].raw[:0:1])),
        ("request-shape", by_hand(extra=integer(1))),
        ("request-shape", by_hand(version=integer(1))),
        ("request-shape", by_hand(algorithm=bytes.fromhex("300a06082a8648ce3d040301"))),
        ("request-shape", by_hand(ASKED, ASKED)),
        ("request-shape", by_hand(sequence(EXTENSIONS, set_of()))),
        ("request-shape", by_hand(sequence(EXTENSIONS, set_of(sequence(wish(uri())), sequence())))),
        ("request-shape", by_hand(*sorted([ASKED, sequence(oid("1.2.840.113549.1.9.7"), set_of(tlv(0x0C, b"x")))]))),
        ("request-key", by_hand(public=sequence(sequence(), tlv(0x03, b"\0")))),
        ("request-key", by_hand(public=sequence())),
        ("request-key", by_hand(public=ED)),
        ("request-key", by_hand(key=P521)),
        ("request-key", by_hand(public=ec_spki(ec_algorithm(P256), point(KEY, PublicFormat.CompressedPoint)))),
        ("request-key", by_hand(asking(wish(uri(RSA))), key=RSA_SMALL, algorithm=RSA_SHA256)),
        ("request-key", by_hand(asking(wish(uri(RSA))), key=RSA_3, algorithm=RSA_SHA256)),
        ("request-names", by_hand(evidence(sequence(statement())))),
        ("request-names", by_hand(asking(wish(uri()), sequence(oid("2.5.29.19"), tlv(0x04, sequence()))))),
        ("request-names", by_hand(asking(wish(uri(), kind=oid("2.5.29.15"))))),
        ("request-names", by_hand(asking(sequence(oid("2.5.29.19"), tlv(0x04, sequence()))))),
        ("request-names", by_hand(asking(wish()))),
        ("request-names", by_hand(asking(wish(uri(OTHER_KEY))))),
        ("request-names", by_hand(asking(wish(tlv(0x82, b"a.example.org"), uri())))),
        ("request-names", by_hand(asking(wish(uri(), tlv(0x82, b"*.example.org"))))),
        ("request-names", by_hand(asking(wish(uri(), tlv(0x82, b"a.example.org"), tlv(0x82, b"a.example.org"))))),
        ("request-names", by_hand(asking(wish(uri(), *(tlv(0x82, b"a%d.example.org" % n) for n in range(9)))))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence()]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence())]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence(statement(), statement()))]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence(sequence(oid(TPM_CERTIFY))))]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence(statement("1.2.3")))]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence(statement()), sequence())]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence(statement()), sequence(*[CERTIFICATE] * 7))]))),
        ("request-evidence", by_hand(*sorted([ASKED, evidence(sequence(statement()), sequence(integer(1)))]))),
        ("request-signature", by_hand(signer=OTHER_KEY)),
    ],
)  # fmt: skip
def test_what_is_refused(code, octets):
    assert refusal(octets) == code
