# SPDX-License-Identifier: Apache-2.0
"""Certificate revocation lists (RFC 5280 §5), read strictly: complete lists of one issuer about its own certificates.

Lists are large, so the certificate's canonical walk does not do: the frame is walked here, each small part goes
through :func:`hardwire.certs.der.parse`, and the entries through one tight loop. What is refused, because a verdict
could be read out of it in two ways or not at all: delta lists, indirect lists, lists for some reasons only, critical
extensions that are not known, entries that name another issuer or take a revocation back, a serial number twice, no
number, no next update. ``cryptography`` reads the same octets, and both must agree on each answer.

The signed octets are kept as they are: a list is evidence, and is passed on as such.
"""

import re
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509

from hardwire.certs import der, profile
from hardwire.certs.der import Node
from hardwire.certs.extensions import point_names
from hardwire.certs.gate import GatedCertificate
from hardwire.certs.names import read_name
from hardwire.certs.profile import KeyUsage
from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused, Misuse

MAX_CRL: Final = 5 << 18
"""Octets of a list."""
MAX_ENTRIES: Final = 20_000
"""Certificates that a list takes back; the largest serial numbers, with reasons, fill :data:`MAX_CRL`."""
MAX_FORMS: Final = 256
"""Different extensions of entries, dates aside: each costs a walk of its own."""
MAX_NUMBER: Final = 20
"""Octets of a CRLNumber (RFC 5280 §5.2.3)."""

_HINT: Final = "fetch the current list from the organisation that issues the certificates"
_WIDEST: Final = 3
_SMALL: Final = 4096
_POINT, _USERS, _AUTHORITIES = 0xA0, 0x81, 0x82
_NUMBER, _DELTA, _IDP, _AKI = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35"
_FRESHEST: Final = "2.5.29.46"
_KNOWN: Final = frozenset({_NUMBER, _IDP, _AKI})
_REASON, _INVALID_SINCE = "2.5.29.21", "2.5.29.24"
_REASONS: Final = {
    0: "unspecified", 1: "key compromise", 2: "authority compromise", 3: "affiliation changed", 4: "superseded",
    5: "cessation of operation", 6: "on hold", 9: "privilege withdrawn", 10: "attribute authority compromise",
}  # fmt: skip
_ENTRY_TIME: Final = re.compile(rb"\x17\x0d\d{12}Z|\x18\x0f\d{14}Z")
# invalidityDate (RFC 5280 §5.3.2): in a long list each entry may have another one
_SINCE: Final = re.compile(rb"(?<=\x06\x03\x55\x1d\x18\x04\x11\x18\x0f)(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?=Z)")
_SOME_DATE: Final = b"20260101000000"
_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class SignedCrl:
    """A list that is well formed; only :func:`read_crl` makes one. :meth:`check_signature` says if it is authentic.

    Attributes:
        der: The octets as signed.
        issuer: DER Name.
        this_update: When it was made, aware.
        next_update: When the next one is due at the latest, aware.
        number: CRLNumber.
        authority_key: The issuer's key identifier, if it says.
        users: Whether it covers certificates of devices.
        authorities: Whether it covers certificates of authorities.
        points: DER of the distribution point's names; empty when it has none.
        serials: Of the certificates that it takes back.
        parsed: As ``cryptography`` reads it.
    """

    der: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    this_update: datetime
    next_update: datetime
    number: int
    authority_key: bytes | None = field(repr=False)
    users: bool
    authorities: bool
    points: frozenset[bytes] = field(repr=False)
    serials: frozenset[int] = field(repr=False)
    parsed: x509.CertificateRevocationList = field(compare=False, repr=False)
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Misuse("a list is made by read_crl only")

    def series(self, issuer: GatedCertificate) -> str:
        """The name under which the highest number of this issuer's lists of this scope is remembered, 64 hex digits."""
        scope = b"".join((bytes([self.users, self.authorities]), *sorted(self.points)))
        return sha256(b"".join((issuer.spki, self.issuer, scope))).hexdigest()

    def check_signature(self, issuer: GatedCertificate) -> None:
        """Refuse a list that ``issuer`` did not sign, or must not.

        Raises:
            CertificateRefused: ``crl-issuer`` or ``crl-signature``.
        """
        if issuer.shape.subject != self.issuer:
            raise bad("crl-issuer", "is of another issuer")
        if self.authority_key is not None and issuer.values.subject_key not in {None, self.authority_key}:
            raise bad("crl-issuer", "is of another key of its issuer")
        usage = issuer.values.key_usage
        if usage is None or KeyUsage.CRL_SIGN not in usage:
            raise bad("crl-issuer", "is of an issuer whose key must not sign lists")
        try:
            genuine = self.parsed.is_signature_valid(issuer.parsed.public_key())  # type: ignore[arg-type]
        except Exception as error:
            # TypeError and UnsupportedAlgorithm are declared; whatever else comes means no, too.
            raise bad("crl-signature", "has a signature that cannot be verified") from error
        if not genuine:
            raise bad("crl-signature", "was not signed by its issuer, or was altered")

    def find(self, serial: int) -> tuple[datetime, str] | None:
        """When and why the certificate with this serial number was taken back; None when it was not.

        Raises:
            CertificateRefused: ``cert-ambiguous``; the two readers of the list disagree.
        """
        entry = self.parsed.get_revoked_certificate_by_serial_number(serial)
        if (entry is not None) != (serial in self.serials):
            raise refused("cert-ambiguous", "reads differently to different software", who="the CRL")
        if entry is None:
            return None
        try:
            octets = entry.extensions.get_extension_for_class(x509.CRLReason).value.public_bytes()
        except x509.ExtensionNotFound:
            return entry.revocation_date_utc, _REASONS[0]
        return entry.revocation_date_utc, _REASONS[octets[-1]]


def bad(code: str, why: str, evidence: dict[str, str] | None = None) -> CertificateRefused:
    """The refusal of a list; ``why`` continues the words "the CRL"."""
    return refused(code, why, who="the CRL", hint=_HINT, evidence=evidence)


def read_crl(octets: bytes) -> SignedCrl:
    """Read one DER list of at most 1.25 MiB from a stranger. Its signature, age and scope are looked at later.

    Raises:
        CertificateRefused: ``crl-size``, ``crl-der``, ``crl-shape``, ``crl-extension``, ``crl-delta``,
            ``crl-number`` or ``cert-ambiguous``.
    """
    if len(octets) > MAX_CRL:
        raise bad("crl-size", f"is {len(octets)} octets long, {MAX_CRL} are allowed")
    try:
        return _read(octets)
    except CertificateRefused as error:
        if error.code.startswith(("crl-", "cert-ambiguous")):
            raise
        raise bad("crl-der", f"is not well formed: {error.message}") from error
    except Exception as error:
        # The library leaks undeclared exceptions on hostile octets; each of them means no.
        raise bad("crl-der", "cannot be read by the certificate library") from error


def issuer_of(octets: bytes) -> frozenset[bytes]:
    """The DER name of the issuer of a list that was refused, as far as the library can tell; one or none."""
    try:
        return frozenset({x509.load_der_x509_crl(octets).issuer.public_bytes()})
    except Exception:  # noqa: BLE001 - whatever the library says: it is no list of anybody
        return frozenset()


def _read(octets: bytes) -> SignedCrl:
    outer = _split(octets, 0, len(octets))
    if [tag for tag, _, _, _ in outer] != [der.SEQUENCE]:
        raise bad("crl-shape", "is not one sequence")
    parts = _split(octets, outer[0][2], outer[0][3])
    if [tag for tag, _, _, _ in parts] != [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
        raise bad("crl-shape", "has other members than the standard gives it")
    _, algorithm, signature = parts
    tbs = _split(octets, parts[0][2], parts[0][3])
    version, inner, issuer, this_update, next_update, entries, extensions = _members(octets, tbs)
    if version.content != b"\x01":
        raise bad("crl-shape", "is not of version 2")
    outside = octets[algorithm[1] : algorithm[3]]
    if inner.raw != outside or outside not in profile.SIGNATURE_ALGORITHMS or octets[signature[2]] != 0:
        raise bad("crl-shape", "is signed with an algorithm that is not accepted, or names two")
    serials = _entries(octets, *entries) if entries else frozenset()
    begin, end = der.time(this_update), der.time(next_update)
    if end <= begin:
        raise bad("crl-shape", "is replaced before it is made")
    found = _extensions(extensions)
    number = _number(found)
    users, authorities, points = _scope(found.get(_IDP))
    parsed = x509.load_der_x509_crl(octets)
    made = SignedCrl(
        octets, read_name(issuer, may_be_empty=False), begin, end, number, _authority_key(found), users, authorities,
        points, serials, parsed, _SEAL,
    )  # fmt: skip
    _require_agreement(made)
    return made


def _require_agreement(made: SignedCrl) -> None:
    """``cryptography`` has read the same list."""
    parsed = made.parsed
    theirs = (
        parsed.issuer.public_bytes(),
        parsed.last_update_utc,
        parsed.next_update_utc,
        parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number,
        len(parsed),
    )
    if theirs != (made.issuer, made.this_update, made.next_update, made.number, len(made.serials)):
        raise refused("cert-ambiguous", "reads differently to different software", who="the CRL")


_Span = tuple[int, int, int, int]
"""Identifier octet; where the value begins; where its content begins; where it ends."""


def _split(octets: bytes, position: int, end: int) -> list[_Span]:
    spans: list[_Span] = []
    while position < end and len(spans) <= 8:  # noqa: PLR2004 - no part of the frame has more
        tag, start, stop = der.header(octets, position, end, widest=_WIDEST)
        spans.append((tag, position, start, stop))
        position = stop
    return spans


def _members(octets: bytes, spans: list[_Span]) -> tuple[Node, Node, Node, Node, Node, tuple[int, int] | None, Node]:
    tags = [tag for tag, _, _, _ in spans]
    times = {der.UTC_TIME, der.GENERALIZED_TIME}
    has_entries = len(tags) == 7  # noqa: PLR2004 - with the list of entries
    wanted = [der.INTEGER, der.SEQUENCE, der.SEQUENCE, None, None, *([der.SEQUENCE] if has_entries else []), 0xA0]
    if len(tags) != len(wanted) or not {tags[3], tags[4]} <= times:
        raise bad("crl-shape", "has no next update, no extensions, or other members than the standard gives it")
    if any(want not in {None, tag} for want, tag in zip(wanted, tags, strict=True)):
        raise bad("crl-shape", "has other members than the standard gives it")
    entries = (spans[5][2], spans[5][3]) if has_entries else None
    small = [spans[place] for place in (0, 1, 2, 3, 4, -1)]
    if any(stop - begin > _SMALL for _, begin, _, stop in small):
        raise bad("crl-size", "has a member that is needlessly large")
    version, inner, issuer, begin, end, extensions = (der.parse(octets[at:stop]) for _, at, _, stop in small)
    return version, inner, issuer, begin, end, entries, extensions


def _entries(octets: bytes, position: int, end: int) -> frozenset[int]:
    """The serial numbers. One pass, no tree: there are thousands. Extensions repeat, each kind is read once.

    A list without entries should not be there at all (RFC 5280 §5.1.2.6); strongSwan writes one, and it says the same.
    """
    serials: set[int] = set()
    known: set[bytes] = set()
    count = 0
    matches = _ENTRY_TIME.match
    while position < end:
        tag, start, stop = der.header(octets, position, end)
        size = octets[start + 1] if stop - start > 2 else 0  # noqa: PLR2004 - an identifier and a length
        body = start + 2 + size
        if tag != der.SEQUENCE or octets[start] != der.INTEGER or not 1 <= size <= profile.MAX_SERIAL or body > stop:
            raise bad("crl-shape", "has an entry that is not a serial number and a time")
        first = octets[start + 2]
        if first > 0x7F or (first == 0 and (size == 1 or octets[start + 3] < 0x80)):  # noqa: PLR2004 - the sign bit
            raise bad("crl-shape", "has an entry whose serial number is not positive, or padded")
        time = matches(octets, body, stop)
        if time is None:
            raise bad("crl-shape", "has an entry without a time of the one form")
        rest = octets[time.end() : stop]
        if count == MAX_ENTRIES:
            raise bad("crl-size", f"has more than {MAX_ENTRIES} entries")
        if rest and rest not in known and (rest := _SINCE.sub(_checked_date, rest)) not in known:
            if len(known) == MAX_FORMS:
                raise bad("crl-size", f"has entries with more than {MAX_FORMS} different extensions")
            _check_entry_extensions(rest)
            known.add(rest)
        serials.add(int.from_bytes(octets[start + 2 : body]))
        count += 1
        position = stop
    if len(serials) != count:
        raise bad("crl-shape", "has the same serial number twice")
    return frozenset(serials)


def _checked_date(found: re.Match[bytes]) -> bytes:
    """One date for all that are real, so that they need one look together."""
    year, month, *more = map(int, found.groups())
    try:
        datetime(year, month, *more, tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        return found[0]  # which is refused where it is read
    return _SOME_DATE


def _check_entry_extensions(octets: bytes) -> None:
    """A known reason, perhaps since when, and nothing that would change the entry's meaning."""
    reason = 0
    for number, critical, value in _listed(der.parse(octets), 4):
        if critical or number == _INDIRECT:
            raise bad("crl-extension", f"has an entry with an extension that changes its meaning: {number}")
        if number == _REASON:
            if value.tag != der.ENUMERATED:
                raise bad("crl-extension", "has an entry whose reason is not one")
            reason = der.integer(value)
        elif number == _INVALID_SINCE and value.tag != der.GENERALIZED_TIME:
            raise bad("crl-extension", "has an entry that is invalid since no time")
    if reason not in _REASONS:
        raise bad("crl-extension", "has an entry that takes a revocation back, or gives no known reason")


_INDIRECT: Final = "2.5.29.29"


def _listed(node: Node, most: int) -> list[tuple[str, bool, Node]]:
    if node.tag != der.SEQUENCE or not 1 <= len(node.children) <= most:
        raise bad("crl-extension", "has no extensions, or too many")
    found = []
    for member in node.children:
        tags = tuple(child.tag for child in member.children)
        if tags not in {
            (der.OBJECT_IDENTIFIER, der.OCTET_STRING),
            (der.OBJECT_IDENTIFIER, der.BOOLEAN, der.OCTET_STRING),
        }:
            raise bad("crl-extension", "has an extension of another form than the standard's")
        critical = len(tags) == 3  # noqa: PLR2004 - with the flag
        if critical and member.children[1].content != b"\xff":
            raise bad("crl-extension", "spells out that an extension is not critical")
        found.append((der.dotted(member.children[0]), critical, der.parse(member.children[-1].content)))
    if len({number for number, _, _ in found}) != len(found):
        raise bad("crl-extension", "has the same extension twice")
    return found


def _extensions(node: Node) -> dict[str, tuple[bool, Node]]:
    if len(node.children) != 1:
        raise bad("crl-shape", "has more than one list of extensions, or none")
    found = {number: (critical, value) for number, critical, value in _listed(node.children[0], 16)}
    if _DELTA in found:
        raise bad("crl-delta", "says only what has changed, which is not enough")
    if _FRESHEST in found:
        raise bad("crl-delta", "is not all there is: its issuer makes delta lists")
    strange = [number for number, (critical, _) in found.items() if critical and number not in _KNOWN]
    if strange:
        raise bad("crl-extension", f"has critical extensions that are not known here: {', '.join(sorted(strange))}")
    return found


def _number(found: dict[str, tuple[bool, Node]]) -> int:
    critical, value = found.get(_NUMBER, (True, None))
    if value is None:
        raise bad("crl-number", "has no number, so that nobody could tell whether it is the newest")
    if critical or value.tag != der.INTEGER or len(value.content) > MAX_NUMBER or der.integer(value) < 0:
        raise bad("crl-number", "has a number that is critical, negative or too large")
    return der.integer(value)


def _authority_key(found: dict[str, tuple[bool, Node]]) -> bytes | None:
    critical, value = found.get(_AKI, (False, None))
    if value is None:
        return None
    if critical or value.tag != der.SEQUENCE or [child.tag for child in value.children][:1] != [0x80]:
        raise bad("crl-extension", "names its issuer's key in another way than the standard's")
    return value.children[0].content


def _scope(found: tuple[bool, Node] | None) -> tuple[bool, bool, frozenset[bytes]]:
    """Whether it covers devices, whether authorities, and the names of its distribution point."""
    if found is None:
        return True, True, frozenset()
    critical, value = found
    members = {child.tag: child for child in value.children}
    if not critical or value.tag != der.SEQUENCE or not members or len(members) != len(value.children):
        raise bad("crl-extension", "says what it covers in another way than the standard's")
    if set(members) - {_POINT, _USERS, _AUTHORITIES} or {_USERS, _AUTHORITIES} <= set(members):
        raise bad("crl-extension", "covers some reasons only, or certificates of other issuers")
    if any(child.content != b"\xff" for tag, child in members.items() if tag != _POINT):
        raise bad("crl-extension", "spells out a default in what it covers")
    names, relative = point_names(members[_POINT]) if _POINT in members else (frozenset(), False)
    if relative:
        raise bad("crl-extension", "covers a distribution point with a relative name")
    return _AUTHORITIES not in members, _USERS not in members, names
