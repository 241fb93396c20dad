# SPDX-License-Identifier: Apache-2.0
"""Verification of a device's certificate that an organisation issued, as a numbered list of checks.

Three layers, each of which must accept: the gate and the profile (this project's own rules, checks 1 to 7), and two
path engines made by different people (8 and 10), the second on exactly the path that the first accepted. What the own
checks find is told with a code of its own; the engines are the second pair of eyes, and know one word for no each.

The chain is exactly the path: the device first, each certificate issued by the next, the anchor not among them,
nothing surplus. So there is nothing to search on a stranger's octets.

What is left to the caller afterwards: that the peer holds the private key (the handshake), and whether this device of
this organisation is welcome (names, policies: the caller's policy).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from hardwire.certs import rules
from hardwire.certs.anchor import TrustAnchor, check_authority
from hardwire.certs.checklist import Checklist, Verdict
from hardwire.certs.did import did_key
from hardwire.certs.first import find_path
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.identity import Endorsement, VerifiedIdentity, prove
from hardwire.certs.names import GeneralName
from hardwire.certs.profile import ANCHOR, AUTHORITY, ISSUED, MAX_CHAIN
from hardwire.certs.refusal import ISSUER_HINT, refused
from hardwire.certs.revocation import Judgement, judge
from hardwire.certs.seat import Seat
from hardwire.certs.second import MAX_SMALL, validate_path
from hardwire.certs.status import NO_MATERIAL, PREFER, RevocationMaterial, RevocationRules
from hardwire.certs.validity import NO_SKEW, common_moment, require_clock
from hardwire.errors import Misuse

CHAIN_CHECKS: Final = (
    "one to four certificates, each well formed",
    "each issued by the next, nothing surplus",
    "an organisation that is trusted here",
    "the certificate is a device's",
    "the did:key names this key",
    "every authority is one",
    "everything in its time",
    "the path, read by the first engine",
    "nothing revoked",
    "the path, read by the second engine",
)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe, and how far.

    Attributes:
        anchors: At least one.
        skew: How far the clocks of the two sides may be apart; nothing by default.
        revocation: Whether it has to be known that nothing was taken back, and how old the knowledge may be.
    """

    anchors: tuple[TrustAnchor, ...]
    skew: timedelta = NO_SKEW
    revocation: RevocationRules = PREFER


def verify_chain(
    chain: Sequence[bytes | GatedCertificate],
    trust: Trust,
    *,
    at: datetime,
    material: RevocationMaterial = NO_MATERIAL,
    checklist: Checklist | None = None,
) -> VerifiedIdentity:
    """Verify a device's certificate and the authorities above it.

    Args:
        chain: One to four certificates, the device's first, DER or already through the gate.
        trust: Whom to believe.
        at: The time now, aware.
        material: What is at hand to know whether something was taken back.
        checklist: Of :data:`CHAIN_CHECKS`, for whoever wants to see the walk.

    Raises:
        CertificateRefused: The first of the checks that says no, under its code.
        Misuse: No anchors, ``at`` without a time zone, or an allowance of more than a day.
    """
    require_clock(at, trust.skew)
    if not trust.anchors:
        raise Misuse("a chain cannot be verified without a trust anchor")
    steps = checklist or Checklist(CHAIN_CHECKS)
    with steps.check(1):
        gated = _through_the_gate(chain)
    with steps.check(2):
        _check_order(gated)
    with steps.check(3):
        anchor = _find_anchor(gated, trust.anchors)
        steps.note(3, anchor.name)
    seats = _seats(gated, anchor)
    with steps.check(4):
        _check_device(seats[0])
    with steps.check(5):
        did, names = _check_did(seats[0])
        steps.note(5, did)
    with steps.check(6):
        for seat in seats[1:]:
            check_authority(seat)
    with steps.check(7):
        when = common_moment(seats, at, trust.skew)
    between = gated[1:]
    with steps.check(8):
        _check_first(gated, anchor, when)
    with steps.check(9):
        judgement = judge(seats, material, trust.revocation, at=when, skew=trust.skew)
        _note_revocation(steps, judgement)
    with steps.check(10):
        crl = short_list(judgement)
        policies = validate_path(gated[0], between, anchor.certificate, at=when, skew=trust.skew, crl=crl)
    return prove(gated[0], did, Endorsement(anchor, tuple(between), names, policies, judgement.facts))


def short_list(judgement: Judgement) -> bytes | None:
    """The list that says the leaf is not revoked, if the second engine can read it in reasonable time."""
    used = judgement.used[0]
    return None if used is None or len(used.serials) > MAX_SMALL else used.der


def _note_revocation(steps: Checklist, judgement: Judgement) -> None:
    if judgement.facts:
        steps.note(9, "; ".join(fact.text() for fact in judgement.facts))
    else:
        steps.note(9, "off", Verdict.NOT_ASKED)


def _through_the_gate(chain: Sequence[bytes | GatedCertificate]) -> list[GatedCertificate]:
    """``cert-chain``, and whatever the gate says."""
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise refused("cert-chain", f"comes in a chain of {len(chain)}, 1 to {MAX_CHAIN} are allowed")
    return [one if isinstance(one, GatedCertificate) else open_gate(one) for one in chain]


def _check_order(gated: Sequence[GatedCertificate]) -> None:
    """``cert-chain``: each names the next as its issuer, by name and by key; none vouches for itself, none twice."""
    if len({one.spki for one in gated}) != len(gated):
        raise refused("cert-chain", "comes in a chain with the same key twice", hint=ISSUER_HINT)
    for one in gated:
        if one.self_issued:
            raise refused("cert-chain", "comes in a chain with a certificate that vouches for itself", hint=ISSUER_HINT)
    for one, above in pairwise(gated):
        if not names_issuer(one, above):
            raise refused("cert-chain", "comes in a chain that is out of order or has a gap", hint=ISSUER_HINT)


def names_issuer(one: GatedCertificate, issuer: GatedCertificate) -> bool:
    """Whether ``one`` names ``issuer``: its name, its key identifier, and its issuer and serial where given."""
    if one.shape.issuer != issuer.shape.subject:
        return False
    named = one.values.authority_key
    if named is None:
        return True
    if issuer.values.subject_key not in {None, named.key_id}:
        return False
    return named.issuer is None or (named.issuer, named.serial) == (issuer.shape.issuer, issuer.serial)


def _find_anchor(gated: Sequence[GatedCertificate], anchors: Sequence[TrustAnchor]) -> TrustAnchor:
    """``cert-untrusted``: one of the anchors is named as the last issuer, and its key made the last signature."""
    last = gated[-1]
    for anchor in anchors:
        if names_issuer(last, anchor.certificate) and _signed_by(last, anchor.certificate):
            break
    else:
        raise refused(
            "cert-untrusted",
            f"was issued by an organisation that is not trusted here: {last.parsed.issuer.rfc4514_string()}",
            hint="if it should be, its root certificate has to be added to the trusted organisations on this machine",
            evidence={"issuer": last.parsed.issuer.rfc4514_string()},
        )
    if any(one.spki == anchor.certificate.spki for one in gated):
        # The second engine takes a certificate with an anchor's name and key for the anchor.
        raise refused("cert-chain", "comes in a chain that holds the anchor's own key", hint=ISSUER_HINT)
    return anchor


def _signed_by(one: GatedCertificate, issuer: GatedCertificate) -> bool:
    try:
        one.parsed.verify_directly_issued_by(issuer.parsed)
    except Exception:  # noqa: BLE001 - InvalidSignature is declared; whatever else comes means no, too
        return False
    return True


def _seats(gated: Sequence[GatedCertificate], anchor: TrustAnchor) -> list[Seat]:
    middle = [
        Seat(one, AUTHORITY, f"the certificate of the authority {one.parsed.subject.rfc4514_string()!r}")
        for one in gated[1:]
    ]
    return [
        Seat(gated[0], ISSUED, "the device's certificate"),
        *middle,
        Seat(anchor.certificate, ANCHOR, f"the trust anchor {anchor.name!r}"),
    ]


def _check_device(seat: Seat) -> None:
    rules.check_key(seat)
    rules.check_extensions(seat)
    rules.check_not_an_authority(seat)
    rules.check_key_usage(seat)
    rules.check_purpose(seat, alone=False)


def _check_did(seat: Seat) -> tuple[str, tuple[GeneralName, ...]]:
    did = did_key(seat.gated.public_key)
    return did, rules.check_names(seat, did)


def _check_first(gated: Sequence[GatedCertificate], anchor: TrustAnchor, at: datetime) -> None:
    """``cert-path``: the engine accepts, and its path is the chain as it was shown."""
    leaf, *between, root = (one.parsed for one in (*gated, anchor.certificate))
    if find_path(leaf, between, [root], at=at, longest=MAX_CHAIN, device=True) != [leaf, *between, root]:
        raise refused("cert-path", "leads to the anchor on another way than the one it shows", hint=ISSUER_HINT)
