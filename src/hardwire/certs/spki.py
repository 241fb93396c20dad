# SPDX-License-Identifier: Apache-2.0
"""Public keys as strangers write them: one SubjectPublicKeyInfo form for each kind, and no other.

The forms are compared as whole octet strings (:data:`~hardwire.certs.profile.KEY_ALGORITHMS`), so a curve by its
equation, a missing parameter, a compressed or hybrid point have no way in. Whether a point lies on its curve,
``cryptography`` says when it loads the key.
"""

from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hardwire.certs import der, profile
from hardwire.certs.der import Node
from hardwire.certs.profile import KeyKind
from hardwire.certs.refusal import refused

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
"""The keys that :class:`~hardwire.certs.profile.KeyKind` lists."""

MAX_SPKI: Final = 1200
"""Octets; RSA with 8192 bits and the largest exponent needs 1067."""

_UNCOMPRESSED: Final = 0x04


def load_spki(octets: bytes) -> PublicKey:
    """The key in a DER SubjectPublicKeyInfo from a stranger.

    Raises:
        CertificateRefused: ``cert-size``, ``cert-der``, ``cert-shape`` or ``cert-key``.
    """
    if len(octets) > MAX_SPKI:
        raise refused("cert-size", f"has a public key of {len(octets)} octets, {MAX_SPKI} are allowed")
    kind_of(der.parse(octets))
    try:
        key = load_der_public_key(octets)
    except Exception as error:
        # ValueError and UnsupportedAlgorithm are declared; on hostile octets whatever else comes means no, too.
        raise refused("cert-key", "has a public key that is not one: a point beside its curve, or worse") from error
    return cast("PublicKey", key)  # the form let no other kind through


def kind_of(spki: Node) -> KeyKind:
    """The kind of a key whose form is right; its value is not looked at beyond the caps.

    Raises:
        CertificateRefused: ``cert-shape`` or ``cert-key``.
    """
    algorithm, key = _pair(spki, (der.SEQUENCE, der.BIT_STRING), "its public key")
    kind = profile.KEY_ALGORITHMS.get(algorithm.raw)
    if kind is None:
        raise refused("cert-key", "has a key of a kind that is not accepted (P-256, P-384, RSA and Ed25519 are)")
    unused, octets = key.content[0], key.content[1:]
    if unused:
        raise refused("cert-key", "has a key that is not whole octets")
    if kind is KeyKind.RSA:
        _rsa(octets)
    elif len(octets) != profile.POINT_SIZES[kind]:
        raise refused("cert-key", "has a key of another size than its kind's (points are uncompressed)")
    elif kind is not KeyKind.ED25519 and octets[0] != _UNCOMPRESSED:
        raise refused("cert-key", "has a point that is not in uncompressed form")
    return kind


def _rsa(octets: bytes) -> None:
    modulus, exponent = map(der.integer, _pair(der.parse(octets), (der.INTEGER, der.INTEGER), "its RSA key"))
    if modulus <= 0 or modulus.bit_length() not in profile.RSA_BITS or modulus % 2 == 0:
        raise refused("cert-key", "has an RSA modulus that is even, or not between 2048 and 8192 bits")
    if modulus.bit_length() % 8:
        raise refused("cert-key", "has an RSA modulus that is not whole octets")
    if exponent not in profile.RSA_EXPONENTS:
        raise refused("cert-key", "has an RSA exponent that is even, smaller than 65537, or needlessly large")


def _pair(node: Node, tags: tuple[int, int], what: str) -> tuple[Node, ...]:
    if node.tag != der.SEQUENCE or tuple(child.tag for child in node.children) != tags:
        raise refused("cert-shape", f"has other members in {what} than the standard gives it")
    return node.children
