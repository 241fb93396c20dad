# SPDX-License-Identifier: Apache-2.0
"""The certificate profile as data: one table for the verifier, for the makers and for the documents.

Two levels. The *form* holds for every certificate that reaches the gate, devices and authorities alike. The
profiles at the end say what a certificate is made of in each of four places: a device that vouches for itself, a
device with an authority, an authority, a trust anchor. Algorithm identifiers are compared as whole octet strings:
parameters that are missing, surplus or explicit (a curve by its equation) have no way in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Final

MAX_CERTIFICATE: Final = 8192
"""Octets of one certificate (docs/protocol.md §8)."""
MAX_EXTENSIONS: Final = 32
MAX_NAMES: Final = 128
"""Alternative names of one certificate; a device has at most 16."""
MAX_SUBTREES: Final = 32
"""Name constraints of one authority, permitted and excluded together."""
MAX_POLICIES: Final = 16
MAX_POINTS: Final = 8
"""CRL distribution points, names of one, and places for information about the authority."""
MAX_KEY_ID: Final = 64
"""Octets of a key identifier."""
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
    ED25519 = "Ed25519"
    """Leaves and self-signed certificates only; it issues nothing."""


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
    ED25519 = "ed25519"

    @property
    def elliptic(self) -> bool:
        """Whether it is a pair (r, s) that a key on P-256 or P-384 makes."""
        return self in {self.ECDSA_SHA256, self.ECDSA_SHA384, self.ECDSA_SHA512}

    def fits(self, kind: KeyKind) -> bool:
        """Whether a key of this kind can have made it."""
        if kind is KeyKind.ED25519 or self is self.ED25519:
            return kind is KeyKind.ED25519 and self is self.ED25519
        return self.elliptic == (kind is not KeyKind.RSA)


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
    bytes.fromhex("300506032b6570"): KeyKind.ED25519,
}
"""AlgorithmIdentifier of the SubjectPublicKeyInfo, DER (RFC 5480 §2.1.1, RFC 3279 §2.3.1, RFC 8410 §3)."""

POINT_SIZES: Final[Mapping[KeyKind, int]] = {KeyKind.P256: 65, KeyKind.P384: 97, KeyKind.ED25519: 32}
"""Octets of a public key; on P-256 and P-384 of an uncompressed point (first octet 04)."""

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
    bytes.fromhex("300506032b6570"): SignatureAlgorithm.ED25519,
}
"""signatureAlgorithm, DER (RFC 5758 §3.2, RFC 4055 §5, RFC 8410 §3)."""

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
NAME_CONSTRAINTS: Final = "2.5.29.30"
CRL_POINTS: Final = "2.5.29.31"
POLICIES: Final = "2.5.29.32"
POLICY_MAPPINGS: Final = "2.5.29.33"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
POLICY_CONSTRAINTS: Final = "2.5.29.36"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
FRESHEST_CRL: Final = "2.5.29.46"
INHIBIT_ANY_POLICY: Final = "2.5.29.54"
AUTHORITY_INFORMATION: Final = "1.3.6.1.5.5.7.1.1"

ANY_PURPOSE: Final = "2.5.29.37.0"
SERVER_PURPOSE: Final = "1.3.6.1.5.5.7.3.1"
ANY_POLICY: Final = "2.5.29.32.0"
DEVICE_PURPOSE: Final = "1.2.840.113556.1.8000.2554.47665.62195.28169.19866.43227.12832457.2603006"
"""The extended key usage "end of a hardwire line".

It is the UUID ba31f2f3-6e09-4d9a-a8db-c3cec927b7fe under the arc that Microsoft gives to everyone for
identifiers made of UUIDs, cut into seven small numbers. The same UUID under 2.25 is one number of 128 bits,
which GnuTLS cannot read.
"""


@dataclass(frozen=True, slots=True)
class ExtensionRule:
    """How one extension appears in a certificate of a profile."""

    oid: str
    name: str
    critical: bool | None
    """None: either is right."""
    required: bool


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """What a certificate in one place is made of; one row of docs/certificates.md.

    Attributes:
        title: For people.
        key_kinds: Whose public key it may carry.
        rsa_bits: Sizes of an RSA key.
        extensions: Those that are known, each with its rule.
        strangers: Whether extensions that are not listed may be there, not critical.
        absent: Extensions that must not be there in any case.
        usages_required: Bits of keyUsage that must be set.
        usages_allowed: Bits that may.
        names: Other names than the did:key that may stand beside it; None when this is no device.
    """

    title: str
    key_kinds: frozenset[KeyKind]
    rsa_bits: range
    extensions: tuple[ExtensionRule, ...]
    strangers: bool
    absent: frozenset[str]
    usages_required: frozenset[KeyUsage]
    usages_allowed: frozenset[KeyUsage]
    names: frozenset[str] | None


SUBJECT: Final = "hardwire device"
"""What ``hardwire init`` writes as the subject. It names no person, and a verifier does not look at it."""
MAX_DEVICE_NAMES: Final = 16
"""Alternative names of a device, the did:key among them."""
MAX_CHAIN: Final = 4
"""Certificates that a peer may show (docs/protocol.md §8)."""
DEVICE_NAMES: Final = frozenset({"rfc822Name", "dNSName", "permanentIdentifier", "hardwareModuleName"})
LIMIT_KINDS: Final = frozenset({0x81, 0x82})
"""Identifier octets of the names that a device's authorities may limit: rfc822Name and dNSName."""

_ALL_KEYS: Final = frozenset(KeyKind)
# The handshake's signature schemes end at 4096 (docs/protocol.md §5).
_DEVICE_RSA: Final = range(2048, 4096 + 1)
_OF_AUTHORITIES: Final = frozenset({NAME_CONSTRAINTS, POLICY_MAPPINGS, POLICY_CONSTRAINTS, INHIBIT_ANY_POLICY})
_SIGNS: Final = frozenset({KeyUsage.DIGITAL_SIGNATURE})
_SIGNS_AND_AGREES: Final = frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT})


def _rule(oid: str, name: str, *, critical: bool | None, required: bool = False) -> ExtensionRule:
    return ExtensionRule(oid, name, critical, required)


DEVICE: Final = CertificateProfile(
    title="device, self-signed",
    key_kinds=_ALL_KEYS,
    rsa_bits=_DEVICE_RSA,
    extensions=(
        _rule(BASIC_CONSTRAINTS, "basicConstraints", critical=True, required=True),
        _rule(KEY_USAGE, "keyUsage", critical=True, required=True),
        _rule(EXTENDED_KEY_USAGE, "extendedKeyUsage", critical=False, required=True),
        _rule(SUBJECT_ALT_NAME, "subjectAltName", critical=False, required=True),
        _rule(SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", critical=False),
    ),
    strangers=False,
    absent=_OF_AUTHORITIES,
    usages_required=_SIGNS,
    usages_allowed=_SIGNS_AND_AGREES,
    names=frozenset(),
)
"""What ``hardwire init`` makes and a peer verifies: everything in it is the device's own word."""

ISSUED: Final = CertificateProfile(
    title="device, issued",
    key_kinds=_ALL_KEYS,
    rsa_bits=_DEVICE_RSA,
    extensions=(
        _rule(BASIC_CONSTRAINTS, "basicConstraints", critical=None),
        _rule(KEY_USAGE, "keyUsage", critical=True, required=True),
        _rule(EXTENDED_KEY_USAGE, "extendedKeyUsage", critical=None, required=True),
        _rule(SUBJECT_ALT_NAME, "subjectAltName", critical=None, required=True),
        _rule(AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier", critical=False, required=True),
        _rule(SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", critical=False),
        _rule(POLICIES, "certificatePolicies", critical=None),
        _rule(CRL_POINTS, "cRLDistributionPoints", critical=False),
        _rule(AUTHORITY_INFORMATION, "authorityInfoAccess", critical=False),
    ),
    strangers=True,
    absent=_OF_AUTHORITIES,
    usages_required=_SIGNS,
    usages_allowed=_SIGNS_AND_AGREES,
    names=DEVICE_NAMES,
)
"""A device's certificate from an organisation."""

AUTHORITY: Final = CertificateProfile(
    title="authority",
    key_kinds=_ALL_KEYS - {KeyKind.ED25519},
    rsa_bits=RSA_BITS,
    extensions=(
        _rule(BASIC_CONSTRAINTS, "basicConstraints", critical=True, required=True),
        _rule(KEY_USAGE, "keyUsage", critical=True, required=True),
        _rule(SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", critical=False, required=True),
        _rule(AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier", critical=False, required=True),
        _rule(EXTENDED_KEY_USAGE, "extendedKeyUsage", critical=None),
        _rule(SUBJECT_ALT_NAME, "subjectAltName", critical=False),
        _rule(NAME_CONSTRAINTS, "nameConstraints", critical=True),
        _rule(POLICIES, "certificatePolicies", critical=None),
        _rule(POLICY_MAPPINGS, "policyMappings", critical=None),
        _rule(POLICY_CONSTRAINTS, "policyConstraints", critical=True),
        _rule(INHIBIT_ANY_POLICY, "inhibitAnyPolicy", critical=True),
        _rule(CRL_POINTS, "cRLDistributionPoints", critical=False),
        _rule(AUTHORITY_INFORMATION, "authorityInfoAccess", critical=False),
    ),
    strangers=True,
    absent=frozenset(),
    usages_required=frozenset({KeyUsage.KEY_CERT_SIGN}),
    usages_allowed=frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN, KeyUsage.DIGITAL_SIGNATURE}),
    names=None,
)
"""An authority between the anchor and a device."""

ANCHOR: Final = replace(
    AUTHORITY,
    title="trust anchor",
    extensions=tuple(
        replace(rule, required=False) if rule.oid == AUTHORITY_KEY_IDENTIFIER else rule for rule in AUTHORITY.extensions
    ),
)
"""A root: the same, but nobody need stand above it."""


def _softened(
    rules: tuple[ExtensionRule, ...], *, either: frozenset[str], optional: frozenset[str]
) -> tuple[ExtensionRule, ...]:
    return tuple(
        replace(
            rule,
            critical=None if rule.oid in either else rule.critical,
            required=rule.required and rule.oid not in optional,
        )
        for rule in rules
    )


PATH_LEAF: Final = CertificateProfile(
    title="leaf of any kind",
    key_kinds=_ALL_KEYS,
    rsa_bits=RSA_BITS,
    extensions=_softened(
        ISSUED.extensions,
        either=frozenset({KEY_USAGE}),
        optional=frozenset({KEY_USAGE, EXTENDED_KEY_USAGE, SUBJECT_ALT_NAME}),
    ),
    strangers=True,
    absent=_OF_AUTHORITIES,
    usages_required=frozenset(),
    usages_allowed=frozenset(KeyUsage) - {KeyUsage.KEY_CERT_SIGN},
    names=None,
)
"""Not a device's: for comparison with public suites (``hardwire cert check --profile path``)."""

PATH_AUTHORITY: Final = replace(
    AUTHORITY,
    title="authority of any kind",
    extensions=_softened(AUTHORITY.extensions, either=frozenset({KEY_USAGE}), optional=frozenset()),
    usages_allowed=frozenset(KeyUsage),
)
PATH_ANCHOR: Final = replace(
    ANCHOR,
    title="anchor of any kind",
    extensions=_softened(ANCHOR.extensions, either=frozenset({KEY_USAGE}), optional=frozenset()),
    usages_allowed=frozenset(KeyUsage),
)

PROFILES: Final = (DEVICE, ISSUED, AUTHORITY, ANCHOR)
"""Of a device's chain, from its own certificate to the anchor."""
