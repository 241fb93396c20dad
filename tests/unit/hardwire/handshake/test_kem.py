# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from hardwire.errors import HandshakeRefused
from hardwire.handshake.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE, SHARED_SIZE, XWING_LABEL, XWing, XWingKeyPair
from support.hbi1 import VECTORS, CountedEntropy, flip

DRAFT = json.loads(VECTORS.with_name("xwing.json").read_text())


def pair(seed: str = "pair") -> XWingKeyPair:
    return XWing().generate(CountedEntropy(seed))


def test_both_sides_agree_and_sizes_are_the_protocols():
    keys = pair()
    shared, ciphertext = XWing().encapsulate(keys.public, CountedEntropy("other"))
    assert keys.decapsulate(ciphertext) == shared
    assert (
        (len(keys.public), len(ciphertext), len(shared))
        == (1216, 1120, 32)
        == (PUBLIC_SIZE, CIPHERTEXT_SIZE, SHARED_SIZE)
    )
    assert bytes.fromhex("5c2e2f2f5e5c") == XWING_LABEL


def hpke_shared_secret_opens(keys: XWingKeyPair, sealed: bytes, info: bytes) -> bytes:
    """HPKE base mode (RFC 9180) by hand around our decapsulation, single shot."""
    import hmac

    suite = b"HPKE" + bytes.fromhex("647a00010002")

    def extract(salt: bytes, label: bytes, material: bytes) -> bytes:
        return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + material, hashlib.sha256).digest()

    def expand(prk: bytes, label: bytes, context: bytes, size: int) -> bytes:
        text = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.new(prk, text + b"\x01", hashlib.sha256).digest()[:size]

    shared = keys.decapsulate(sealed[:CIPHERTEXT_SIZE])
    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed[CIPHERTEXT_SIZE:], b"")


def test_we_open_what_another_implementation_of_x_wing_sealed():
    m_seed, x_seed = CountedEntropy("oracle").octets(64), CountedEntropy("oracle-x").octets(32)
    keys = XWingKeyPair.from_seeds(m_seed, x_seed)
    theirs = MLKEM768X25519PrivateKey(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(m_seed), x25519.X25519PrivateKey.from_private_bytes(x_seed)
    )
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    sealed = suite.encrypt(b"by the oracle", theirs.public_key(), b"info")
    assert hpke_shared_secret_opens(keys, sealed, b"info") == b"by the oracle"


def test_the_drafts_first_vector():
    # The draft expands one seed to both private keys; HBI/1 draws them apart.
    expanded = hashlib.shake_256(bytes.fromhex(DRAFT["seed"])).digest(96)
    keys = XWingKeyPair.from_seeds(expanded[:64], expanded[64:])
    assert keys.public.hex().startswith(DRAFT["pk_start"])
    assert keys.decapsulate(bytes.fromhex(DRAFT["ct"])).hex() == DRAFT["ss"]


def test_another_ciphertext_of_the_right_length_gives_another_secret():
    keys = pair()
    shared, ciphertext = XWing().encapsulate(keys.public, CountedEntropy("other"))
    assert keys.decapsulate(flip(ciphertext, 0)) != shared


@pytest.mark.parametrize(
    "change", [lambda ct: ct[:-1], lambda ct: ct + b"\x00", lambda ct: b"", lambda ct: ct[:1088] + bytes(32)]
)
def test_bad_ciphertexts_are_refused(change):
    keys = pair()
    _, ciphertext = XWing().encapsulate(keys.public, CountedEntropy("other"))
    with pytest.raises(HandshakeRefused) as caught:
        keys.decapsulate(change(ciphertext))
    assert caught.value.code == "kem"


@pytest.mark.parametrize(
    "change",
    [lambda pk: pk[:-1], lambda pk: b"", lambda pk: b"\xff" * 1184 + pk[1184:], lambda pk: pk[:1184] + bytes(32)],
)
def test_bad_public_keys_are_refused(change):
    with pytest.raises(HandshakeRefused) as caught:
        XWing().encapsulate(change(pair().public), CountedEntropy("other"))
    assert caught.value.code == "kem"


def test_private_halves_are_not_shown():
    assert "PrivateKey" not in repr(pair())
