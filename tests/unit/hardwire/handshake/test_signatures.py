# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hardwire.errors import HandshakeRefused
from hardwire.handshake import SignatureScheme, scheme_for
from hardwire.handshake.signatures import check_scheme, schemes_of, verify
from support.hbi1 import sign, software_key

FITTING = {"p256": {0x0403}, "p384": {0x0503}, "rsa": {0x0804, 0x0401}}


@pytest.mark.parametrize("kind", FITTING)
@pytest.mark.parametrize("code", [*SignatureScheme, 0x0603, 0x0807, 0, 0xFFFF])
def test_a_key_takes_its_own_schemes_only(kind, code):
    public = software_key(kind, "schemes").public_key()
    if code in FITTING[kind]:
        assert check_scheme(public, code) == code
    else:
        with pytest.raises(HandshakeRefused) as caught:
            check_scheme(public, code)
        assert caught.value.code == "scheme-mismatch"


def test_rsa_keys_prefer_pss():
    assert scheme_for(software_key("rsa", "schemes").public_key()) is SignatureScheme.RSA_PSS_RSAE_SHA256


@pytest.mark.parametrize("bits", [1024, 2040, 4104, 8192])
def test_rsa_keys_of_other_sizes_have_no_scheme(bits):
    public = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()
    assert public.key_size == bits
    with pytest.raises(HandshakeRefused) as caught:
        scheme_for(public)
    assert caught.value.code == "unsupported-key"


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_keys_from_2048_to_4096_bits_have_schemes(bits):
    assert schemes_of(rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key())


def test_other_curves_have_no_scheme():
    assert schemes_of(ec.generate_private_key(ec.SECP521R1()).public_key()) == ()


@pytest.mark.parametrize("kind, scheme", [("p256", 0x0403), ("p384", 0x0503), ("rsa", 0x0804), ("rsa", 0x0401)])
def test_a_signature_holds_for_its_own_octets_key_and_scheme(kind, scheme):
    key = software_key(kind, "schemes")
    scheme = SignatureScheme(scheme)
    signature = sign(key, scheme, b"text")
    verify(key.public_key(), scheme, signature, b"text")
    other = software_key(kind, "other").public_key()
    for public, octets, text in (
        (other, signature, b"text"),
        (key.public_key(), signature, b"test"),
        (key.public_key(), b"", b"text"),
        (key.public_key(), signature + b"\x00", b"text"),
    ):
        with pytest.raises(HandshakeRefused) as caught:
            verify(public, scheme, octets, text)
        assert caught.value.code == "signature"


def test_the_salt_of_pss_has_32_octets():
    key = software_key("rsa", "schemes")
    for salt in (0, 20, padding.PSS.MAX_LENGTH):
        signature = key.sign(b"text", padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
        with pytest.raises(HandshakeRefused):
            verify(key.public_key(), SignatureScheme.RSA_PSS_RSAE_SHA256, signature, b"text")


def test_a_key_on_ed25519_has_no_scheme_in_this_suite():
    public = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    assert schemes_of(public) == ()
    with pytest.raises(HandshakeRefused) as caught:
        verify(public, SignatureScheme.ECDSA_SECP256R1_SHA256, b"", b"")
    assert caught.value.code == "signature"
