# SPDX-License-Identifier: Apache-2.0
"""A small organisation: a root, an authority below it, devices; each certificate in pieces that can be changed.

Built on :mod:`support.certparts`, so that a fault is signed by whoever would have signed the right thing.
"""

from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardwire.certs.did import did_key
from hardwire.certs.profile import DEVICE_PURPOSE
from support.certparts import CRITICAL, ECDSA_SHA256, RSA_SHA256, common_name, dates, extension, integer, oid, tlv

ROOT_KEY = ec.derive_private_key(0x4007, ec.SECP256R1())
MIDDLE_KEY = ec.derive_private_key(0x31DD1E, ec.SECP256R1())
DEVICE_KEY = ec.derive_private_key(0xDE71CE, ec.SECP256R1())
STRANGER_KEY = ec.derive_private_key(0x57A46E, ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

BASIC, USAGE, EKU, SAN, SKI, AKI = ("2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17", "2.5.29.14", "2.5.29.35")
LIMITS, POLICIES, MAPPINGS, CONSTRAINTS = "2.5.29.30", "2.5.29.32", "2.5.29.33", "2.5.29.36"
CRL_POINTS, INFORMATION, INHIBIT = "2.5.29.31", "1.3.6.1.5.5.7.1.1", "2.5.29.54"


def utf8_name(text: str) -> bytes:
    return common_name(tlv(0x0C, text.encode()))


def organisation(name: str) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.10"), tlv(0x0C, name.encode()))))


def key_id(key: Key) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest


def spki_of(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign_with(key: Key, octets: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        from cryptography.hazmat.primitives.asymmetric import padding

        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(octets)
    return key.sign(octets, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def algorithm_of(key: Key) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return RSA_SHA256
    return bytes.fromhex("300506032b6570") if isinstance(key, ed25519.Ed25519PrivateKey) else ECDSA_SHA256


@dataclass(frozen=True)
class Certificate:
    """One certificate in pieces; ``extensions`` are whole, by OID, empty octets leave one out."""

    subject: bytes
    issuer: bytes
    key: Key
    signer: Key
    extensions: dict[str, bytes] = field(default_factory=dict)
    serial: int = 0x1001
    validity: bytes = field(default_factory=dates)
    algorithm: bytes | None = None

    def with_(self, *, also: dict[str, bytes] | None = None, **changes: object) -> "Certificate":
        return replace(self, **{"extensions": self.extensions | (also or {}), **changes})

    def der(self) -> bytes:
        algorithm = self.algorithm or algorithm_of(self.signer)
        listed = b"".join(self.extensions.values())
        tbs = tlv(
            0x30,
            tlv(0xA0, integer(2)),
            integer(self.serial),
            algorithm,
            self.issuer,
            self.validity,
            self.subject,
            spki_of(self.key),
            tlv(0xA3, tlv(0x30, listed)) if listed else b"",
        )
        return tlv(0x30, tbs, algorithm, tlv(0x03, b"\0", sign_with(self.signer, tbs)))


def usage_bits(value: str, *, critical: bytes = CRITICAL) -> bytes:
    return extension(USAGE, bytes.fromhex(value), critical=critical)


def basic(*parts: bytes, critical: bytes = CRITICAL) -> bytes:
    return extension(BASIC, tlv(0x30, *parts), critical=critical)


def san_of(*general: bytes, critical: bytes = b"") -> bytes:
    return extension(SAN, tlv(0x30, *general), critical=critical)


def eku_of(*purposes: str, critical: bytes = b"") -> bytes:
    return extension(EKU, tlv(0x30, *map(oid, purposes)), critical=critical)


def did_name(key: Key) -> bytes:
    return tlv(0x86, did_key(key.public_key()).encode())


def policies_of(*dotted: str, critical: bytes = b"") -> bytes:
    return extension(POLICIES, tlv(0x30, *(tlv(0x30, oid(one)) for one in dotted)), critical=critical)


def limits_of(
    *, permitted: tuple[bytes, ...] = (), excluded: tuple[bytes, ...] = (), critical: bytes = CRITICAL
) -> bytes:
    sides = b""
    for tag, bases in ((0xA0, permitted), (0xA1, excluded)):
        if bases:
            sides += tlv(tag, *(tlv(0x30, base) for base in bases))
    return extension(LIMITS, tlv(0x30, sides), critical=critical)


def _authority(key: Key, *, path: int | None = None) -> dict[str, bytes]:
    return {
        BASIC: basic(CRITICAL, b"" if path is None else integer(path)),
        USAGE: usage_bits("03020106"),
        SKI: extension(SKI, tlv(0x04, key_id(key))),
    }


def aki_of(key: Key) -> bytes:
    return extension(AKI, tlv(0x30, tlv(0x80, key_id(key))))


ROOT_NAME, MIDDLE_NAME, DEVICE_NAME = organisation("Example Works"), utf8_name("Example Devices"), utf8_name("laptop 7")


def root(key: Key = ROOT_KEY, name: bytes = ROOT_NAME) -> Certificate:
    return Certificate(name, name, key, key, _authority(key), serial=0x10)


def middle(
    key: Key = MIDDLE_KEY, signer: Key = ROOT_KEY, *, name: bytes = MIDDLE_NAME, issuer: bytes = ROOT_NAME
) -> Certificate:
    return Certificate(name, issuer, key, signer, {**_authority(key), AKI: aki_of(signer)}, serial=0x20)


def device(key: Key = DEVICE_KEY, signer: Key = MIDDLE_KEY, *, issuer: bytes = MIDDLE_NAME) -> Certificate:
    extensions = {
        BASIC: basic(),
        USAGE: usage_bits("03020780"),
        EKU: eku_of(DEVICE_PURPOSE),
        SAN: san_of(did_name(key)),
        AKI: aki_of(signer),
    }
    return Certificate(DEVICE_NAME, issuer, key, signer, extensions, serial=0x30)


def chain() -> tuple[list[bytes], bytes]:
    """The chain as a peer shows it, and the root."""
    return [device().der(), middle().der()], root().der()
