# SPDX-License-Identifier: Apache-2.0
"""Public areas of elliptic-curve keys: the templates, the wire form, the Name.

Wire form: TPMT_PUBLIC of the TPM 2.0 Library, part 2 §12.2.4, big-endian. Only what hwkeys makes or opens is read:
an elliptic-curve key with SHA-256 as its name algorithm. Written by hand, so that a key file can be judged without a
TPM, and without a library that would rather read than refuse.
"""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntFlag

from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.errors import KeyNotAsAsked

_ECC = 0x0023
_SHA256 = 0x000B
_NULL = 0x0010
_AES = 0x0006
_CFB = 0x0043
_ECDSA = 0x0018
_P256 = 0x0003
_COORDINATE = 32
_POLICY_SIZES = (0, 32)


class Attributes(IntFlag):
    """TPMA_OBJECT, part 2 §8.3."""

    FIXED_TPM = 1 << 1
    ST_CLEAR = 1 << 2
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    USER_WITH_AUTH = 1 << 6
    ADMIN_WITH_POLICY = 1 << 7
    NO_DA = 1 << 10
    ENCRYPTED_DUPLICATION = 1 << 11
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN = 1 << 18


_LIVES_HERE = Attributes.FIXED_TPM | Attributes.FIXED_PARENT | Attributes.SENSITIVE_DATA_ORIGIN
SIGNING = _LIVES_HERE | Attributes.USER_WITH_AUTH | Attributes.SIGN
STORAGE = _LIVES_HERE | Attributes.USER_WITH_AUTH | Attributes.NO_DA | Attributes.RESTRICTED | Attributes.DECRYPT


@dataclass(frozen=True, slots=True)
class PublicArea:
    """TPMT_PUBLIC of a P-256 key.

    Attributes:
        attributes: TPMA_OBJECT.
        storage: It has AES-128-CFB as its symmetric algorithm (a parent), rather than none.
        ecdsa: The scheme is fixed to ECDSA with SHA-256, rather than chosen at each signature.
        x: 32 octets; in a template empty.
        y: The same.
        policy: The policy digest, 32 octets; none is empty.
    """

    attributes: Attributes
    storage: bool
    ecdsa: bool = False
    x: bytes = b""
    y: bytes = b""
    policy: bytes = b""

    def encode(self) -> bytes:
        """The TPMT_PUBLIC, without the size of a TPM2B_PUBLIC."""
        symmetric = struct.pack(">HHH", _AES, 128, _CFB) if self.storage else struct.pack(">H", _NULL)
        scheme = struct.pack(">HH", _ECDSA, _SHA256) if self.ecdsa else struct.pack(">H", _NULL)
        return (
            struct.pack(">HHI", _ECC, _SHA256, self.attributes)
            + _sized(self.policy)
            + symmetric
            + scheme
            + struct.pack(">HH", _P256, _NULL)
            + _sized(self.x)
            + _sized(self.y)
        )

    def name(self) -> bytes:
        """The Name, 34 octets: the name algorithm, and SHA-256 of the public area (part 1 §16)."""
        return struct.pack(">H", _SHA256) + hashlib.sha256(self.encode()).digest()

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The point.

        Raises:
            KeyNotAsAsked: It is not on P-256.
        """
        try:
            numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(self.x), int.from_bytes(self.y), ec.SECP256R1())
            return numbers.public_key()
        except ValueError as error:
            raise KeyNotAsAsked("the TPM's public key is not a point of P-256") from error


SIGNING_TEMPLATE = PublicArea(SIGNING, storage=False)
"""What a new key shall be: it signs and nothing else, stays in this TPM, and wrong PINs count."""

STORAGE_TEMPLATE = PublicArea(STORAGE, storage=True)
"""The owner's P-256 primary key that tpm2-tss-engine, tpm2-openssl and others use as the parent of key files."""


def decode_public(octets: bytes) -> PublicArea:
    """Read a TPMT_PUBLIC.

    Raises:
        KeyNotAsAsked: It is something else than a P-256 key named by SHA-256, or is malformed.
    """
    try:
        area = _decode(octets)
    except (struct.error, IndexError, KeyError):
        area = None
    # One form per value: what does not encode back to itself was not understood.
    if area is None or area.encode() != octets:
        raise KeyNotAsAsked("the public area is not that of a P-256 key named by SHA-256")
    return area


def refuse_unfit(area: PublicArea) -> None:
    """What a TPM key must be before it is used to sign.

    Raises:
        KeyNotAsAsked: It could leave the TPM, was not made in it, is restricted, has a policy, or does more than sign.
    """
    wrong = [flag.name or "" for flag in SIGNING if not area.attributes & flag] + [
        f"not {flag.name}"
        for flag in (Attributes.RESTRICTED, Attributes.DECRYPT, Attributes.NO_DA)
        if area.attributes & flag
    ]
    if wrong:
        words = ", ".join(word.lower().replace("_", " ") for word in wrong)
        raise KeyNotAsAsked(f"the TPM key lacks: {words}")
    if len(area.x) != _COORDINATE or len(area.y) != _COORDINATE or area.storage:
        raise KeyNotAsAsked("the public area is not that of a signing key")


def _decode(octets: bytes) -> PublicArea:
    kind, name_algorithm, attributes = struct.unpack_from(">HHI", octets)
    policy, at = _take(octets, 8)
    (symmetric,) = struct.unpack_from(">H", octets, at)
    at += 6 if symmetric == _AES else 2
    (scheme,) = struct.unpack_from(">H", octets, at)
    # The scheme, its hash if it has one, the curve, and the key derivation scheme.
    at += 8 if scheme == _ECDSA else 6
    x, at = _take(octets, at)
    y, at = _take(octets, at)
    if (kind, name_algorithm) != (_ECC, _SHA256) or len(policy) not in _POLICY_SIZES:
        raise KeyError
    return PublicArea(Attributes(attributes), symmetric == _AES, scheme == _ECDSA, x, y, policy)


def _sized(octets: bytes) -> bytes:
    return struct.pack(">H", len(octets)) + octets


def _take(octets: bytes, at: int) -> tuple[bytes, int]:
    (size,) = struct.unpack_from(">H", octets, at)
    end = at + 2 + size
    if end > len(octets):
        raise IndexError
    return octets[at + 2 : end], end
