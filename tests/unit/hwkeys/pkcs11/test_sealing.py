# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hwkeys import SealRefused, Unsupported
from hwkeys.pkcs11.sealing import MAX_SECRET, seal, unseal

CURVES = [ec.SECP256R1(), ec.SECP384R1()]


class Token:
    """A token's half of an agreement, and how often it was asked."""

    def __init__(self, curve: ec.EllipticCurve = CURVES[0]) -> None:
        self._key = ec.generate_private_key(curve)
        self.public = self._key.public_key()
        self.asked = 0

    def __call__(self, fresh: ec.EllipticCurvePublicKey) -> bytes:
        self.asked += 1
        return self._key.exchange(ec.ECDH(), fresh)

    def opens(self, sealed: bytes) -> bytes:
        return unseal(sealed, self.public, self)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 32, MAX_SECRET])
def test_what_was_sealed_opens(curve, size):
    token, secret = Token(curve), bytes(range(size))
    sealed = seal(token.public, secret)
    assert token.asked == 0
    assert token.opens(sealed) == secret
    assert seal(token.public, secret) != sealed


@pytest.mark.parametrize("size", [0, MAX_SECRET + 1])
def test_a_secret_of_another_size_is_not_sealed(size):
    with pytest.raises(Unsupported, match="1 to 128"):
        seal(Token().public, bytes(size))


def test_every_single_bit_counts():
    token = Token()
    sealed = seal(token.public, b"a secret")
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealRefused):
            token.opens(bytes(altered))


def test_cut_short_or_made_longer():
    token = Token()
    sealed = seal(token.public, b"a secret")
    for octets in (b"", *(sealed[:end] for end in range(len(sealed))), sealed + b"\0", sealed + bytes(8)):
        with pytest.raises(SealRefused):
            token.opens(octets)


def test_another_key_does_not_open_it_and_is_not_asked():
    token, other = Token(), Token()
    sealed = seal(token.public, b"a secret")
    with pytest.raises(SealRefused, match="another key") as refused:
        other.opens(sealed)
    assert other.asked == 0
    assert refused.value.hint
    # Nor when it is made to look like its own.
    known = other.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(SealRefused, match="altered"):
        other.opens(sealed[:8] + hashlib.sha256(known).digest()[:16] + sealed[24:])


def test_what_is_longer_than_any_secret_is_not_taken_to_the_token():
    token, fresh = Token(), ec.generate_private_key(CURVES[0])
    head = seal(token.public, b"x")[:24] + fresh.public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )
    key = HKDF(hashes.SHA256(), 32, head, b"hwkeys seal").derive(fresh.exchange(ec.ECDH(), token.public))
    assert token.opens(head + aes_key_wrap_with_padding(key, bytes(128))) == bytes(128)
    with pytest.raises(SealRefused):
        token.opens(head + aes_key_wrap_with_padding(key, bytes(129)))
    assert token.asked == 1


def test_the_form_is_the_one_that_is_written_down():
    token, secret = Token(), b"what is stored must open in ten years"
    sealed = seal(token.public, secret)
    head, wrapped = sealed[:89], sealed[89:]
    assert head[:8] == b"hwseal1\0"
    fresh = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[0], head[24:])
    key = HKDF(hashes.SHA256(), 32, head, b"hwkeys seal").derive(token(fresh))
    assert aes_key_unwrap_with_padding(key, wrapped) == secret
