# SPDX-License-Identifier: Apache-2.0
"""Public areas of elliptic-curve keys: the templates, the wire form, the Name.

Wire form: TPMT_PUBLIC of the TPM 2.0 Library, part 2 §12.2.4, big-endian. Only what hwkeys makes or opens is read:
a P-256 or P-384 key with SHA-256 as its name algorithm. Written by hand, so that a key file can be judged without a
TPM, and without a library that would rather read than refuse.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from enum import IntFlag

from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.errors import KeyNotAsAsked
from hwkeys.purpose import Purpose

_ECC = 0x0023
_SHA256 = 0x000B
_NULL = 0x0010
_AES = 0x0006
_CFB = 0x0043
_ECDSA = 0x0018
_P256, _P384 = 0x0003, 0x0004
_CURVES: dict[int, ec.EllipticCurve] = {_P256: ec.SECP256R1(), _P384: ec.SECP384R1()}
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
AGREEING = _LIVES_HERE | Attributes.USER_WITH_AUTH | Attributes.DECRYPT
ATTESTING = SIGNING | Attributes.RESTRICTED | Attributes.NO_DA
STORAGE = _LIVES_HERE | Attributes.USER_WITH_AUTH | Attributes.NO_DA | Attributes.RESTRICTED | Attributes.DECRYPT


@dataclass(frozen=True, slots=True)
class PublicArea:
    """TPMT_PUBLIC of a key on P-256 or P-384.

    Attributes:
        attributes: TPMA_OBJECT.
        storage: It has AES-128-CFB as its symmetric algorithm (a parent), rather than none.
        ecdsa: The scheme is fixed to ECDSA with SHA-256, rather than chosen at each signature.
        x: As many octets as the curve has; in a template empty.
        y: The same.
        policy: The policy digest, 32 octets; none is empty.
        curve: TPM_ECC_CURVE, part 2 §6.4: 3 is P-256, 4 is P-384.
    """

    attributes: Attributes
    storage: bool
    ecdsa: bool = False
    x: bytes = b""
    y: bytes = b""
    policy: bytes = b""
    curve: int = _P256

    @property
    def purpose(self) -> Purpose:
        """What the key does; only once ``refuse_unfit`` let it pass."""
        return Purpose.AGREE if self.attributes & Attributes.DECRYPT else Purpose.SIGN

    @property
    def kind(self) -> str:
        """For a person: "EC P-256"."""
        return f"EC P-{_CURVES[self.curve].key_size}"

    @property
    def coordinate_size(self) -> int:
        """Octets of x and of y."""
        return _CURVES[self.curve].key_size // 8

    def encode(self) -> bytes:
        """The TPMT_PUBLIC, without the size of a TPM2B_PUBLIC."""
        symmetric = struct.pack(">HHH", _AES, 128, _CFB) if self.storage else struct.pack(">H", _NULL)
        scheme = struct.pack(">HH", _ECDSA, _SHA256) if self.ecdsa else struct.pack(">H", _NULL)
        return (
            struct.pack(">HHI", _ECC, _SHA256, self.attributes)
            + _sized(self.policy)
            + symmetric
            + scheme
            + struct.pack(">HH", self.curve, _NULL)
            + _sized(self.x)
            + _sized(self.y)
        )

    def name(self) -> bytes:
        """The Name, 34 octets: the name algorithm, and SHA-256 of the public area (part 1 §16)."""
        return struct.pack(">H", _SHA256) + hashlib.sha256(self.encode()).digest()

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The point.

        Raises:
            KeyNotAsAsked: It is not on the curve.
        """
        curve = _CURVES[self.curve]
        try:
            return ec.EllipticCurvePublicNumbers(int.from_bytes(self.x), int.from_bytes(self.y), curve).public_key()
        except ValueError as error:
            raise KeyNotAsAsked(f"the TPM's public key is not a point of P-{curve.key_size}") from error


SIGNING_TEMPLATE = PublicArea(SIGNING, storage=False)
"""What a new key shall be: it signs and nothing else, stays in this TPM, and wrong PINs count."""

AGREEING_TEMPLATE = PublicArea(AGREEING, storage=False)
"""The same for key agreement: it does ECDH and nothing else."""

ATTESTING_TEMPLATE = PublicArea(ATTESTING, storage=False, ecdsa=True)
"""An attestation key: restricted, so it signs only what the TPM itself says. It has no PIN, so there is nothing to
guess and nothing to count."""

STORAGE_TEMPLATE = PublicArea(STORAGE, storage=True)
"""The owner's P-256 primary key that tpm2-tss-engine, tpm2-openssl and others use as the parent of key files."""


def template_for(purpose: Purpose, curve: ec.EllipticCurve) -> PublicArea:
    """What a new key shall be.

    Args:
        purpose: What it is for.
        curve: P-256 or P-384.
    """
    template = AGREEING_TEMPLATE if purpose is Purpose.AGREE else SIGNING_TEMPLATE
    return replace(template, curve=next(number for number, known in _CURVES.items() if known.name == curve.name))


def decode_public(octets: bytes) -> PublicArea:
    """Read a TPMT_PUBLIC.

    Raises:
        KeyNotAsAsked: It is something else than a P-256 or P-384 key named by SHA-256, or is malformed.
    """
    try:
        area = _decode(octets)
    except (struct.error, IndexError, KeyError):
        area = None
    # One form per value: what does not encode back to itself was not understood.
    if area is None or area.encode() != octets:
        raise KeyNotAsAsked("the public area is not that of a P-256 or P-384 key named by SHA-256")
    return area


def refuse_unfit(area: PublicArea) -> None:
    """What a TPM key must be before it is used.

    Raises:
        KeyNotAsAsked: It could leave the TPM, was not made in it, is restricted, has a policy, may be guessed at, or
            is not either for signing or for key agreement.
    """
    agrees = area.attributes & (Attributes.DECRYPT | Attributes.SIGN) == Attributes.DECRYPT
    must = AGREEING if agrees else SIGNING
    must_not = (Attributes.RESTRICTED, Attributes.NO_DA, Attributes.SIGN if agrees else Attributes.DECRYPT)
    wrong = [flag.name or "" for flag in must if not area.attributes & flag] + [
        f"not {flag.name}" for flag in must_not if area.attributes & flag
    ]
    if wrong:
        words = ", ".join(word.lower().replace("_", " ") for word in wrong)
        raise KeyNotAsAsked(f"the TPM key lacks: {words}")
    if area.policy:
        raise KeyNotAsAsked("the TPM key has a policy, by which it may be used without its PIN")
    if {len(area.x), len(area.y)} != {area.coordinate_size} or area.storage or (agrees and area.ecdsa):
        raise KeyNotAsAsked("the public area is not that of a key that signs or agrees")


def _decode(octets: bytes) -> PublicArea:
    kind, name_algorithm, attributes = struct.unpack_from(">HHI", octets)
    policy, at = _take(octets, 8)
    (symmetric,) = struct.unpack_from(">H", octets, at)
    at += 6 if symmetric == _AES else 2
    (scheme,) = struct.unpack_from(">H", octets, at)
    # The scheme, and its hash if it has one; the curve, and the key derivation scheme.
    at += 4 if scheme == _ECDSA else 2
    (curve,) = struct.unpack_from(">H", octets, at)
    at += 4
    x, at = _take(octets, at)
    y, at = _take(octets, at)
    if (kind, name_algorithm) != (_ECC, _SHA256) or len(policy) not in _POLICY_SIZES or curve not in _CURVES:
        raise KeyError
    return PublicArea(Attributes(attributes), symmetric == _AES, scheme == _ECDSA, x, y, policy, curve)


def _sized(octets: bytes) -> bytes:
    return struct.pack(">H", len(octets)) + octets


def _take(octets: bytes, at: int) -> tuple[bytes, int]:
    (size,) = struct.unpack_from(">H", octets, at)
    end = at + 2 + size
    if end > len(octets):
        raise IndexError
    return octets[at + 2 : end], end
