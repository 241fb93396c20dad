# SPDX-License-Identifier: Apache-2.0
"""Paths of any kind, for comparison with public suites: the gate and the path rules without the rules of a device.

Nothing here can make a :class:`~hardwire.certs.identity.VerifiedIdentity`: what comes out is a report. The difference
to :mod:`hardwire.certs.chain` is the input, too: certificates in any order, of which some may be rubbish or of no use,
as a TLS server sends them. Those that could not be a part of a path are put aside before a path is looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.certs import rules
from hardwire.certs.chain import names_issuer, short_list
from hardwire.certs.checklist import Checklist, Verdict
from hardwire.certs.first import find_path
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.names import NameKind
from hardwire.certs.profile import (
    MAX_CERTIFICATE,
    PATH_ANCHOR,
    PATH_AUTHORITY,
    PATH_LEAF,
    SUBJECT_ALT_NAME,
    CertificateProfile,
)
from hardwire.certs.refusal import ISSUER_HINT, refused
from hardwire.certs.revocation import judge
from hardwire.certs.seat import Seat
from hardwire.certs.second import validate_path
from hardwire.certs.status import NO_MATERIAL, RevocationFact, RevocationMaterial, RevocationRules
from hardwire.certs.validity import NO_SKEW, common_moment, require_clock
from hardwire.errors import CertificateRefused

MAX_POOL: Final = 64
MAX_ROOTS: Final = 16
MAX_TRIES: Final = 8
"""Paths that are looked at before it is given up."""
MAX_LENGTH: Final = 10
"""Authorities between the leaf and the anchor."""
_NOBODY: Final = b"\x30\x00"
"""A distinguished name without parts."""

PATH_CHECKS: Final = (
    "not too many certificates",
    "the leaf is well formed",
    "the leaf's extensions",
    "the path, read by the first engine, and every authority in it",
    "everything in its time",
    "nothing revoked",
    "the path, read by the second engine",
)


@dataclass(frozen=True, slots=True)
class PathInput:
    """What a suite gives.

    Attributes:
        leaf: DER.
        pool: Authorities that may be used, DER, at most 64.
        roots: DER, at most 16.
        hostname: A name or address that the leaf must carry; None asks for none.
        longest: Authorities between the leaf and the anchor, at most.
    """

    leaf: bytes
    pool: Sequence[bytes]
    roots: Sequence[bytes]
    hostname: str | None = None
    longest: int = MAX_LENGTH


@dataclass(frozen=True, slots=True)
class PathReport:
    """A path that every layer accepted. It proves no device and opens no line.

    Attributes:
        path: The leaf first, the anchor last.
        policies: Certificate policies that hold along it.
        revocation: What is known of each certificate but the anchor.
    """

    path: tuple[GatedCertificate, ...]
    policies: frozenset[str]
    revocation: tuple[RevocationFact, ...]


def check_path(
    given: PathInput,
    *,
    at: datetime,
    revocation: RevocationRules,
    material: RevocationMaterial = NO_MATERIAL,
    checklist: Checklist | None = None,
) -> PathReport:
    """Look for a path from the leaf to a root, and check it.

    Args:
        given: The certificates.
        at: The time, aware.
        revocation: What has to be known.
        material: What is at hand.
        checklist: Of :data:`PATH_CHECKS`.

    Raises:
        CertificateRefused: The first check that says no.
        Misuse: ``at`` has no time zone.
    """
    require_clock(at, NO_SKEW)
    steps = checklist or Checklist(PATH_CHECKS)
    with steps.check(1):
        if len(given.pool) > MAX_POOL or len(given.roots) > MAX_ROOTS:
            raise refused("cert-chain", f"comes with more than {MAX_POOL} authorities or {MAX_ROOTS} roots")
    with steps.check(2):
        leaf = open_gate(given.leaf)
    with steps.check(3):
        _check_leaf(Seat(leaf, PATH_LEAF, "the leaf"))
    with steps.check(4):
        path = _find(leaf, given, at)
        seats = _seats(path)
    with steps.check(5):
        common_moment(seats, at, NO_SKEW)
    with steps.check(6):
        judgement = judge(seats, material, revocation, at=at, skew=NO_SKEW)
        facts = "; ".join(fact.text() for fact in judgement.facts)
        steps.note(6, facts or "off", Verdict.PASSED if facts else Verdict.NOT_ASKED)
    with steps.check(7):
        crl = short_list(judgement)
        policies = validate_path(leaf, path[1:-1], path[-1], at=at, skew=NO_SKEW, crl=crl)
    return PathReport(tuple(path), policies, judgement.facts)


def _check_leaf(seat: Seat) -> None:
    """``cert-profile-…``: what holds for a leaf whatever it is for."""
    rules.check_key(seat)
    rules.check_extensions(seat)
    rules.check_not_an_authority(seat)
    rules.check_key_usage(seat)
    names = seat.gated.values.alt_names
    critical = any(one.critical for one in seat.gated.extensions if one.oid == SUBJECT_ALT_NAME)
    empty = seat.gated.shape.subject == _NOBODY
    if empty and names is None:
        raise seat.no("cert-profile-san", "names nobody, neither in its subject nor beside it")
    if names is not None and critical != empty:
        raise seat.no("cert-profile-extension", "marks subjectAltName wrongly as critical or not critical")
    for name in names or ():
        if name.kind is NameKind.DNS and name.value.startswith(b"*.") and name.value.count(b".") < 2:  # noqa: PLR2004
            raise seat.no("cert-profile-san", "carries a wildcard for a whole top level")


def _check_authority(seat: Seat) -> None:
    """``cert-profile-…``: what holds for an authority whatever it issues for."""
    rules.check_key(seat)
    rules.check_extensions(seat)
    rules.check_an_authority(seat)
    rules.check_key_usage(seat)
    if seat.profile is PATH_ANCHOR:
        _check_root(seat)


def _check_root(seat: Seat) -> None:
    """``cert-profile-extension``: a root that vouches for itself names itself as its issuer, or nobody."""
    named = seat.gated.values.authority_key
    own = (seat.gated.values.subject_key, None)
    if seat.gated.self_issued and named is not None and (named.key_id, named.issuer) != own:
        raise seat.no("cert-profile-extension", "is a root that names another key as its issuer's")


def _loaded(octets: Sequence[bytes]) -> list[x509.Certificate]:
    """Those that the first engine can look at; the gate, which costs more, comes when it wants to use one."""
    found = []
    for one in octets:
        try:
            if len(one) <= MAX_CERTIFICATE:
                found.append(x509.load_der_x509_certificate(one))
        except Exception:  # noqa: BLE001, S112 - whatever the library says: it is of no use
            continue
    return found


def _find(leaf: GatedCertificate, given: PathInput, at: datetime) -> list[GatedCertificate]:
    """A path of certificates that the gate and the profile accept; what they refuse is put aside, and looked again."""
    pool, roots, reason = _loaded(given.pool), _loaded(given.roots), ""
    for _ in range(MAX_TRIES):
        path = find_path(
            leaf.parsed, pool, roots, at=at, longest=min(given.longest, MAX_LENGTH), device=False,
            hostname=given.hostname,
        )  # fmt: skip
        if len(path) < 2:  # noqa: PLR2004 - a leaf and an anchor
            raise refused("cert-path", "is a root itself", hint=ISSUER_HINT)
        useless: set[x509.Certificate] = set()
        fit = []
        for one, profile in zip(path[1:], [PATH_AUTHORITY] * (len(path) - 2) + [PATH_ANCHOR], strict=True):
            try:
                fit.append(_usable(one, profile))
            except CertificateRefused as error:
                useless.add(one)
                reason = error.message
        if not useless:
            useless = {above.parsed for below, above in pairwise([leaf, *fit]) if not names_issuer(below, above)}
            reason = "a certificate names another key as its issuer's"
        if not useless:
            return [leaf, *fit]
        pool = [one for one in pool if one not in useless]
        roots = [one for one in roots if one not in useless]
        if not roots:
            break
    raise refused("cert-path", f"leads through authorities that are not acceptable: {reason}", hint=ISSUER_HINT)


def _usable(one: x509.Certificate, profile: CertificateProfile) -> GatedCertificate:
    gated = open_gate(one.public_bytes(Encoding.DER))
    _check_authority(Seat(gated, profile, f"the one named {one.subject.rfc4514_string()!r}"))
    return gated


def _seats(path: Sequence[GatedCertificate]) -> list[Seat]:
    between = [Seat(one, PATH_AUTHORITY, f"the authority {number}") for number, one in enumerate(path[1:-1], 1)]
    return [Seat(path[0], PATH_LEAF, "the leaf"), *between, Seat(path[-1], PATH_ANCHOR, "the root")]
