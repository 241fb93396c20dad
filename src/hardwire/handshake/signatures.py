# SPDX-License-Identifier: Apache-2.0
"""Signatures of certificate keys: which scheme a key takes, and the check of one (protocol.md §5 and §10).

The code points are those of TLS (RFC 8446 §4.2.3). The key dictates the scheme, so there is nothing to negotiate;
only RSA keys have two, because some tokens lack PSS.
"""

from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hardwire.errors import HandshakeRefused

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 4096
SIGNATURE_MAX: Final = RSA_BITS_MAX // 8
"""Octets of a signature, at most."""
PSS_SALT_SIZE: Final = 32


SigningKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class SignatureScheme(IntEnum):
    """TLS SignatureScheme code points that suite 0x0001 knows."""

    ECDSA_SECP256R1_SHA256 = 0x0403
    ECDSA_SECP384R1_SHA384 = 0x0503
    RSA_PSS_RSAE_SHA256 = 0x0804
    RSA_PKCS1_SHA256 = 0x0401


_CURVE_SCHEMES: Final = {
    ec.SECP256R1.name: (SignatureScheme.ECDSA_SECP256R1_SHA256,),
    ec.SECP384R1.name: (SignatureScheme.ECDSA_SECP384R1_SHA384,),
}
_RSA_SCHEMES: Final = (SignatureScheme.RSA_PSS_RSAE_SHA256, SignatureScheme.RSA_PKCS1_SHA256)


def schemes_of(public_key: SigningKey) -> tuple[SignatureScheme, ...]:
    """The schemes a public key may be used with, the preferred one first; empty for keys of other kinds or sizes."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return _RSA_SCHEMES if RSA_BITS_MIN <= public_key.key_size <= RSA_BITS_MAX else ()
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return ()  # suite 0x0001 has no scheme for it
    return _CURVE_SCHEMES.get(public_key.curve.name, ())


def scheme_for(public_key: SigningKey) -> SignatureScheme:
    """The preferred scheme of a key.

    Raises:
        HandshakeRefused: ``unsupported-key`` when the suite has no scheme for it.
    """
    schemes = schemes_of(public_key)
    if not schemes:
        raise HandshakeRefused(
            "no signature scheme of this suite fits the key of the certificate", code="unsupported-key"
        )
    return schemes[0]


def check_scheme(public_key: SigningKey, code: int) -> SignatureScheme:
    """The scheme with this code point, if the key may be used with it.

    Raises:
        HandshakeRefused: ``scheme-mismatch``.
    """
    for scheme in schemes_of(public_key):
        if scheme == code:
            return scheme
    raise HandshakeRefused(f"scheme 0x{code:04x} does not fit the key of the certificate", code="scheme-mismatch")


def verify(public_key: SigningKey, scheme: SignatureScheme, signature: bytes, tbs: bytes) -> None:
    """Check a signature over ``tbs``.

    Args:
        public_key: The certificate's key.
        scheme: A scheme that :func:`check_scheme` returned for this key.
        signature: DER (r, s) for ECDSA; as long as the modulus for RSA.
        tbs: The octets that were signed.

    Raises:
        HandshakeRefused: ``signature``.
    """
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        raise HandshakeRefused("no scheme of this suite is for a key on Ed25519", code="signature")
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, tbs, _padding_of(scheme), hashes.SHA256())
        else:
            public_key.verify(signature, tbs, ec.ECDSA(_hash_of(scheme)))
    except InvalidSignature as error:
        raise HandshakeRefused("the signature over this session does not verify", code="signature") from error


def _hash_of(scheme: SignatureScheme) -> hashes.HashAlgorithm:
    return hashes.SHA384() if scheme is SignatureScheme.ECDSA_SECP384R1_SHA384 else hashes.SHA256()


def _padding_of(scheme: SignatureScheme) -> padding.AsymmetricPadding:
    if scheme is SignatureScheme.RSA_PKCS1_SHA256:
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(hashes.SHA256()), PSS_SALT_SIZE)
