# SPDX-License-Identifier: Apache-2.0
"""did:key: a public key written as a name (W3C CCG "The did:key Method").

``did:key:z`` ‖ base58btc( varint multicodec ‖ key ), where the key is a compressed point for P-256 (0x1200) and
P-384 (0x1201), 32 octets for Ed25519 (0xed), and a DER RSAPublicKey for RSA (0x1205). One spelling for each key:
what is read must be exactly what would be written.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from hardwire.certs.profile import RSA_BITS, RSA_EXPONENTS
from hardwire.certs.spki import PublicKey
from hardwire.errors import Misuse, WireError

MAX_DID: Final = 1536
"""Characters; RSA with 8192 bits needs about 1430."""

_PREFIX: Final = "did:key:z"
_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final[Mapping[str, int]] = {letter: digit for digit, letter in enumerate(_ALPHABET)}
_CURVES: Final[Mapping[bytes, ec.EllipticCurve]] = {b"\x80\x24": ec.SECP256R1(), b"\x81\x24": ec.SECP384R1()}
_ED25519: Final = b"\xed\x01"
_RSA: Final = b"\x85\x24"
_CODEC_SIZE: Final = 2


def did_key(public_key: PublicKey) -> str:
    """The ``did:key`` URI of a P-256, P-384, Ed25519 or RSA key.

    Raises:
        Misuse: A curve that has no place here.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return _PREFIX + _base58(_RSA + public_key.public_bytes(Encoding.DER, PublicFormat.PKCS1))
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return _PREFIX + _base58(_ED25519 + public_key.public_bytes_raw())
    for codec, curve in _CURVES.items():
        if public_key.curve.name == curve.name:
            point = public_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            return _PREFIX + _base58(codec + point)
    raise Misuse(f"no did:key for the curve {public_key.curve.name}")


def parse_did_key(text: str) -> PublicKey:
    """The key that a ``did:key`` URI names.

    Raises:
        WireError: ``did-key``; another method, another alphabet, a kind of key not known here, a point off its
            curve, or a spelling other than the one this module writes.
    """
    if len(text) > MAX_DID or not text.startswith(_PREFIX):
        raise _bad("it is too long, or does not begin with did:key:z")
    octets = _unbase58(text.removeprefix(_PREFIX))
    key = _load(octets[:_CODEC_SIZE], octets[_CODEC_SIZE:])
    if did_key(key) != text:
        raise _bad("it is not in its one spelling")
    return key


def did_document(did: str) -> dict[str, object]:
    """The DID document of a ``did:key`` URI (W3C CCG "The did:key Method" §3.1): the key, and what it is for.

    The key is given as a Multikey, which knows all the kinds there are here. It signs; it agrees on nothing.

    Raises:
        WireError: ``did-key``.
    """
    parse_did_key(did)
    key = f"{did}#{did.removeprefix('did:key:')}"
    method = {
        "id": key,
        "type": "Multikey",
        "controller": did,
        "publicKeyMultibase": did.removeprefix("did:key:"),
    }
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
        "verificationMethod": [method],
        "authentication": [key],
        "assertionMethod": [key],
        "capabilityInvocation": [key],
        "capabilityDelegation": [key],
    }


def _bad(why: str) -> WireError:
    return WireError(f"this is no did:key: {why}", code="did-key")


def _load(codec: bytes, octets: bytes) -> PublicKey:
    try:
        if codec in _CURVES:
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[codec], octets)
        if codec == _ED25519:
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        key = load_der_public_key(octets) if codec == _RSA else None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad("the key in it is damaged") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise _bad("it holds another kind of key than P-256, P-384, Ed25519 or RSA")
    if key.key_size not in RSA_BITS or key.public_numbers().e not in RSA_EXPONENTS:
        raise _bad("the RSA key in it is too small, too large, or has an odd exponent choice")
    return key


def _base58(octets: bytes) -> str:
    """Base58btc; the codec in front is never zero, so no leading ones are owed."""
    value = int.from_bytes(octets)
    letters = []
    while value:
        value, digit = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))


def _unbase58(text: str) -> bytes:
    value = 0
    for letter in text:
        if letter not in _DIGITS:
            raise _bad("it has a character outside the base58 alphabet")
        value = value * len(_ALPHABET) + _DIGITS[letter]
    return value.to_bytes((value.bit_length() + 7) // 8)
