# SPDX-License-Identifier: Apache-2.0
"""What is found out about a peer without asking anybody: certificate, organisation, device, revocation.

Blocking, and called on a worker thread: the largest legal chain and lists keep a core busy for a tenth of a second. It
is asked twice. First with what is at hand when the peer has proved its key: whoever is known to be revoked, expired, of
another organisation or made for another purpose goes no further. Then once more before the line opens, with the lists
that the peer brought (docs/protocol.md §14.9): from then on ``require`` means that something fresh is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from hardwire.app.attestation import NO_TRUST, PeerDevice, judge
from hardwire.app.attestation import Trust as DeviceTrust
from hardwire.app.crlstore import CrlStore, signer_of
from hardwire.app.organisations import NOBODY, Organisation, Organisations, names_of
from hardwire.app.text import human_duration
from hardwire.certs import (
    GatedCertificate,
    RevocationFact,
    RevocationMaterial,
    RevocationMode,
    SignedCrl,
    Source,
    Trust,
    VerifiedIdentity,
    level_of,
    open_gate,
    read_crl,
    read_statuses,
    verify_chain,
    verify_self_signed,
)
from hardwire.errors import CertificateRefused, PeerNotVerified
from hardwire.handshake import Credential

_NO_ORGANISATION: Final = "ask your peer for a certificate of an organisation that is trusted here (trust.toml)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a peer.

    Attributes:
        peer: The proof.
        device: Where its key lives.
        organisation: Whose member it is; None for a certificate that vouches for itself.
    """

    peer: VerifiedIdentity
    device: PeerDevice
    organisation: Organisation | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What its organisation calls it."""
        return () if self.peer.endorsement is None else names_of(self.peer.endorsement)

    @property
    def level(self) -> str:
        """What its organisation says about the key's home; empty when it says nothing."""
        found = None if self.peer.endorsement is None else level_of(self.peer.endorsement.policies)
        return "" if found is None else found.words

    @property
    def revocation(self) -> str:
        """What is known about revocation, in words; empty when nobody was asked."""
        if self.peer.endorsement is None or not self.peer.endorsement.revocation:
            return ""
        return _words(self.peer.endorsement.revocation)

    @property
    def revocation_age(self) -> float | None:
        """Seconds since the oldest of the statements that this rests on; None when one is missing."""
        facts = () if self.peer.endorsement is None else self.peer.endorsement.revocation
        ages = [None if fact.source is Source.NOTHING else fact.age for fact in facts]
        known = [age.total_seconds() for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None


@dataclass(frozen=True, slots=True)
class Verifier:
    """Whom this side believes, and what it holds.

    Attributes:
        devices: About hardware.
        organisations: About members.
        store: Of lists; None holds nothing and keeps nothing.
    """

    devices: DeviceTrust = NO_TRUST
    organisations: Organisations = NOBODY
    store: CrlStore | None = field(default=None, repr=False)

    def check(self, credential: Credential, leaf: GatedCertificate, at: datetime, *, settled: bool = False) -> Verdict:
        """Verify a peer that has proved its key.

        Args:
            credential: What it showed.
            leaf: Its first certificate.
            at: The time, aware.
            settled: The lists were exchanged: what has to be known must be known now.

        Raises:
            CertificateRefused: A check failed.
            WireError: Attestation blobs that no honest peer sends.
            LocalError: What this side remembers of lists is damaged.
        """
        statuses = read_statuses(credential.attestations)
        if leaf.self_issued and len(credential.certificates) == 1:
            peer = verify_self_signed(leaf, at=at)
            return Verdict(peer, judge(credential.attestations, peer, self.devices, at))
        if not self.organisations.members:
            raise CertificateRefused(
                "the peer shows a certificate of an organisation, and no organisation is trusted here",
                code="cert-untrusted",
                hint="`hardwire cert trust FILE` with the certificate of its authority, or --trust-ca FILE; "
                "your peer can also show a personal identity with --personal",
                evidence={"issuer": leaf.parsed.issuer.rfc4514_string()},
            )
        chain = (leaf, *map(open_gate, credential.certificates[1:]))
        rules = self.organisations.rules
        if rules.mode is RevocationMode.REQUIRE and not settled:
            rules = replace(rules, mode=RevocationMode.PREFER)
        trust = Trust(self.organisations.anchors, self.organisations.skew, rules)
        peer = verify_chain(chain, trust, at=at, material=self._material(chain, statuses))
        if self.store is not None and peer.endorsement is not None:
            self.store.learn(peer.endorsement.revocation)
        organisation = None if peer.endorsement is None else self.organisations.of(peer.endorsement.anchor)
        return Verdict(peer, judge(credential.attestations, peer, self.devices, at), organisation)

    def require(self, verdict: Verdict) -> None:
        """What policy asks beyond the checks.

        Raises:
            PeerNotVerified: Not a member, not a welcome one, or not proved to be in hardware.
        """
        endorsement, organisation = verdict.peer.endorsement, verdict.organisation
        if organisation is not None and endorsement is not None:
            organisation.welcome(endorsement)
        elif self.organisations.members_only:
            raise PeerNotVerified(
                "no organisation vouches for the peer, and only members may come here",
                code="not-a-member",
                hint=_NO_ORGANISATION,
            )
        if self.devices.require_attested or (organisation is not None and organisation.attested):
            verdict.device.require_attested()

    def take(self, lists: Sequence[bytes], believed: Sequence[GatedCertificate]) -> tuple[str, ...]:
        """Take the lists that a peer brought, as far as they count; what is to be said about them.

        Args:
            lists: As they came.
            believed: Authorities whose signature counts: of the peer's verified chain and of this side's trust.
        """
        said: list[str] = []
        for octets in lists if believed else ():
            try:
                said += self._take(read_crl(octets), believed)
            except CertificateRefused as problem:
                if problem.code == "crl-rolled-back":
                    held, seen = problem.evidence["number"], problem.evidence["seen"]
                    said.append(f"your peer's list of revoked certificates is older, number {held}; here it is {seen}")
                else:
                    said.append(f"a list that your peer brought is not used: {problem.message}")
        return tuple(said)

    def _take(self, crl: SignedCrl, believed: Sequence[GatedCertificate]) -> list[str]:
        issuer = signer_of(crl, believed)
        if issuer is None or self.store is None:
            return []
        kept = self.store.keep(crl, issuer)
        return [f"your peer brought a newer list of revoked certificates: number {crl.number}"] if kept.new else []

    def _material(self, chain: Sequence[GatedCertificate], statuses: tuple[bytes, ...]) -> RevocationMaterial:
        if self.store is None:
            return RevocationMaterial(ocsp=statuses)
        held = self.store.of_issuers(one.shape.issuer for one in chain)
        return RevocationMaterial(held, statuses, self.store.memory())


def _words(facts: tuple[RevocationFact, ...]) -> str:
    """One sentence for the whole chain: the worst of it."""
    missing = next((fact for fact in facts if fact.source is Source.NOTHING), None)
    if missing is not None:
        return f"not known to be revoked: {missing.problem}"
    oldest = max(facts, key=lambda fact: fact.age or timedelta(0))
    age = max(oldest.age or timedelta(0), timedelta(0))
    number = "" if oldest.number is None else f" number {oldest.number}"
    return f"not revoked, says the {oldest.source.value}{number}, {human_duration(age.total_seconds())} old"
