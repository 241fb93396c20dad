# SPDX-License-Identifier: Apache-2.0
"""Has a certificate been taken back? Judged offline, from what is at hand, with the age of it in the answer.

Nothing is fetched. Lists (CRLs) come from a store here or from the peer, answers (OCSP) from the peer; all are signed
by the issuer, so it does not matter who brings them. The rules:

* Whoever is listed as revoked in *any* authentic statement, however old, is refused: a revocation is not undone.
* "Not revoked" counts only from a statement that is fresh: between its two dates, and no older than the policy says.
* A list that is refused for its form, a delta for example, may hold what the complete one lacks: then complete lists of
  that issuer do not count either.
* A list with a lower number than one that was seen before does not count, and is refused where nothing else is at
  hand: an old list must not come back.
* ``require`` refuses where nothing fresh is known of any certificate in the chain; ``prefer`` takes what there is and
  says what is missing; ``off`` does not look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from hardwire.certs.crl import SignedCrl, bad, issuer_of, read_crl
from hardwire.certs.gate import GatedCertificate
from hardwire.certs.ocsp import OcspAnswer, read_ocsp
from hardwire.certs.refusal import refused
from hardwire.certs.seat import Seat, moment, span
from hardwire.certs.status import CrlMemory, RevocationFact, RevocationMaterial, RevocationMode, RevocationRules, Source
from hardwire.certs.validity import EXIT_EXPIRED
from hardwire.errors import CertificateRefused

MAX_LISTS: Final = 16
MAX_ANSWERS: Final = 8
MAX_OCTETS: Final = 3 << 19
"""Octets of all lists together that one verification looks at: 1.5 MiB."""

_HINT: Final = "fetch the organisation's current CRL (`hardwire cert crl` makes it), or ask the peer to bring it"
_CLOCK_HINT: Final = "compare `date -u` on both machines"
_FINAL: Final = frozenset({"cert-revoked", "cert-ambiguous"})
_REVOKED_HINT: Final = "its organisation took it back: the device needs a new certificate for a new key"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The facts, and the lists that were used, for a second opinion."""

    facts: tuple[RevocationFact, ...]
    used: tuple[SignedCrl | None, ...]
    """One for each certificate: the list that the fact is from."""


def judge(
    seats: Sequence[Seat], material: RevocationMaterial, rules: RevocationRules, *, at: datetime, skew: timedelta
) -> Judgement:
    """Judge each certificate but the last, which is the anchor.

    Args:
        seats: The verified path, the device first, the anchor last.
        material: What is at hand.
        rules: What is asked for.
        at: The time.
        skew: The allowance for clocks.

    Raises:
        CertificateRefused: ``cert-revoked``, ``crl-rolled-back``, ``cert-revocation-unknown``, or the code of what is
            wrong with the one statement there is.
    """
    if rules.mode is RevocationMode.OFF:
        return Judgement((), (None,) * (len(seats) - 1))
    shelf = _Shelf.read(material)
    found: list[tuple[RevocationFact, SignedCrl | None]] = []
    unknown: list[CertificateRefused] = []
    for seat, above in pairwise(seats):
        try:
            namesakes = tuple(
                one.gated for one in seats if one.gated.shape.subject == seat.gated.shape.issuer and one is not above
            )
            found.append(_Case(seat, above.gated, namesakes, at, skew, rules, material.memory).judge(shelf))
        except CertificateRefused as error:
            if error.code in _FINAL:
                raise
            unknown.append(error)  # a revocation further up weighs more than not knowing
    if unknown:
        raise unknown[0]
    return Judgement(tuple(fact for fact, _ in found), tuple(used for _, used in found))


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What could be read of the material, and what was wrong with the rest."""

    crls: tuple[SignedCrl, ...]
    answers: tuple[OcspAnswer, ...]
    problems: tuple[CertificateRefused, ...]
    unread: frozenset[bytes]
    """DER names of issuers of whom there is a list that cannot be used, a delta perhaps: it may hold the news that a
    complete one lacks, so complete ones say nothing either."""

    @classmethod
    def read(cls, material: RevocationMaterial) -> "_Shelf":
        size = sum(len(one.der if isinstance(one, SignedCrl) else one) for one in material.crls)
        if len(material.crls) > MAX_LISTS or len(material.ocsp) > MAX_ANSWERS or size > MAX_OCTETS:
            raise bad("crl-size", "comes with too many others, or they are too large together")
        crls: list[SignedCrl] = []
        answers: list[OcspAnswer] = []
        problems: list[CertificateRefused] = []
        unread: set[bytes] = set()
        for one in material.crls:
            if isinstance(one, SignedCrl):
                crls.append(one)
                continue
            try:
                crls.append(read_crl(one))
            except CertificateRefused as error:
                problems.append(error)
                unread.update(issuer_of(one))
        for octets in material.ocsp:
            try:
                answers.append(read_ocsp(octets))
            except CertificateRefused as error:
                problems.append(error)
        return cls(tuple(crls), tuple(answers), tuple(problems), frozenset(unread))


_Statement = SignedCrl | OcspAnswer


@dataclass(frozen=True, slots=True)
class _Case:
    """One certificate before the judge."""

    seat: Seat
    issuer: GatedCertificate
    namesakes: tuple[GatedCertificate, ...]
    """Others in the path with the issuer's name: keys it had before, or has since. Their lists can only refuse."""
    at: datetime
    skew: timedelta
    rules: RevocationRules
    memory: CrlMemory

    def judge(self, shelf: _Shelf) -> tuple[RevocationFact, SignedCrl | None]:
        problems = list(shelf.problems)
        lists = self._authentic_lists(shelf, problems)
        if self.seat.gated.shape.issuer in shelf.unread:
            lists = []
        answers = self._authentic_answers(shelf, problems)
        seen = tuple((one.series(self.issuer), one.number) for one in lists)
        stale: list[_Statement] = []
        fresh: list[_Statement] = []
        statements: list[_Statement] = [*lists, *answers]
        for one in statements:
            try:
                self._check_fresh(one)
                fresh.append(one)
            except CertificateRefused as error:
                problems.append(error)
                stale.append(one)
        if fresh:
            best = max(fresh, key=lambda one: one.this_update)
            fact = self._fact(Source.CRL if isinstance(best, SignedCrl) else Source.OCSP, best, "", seen)
            return fact, best if isinstance(best, SignedCrl) else None
        best_stale = max(stale, key=lambda one: one.this_update, default=None)
        return self._nothing_fresh(problems, best_stale, seen), None

    def _authentic_lists(self, shelf: _Shelf, problems: list[CertificateRefused]) -> list[SignedCrl]:
        """The lists that the issuer signed and that cover this certificate; the listed are refused here."""
        found = []
        for one in shelf.crls:
            if one.issuer != self.seat.gated.shape.issuer:
                continue
            self._ask_namesakes(one)
            try:
                one.check_signature(self.issuer)
                self._check_not_listed(one)
                self._check_scope(one)
                self._check_number(one)
                found.append(one)
            except CertificateRefused as error:
                if error.code in _FINAL:
                    raise
                problems.append(error)
        return found

    def _ask_namesakes(self, one: SignedCrl) -> None:
        """``cert-revoked``: the issuer lists it under another of its keys."""
        for namesake in self.namesakes:
            try:
                one.check_signature(namesake)
            except CertificateRefused:
                continue
            self._check_not_listed(one)

    def _check_not_listed(self, one: SignedCrl) -> None:
        """``cert-revoked``, whatever the list's age and scope."""
        entry = one.find(self.seat.gated.serial)
        if entry is not None:
            raise self._revoked(*entry, f"CRL number {one.number} of {moment(one.this_update)}")

    def _check_scope(self, one: SignedCrl) -> None:
        """``crl-scope``: devices or authorities, and the certificate's own distribution point."""
        values = self.seat.gated.values
        if not (one.authorities if values.authority else one.users):
            raise bad("crl-scope", "covers certificates of another kind")
        if values.freshest:
            raise bad("crl-delta", "is not all there is: the certificate says that its issuer makes delta lists")
        if any(point.unusual for point in values.crl_points):
            raise bad("crl-scope", "cannot be the one that the certificate names: that is of a kind not used here")
        if one.points and not any(point.names & one.points for point in values.crl_points):
            raise bad("crl-scope", "covers another distribution point than the certificate's")

    def _check_number(self, one: SignedCrl) -> None:
        """``crl-rolled-back``: not older than what was seen before."""
        highest = self.memory.highest.get(one.series(self.issuer), one.number)
        if one.number < highest:
            raise bad(
                "crl-rolled-back",
                f"goes backwards: it has number {one.number}, and number {highest} was seen before",
                evidence={"number": str(one.number), "seen": str(highest), "issued": moment(one.this_update)},
            )

    def _authentic_answers(self, shelf: _Shelf, problems: list[CertificateRefused]) -> list[OcspAnswer]:
        found = []
        for one in shelf.answers:
            if not one.is_about(self.seat.gated, self.issuer):
                continue
            try:
                one.check_signature(self.issuer, at=self.at, skew=self.skew)
            except CertificateRefused as error:
                problems.append(error)
                continue
            if one.revoked_at is not None:
                raise self._revoked(one.revoked_at, "not told", f"OCSP answer of {moment(one.this_update)}")
            if one.known:
                found.append(one)
            else:
                problems.append(refused("ocsp-unknown", "does not know the certificate", who="the OCSP answer"))
        return found

    def _revoked(self, since: datetime, reason: str, source: str) -> CertificateRefused:
        return self.seat.no(
            "cert-revoked",
            f"was revoked at {moment(since)} ({reason})",
            hint=_REVOKED_HINT,
            exit_code=EXIT_EXPIRED,
            evidence={"revoked": moment(since), "reason": reason, "source": source},
        )

    def _check_fresh(self, one: _Statement) -> None:
        """``…-not-yet``, ``…-expired``, ``…-too-old``: between its dates, and young enough."""
        who, word = ("the CRL", "crl") if isinstance(one, SignedCrl) else ("the OCSP answer", "ocsp")
        age, most = self.at - one.this_update, self.rules.max_age
        hint: str = _HINT
        exit_code: int | None = EXIT_EXPIRED
        if age < -self.skew:
            code, why = "not-yet", f"is from the future: it was issued at {moment(one.this_update)}"
            hint, exit_code = _CLOCK_HINT, None
        elif self.at - self.skew > one.next_update:
            code, why = "expired", f"is {span(age)} old, and a newer one was due at {moment(one.next_update)}"
        elif most is not None and age > most + self.skew:
            code, why = "too-old", f"is {span(age)} old, and {span(most)} is the most that is allowed here"
        else:
            return
        facts = {"issued": moment(one.this_update), "due": moment(one.next_update), "age": span(max(age, -age))}
        raise refused(f"{word}-{code}", why, who=who, hint=hint, exit_code=exit_code, evidence=facts)

    def _nothing_fresh(
        self,
        problems: list[CertificateRefused],
        stale: SignedCrl | OcspAnswer | None,
        seen: tuple[tuple[str, int], ...],
    ) -> RevocationFact:
        last = problems[-1] if problems else None
        for error in problems:
            if error.code == "crl-rolled-back":
                raise error
        if self.rules.mode is RevocationMode.REQUIRE:
            if last is not None:
                why, code, hint = f"may have been revoked: {last.message}", last.code, last.hint
                raise self.seat.no(code, why, hint=hint, exit_code=last.exit_code, evidence=last.evidence)
            raise self.seat.no("cert-revocation-unknown", "may have been revoked: nobody here knows", hint=_HINT)
        return self._fact(Source.NOTHING, stale, "nobody here knows" if last is None else last.message, seen)

    def _fact(
        self, source: Source, one: SignedCrl | OcspAnswer | None, problem: str, seen: tuple[tuple[str, int], ...]
    ) -> RevocationFact:
        if one is None:
            return RevocationFact(self.seat.who, source, problem=problem, seen=seen)
        number = one.number if isinstance(one, SignedCrl) else None
        return RevocationFact(
            self.seat.who, source, one.this_update, one.next_update, self.at - one.this_update, number, problem, seen
        )
