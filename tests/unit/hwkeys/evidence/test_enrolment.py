# SPDX-License-Identifier: Apache-2.0
"""The TPM's side is written here a second time, from the specification, and undoes what the authority did.

A real (emulated) TPM does the same in ``tests/devices/test_swtpm_attestation.py``.
"""

import hashlib
import hmac
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from hwkeys import EvidenceRefused, Purpose
from hwkeys.evidence import Maker, make_credential, read_attestation_key, verify_endorsement
from hwkeys.evidence.enrolment import ENDORSEMENT_PURPOSE, kdfa
from hwkeys.evidence.maker import general_name
from hwkeys.tpm.public import ATTESTING, SIGNING, Attributes
from support.evidence import AT, Authority, area_of, der, rsa_key

EK = [
    (x509.ExtendedKeyUsage([ENDORSEMENT_PURPOSE]), False),
    (x509.SubjectAlternativeName([general_name(Maker("id:494E5443", "chip", "id:2"))]), True),
]
SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def maker() -> Authority:
    return Authority.root("maker")


def attestation_area(**changes):
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return area_of(key, **{"attributes": ATTESTING, "ecdsa": True, **changes})


def taken(octets: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack(">H", octets[:2])
    return octets[2 : 2 + size], octets[2 + size :]


def activated(challenge, key, name: bytes, hash_name: str, bits: int) -> bytes:
    secret, end = taken(challenge.secret)
    algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}[hash_name]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        x, rest = taken(secret)
        y, more = taken(rest)
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, b"\4" + x + y)
        own = key.public_key().public_numbers().x.to_bytes(len(x))
        shared = key.exchange(ec.ECDH(), theirs)
        seed = hashlib.new(hash_name, struct.pack(">I", 1) + shared + b"IDENTITY\0" + x + own).digest()
        assert more == b""
    else:
        seed = key.decrypt(secret, padding.OAEP(padding.MGF1(algorithm), algorithm, b"IDENTITY\0"))
    body, more = taken(challenge.credential)
    tag, encrypted = taken(body)
    assert (end, more) == (b"", b"")
    integrity = kdfa(hash_name, seed, b"INTEGRITY", b"", algorithm.digest_size * 8)
    assert hmac.digest(integrity, encrypted + name, hash_name) == tag
    cipher = Cipher(algorithms.AES(kdfa(hash_name, seed, b"STORAGE", name, bits)), CFB(bytes(16))).decryptor()
    found, more = taken(cipher.update(encrypted) + cipher.finalize())
    assert more == b""
    return found


@pytest.mark.parametrize(
    "key, hash_name, bits",
    [
        (rsa_key(), "sha256", 128),
        (rsa_key(3072), "sha384", 256),
        (ec.generate_private_key(ec.SECP256R1()), "sha256", 128),
        (ec.generate_private_key(ec.SECP384R1()), "sha384", 256),
    ],
    ids=["RSA 2048", "RSA 3072", "P-256", "P-384"],
)
def test_the_secret_comes_out_with_both_keys(maker, key, hash_name, bits):
    area = attestation_area()
    certificate = maker.issue("ek", key.public_key(), EK)
    for secret in (SECRET, SECRET[:16]):
        challenge = make_credential(certificate, area.encode(), secret)
        assert activated(challenge, key, area.name(), hash_name, bits) == secret
        assert make_credential(certificate, area.encode(), secret) != challenge
    with pytest.raises(AssertionError):
        activated(challenge, key, attestation_area().name(), hash_name, bits)


def test_kdfa_as_sp_800_108_has_it():
    whole = hmac.digest(b"key", b"\0\0\0\1STORAGE\0context\0\0\0\x80", "sha256")
    assert kdfa("sha256", b"key", b"STORAGE", b"context", 128) == whole[:16]


@pytest.mark.parametrize("secret", [b"", bytes(15), bytes(33)])
def test_secrets_of_other_sizes(maker, secret):
    certificate = maker.issue("ek", rsa_key().public_key(), EK)
    with pytest.raises(ValueError, match="16 to 32"):
        make_credential(certificate, attestation_area().encode(), secret)


@pytest.mark.parametrize("key", [rsa_key(4096), ec.generate_private_key(ec.SECP521R1())], ids=["RSA 4096", "P-521"])
def test_keys_that_no_template_makes(maker, key):
    with pytest.raises(EvidenceRefused) as refused:
        make_credential(maker.issue("ek", key.public_key(), EK), attestation_area().encode(), SECRET)
    assert refused.value.code == "tpm-endorsement-key"


def test_an_endorsed_tpm(maker):
    certificate = maker.issue("ek", rsa_key().public_key(), EK)
    found = verify_endorsement([der(certificate)], roots=[maker.certificate], at=AT)
    assert (found.certificate, found.maker) == (certificate, Maker("INTC", "chip", "id:2"))
    plain = maker.issue("ek", rsa_key().public_key(), EK[:1])
    assert verify_endorsement([der(plain)], roots=[maker.certificate], at=AT).maker is None


@pytest.mark.parametrize("extensions", [[], EK[1:], [(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH]), False)]])
def test_certificates_that_endorse_nothing(maker, extensions):
    certificate = maker.issue("ek", rsa_key().public_key(), extensions)
    with pytest.raises(EvidenceRefused) as refused:
        verify_endorsement([der(certificate)], roots=[maker.certificate], at=AT)
    assert refused.value.code == "tpm-endorsement-key"
    with pytest.raises(EvidenceRefused) as refused:
        verify_endorsement([der(certificate)], roots=[Authority.root("other").certificate], at=AT)
    assert refused.value.code == "chain-root"


@pytest.mark.parametrize(
    "changes",
    [
        *({"attributes": ATTESTING & ~flag} for flag in ATTESTING),
        {"attributes": SIGNING},
        {"attributes": ATTESTING | Attributes.DECRYPT},
        {"attributes": ATTESTING | Attributes.ST_CLEAR},
        {"ecdsa": False},
        {"storage": True},
        {"policy": bytes(32)},
        {"purpose": Purpose.AGREE, "attributes": ATTESTING & ~Attributes.SIGN | Attributes.DECRYPT, "ecdsa": False},
        {"y": bytes(32)},
    ],
)
def test_keys_that_would_sign_what_their_owner_made_up(maker, changes):
    certificate = maker.issue("ek", rsa_key().public_key(), EK)
    public = attestation_area(**changes).encode()
    for attempt in (lambda: read_attestation_key(public), lambda: make_credential(certificate, public, SECRET)):
        with pytest.raises(EvidenceRefused) as refused:
            attempt()
        assert refused.value.code == "tpm-attestation-key"


def test_octets_that_are_no_key():
    with pytest.raises(EvidenceRefused):
        read_attestation_key(b"\0\x23")


def test_an_attestation_key():
    area = attestation_area()
    assert read_attestation_key(area.encode()) == area
