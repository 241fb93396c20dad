# SPDX-License-Identifier: Apache-2.0
"""The exact shape of a version 3 certificate (RFC 5280 §4.1), read off the canonical tree.

Member counts, member types, DEFAULT values left out, both signature algorithms the same octets, a key from
the closed list, no extension twice. Nothing here trusts, compares clocks, or knows what a device is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hardwire.certs import der, profile
from hardwire.certs.der import Node
from hardwire.certs.profile import KeyKind, KeyUsage, SignatureAlgorithm
from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused

_SEQ: Final = der.SEQUENCE
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_NAME_TEXTS: Final = frozenset({der.UTF8_STRING, der.PRINTABLE_STRING, der.IA5_STRING})
_CERTIFICATE: Final = (_SEQ, _SEQ, der.BIT_STRING)
_TBS: Final = (_VERSION, der.INTEGER, _SEQ, _SEQ, _SEQ, _SEQ, _SEQ, _EXTENSIONS)
_TIMES: Final = frozenset({der.UTC_TIME, der.GENERALIZED_TIME})
_UTC_TIME_ENDS: Final = 2050
_UNCOMPRESSED: Final = 0x04

RFC822_NAME: Final = 0x81
DNS_NAME: Final = 0x82
URI_NAME: Final = 0x86
_ASCII_NAMES: Final = frozenset({RFC822_NAME, DNS_NAME, URI_NAME})
# otherName, rfc822Name, dNSName, directoryName, URI, iPAddress, registeredID; not x400Address, ediPartyName
_GENERAL_NAMES: Final = frozenset({0xA0, RFC822_NAME, DNS_NAME, 0xA4, URI_NAME, 0x87, 0x88})


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: dotted OID, criticality, and the DER value inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Shape:
    """The members of a certificate; ``issuer``, ``subject`` and ``spki`` are DER."""

    serial: int
    algorithm: SignatureAlgorithm
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    key_kind: KeyKind
    extensions: tuple[Extension, ...]
    authority: bool
    key_usage: frozenset[KeyUsage] | None
    purposes: tuple[str, ...] | None
    alt_names: tuple[tuple[int, bytes], ...] | None


def read(certificate: bytes) -> Shape:
    """The shape of ``certificate``, at most 8192 octets of DER.

    Raises:
        CertificateRefused: ``cert-der``, ``cert-shape``, ``cert-version``, ``cert-serial``, ``cert-algorithm``,
            ``cert-name``, ``cert-validity``, ``cert-key`` or ``cert-extension``.
    """
    tbs, outer, signature = _members(der.parse(certificate), _CERTIFICATE, "a certificate")
    version, serial, inner, issuer, validity, subject, spki, extensions = _members(tbs, _TBS, "its signed part")
    if version.content != b"\x02\x01\x02":
        raise refused("cert-version", "is not of version 3")
    if inner.raw != outer.raw:
        raise refused("cert-algorithm", "names two different signature algorithms, inside and outside")
    not_before, not_after = _validity(validity)
    algorithm = _algorithm(inner, signature)
    key_kind = _key(spki)
    found = _extensions(extensions)
    values = {extension.oid: der.parse(extension.value) for extension in found}
    return Shape(
        serial=_serial(serial),
        algorithm=algorithm,
        issuer=_name(issuer, may_be_empty=False),
        subject=_name(subject, may_be_empty=True),
        not_before=not_before,
        not_after=not_after,
        spki=spki.raw,
        key_kind=key_kind,
        extensions=found,
        authority=_authority(values.get(profile.BASIC_CONSTRAINTS)),
        key_usage=_key_usage(values.get(profile.KEY_USAGE)),
        purposes=_purposes(values.get(profile.EXTENDED_KEY_USAGE)),
        alt_names=_alt_names(values.get(profile.SUBJECT_ALT_NAME)),
    )


def _members(node: Node, tags: tuple[int, ...], what: str) -> tuple[Node, ...]:
    if node.tag != _SEQ or tuple(child.tag for child in node.children) != tags:
        raise refused("cert-shape", f"has other members in {what} than the standard gives it")
    return node.children


def _serial(node: Node) -> int:
    serial = der.integer(node)
    if serial <= 0 or len(node.content) > profile.MAX_SERIAL:
        raise refused("cert-serial", "has a serial number that is not positive, or longer than 20 octets")
    return serial


def _algorithm(node: Node, signature: Node) -> SignatureAlgorithm:
    algorithm = profile.SIGNATURE_ALGORITHMS.get(node.raw)
    if algorithm is None:
        raise refused("cert-algorithm", "is signed with an algorithm, or with parameters, that are not accepted")
    if signature.content[0]:
        raise refused("cert-algorithm", "has a signature that is not whole octets")
    if algorithm.elliptic:
        r, s = _members(der.parse(signature.content[1:]), (der.INTEGER, der.INTEGER), "its signature")
        if der.integer(r) <= 0 or der.integer(s) <= 0:
            raise refused("cert-algorithm", "has a signature with a number that is not positive")
    return algorithm


def _name(node: Node, *, may_be_empty: bool) -> bytes:
    if not node.children and not may_be_empty:
        raise refused("cert-name", "has an empty issuer")
    for relative in node.children:
        if relative.tag != der.SET or not relative.children:
            raise refused("cert-name", "has a name part that is not a set of attributes")
        for attribute in relative.children:
            tags = [child.tag for child in attribute.children]
            if attribute.tag != _SEQ or len(tags) != 2 or tags[0] != der.OBJECT_IDENTIFIER:  # noqa: PLR2004 - a pair
                raise refused("cert-name", "has a name attribute that is not a pair of type and value")
            if tags[1] not in _NAME_TEXTS:
                raise refused("cert-name", "has a name in an outdated character set")
    return node.raw


def _validity(node: Node) -> tuple[datetime, datetime]:
    if len(node.children) != 2 or any(child.tag not in _TIMES for child in node.children):  # noqa: PLR2004 - a pair
        raise refused("cert-validity", "does not have exactly two dates of validity")
    not_before, not_after = map(der.time, node.children)
    for child, moment in zip(node.children, (not_before, not_after), strict=True):
        if (child.tag == der.UTC_TIME) != (moment.year < _UTC_TIME_ENDS):
            raise refused("cert-validity", "writes a date in the form that belongs to another century")
    if not_after < not_before:
        raise refused("cert-validity", "ends before it begins")
    return not_before, not_after


def _key(spki: Node) -> KeyKind:
    algorithm, key = _members(spki, (_SEQ, der.BIT_STRING), "its public key")
    kind = profile.KEY_ALGORITHMS.get(algorithm.raw)
    if kind is None:
        raise refused("cert-key", "has a key of a kind that is not accepted (P-256, P-384 and RSA are)")
    unused, octets = key.content[0], key.content[1:]
    if unused:
        raise refused("cert-key", "has a key that is not whole octets")
    if kind is KeyKind.RSA:
        _rsa(octets)
    elif len(octets) != profile.POINT_SIZES[kind] or octets[0] != _UNCOMPRESSED:
        raise refused("cert-key", "has a point that is not in uncompressed form")
    return kind


def _rsa(octets: bytes) -> None:
    modulus, exponent = map(der.integer, _members(der.parse(octets), (der.INTEGER, der.INTEGER), "its RSA key"))
    if modulus <= 0 or modulus.bit_length() not in profile.RSA_BITS or modulus % 2 == 0:
        raise refused("cert-key", "has an RSA modulus that is even, or not between 2048 and 8192 bits")
    if exponent not in profile.RSA_EXPONENTS:
        raise refused("cert-key", "has an RSA exponent that is even, smaller than 65537, or needlessly large")


def _bad(why: str) -> CertificateRefused:
    return refused("cert-extension", why)


def _extensions(node: Node) -> tuple[Extension, ...]:
    if len(node.children) != 1 or node.children[0].tag != _SEQ:
        raise refused("cert-shape", "has more than one list of extensions, or none")
    members = node.children[0].children
    if not 1 <= len(members) <= profile.MAX_EXTENSIONS:
        raise _bad("has no extensions, or too many")
    found = tuple(map(_extension, members))
    if len({extension.oid for extension in found}) != len(found):
        raise _bad("has the same extension twice")
    return found


def _extension(node: Node) -> Extension:
    match node.tag, tuple(child.tag for child in node.children):
        case der.SEQUENCE, (der.OBJECT_IDENTIFIER, der.OCTET_STRING):
            critical = False
        case der.SEQUENCE, (der.OBJECT_IDENTIFIER, der.BOOLEAN, der.OCTET_STRING):
            # FALSE is the DEFAULT, which DER leaves out.
            if node.children[1].content != b"\xff":
                raise _bad("spells out that an extension is not critical")
            critical = True
        case _:
            raise _bad("has an extension of another form than the standard's")
    return Extension(der.dotted(node.children[0]), critical, node.children[-1].content)


def _authority(node: Node | None) -> bool:
    """The cA flag of basicConstraints; absent means no."""
    if node is None:
        return False
    match node.tag, tuple(child.tag for child in node.children):
        case der.SEQUENCE, ():
            return False
        case der.SEQUENCE, (der.BOOLEAN,):
            length = 0
        case der.SEQUENCE, (der.BOOLEAN, der.INTEGER):
            length = der.integer(node.children[1])
        case _:
            raise _bad("has basic constraints of another form than the standard's")
    if node.children[0].content != b"\xff" or length < 0:
        raise _bad("spells out a default in its basic constraints, or has a negative path length")
    return True


def _key_usage(node: Node | None) -> frozenset[KeyUsage] | None:
    if node is None:
        return None
    if node.tag != der.BIT_STRING:
        raise _bad("has a key usage that is not a bit string")
    unused, bits = node.content[0], node.content[1:]
    # A named bit list ends at its last set bit (X.690 §11.2.2); an empty one is not allowed (RFC 5280 §4.2.1.3).
    if not bits or not bits[-1] >> unused & 1:
        raise _bad("has a key usage that is empty or ends in zeros")
    places = [place for place in range(len(bits) * 8) if bits[place // 8] >> (7 - place % 8) & 1]
    if places[-1] > max(KeyUsage):
        raise _bad("has a key usage that the standard does not know")
    return frozenset(map(KeyUsage, places))


def _purposes(node: Node | None) -> tuple[str, ...] | None:
    if node is None:
        return None
    purposes = tuple(der.dotted(child) for child in node.children if child.tag == der.OBJECT_IDENTIFIER)
    if node.tag != _SEQ or not purposes or len(set(purposes)) != len(node.children):
        raise _bad("has an extended key usage that is empty, repeated, or not a list of purposes")
    return purposes


def _alt_names(node: Node | None) -> tuple[tuple[int, bytes], ...] | None:
    if node is None:
        return None
    if node.tag != _SEQ or not node.children:
        raise _bad("has alternative names that are not a list, or an empty one")
    for child in node.children:
        if child.tag not in _GENERAL_NAMES:
            raise _bad("has an alternative name of a kind that is not accepted")
        if child.tag in _ASCII_NAMES and not all(0x20 < octet < 0x7F for octet in child.content):  # noqa: PLR2004
            raise _bad("has an alternative name with characters it may not have")
    return tuple((child.tag, child.content) for child in node.children)
