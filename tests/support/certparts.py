# SPDX-License-Identifier: Apache-2.0
"""A device certificate in pieces, and a DER writer that can also write what DER forbids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardwire.certs.did import did_key
from hardwire.certs.profile import DEVICE_PURPOSE

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
KEY = ec.derive_private_key(0x1D5A_0F2C_77B1, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(0x2BAD_CAFE, ec.SECP256R1())
P384_KEY = ec.derive_private_key(0x3C3C_3C3C_3C, ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)

ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
P256 = bytes.fromhex("06082a8648ce3d030107")


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def long_tlv(tag: int, content: bytes) -> bytes:
    """The length in one octet more than it needs."""
    return bytes([tag, 0x82]) + len(content).to_bytes(2) + content


def endless_tlv(tag: int, content: bytes) -> bytes:
    """BER's indefinite length."""
    return bytes([tag, 0x80]) + content + b"\x00\x00"


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return tlv(0x06, bytes(content))


def common_name(value: bytes = tlv(0x0C, b"hardwire device")) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3"), value)))


def dates(begin: bytes = tlv(0x17, b"260101000000Z"), end: bytes = tlv(0x17, b"361231235959Z")) -> bytes:
    return tlv(0x30, begin, end)


def extension(number: str, value: bytes, *, critical: bytes = b"") -> bytes:
    return tlv(0x30, oid(number), critical, tlv(0x04, value))


CRITICAL = tlv(0x01, b"\xff")
USAGE = extension("2.5.29.15", bytes.fromhex("03020780"), critical=CRITICAL)
CONSTRAINTS = extension("2.5.29.19", tlv(0x30), critical=CRITICAL)
PURPOSE = extension("2.5.29.37", tlv(0x30, oid(DEVICE_PURPOSE)))
EXTENSION_NAMES = ("2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17")


def names(*general: bytes) -> bytes:
    return extension("2.5.29.17", tlv(0x30, *general))


def spki(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def did_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return did_key(key.public_key()).encode()


@dataclass(frozen=True)
class Parts:
    """A certificate in pieces; ``wrap_*`` write the outer values, ``edit`` changes the finished octets."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY
    version: bytes = tlv(0xA0, integer(2))
    serial: bytes = integer(0x1234)
    inner: bytes = ECDSA_SHA256
    issuer: bytes = field(default_factory=common_name)
    validity: bytes = field(default_factory=dates)
    subject: bytes = field(default_factory=common_name)
    spki: bytes | None = None
    extra: bytes = b""
    extensions: Mapping[str, bytes] = field(default_factory=dict)
    """By OID, instead of the profile's own; empty octets leave it out."""
    more: bytes = b""
    outer: bytes | None = None
    unused_bits: int = 0
    wrap_extensions: Callable[[bytes], bytes] = lambda content: tlv(0xA3, tlv(0x30, content))
    wrap_tbs: Callable[[bytes], bytes] = lambda content: tlv(0x30, content)
    wrap: Callable[[bytes], bytes] = lambda content: tlv(0x30, content)
    signature: Callable[[bytes], bytes] = lambda signature: signature


def build(parts: Parts) -> bytes:
    own = {
        "2.5.29.19": CONSTRAINTS,
        "2.5.29.15": USAGE,
        "2.5.29.37": PURPOSE,
        "2.5.29.17": names(tlv(0x86, did_of(parts.key))),
    }
    extensions = b"".join((own | dict(parts.extensions)).values()) + parts.more
    tbs = parts.wrap_tbs(
        parts.version
        + parts.serial
        + parts.inner
        + parts.issuer
        + parts.validity
        + parts.subject
        + (spki(parts.key) if parts.spki is None else parts.spki)
        + parts.extra
        + parts.wrap_extensions(extensions)
    )
    signature = bytes([parts.unused_bits]) + parts.signature(sign(parts.key, tbs))
    outer = parts.inner if parts.outer is None else parts.outer
    return parts.wrap(tbs + outer + tlv(0x03, signature))


def sign(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, tbs: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def point(key: ec.EllipticCurvePrivateKey, form: PublicFormat) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, form)


def ec_spki(algorithm: bytes, point: bytes, unused: int = 0) -> bytes:
    return tlv(0x30, algorithm, tlv(0x03, bytes([unused]), point))


def ec_algorithm(*parameters: bytes) -> bytes:
    return tlv(0x30, oid("1.2.840.10045.2.1"), *parameters)


def explicit_p256() -> bytes:
    """The curve by its equation (RFC 3279 §2.3.5): the hole of CVE-2020-0601."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    curve = tlv(
        0x30,
        tlv(0x04, (prime - 3).to_bytes(32)),
        tlv(0x04, bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")),
    )
    base = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    order = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
    field_id = tlv(0x30, oid("1.2.840.10045.1.1"), integer(prime))
    return tlv(0x30, integer(1), field_id, curve, tlv(0x04, base), integer(order), integer(1))


def both_names(value: bytes) -> Parts:
    return same_name(common_name(value))


def same_name(name: bytes) -> Parts:
    return Parts(issuer=name, subject=name)


def attribute(number: str) -> bytes:
    return tlv(0x30, oid(number), tlv(0x0C, b"a"))


def nested(depth: int) -> bytes:
    value = tlv(0x05)
    for _ in range(depth):
        value = tlv(0x30, value)
    return value


def usage(value: bytes) -> Parts:
    return Parts(extensions={"2.5.29.15": extension("2.5.29.15", value, critical=CRITICAL)})


def constraints(value: bytes) -> Parts:
    return Parts(extensions={"2.5.29.19": extension("2.5.29.19", value, critical=CRITICAL)})


def purposes(*values: bytes) -> Parts:
    return Parts(extensions={"2.5.29.37": extension("2.5.29.37", tlv(0x30, *values))})


def san(*values: bytes) -> Parts:
    return Parts(extensions={"2.5.29.17": names(*values)})


def rsa_spki(key: bytes) -> bytes:
    return tlv(0x30, tlv(0x30, oid("1.2.840.113549.1.1.1"), tlv(0x05)), tlv(0x03, b"\x00", key))
