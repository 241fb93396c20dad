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
from hardwire.certs.extensions import Values, read_values
from hardwire.certs.names import read_name
from hardwire.certs.profile import KeyKind, SignatureAlgorithm
from hardwire.certs.refusal import refused
from hardwire.certs.spki import kind_of
from hardwire.errors import CertificateRefused

_SEQ: Final = der.SEQUENCE
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_CERTIFICATE: Final = (_SEQ, _SEQ, der.BIT_STRING)
_TBS: Final = (_VERSION, der.INTEGER, _SEQ, _SEQ, _SEQ, _SEQ, _SEQ, _EXTENSIONS)
_TIMES: Final = frozenset({der.UTC_TIME, der.GENERALIZED_TIME})
_UTC_TIME_ENDS: Final = 2050
_ED25519_SIGNATURE: Final = 1 + 64
"""Octets of the BIT STRING's content."""


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
    values: Values


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
    key_kind = kind_of(spki)
    found = _extensions(extensions)
    values = {extension.oid: der.parse(extension.value) for extension in found}
    return Shape(
        serial=_serial(serial),
        algorithm=algorithm,
        issuer=read_name(issuer, may_be_empty=False),
        subject=read_name(subject, may_be_empty=True),
        not_before=not_before,
        not_after=not_after,
        spki=spki.raw,
        key_kind=key_kind,
        extensions=found,
        values=read_values(values),
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
    if algorithm is SignatureAlgorithm.ED25519 and len(signature.content) != _ED25519_SIGNATURE:
        raise refused("cert-algorithm", "has an Ed25519 signature that is not of 64 octets")
    if algorithm.elliptic:
        r, s = _members(der.parse(signature.content[1:]), (der.INTEGER, der.INTEGER), "its signature")
        if der.integer(r) <= 0 or der.integer(s) <= 0:
            raise refused("cert-algorithm", "has a signature with a number that is not positive")
    return algorithm


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
