# SPDX-License-Identifier: Apache-2.0
"""Endorsement keys: where their certificates are, and the templates that make the keys again. No library needed.

TCG EK Credential Profile for TPM 2.0, §2.2.1.4 (NV indices) and annex B (templates, policies). The maker's key is never
stored: the TPM derives it from a seed and the template, and the certificate tells whether it is the right one. The
templates of the low range (L-1, L-2) want the endorsement hierarchy's password, by policy; those of the high range
(H-1, H-2, H-3) the same or, by PolicyOR, a second way that platforms may define.
"""

import hashlib
import struct
from dataclasses import dataclass

_LOW = 0x000300B2  # fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt
_HIGH = 0x000300F2  # the same, and userWithAuth
_RSA, _ECC, _SHA256, _SHA384, _NULL = 0x0001, 0x0023, 0x000B, 0x000C, 0x0010
_AES, _CFB = 0x0006, 0x0043
_P256, _P384 = 0x0003, 0x0004
_POLICY_SECRET, _POLICY_OR, _POLICY_AUTHORIZE_NV = 0x151, 0x171, 0x192
_ENDORSEMENT = 0x4000000B
# The Names of the two NV indices (0x01c07f01, 0x01c07f02) that hold the second way; constants of the profile, B.6.
_SECOND_WAY = {
    "sha256": "000b0c9d717e9c3fe69fda41769450bb145957f8b3610e084dbf65591a5d11ecd83f",
    "sha384": "000cdb62fca346612c976732ff4e8621fb4e858be82586486504f7d02e621f8d7d61ae32cfc60c4d120609ed6768afcf090c",
}


@dataclass(frozen=True, slots=True)
class EndorsementTemplate:
    """One of the profile's.

    Attributes:
        name: As the profile calls it.
        certificate_index: The NV index of the certificate.
        public: TPMT_PUBLIC with an empty key.
        hash_name: The name algorithm; the policy session has the same.
        branches: The digests of the two ways, for PolicyOR; empty when there is only one way.
    """

    name: str
    certificate_index: int
    public: bytes
    hash_name: str
    branches: tuple[bytes, ...]


def policy_secret(hash_name: str) -> bytes:
    """Policy A: PolicySecret(endorsement hierarchy)."""
    first = hashlib.new(hash_name, _zeros(hash_name) + struct.pack(">II", _POLICY_SECRET, _ENDORSEMENT)).digest()
    return hashlib.new(hash_name, first).digest()  # over an empty policyRef


def policy_nv(hash_name: str) -> bytes:
    """Policy B: PolicyAuthorizeNV of the profile's index."""
    name = bytes.fromhex(_SECOND_WAY[hash_name])
    return hashlib.new(hash_name, _zeros(hash_name) + struct.pack(">I", _POLICY_AUTHORIZE_NV) + name).digest()


def policy_or(hash_name: str) -> bytes:
    """Policy C: A or B."""
    both = policy_secret(hash_name) + policy_nv(hash_name)
    return hashlib.new(hash_name, _zeros(hash_name) + struct.pack(">I", _POLICY_OR) + both).digest()


def _zeros(hash_name: str) -> bytes:
    return bytes(hashlib.new(hash_name).digest_size)


def _template(
    name: str, index: int, curve: int | None, *, high: bool, hash_name: str = "sha256"
) -> EndorsementTemplate:
    policy = policy_or(hash_name) if high else policy_secret(hash_name)
    kind, algorithm = _RSA if curve is None else _ECC, _SHA256 if hash_name == "sha256" else _SHA384
    head = struct.pack(">HHIH", kind, algorithm, _HIGH if high else _LOW, len(policy)) + policy
    symmetric = struct.pack(">HHH", _AES, 128 if hash_name == "sha256" else 256, _CFB)
    if curve is None:
        size = 0 if high else 256
        tail = struct.pack(">HHIH", _NULL, 2048, 0, size) + bytes(size)
    else:
        unique = struct.pack(">H", 0) if high else struct.pack(">H", 32) + bytes(32)
        tail = struct.pack(">HHH", _NULL, curve, _NULL) + unique * 2
    branches = (policy_secret(hash_name), policy_nv(hash_name)) if high else ()
    return EndorsementTemplate(name, index, head + symmetric + tail, hash_name, branches)


TEMPLATES = (
    _template("L-1", 0x01C00002, None, high=False),
    _template("L-2", 0x01C0000A, _P256, high=False),
    _template("H-1", 0x01C00012, None, high=True),
    _template("H-2", 0x01C00014, _P256, high=True),
    _template("H-3", 0x01C00016, _P384, high=True, hash_name="sha384"),
)
"""Those whose certificate a TPM may hold, and which hwkeys can use."""
