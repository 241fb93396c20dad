# SPDX-License-Identifier: Apache-2.0
"""The values of the extensions that a decision hangs on, each read in its exact form (RFC 5280 §4.2.1).

A reader here gets the canonical tree of one value and returns a frozen one, or refuses. Extensions that are not
listed are kept as octets; whether they may be there is the profile's business.
"""

from dataclasses import dataclass
from typing import Final

from hardwire.certs import der, profile
from hardwire.certs.der import Node
from hardwire.certs.names import GeneralName, is_host, read_general_name, read_general_names, read_name
from hardwire.certs.profile import KeyUsage
from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused

_SEQ: Final = der.SEQUENCE
_KEY_ID, _ISSUER, _SERIAL = 0x80, 0xA1, 0x82
_PERMITTED, _EXCLUDED = 0xA0, 0xA1
_EXPLICIT, _MAPPING = 0x80, 0x81
_POINT, _REASONS, _CRL_ISSUER = 0xA0, 0x81, 0xA2


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """authorityKeyIdentifier: the key identifier, and the issuer's own issuer and serial when both are given."""

    key_id: bytes
    issuer: bytes | None
    """DER Name."""
    serial: int | None


@dataclass(frozen=True, slots=True)
class NameLimits:
    """nameConstraints: how many subtrees, and the identifier octets of their kinds."""

    count: int
    kinds: frozenset[int]


@dataclass(frozen=True, slots=True)
class CrlPoint:
    """One distribution point: the DER of its full names, and whether it is of the kinds not used here."""

    names: frozenset[bytes]
    unusual: bool
    """A relative name, a list of reasons, or a CRL of another issuer."""


@dataclass(frozen=True, slots=True)
class Values:
    """What the extensions of one certificate say; None, empty or False where it does not have them."""

    authority: bool = False
    path_length: int | None = None
    key_usage: frozenset[KeyUsage] | None = None
    purposes: tuple[str, ...] | None = None
    alt_names: tuple[GeneralName, ...] | None = None
    subject_key: bytes | None = None
    authority_key: AuthorityKey | None = None
    limits: NameLimits | None = None
    policies: tuple[str, ...] = ()
    crl_points: tuple[CrlPoint, ...] = ()
    freshest: bool = False
    """Whether the issuer makes delta lists (freshestCRL)."""


def read_values(found: dict[str, Node]) -> Values:
    """Everything that the extensions say.

    Args:
        found: The canonical tree of each value, by dotted OID.

    Raises:
        CertificateRefused: ``cert-extension``, ``cert-name`` or ``cert-der``.
    """
    authority, path_length = _authority(found.get(profile.BASIC_CONSTRAINTS))
    _mappings(found.get(profile.POLICY_MAPPINGS))
    _policy_constraints(found.get(profile.POLICY_CONSTRAINTS))
    _inhibit(found.get(profile.INHIBIT_ANY_POLICY))
    _information(found.get(profile.AUTHORITY_INFORMATION))
    names = found.get(profile.SUBJECT_ALT_NAME)
    return Values(
        authority=authority,
        path_length=path_length,
        key_usage=_key_usage(found.get(profile.KEY_USAGE)),
        purposes=_purposes(found.get(profile.EXTENDED_KEY_USAGE)),
        alt_names=None if names is None else read_general_names(names, most=profile.MAX_NAMES),
        subject_key=_subject_key(found.get(profile.SUBJECT_KEY_IDENTIFIER)),
        authority_key=_authority_key(found.get(profile.AUTHORITY_KEY_IDENTIFIER)),
        limits=_limits(found.get(profile.NAME_CONSTRAINTS)),
        policies=_policies(found.get(profile.POLICIES)),
        crl_points=_crl_points(found.get(profile.CRL_POINTS)),
        freshest=profile.FRESHEST_CRL in found,
    )


def _bad(why: str) -> CertificateRefused:
    return refused("cert-extension", why)


def _tags(node: Node) -> tuple[int, ...]:
    return tuple(child.tag for child in node.children)


def _list(node: Node, most: int, what: str) -> tuple[Node, ...]:
    if node.tag != _SEQ or not 1 <= len(node.children) <= most:
        raise _bad(f"has {what} that are none, or more than {most}")
    return node.children


def _authority(node: Node | None) -> tuple[bool, int | None]:
    """The cA flag and the path length of basicConstraints; absent means no."""
    if node is None:
        return False, None
    length = None
    match node.tag, _tags(node):
        case der.SEQUENCE, ():
            return False, None
        case der.SEQUENCE, (der.BOOLEAN,):
            pass
        case der.SEQUENCE, (der.BOOLEAN, der.INTEGER):
            length = der.integer(node.children[1])
        case _:
            raise _bad("has basic constraints of another form than the standard's")
    if node.children[0].content != b"\xff" or (length is not None and length < 0):
        raise _bad("spells out a default in its basic constraints, or has a negative path length")
    return True, length


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


def _subject_key(node: Node | None) -> bytes | None:
    if node is None:
        return None
    if node.tag != der.OCTET_STRING or not 1 <= len(node.content) <= profile.MAX_KEY_ID:
        raise _bad("has a subject key identifier that is empty, too long, or no octets")
    return node.content


def _authority_key(node: Node | None) -> AuthorityKey | None:
    if node is None:
        return None
    tags = _tags(node)
    if node.tag != _SEQ or tags not in {(_KEY_ID,), (_KEY_ID, _ISSUER, _SERIAL)}:
        raise _bad("has an authority key identifier without the key's, or with half a name of the issuer")
    key_id = node.children[0].content
    if not 1 <= len(key_id) <= profile.MAX_KEY_ID:
        raise _bad("has an authority key identifier that is empty or too long")
    if len(tags) == 1:
        return AuthorityKey(key_id, None, None)
    names = node.children[1].children
    if len(names) != 1 or names[0].tag != 0xA4 or len(names[0].children) != 1:  # noqa: PLR2004 - directoryName
        raise _bad("names the issuer of its authority in another way than by one directory name")
    serial = der.parse(bytes([der.INTEGER, len(node.children[2].content)]) + node.children[2].content)
    return AuthorityKey(key_id, read_name(names[0].children[0], may_be_empty=False), der.integer(serial))


def _limits(node: Node | None) -> NameLimits | None:
    if node is None:
        return None
    if node.tag != _SEQ or _tags(node) not in {(_PERMITTED,), (_EXCLUDED,), (_PERMITTED, _EXCLUDED)}:
        raise _bad("has name constraints of another form than the standard's")
    subtrees = [subtree for side in node.children for subtree in side.children]
    if not all(side.children for side in node.children) or len(subtrees) > profile.MAX_SUBTREES:
        raise _bad(f"has name constraints that are empty, or more than {profile.MAX_SUBTREES}")
    for subtree in subtrees:
        # minimum is 0 by default and maximum is absent (RFC 5280 §4.2.1.10): one member is all there can be.
        if subtree.tag != _SEQ or len(subtree.children) != 1:
            raise _bad("has a name constraint with a minimum or maximum")
        _limit(subtree.children[0])
    return NameLimits(len(subtrees), frozenset(subtree.children[0].tag for subtree in subtrees))


def _limit(base: Node) -> None:
    match base.tag:
        case 0x82:
            fits = base.content[:1] not in {b"*", b""} and is_host(base.content)
        case 0x81:
            # A mailbox, a host, or all hosts under a domain with a dot in front (RFC 5280 §4.2.1.10).
            mailbox, at, host = base.content.rpartition(b"@")
            host = host if at else host.removeprefix(b".")
            fits = bool(mailbox) == bool(at) and is_host(host) and host[:1] != b"*"
        case 0x87:
            fits = _is_network(base.content)
        case _:
            raise _bad("limits names of a kind that is not supported (host names, mail and network addresses are)")
    if not fits:
        raise _bad("has a name constraint that is not well formed")


def _is_network(content: bytes) -> bool:
    if len(content) not in {8, 32}:
        return False
    half = len(content) // 2
    address, mask = int.from_bytes(content[:half]), int.from_bytes(content[half:])
    inverse = ~mask & ((1 << half * 8) - 1)
    return inverse & (inverse + 1) == 0 and address & inverse == 0


def _policies(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    found = []
    for member in _list(node, profile.MAX_POLICIES, "certificate policies"):
        if member.tag != _SEQ or _tags(member) not in {(der.OBJECT_IDENTIFIER,), (der.OBJECT_IDENTIFIER, _SEQ)}:
            raise _bad("has a certificate policy of another form than the standard's")
        found.append(der.dotted(member.children[0]))
    if len(set(found)) != len(found):
        raise _bad("has the same certificate policy twice")
    return tuple(found)


def _mappings(node: Node | None) -> None:
    if node is None:
        return
    for member in _list(node, profile.MAX_POLICIES, "policy mappings"):
        if member.tag != _SEQ or _tags(member) != (der.OBJECT_IDENTIFIER, der.OBJECT_IDENTIFIER):
            raise _bad("has a policy mapping that is not a pair")
        if profile.ANY_POLICY in map(der.dotted, member.children):
            raise _bad("maps to or from any policy")


def _policy_constraints(node: Node | None) -> None:
    if node is None:
        return
    if node.tag != _SEQ or _tags(node) not in {(_EXPLICIT,), (_MAPPING,), (_EXPLICIT, _MAPPING)}:
        raise _bad("has policy constraints of another form than the standard's")
    for child in node.children:
        _small(child.content)


def _inhibit(node: Node | None) -> None:
    if node is None:
        return
    if node.tag != der.INTEGER:
        raise _bad("has an inhibitAnyPolicy that is not a number")
    _small(node.content)


def _small(content: bytes) -> None:
    """One octet, not negative: a path is never longer."""
    if len(content) != 1 or content[0] > 0x7F:  # noqa: PLR2004
        raise _bad("counts certificates with a number that is negative or needlessly large")


def _information(node: Node | None) -> None:
    if node is None:
        return
    for member in _list(node, profile.MAX_POINTS, "places for information"):
        if member.tag != _SEQ or len(member.children) != 2 or member.children[0].tag != der.OBJECT_IDENTIFIER:  # noqa: PLR2004
            raise _bad("has a place for information that is not a pair of method and name")
        read_general_name(member.children[1])


def _crl_points(node: Node | None) -> tuple[CrlPoint, ...]:
    if node is None:
        return ()
    return tuple(map(_crl_point, _list(node, profile.MAX_POINTS, "CRL distribution points")))


def _crl_point(node: Node) -> CrlPoint:
    members = {child.tag: child for child in node.children}
    if node.tag != _SEQ or not members or set(members) - {_POINT, _REASONS, _CRL_ISSUER}:
        raise _bad("has a CRL distribution point of another form than the standard's")
    if list(members) != sorted(members, key=lambda tag: tag & 0x1F) or len(members) != len(node.children):
        raise _bad("has a CRL distribution point with its members out of order")
    names, relative = point_names(members[_POINT]) if _POINT in members else (frozenset(), False)
    return CrlPoint(names, unusual=relative or bool({_REASONS, _CRL_ISSUER} & set(members)))


def point_names(node: Node) -> tuple[frozenset[bytes], bool]:
    """The DER of the full names in a DistributionPointName, and whether it is a relative one instead.

    Raises:
        CertificateRefused: ``cert-extension`` or ``cert-name``.
    """
    match _tags(node):
        case (0xA0,):
            full = node.children[0]
            if not 1 <= len(full.children) <= profile.MAX_POINTS:
                raise _bad("has a distribution point without a name, or with too many")
            for name in full.children:
                read_general_name(name)
            return frozenset(name.raw for name in full.children), False
        case (0xA1,):
            return frozenset(), True
        case _:
            raise _bad("has a distribution point of another form than the standard's")
