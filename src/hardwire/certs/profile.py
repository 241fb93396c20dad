# SPDX-License-Identifier: Apache-2.0
"""The certificate profile as data: one table for the verifier and for the maker.

Two levels. The *form* holds for every certificate that reaches the gate, devices and authorities alike. The
:data:`DEVICE` profile holds for the self-signed certificate of a device, which ``hardwire init`` makes and a
peer verifies. Algorithm identifiers are compared as whole octet strings: parameters that are missing, surplus
or explicit (a curve by its equation) have no way in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

MAX_CERTIFICATE: Final = 8192
"""Octets of one certificate (docs/protocol.md §8)."""
MAX_EXTENSIONS: Final = 32
MAX_SERIAL: Final = 20
"""Octets of a serial number (RFC 5280 §4.1.2.2)."""
RSA_BITS: Final = range(2048, 8192 + 1)
RSA_EXPONENTS: Final = range(65537, 1 << 64, 2)
"""Odd and at least 65537. The bound above keeps a verification from being made slow on purpose."""


class KeyKind(Enum):
    """The public keys a certificate may carry."""

    P256 = "P-256"
    P384 = "P-384"
    RSA = "RSA"


class SignatureAlgorithm(Enum):
    """The signatures a certificate may carry."""

    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"
    RSA_SHA256 = "rsa-pkcs1-sha256"
    RSA_SHA384 = "rsa-pkcs1-sha384"
    RSA_SHA512 = "rsa-pkcs1-sha512"
    PSS_SHA256 = "rsa-pss-sha256"
    PSS_SHA384 = "rsa-pss-sha384"
    PSS_SHA512 = "rsa-pss-sha512"

    @property
    def elliptic(self) -> bool:
        """Whether an elliptic-curve key makes it."""
        return self in {self.ECDSA_SHA256, self.ECDSA_SHA384, self.ECDSA_SHA512}


class KeyUsage(IntEnum):
    """The named bits of the keyUsage extension (RFC 5280 §4.2.1.3)."""

    DIGITAL_SIGNATURE = 0
    CONTENT_COMMITMENT = 1
    KEY_ENCIPHERMENT = 2
    DATA_ENCIPHERMENT = 3
    KEY_AGREEMENT = 4
    KEY_CERT_SIGN = 5
    CRL_SIGN = 6
    ENCIPHER_ONLY = 7
    DECIPHER_ONLY = 8


def _pss(digest: str, salt: str) -> bytes:
    """RSASSA-PSS-params (RFC 4055 §3.1): one hash for both uses, salt as long as the hash."""
    sha = f"300d06096086480165030402{digest}0500"
    return bytes.fromhex(f"304106092a864886f70d01010a3034a00f{sha}a11c301a06092a864886f70d010108{sha}a2030201{salt}")


KEY_ALGORITHMS: Final[Mapping[bytes, KeyKind]] = {
    bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"): KeyKind.P256,
    bytes.fromhex("301006072a8648ce3d020106052b81040022"): KeyKind.P384,
    bytes.fromhex("300d06092a864886f70d0101010500"): KeyKind.RSA,
}
"""AlgorithmIdentifier of the SubjectPublicKeyInfo, DER (RFC 5480 §2.1.1, RFC 3279 §2.3.1)."""

POINT_SIZES: Final[Mapping[KeyKind, int]] = {KeyKind.P256: 65, KeyKind.P384: 97}
"""Octets of an uncompressed point."""

SIGNATURE_ALGORITHMS: Final[Mapping[bytes, SignatureAlgorithm]] = {
    bytes.fromhex("300a06082a8648ce3d040302"): SignatureAlgorithm.ECDSA_SHA256,
    bytes.fromhex("300a06082a8648ce3d040303"): SignatureAlgorithm.ECDSA_SHA384,
    bytes.fromhex("300a06082a8648ce3d040304"): SignatureAlgorithm.ECDSA_SHA512,
    bytes.fromhex("300d06092a864886f70d01010b0500"): SignatureAlgorithm.RSA_SHA256,
    bytes.fromhex("300d06092a864886f70d01010c0500"): SignatureAlgorithm.RSA_SHA384,
    bytes.fromhex("300d06092a864886f70d01010d0500"): SignatureAlgorithm.RSA_SHA512,
    _pss("01", "20"): SignatureAlgorithm.PSS_SHA256,
    _pss("02", "30"): SignatureAlgorithm.PSS_SHA384,
    _pss("03", "40"): SignatureAlgorithm.PSS_SHA512,
}
"""signatureAlgorithm, DER (RFC 5758 §3.2, RFC 4055 §5)."""

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"

ANY_PURPOSE: Final = "2.5.29.37.0"
DEVICE_PURPOSE: Final = "1.2.840.113556.1.8000.2554.47665.62195.28169.19866.43227.12832457.2603006"
"""The extended key usage "end of a hardwire line".

It is the UUID ba31f2f3-6e09-4d9a-a8db-c3cec927b7fe under the arc that Microsoft gives to everyone for
identifiers made of UUIDs, cut into seven small numbers. The same UUID under 2.25 is one number of 128 bits,
which GnuTLS cannot read.
"""


@dataclass(frozen=True, slots=True)
class ExtensionRule:
    """How one extension appears in a device certificate."""

    oid: str
    name: str
    critical: bool
    required: bool


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What a self-signed device certificate is made of."""

    subject: str
    rsa_bits: range
    extensions: tuple[ExtensionRule, ...]
    usages_required: frozenset[KeyUsage]
    usages_allowed: frozenset[KeyUsage]
    purpose: str


DEVICE: Final = DeviceProfile(
    # Names no person. A verifier does not look at it: the key is the identity.
    subject="hardwire device",
    # The handshake's signature schemes end at 4096 (docs/protocol.md §5).
    rsa_bits=range(2048, 4096 + 1),
    extensions=(
        ExtensionRule(BASIC_CONSTRAINTS, "basicConstraints", critical=True, required=True),
        ExtensionRule(KEY_USAGE, "keyUsage", critical=True, required=True),
        ExtensionRule(EXTENDED_KEY_USAGE, "extendedKeyUsage", critical=False, required=True),
        ExtensionRule(SUBJECT_ALT_NAME, "subjectAltName", critical=False, required=True),
        ExtensionRule(SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", critical=False, required=False),
    ),
    usages_required=frozenset({KeyUsage.DIGITAL_SIGNATURE}),
    usages_allowed=frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT}),
    purpose=DEVICE_PURPOSE,
)
