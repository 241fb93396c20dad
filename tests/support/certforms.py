# SPDX-License-Identifier: Apache-2.0
"""Faults of form: what is not canonical DER, and what is canonical but no version 3 certificate."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PublicFormat

from hardwire.certs.profile import DEVICE_PURPOSE
from support.certparts import (
    CRITICAL,
    ECDSA_SHA256,
    KEY,
    P256,
    RSA,
    RSA_SHA256,
    USAGE,
    Parts,
    attribute,
    both_names,
    common_name,
    constraints,
    dates,
    did_of,
    ec_algorithm,
    ec_spki,
    endless_tlv,
    explicit_p256,
    extension,
    integer,
    long_tlv,
    nested,
    oid,
    point,
    purposes,
    rsa_spki,
    same_name,
    san,
    spki,
    tlv,
    usage,
)


def form() -> Iterator[tuple[str, Parts, str]]:
    """Octets that are not canonical DER."""
    yield from _lengths()
    yield from _values()
    yield from _times_and_texts()
    yield from _sets_and_sizes()


def _lengths() -> Iterator[tuple[str, Parts, str]]:
    yield "indefinite outer length", Parts(wrap=lambda c: endless_tlv(0x30, c)), "cert-der"
    yield "indefinite tbs length", Parts(wrap_tbs=lambda c: endless_tlv(0x30, c)), "cert-der"
    yield "indefinite extensions", Parts(wrap_extensions=lambda c: tlv(0xA3, endless_tlv(0x30, c))), "cert-der"
    yield "outer length in four octets", Parts(wrap=lambda c: b"\x30\x84" + len(c).to_bytes(4) + c), "cert-der"
    yield "tbs length padded", Parts(wrap_tbs=lambda c: b"\x30\x83" + len(c).to_bytes(3) + c), "cert-der"
    yield "name length padded", Parts(issuer=long_tlv(0x30, common_name()[2:])), "cert-der"
    yield "octet behind the end", Parts(wrap=lambda c: tlv(0x30, c) + b"\x00"), "cert-der"
    yield "second certificate behind", Parts(wrap=lambda c: tlv(0x30, c) * 2), "cert-der"
    yield "cut off", Parts(wrap=lambda c: tlv(0x30, c)[:-1]), "cert-der"
    yield "end-of-contents inside", Parts(extra=b"\x00\x00"), "cert-der"


def _values() -> Iterator[tuple[str, Parts, str]]:
    """Integers, booleans, strings, identifiers and tags."""
    yield "version integer padded", Parts(version=tlv(0xA0, tlv(0x02, b"\x00\x02"))), "cert-der"
    yield "serial padded", Parts(serial=tlv(0x02, b"\x00\x12\x34")), "cert-der"
    yield "serial negative and padded", Parts(serial=tlv(0x02, b"\xff\x80")), "cert-der"
    yield "serial empty", Parts(serial=tlv(0x02)), "cert-der"
    yield "serial constructed", Parts(serial=tlv(0x22, integer(5))), "cert-der"
    yield "critical as 01", Parts(extensions={"2.5.29.15": USAGE.replace(CRITICAL, b"\x01\x01\x01")}), "cert-der"
    yield (
        "critical in two octets",
        Parts(extensions={"2.5.29.15": extension("2.5.29.15", b"\x03\x02\x07\x80", critical=b"\x01\x02\xff\xff")}),
        "cert-der",
    )
    yield (
        "constructed octet string",
        Parts(more=tlv(0x30, oid("2.5.29.14"), tlv(0x24, tlv(0x04, tlv(0x04, b"k"))))),
        "cert-der",
    )
    yield (
        "constructed bit string key",
        Parts(spki=tlv(0x30, ec_algorithm(P256), tlv(0x23, spki(KEY)[23:]))),
        "cert-der",
    )
    yield "key usage with unused bits set", usage(bytes.fromhex("03020781")), "cert-der"
    yield "key usage with nine unused bits", usage(bytes.fromhex("03020980")), "cert-der"
    yield "key usage without octets", usage(bytes.fromhex("0300")), "cert-der"
    yield (
        "oid arc padded",
        Parts(subject=common_name().replace(oid("2.5.4.3"), b"\x06\x04\x80\x55\x04\x03")),
        "cert-der",
    )
    yield "oid cut off", Parts(more=tlv(0x30, b"\x06\x02\x55\x9d", tlv(0x04, tlv(0x05)))), "cert-der"
    yield "oid empty", Parts(more=tlv(0x30, b"\x06\x00", tlv(0x04, tlv(0x05)))), "cert-der"
    yield "oid of 70 octets", Parts(more=tlv(0x30, tlv(0x06, b"\x2a" * 70), tlv(0x04, tlv(0x05)))), "cert-der"
    yield "tag number in two octets", Parts(extra=b"\xbf\x03\x00"), "cert-der"
    yield "application class", Parts(extra=b"\x41\x00"), "cert-der"
    yield "private class, constructed", Parts(extra=b"\xe1\x00"), "cert-der"
    yield "sequence in primitive form", Parts(issuer=b"\x10" + common_name()[1:]), "cert-der"


def _times_and_texts() -> Iterator[tuple[str, Parts, str]]:
    """Times in other forms; texts that are none."""
    yield "utc time without seconds", Parts(validity=dates(tlv(0x17, b"2601010000Z"))), "cert-der"
    yield "utc time with offset", Parts(validity=dates(tlv(0x17, b"260101000000+0000"))), "cert-der"
    yield "generalized time with fraction", Parts(validity=dates(end=tlv(0x18, b"20551231235959.5Z"))), "cert-der"
    yield "generalized time without zone", Parts(validity=dates(end=tlv(0x18, b"20551231235959"))), "cert-der"
    yield "thirteenth month", Parts(validity=dates(tlv(0x17, b"261301000000Z"))), "cert-der"
    yield "thirtieth of February", Parts(validity=dates(tlv(0x17, b"260230000000Z"))), "cert-der"
    yield "second 60", Parts(validity=dates(tlv(0x17, b"260101000060Z"))), "cert-der"
    yield "digits of another script", Parts(validity=dates(tlv(0x17, "26010100000\u0661Z".encode()))), "cert-der"
    yield "overlong utf-8", both_names(tlv(0x0C, b"hard\xc1\xb7ire")), "cert-der"
    yield "surrogate in utf-8", both_names(tlv(0x0C, b"\xed\xa0\x80")), "cert-der"
    yield "nul in a name", both_names(tlv(0x0C, b"bank\x00.example")), "cert-der"
    yield "newline in a name", both_names(tlv(0x0C, b"bank\nverified")), "cert-der"
    yield "escape sequence in a name", both_names(tlv(0x0C, b"\x1b[2J")), "cert-der"
    yield "text turned around", both_names(tlv(0x0C, "\u202eknab".encode())), "cert-der"
    yield "printable string with an at sign", both_names(tlv(0x13, b"a@b")), "cert-der"
    yield "printable string with high octets", both_names(tlv(0x13, "\u00e9".encode())), "cert-der"
    yield "ascii string with high octets", both_names(tlv(0x16, "\u00e9".encode())), "cert-der"
    yield "teletex name", both_names(tlv(0x14, b"x")), "cert-der"
    yield "bmp name", both_names(tlv(0x1E, b"\x00x")), "cert-der"


def _sets_and_sizes() -> Iterator[tuple[str, Parts, str]]:
    """Order, depth, number, and what hides in strings."""
    yield (
        "name set out of order",
        same_name(tlv(0x30, tlv(0x31, attribute("2.5.4.10"), attribute("2.5.4.3")))),
        "cert-der",
    )
    yield "name set with a member twice", same_name(tlv(0x30, tlv(0x31, attribute("2.5.4.3") * 2))), "cert-der"
    yield "nesting", Parts(more=extension("2.5.29.14", nested(40))), "cert-der"
    yield "many values", Parts(more=extension("2.5.29.14", tlv(0x30, tlv(0x05) * 2500))), "cert-der"
    yield "NULL with content", Parts(more=extension("1.2.3.4", b"\x05\x01\x00")), "cert-der"
    yield (
        "extension value with octets behind",
        Parts(more=extension("2.5.29.14", tlv(0x04, b"k") + b"\x00")),
        "cert-der",
    )
    yield "extension value that is not DER", Parts(more=extension("1.2.3.4", b"\x05\x04\x03")), "cert-der"
    yield "extension value empty", Parts(more=extension("1.2.3.4", b"")), "cert-der"
    yield "signature in BER", Parts(signature=lambda s: b"\x30\x81" + s[1:]), "cert-der"
    yield "signature with octets behind", Parts(signature=lambda s: s + b"\x00"), "cert-der"
    yield "signature empty", Parts(signature=lambda _: b""), "cert-der"
    yield "too large", Parts(more=extension("2.5.29.14", tlv(0x04, bytes(8192)))), "cert-size"


def shape() -> Iterator[tuple[str, Parts, str]]:
    """Canonical DER that is no version 3 certificate."""
    yield from _members()
    yield from _algorithms()
    yield from _names_and_dates()
    yield from _points()
    yield from _rsa_shape()


def _members() -> Iterator[tuple[str, Parts, str]]:
    yield "version absent", Parts(version=b""), "cert-shape"
    yield "version 1 spelled out", Parts(version=tlv(0xA0, integer(0))), "cert-version"
    yield "version 2", Parts(version=tlv(0xA0, integer(1))), "cert-version"
    yield "version 4", Parts(version=tlv(0xA0, integer(3))), "cert-version"
    yield "version twice", Parts(version=tlv(0xA0, integer(2), integer(2))), "cert-version"
    yield "no extensions", Parts(wrap_extensions=lambda _: b""), "cert-shape"
    yield "extensions twice", Parts(extra=tlv(0xA3, tlv(0x30, USAGE))), "cert-shape"
    yield (
        "two lists of extensions",
        Parts(wrap_extensions=lambda c: tlv(0xA3, tlv(0x30, c), tlv(0x30, c))),
        "cert-shape",
    )
    yield "extensions in a set", Parts(wrap_extensions=lambda _: tlv(0xA3, tlv(0x31, USAGE))), "cert-shape"
    yield "list of extensions empty", Parts(wrap_extensions=lambda _: tlv(0xA3, tlv(0x30))), "cert-extension"
    yield "issuer unique id", Parts(extra=tlv(0x81, b"\x00x")), "cert-shape"
    yield "subject unique id", Parts(extra=tlv(0x82, b"\x00x")), "cert-shape"
    yield "fourth outer member", Parts(wrap=lambda c: tlv(0x30, c, tlv(0x05))), "cert-shape"
    yield "tbs is a set", Parts(wrap_tbs=lambda _: tlv(0x31)), "cert-shape"
    yield "certificate is a set", Parts(wrap=lambda _: tlv(0x31)), "cert-shape"
    yield "serial zero", Parts(serial=integer(0)), "cert-serial"
    yield "serial negative", Parts(serial=integer(-5)), "cert-serial"
    yield "serial of 21 octets", Parts(serial=integer(1 << 160)), "cert-serial"
    yield "serial of 20 octets and a sign", Parts(serial=integer((1 << 160) - 1)), "cert-serial"


def _algorithms() -> Iterator[tuple[str, Parts, str]]:
    yield "other algorithm outside", Parts(outer=bytes.fromhex("300a06082a8648ce3d040303")), "cert-algorithm"
    yield "other algorithm inside", Parts(inner=RSA_SHA256, outer=ECDSA_SHA256), "cert-algorithm"
    yield "NULL parameters outside", Parts(outer=tlv(0x30, oid("1.2.840.10045.4.3.2"), tlv(0x05))), "cert-algorithm"
    yield "NULL parameters", Parts(inner=tlv(0x30, oid("1.2.840.10045.4.3.2"), tlv(0x05))), "cert-algorithm"
    yield "RSA without NULL", Parts(key=RSA, inner=tlv(0x30, oid("1.2.840.113549.1.1.11"))), "cert-algorithm"
    yield "SHA-1", Parts(inner=tlv(0x30, oid("1.2.840.10045.4.1"))), "cert-algorithm"
    yield "SHA-224", Parts(inner=tlv(0x30, oid("1.2.840.10045.4.3.1"))), "cert-algorithm"
    yield "MD5 with RSA", Parts(inner=tlv(0x30, oid("1.2.840.113549.1.1.4"), tlv(0x05))), "cert-algorithm"
    yield (
        "signature with unused bits",
        Parts(unused_bits=1, signature=lambda s: s[:-1] + bytes([s[-1] & 0xFE])),
        "cert-algorithm",
    )
    yield "signature r zero", Parts(signature=lambda _: tlv(0x30, integer(0), integer(1))), "cert-algorithm"
    yield "signature s negative", Parts(signature=lambda _: tlv(0x30, integer(1), integer(-1))), "cert-algorithm"
    yield (
        "signature of three numbers",
        Parts(signature=lambda _: tlv(0x30, integer(1), integer(1), integer(1))),
        "cert-shape",
    )


def _names_and_dates() -> Iterator[tuple[str, Parts, str]]:
    yield "issuer empty", Parts(issuer=tlv(0x30)), "cert-name"
    yield "name part is a sequence", same_name(tlv(0x30, tlv(0x30, attribute("2.5.4.3")))), "cert-name"
    yield "name part empty", same_name(tlv(0x30, tlv(0x31))), "cert-name"
    yield "name attribute is a set", same_name(tlv(0x30, tlv(0x31, tlv(0x31)))), "cert-name"
    yield "name attribute without value", same_name(tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3"))))), "cert-name"
    yield (
        "name attribute with two values",
        same_name(tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3"), tlv(0x0C, b"a") * 2)))),
        "cert-name",
    )
    yield "name attribute without type", same_name(tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x0C, b"a") * 2)))), "cert-name"
    yield "name attribute is a number", both_names(integer(5)), "cert-name"
    yield "one date", Parts(validity=tlv(0x30, tlv(0x17, b"260101000000Z"))), "cert-validity"
    yield "three dates", Parts(validity=tlv(0x30, tlv(0x17, b"260101000000Z") * 3)), "cert-validity"
    yield "date is a text", Parts(validity=dates(tlv(0x0C, b"260101000000Z"))), "cert-validity"
    yield "generalized time before 2050", Parts(validity=dates(end=tlv(0x18, b"20361231235959Z"))), "cert-validity"
    yield "ends before it begins", Parts(validity=dates(tlv(0x17, b"370101000000Z"))), "cert-validity"


def _points() -> Iterator[tuple[str, Parts, str]]:
    yield (
        "compressed point",
        Parts(spki=ec_spki(ec_algorithm(P256), point(KEY, PublicFormat.CompressedPoint))),
        "cert-key",
    )
    yield (
        "hybrid point",
        Parts(spki=ec_spki(ec_algorithm(P256), b"\x06" + point(KEY, PublicFormat.UncompressedPoint)[1:])),
        "cert-key",
    )
    yield (
        "point too long",
        Parts(spki=ec_spki(ec_algorithm(P256), point(KEY, PublicFormat.UncompressedPoint) + b"\x00")),
        "cert-key",
    )
    yield "point empty", Parts(spki=ec_spki(ec_algorithm(P256), b"")), "cert-key"
    yield (
        "point with unused bits",
        Parts(spki=ec_spki(ec_algorithm(P256), point(KEY, PublicFormat.UncompressedPoint)[:-1] + b"\x00", 1)),
        "cert-key",
    )
    yield "point off the curve", Parts(spki=ec_spki(ec_algorithm(P256), b"\x04" + b"\x01" * 64)), "cert-unreadable"
    yield "point at infinity", Parts(spki=ec_spki(ec_algorithm(P256), b"\x00")), "cert-key"
    yield (
        "explicit curve",
        Parts(spki=ec_spki(ec_algorithm(explicit_p256()), point(KEY, PublicFormat.UncompressedPoint))),
        "cert-key",
    )
    yield (
        "implicit curve",
        Parts(spki=ec_spki(ec_algorithm(tlv(0x05)), point(KEY, PublicFormat.UncompressedPoint))),
        "cert-key",
    )
    yield "curve absent", Parts(spki=ec_spki(ec_algorithm(), point(KEY, PublicFormat.UncompressedPoint))), "cert-key"
    yield (
        "curve and NULL",
        Parts(spki=ec_spki(ec_algorithm(P256, tlv(0x05)), point(KEY, PublicFormat.UncompressedPoint))),
        "cert-key",
    )
    yield (
        "key for ECDH only",
        Parts(spki=ec_spki(tlv(0x30, oid("1.3.132.1.12"), P256), point(KEY, PublicFormat.UncompressedPoint))),
        "cert-key",
    )
    yield "curve P-521", Parts(spki=spki(ec.derive_private_key(77, ec.SECP521R1()))), "cert-key"
    yield "curve secp256k1", Parts(spki=spki(ec.derive_private_key(77, ec.SECP256K1()))), "cert-key"
    yield (
        "P-256 point under P-384",
        Parts(spki=ec_spki(ec_algorithm(oid("1.3.132.0.34")), point(KEY, PublicFormat.UncompressedPoint))),
        "cert-key",
    )
    yield (
        "three members in the key",
        Parts(spki=tlv(0x30, ec_algorithm(P256), tlv(0x03, b"\x00\x04"), tlv(0x05))),
        "cert-shape",
    )


def _rsa_shape() -> Iterator[tuple[str, Parts, str]]:
    modulus = RSA.public_key().public_numbers().n
    for name, n, e in (
        ("RSA 1024", (1 << 1023) + 1, 65537),
        ("RSA 8200", (1 << 8199) + 1, 65537),
        ("RSA modulus even", modulus - 1, 65537),
        ("RSA modulus negative", -modulus, 65537),
        ("RSA exponent 3", modulus, 3),
        ("RSA exponent 1", modulus, 1),
        ("RSA exponent even", modulus, 65538),
        ("RSA exponent negative", modulus, -65537),
        ("RSA exponent huge", modulus, (1 << 64) + 1),
    ):
        yield name, Parts(key=RSA, inner=RSA_SHA256, spki=rsa_spki(tlv(0x30, integer(n), integer(e)))), "cert-key"
    yield (
        "RSA key of three numbers",
        Parts(key=RSA, inner=RSA_SHA256, spki=rsa_spki(tlv(0x30, integer(modulus), integer(65537), integer(1)))),
        "cert-shape",
    )
    yield (
        "RSA key with octets behind",
        Parts(key=RSA, inner=RSA_SHA256, spki=rsa_spki(tlv(0x30, integer(modulus), integer(65537)) + b"\x00")),
        "cert-der",
    )


def extensions() -> Iterator[tuple[str, Parts, str]]:
    """Extensions in a form that the standard does not give them."""
    yield "key usage twice", Parts(more=USAGE), "cert-extension"
    yield "unknown extension twice", Parts(more=extension("1.2.3.4", tlv(0x05)) * 2), "cert-extension"
    yield "33 extensions", Parts(more=b"".join(extension(f"1.2.3.{n}", tlv(0x05)) for n in range(29))), "cert-extension"
    yield (
        "critical FALSE spelled out",
        Parts(
            extensions={"2.5.29.37": extension("2.5.29.37", tlv(0x30, oid(DEVICE_PURPOSE)), critical=b"\x01\x01\x00")}
        ),
        "cert-extension",
    )
    yield (
        "critical after the value",
        Parts(more=tlv(0x30, oid("1.2.3.4"), tlv(0x04, tlv(0x05)), CRITICAL)),
        "cert-extension",
    )
    yield "extension is a set", Parts(more=tlv(0x31, oid("1.2.3.4"))), "cert-extension"
    yield "extension without value", Parts(more=tlv(0x30, oid("1.2.3.4"))), "cert-extension"
    yield "extension with two values", Parts(more=tlv(0x30, oid("1.2.3.4"), tlv(0x04, tlv(0x05)) * 2)), "cert-extension"
    yield "key usage empty", usage(bytes.fromhex("030100")), "cert-extension"
    yield "key usage all zero", usage(bytes.fromhex("03020700")), "cert-extension"
    yield "key usage with trailing zeros", usage(bytes.fromhex("03020080")), "cert-extension"
    yield "key usage with an unknown bit", usage(bytes.fromhex("0303068040")), "cert-extension"
    yield "key usage is an integer", usage(integer(0x0780)), "cert-extension"
    yield "ca FALSE spelled out", constraints(tlv(0x30, b"\x01\x01\x00")), "cert-extension"
    yield "path length without ca", constraints(tlv(0x30, integer(0))), "cert-extension"
    yield "path length negative", constraints(tlv(0x30, CRITICAL, integer(-1))), "cert-extension"
    yield "path length twice", constraints(tlv(0x30, CRITICAL, integer(0), integer(0))), "cert-extension"
    yield "ca FALSE and path length", constraints(tlv(0x30, b"\x01\x01\x00", integer(0))), "cert-extension"
    yield "constraints are a set", constraints(tlv(0x31)), "cert-extension"
    yield "purposes empty", purposes(), "cert-extension"
    yield "purpose twice", purposes(oid(DEVICE_PURPOSE), oid(DEVICE_PURPOSE)), "cert-extension"
    yield "purpose is a text", purposes(tlv(0x0C, b"hardwire")), "cert-extension"
    yield "purpose and a text", purposes(oid(DEVICE_PURPOSE), tlv(0x0C, b"hardwire")), "cert-extension"
    yield (
        "purposes are a set",
        Parts(extensions={"2.5.29.37": extension("2.5.29.37", tlv(0x31, oid(DEVICE_PURPOSE)))}),
        "cert-extension",
    )
    yield "names empty", san(), "cert-extension"
    yield (
        "names are a set",
        Parts(extensions={"2.5.29.17": extension("2.5.29.17", tlv(0x31, tlv(0x86, did_of(KEY))))}),
        "cert-extension",
    )
    yield "name is x400", san(tlv(0xA3)), "cert-extension"
    yield "name URI constructed", san(tlv(0xA6, tlv(0x16, did_of(KEY)))), "cert-extension"
    yield "name URI with NUL", san(tlv(0x86, did_of(KEY) + b"\x00")), "cert-extension"
    yield "name URI with a space", san(tlv(0x86, did_of(KEY) + b" ")), "cert-extension"
    yield "name URI in UTF-8", san(tlv(0x86, did_of(KEY) + "\u00e9".encode())), "cert-extension"
    yield "name is an address of five octets", san(tlv(0x87, b"\x01" * 5)), "cert-extension"
