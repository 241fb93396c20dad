# SPDX-License-Identifier: Apache-2.0
import itertools
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.certs import der, profile
from hardwire.certs.profile import KeyKind, SignatureAlgorithm
from support.certparts import KEY, NOW, P384_KEY, RSA, spki

SIGNATURES = [
    (KEY, hashes.SHA256(), None, SignatureAlgorithm.ECDSA_SHA256),
    (KEY, hashes.SHA384(), None, SignatureAlgorithm.ECDSA_SHA384),
    (P384_KEY, hashes.SHA512(), None, SignatureAlgorithm.ECDSA_SHA512),
    *((RSA, digest, padding.PKCS1v15(), name) for digest, name in (
        (hashes.SHA256(), SignatureAlgorithm.RSA_SHA256),
        (hashes.SHA384(), SignatureAlgorithm.RSA_SHA384),
        (hashes.SHA512(), SignatureAlgorithm.RSA_SHA512),
    )),
    *((RSA, digest, padding.PSS(padding.MGF1(digest), digest.digest_size), name) for digest, name in (
        (hashes.SHA256(), SignatureAlgorithm.PSS_SHA256),
        (hashes.SHA384(), SignatureAlgorithm.PSS_SHA384),
        (hashes.SHA512(), SignatureAlgorithm.PSS_SHA512),
    )),
]  # fmt: skip


@pytest.mark.parametrize("key, digest, scheme, name", SIGNATURES, ids=[one[3].value for one in SIGNATURES])
def test_algorithm_identifiers_are_those_that_another_writer_writes(key, digest, scheme, name) -> None:
    subject = x509.Name([])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, NOW, NOW)
        .sign(key, digest, rsa_padding=scheme)
        .public_bytes(Encoding.DER)
    )
    _, algorithm, _ = der.parse(certificate).children
    assert profile.SIGNATURE_ALGORITHMS[algorithm.raw] is name
    assert name.elliptic == name.value.startswith("ecdsa")


def test_every_algorithm_has_one_identifier() -> None:
    assert sorted(profile.SIGNATURE_ALGORITHMS.values(), key=str) == sorted(SignatureAlgorithm, key=str)
    assert set(profile.KEY_ALGORITHMS.values()) == set(KeyKind)


@pytest.mark.parametrize("key, kind", [(KEY, KeyKind.P256), (P384_KEY, KeyKind.P384), (RSA, KeyKind.RSA)])
def test_key_algorithms(key, kind) -> None:
    algorithm, _ = der.parse(spki(key)).children
    assert profile.KEY_ALGORITHMS[algorithm.raw] is kind


def test_the_device_purpose_is_the_uuid_it_claims_to_be() -> None:
    digits = uuid.UUID("ba31f2f3-6e09-4d9a-a8db-c3cec927b7fe").hex
    cuts = (0, 4, 8, 12, 16, 20, 26, 32)
    arcs = [str(int(digits[begin:end], 16)) for begin, end in itertools.pairwise(cuts)]
    assert "1.2.840.113556.1.8000.2554." + ".".join(arcs) == profile.DEVICE_PURPOSE
    assert profile.DEVICE_PURPOSE != profile.ANY_PURPOSE


def test_the_device_profile_is_what_the_documents_say() -> None:
    assert {(rule.name, rule.critical, rule.required) for rule in profile.DEVICE.extensions} == {
        ("basicConstraints", True, True),
        ("keyUsage", True, True),
        ("extendedKeyUsage", False, True),
        ("subjectAltName", False, True),
        ("subjectKeyIdentifier", False, False),
    }
    assert profile.MAX_CERTIFICATE == 8192
    assert profile.DEVICE.usages_required < profile.DEVICE.usages_allowed
    assert 4096 in profile.DEVICE.rsa_bits
    assert 4097 not in profile.DEVICE.rsa_bits
    assert 65539 in profile.RSA_EXPONENTS
    assert 65538 not in profile.RSA_EXPONENTS
