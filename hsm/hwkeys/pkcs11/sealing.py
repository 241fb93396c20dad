# SPDX-License-Identifier: Apache-2.0
"""Secrets that open with one token's key-agreement key only. PKCS#11 itself has nothing for that.

To seal is to encrypt to the key (ECDH-ES): a fresh key agrees with the token's public half, HKDF makes a wrapping key
of what they share, and AES key wrap with padding (RFC 5649) locks the secret up. The token has no part in that. To
unseal, the token does the other half of the agreement, which no other device can. What is stored::

    "hwseal1", 0     8 octets
    the recipient    16 octets, the first of SHA-256 over the SubjectPublicKeyInfo of the token's key
    the fresh key    uncompressed (SEC 1 §2.3.3), 65 octets for P-256
    the secret       wrapped: a multiple of 8 octets, and 8 more

    wrapping key = HKDF-SHA-256(x coordinate, salt = all that stands before the secret, info = "hwkeys seal", 32 octets)

So each octet of it is either compared, or goes into the wrapping key, or is covered by the wrapping's own check.
"""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hwkeys.errors import SealRefused, Unsupported

MAX_SECRET = 128
"""Octets; as many as a TPM seals, so that a caller need not ask which of the two it has."""

_MAGIC = b"hwseal1\0"
_RECIPIENT = 16
_KEY = 32
_BLOCK = 8


def seal(public_key: ec.EllipticCurvePublicKey, secret: bytes) -> bytes:
    """Lock up.

    Args:
        public_key: The token's.
        secret: 1 to 128 octets.

    Raises:
        Unsupported: The secret's size.
    """
    if not 1 <= len(secret) <= MAX_SECRET:
        raise Unsupported(f"a token seals 1 to {MAX_SECRET} octets", hint="seal a key, and encrypt the rest with it")
    fresh = ec.generate_private_key(public_key.curve)
    head = _MAGIC + _recipient(public_key) + _point(fresh.public_key())
    return head + aes_key_wrap_with_padding(_wrapping_key(fresh.exchange(ec.ECDH(), public_key), head), secret)


def unseal(
    sealed: bytes, public_key: ec.EllipticCurvePublicKey, agree: Callable[[ec.EllipticCurvePublicKey], bytes]
) -> bytes:
    """Open.

    Args:
        sealed: What ``seal`` returned.
        public_key: The token's.
        agree: Its half of the agreement: gets the fresh key, gives the x coordinate. Not asked when it is clear before
            that nothing would come of it.

    Raises:
        SealRefused: It is for another key, or was altered.
    """
    start = len(_MAGIC) + _RECIPIENT
    end = start + len(_point(public_key))
    wrapped = sealed[end:]
    if not sealed.startswith(_MAGIC) or not 2 * _BLOCK <= len(wrapped) <= MAX_SECRET + _BLOCK or len(wrapped) % _BLOCK:
        raise SealRefused("this is nothing that a token sealed")
    if not hmac.compare_digest(sealed[len(_MAGIC) : start], _recipient(public_key)):
        raise SealRefused("it was sealed to another key")
    try:
        fresh = ec.EllipticCurvePublicKey.from_encoded_point(public_key.curve, sealed[start:end])
    except ValueError as error:
        raise SealRefused("what was sealed has been altered") from error
    try:
        return aes_key_unwrap_with_padding(_wrapping_key(agree(fresh), sealed[:end]), wrapped)
    except InvalidUnwrap as error:
        raise SealRefused("what was sealed has been altered") from error


def _recipient(public_key: ec.EllipticCurvePublicKey) -> bytes:
    return hashlib.sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()[
        :_RECIPIENT
    ]


def _point(public_key: ec.EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _wrapping_key(shared: bytes, head: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY, salt=head, info=b"hwkeys seal").derive(shared)
