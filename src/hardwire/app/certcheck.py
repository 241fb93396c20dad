# SPDX-License-Identifier: Apache-2.0
"""One certificate checked from files or from a line of a batch: what is given, what came of it.

The verdict is the verifier's (:mod:`hardwire.certs`); this file chooses which one fits and keeps its walk for people.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from hardwire.certs import (
    CHAIN_CHECKS,
    PATH_CHECKS,
    SELF_SIGNED_CHECKS,
    CertificateRefused,
    Check,
    Checklist,
    PathInput,
    RevocationFact,
    RevocationMaterial,
    RevocationRules,
    Trust,
    TrustAnchor,
    Verdict,
    VerifiedIdentity,
    check_path,
    open_gate,
    trust_anchor,
    verify_chain,
    verify_self_signed,
)
from hardwire.certs.names import NameKind


class Profile(Enum):
    """Which rules apply."""

    DEVICE = "device"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class CheckInput:
    """What a person or a program gives.

    Attributes:
        chain: DER, the leaf first.
        roots: DER; none means that the certificate has to vouch for itself.
        at: The time, aware.
        rules: What has to be known about revocation.
        material: What is at hand for it.
        skew: The allowance for clocks; of devices only.
        profile: Which rules apply.
        hostname: A name the leaf must carry: a dNSName of a device, as it stands there; of paths also an address.
    """

    chain: tuple[bytes, ...]
    roots: tuple[bytes, ...]
    at: datetime
    rules: RevocationRules
    material: RevocationMaterial = field(default_factory=RevocationMaterial)
    skew: timedelta = timedelta(0)
    profile: Profile = Profile.DEVICE
    hostname: str | None = None


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What came of it.

    Attributes:
        refusal: None when everything was accepted.
        checks: The numbered walk; empty when the gate said no before it began.
        identity: The proof, of a device that was accepted.
        revocation: What is known of each certificate.
    """

    refusal: CertificateRefused | None
    checks: tuple[Check, ...]
    identity: VerifiedIdentity | None = None
    revocation: tuple[RevocationFact, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return self.refusal is None


def check(given: CheckInput) -> CheckOutcome:
    """Check one certificate; a refusal is an outcome, not an error.

    Raises:
        Misuse: A time without a zone, or an allowance of more than a day.
    """
    if given.profile is Profile.PATH:
        return _path(given)
    alone = len(given.chain) == 1 and given.roots in {(), given.chain}
    outcome = _self_signed(given) if alone else _chain(given)
    return outcome if given.hostname is None else _called(outcome, given.hostname)


def _called(outcome: CheckOutcome, hostname: str) -> CheckOutcome:
    """The same, unless the device does not carry that name."""
    endorsement = outcome.identity.endorsement if outcome.identity else None
    hosts = {one.value.lower() for one in (endorsement.names if endorsement else ()) if one.kind is NameKind.DNS}
    if outcome.ok and hostname.lower().encode(errors="replace") not in hosts:
        refusal = CertificateRefused(
            "the device's certificate does not carry the name that is asked for", code="cert-host"
        )
        return replace(outcome, refusal=refusal, identity=None)
    return outcome


def _path(given: CheckInput) -> CheckOutcome:
    steps = Checklist(PATH_CHECKS)
    if not given.chain:
        return CheckOutcome(CertificateRefused("there is no certificate", code="cert-chain"), steps.checks)
    try:
        path = PathInput(given.chain[0], given.chain[1:], given.roots, given.hostname)
        report = check_path(path, at=given.at, revocation=given.rules, material=given.material, checklist=steps)
    except CertificateRefused as refusal:
        return CheckOutcome(refusal, steps.checks)
    return CheckOutcome(None, steps.checks, revocation=report.revocation)


def _self_signed(given: CheckInput) -> CheckOutcome:
    steps = Checklist(SELF_SIGNED_CHECKS)
    try:
        identity = verify_self_signed(open_gate(given.chain[0]), at=given.at, skew=given.skew, checklist=steps)
    except CertificateRefused as refusal:
        return CheckOutcome(refusal, steps.checks)
    return CheckOutcome(None, steps.checks, identity)


def _chain(given: CheckInput) -> CheckOutcome:
    steps = Checklist(CHAIN_CHECKS)
    try:
        trust = Trust(_anchors(given.roots), given.skew, given.rules)
        identity = verify_chain(given.chain, trust, at=given.at, material=given.material, checklist=steps)
    except CertificateRefused as refusal:
        return CheckOutcome(refusal, steps.checks)
    facts = identity.endorsement.revocation if identity.endorsement else ()
    return CheckOutcome(None, steps.checks, identity, facts)


def _anchors(roots: tuple[bytes, ...]) -> tuple[TrustAnchor, ...]:
    """Those that can be anchors; when there is none, the reason of the last."""
    found, refusal = [], CertificateRefused("no trust anchor was given", code="cert-untrusted")
    for root in roots:
        try:
            found.append(trust_anchor(root))
        except CertificateRefused as error:
            refusal = error
    if not found:
        raise refusal
    return tuple(found)


def lines_of(checks: tuple[Check, ...]) -> list[str]:
    """The walk for people, one line a check."""
    marks = {Verdict.PASSED: "ok", Verdict.REFUSED: "NO", Verdict.NOT_REACHED: "-", Verdict.NOT_ASKED: "-"}
    lines = []
    for one in checks:
        more = one.evidence or (one.verdict.value if one.verdict is not Verdict.PASSED else "")
        lines.append(f"{one.number:>2}  {marks[one.verdict]:<2}  {one.name}{': ' + more if more else ''}")
    return lines
