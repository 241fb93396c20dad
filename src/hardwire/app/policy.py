# SPDX-License-Identifier: Apache-2.0
"""Who may be at the other end: certificate, organisation, device, pin, and the person, in that order.

The joiner decides before it shows itself (protocol.md §4); the inviter has shown itself already. A member of an
organisation that is believed here needs no comparison of strings; anybody else is pinned, or compared by the person.
Once both have proved themselves they show each other the lists of revoked certificates they hold (protocol.md §14.9),
and the verdict is looked at again before the line opens.

The same object is the line's policy (it is called) and what the line asks about revocation (``show`` and ``judge``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hardwire.app.entropy import utc_now
from hardwire.app.events import Event, Notice, PeerSeen, RevocationJudged
from hardwire.app.identity import Identity
from hardwire.app.membership import Membership
from hardwire.app.verdict import Verdict, Verifier
from hardwire.certs import GatedCertificate, SignedCrl, VerifiedIdentity, parse_did_key
from hardwire.channel.settle import LISTS_MAX, OCTETS_MAX
from hardwire.errors import IdentityChanged, Misuse, PeerError, PeerNotVerified, UsageError
from hardwire.handshake import Credential, Role, safety_number


@dataclass(slots=True)
class PeerPolicy:
    """The decision on a peer that has proved its key; one for each line.

    Attributes:
        identity: This side's, for the safety number.
        expected: The peer's ``did:key``, when the person said whom they want; None accepts anyone at this point.
        emit: Where events go.
        accept_inviter: Asked on the joining side before it shows itself, unless the peer is pinned or a member.
        verifier: Whom this side believes, and what it holds.
        membership: What this side shows of an organisation, so that its lists are shown as well.
    """

    identity: Identity
    expected: str | None
    emit: Callable[[Event], None]
    accept_inviter: Callable[[PeerSeen], Awaitable[bool]]
    verifier: Verifier = field(default_factory=Verifier)
    membership: Membership | None = None
    _shown: tuple[Credential, GatedCertificate] | None = None
    _verdict: Verdict | None = None
    _lists: tuple[bytes, ...] = ()

    async def __call__(self, credential: Credential, leaf: GatedCertificate, role: Role) -> VerifiedIdentity:
        """Check and decide; ``role`` is this side's.

        Raises:
            CertificateRefused: A check failed.
            IdentityChanged: Another key than the expected one.
            WireError: Attestation blobs that no honest peer sends.
            PeerNotVerified: Not a member, not in hardware, where that is asked for; or the person said no.
        """
        verdict, self._lists = await asyncio.to_thread(self._first, credential, leaf)
        self._shown, self._verdict = (credential, leaf), verdict
        seen = self._seen(verdict)
        self.emit(seen)
        if verdict.device.refusal is not None:
            reason = f"{verdict.device.refusal.message} ({verdict.device.refusal.hint})"
            self.emit(Notice(f"your peer's proof that its key is in hardware is not accepted: {reason}"))
        if self.expected is not None and not seen.pinned:
            raise IdentityChanged(
                "the peer is not the one you asked for", evidence={"wanted": self.expected, "got": verdict.peer.did}
            )
        self.verifier.require(verdict)
        sure = seen.pinned or seen.organisation
        if role is Role.INITIATOR and not sure and not await self.accept_inviter(seen):
            raise PeerNotVerified(
                "the inviter was not accepted; nothing about you was shown to them",
                hint="ask them for their did:key over another medium, and give it with --peer",
            )
        return verdict.peer

    def show(self) -> tuple[bytes, ...]:
        """The lists that are held of the organisations in the two credentials, as many as may be shown."""
        return self._lists

    async def judge(self, lists: tuple[bytes, ...]) -> None:
        """Take what the peer brought, and look at it once more.

        Raises:
            CertificateRefused: It is revoked, or nothing fresh is known where that is asked for.
        """
        if self._shown is None or self._verdict is None:
            raise Misuse("a peer is judged after it was seen")
        verdict, said = await asyncio.to_thread(self._again, lists, self._shown, self._verdict)
        for text in said:
            self.emit(Notice(text))
        self._verdict = verdict
        if verdict.organisation is not None:
            self.emit(RevocationJudged(verdict.revocation, verdict.revocation_age))

    def _first(self, credential: Credential, leaf: GatedCertificate) -> tuple[Verdict, tuple[bytes, ...]]:
        """On the worker thread."""
        verdict = self.verifier.check(credential, leaf, utc_now())
        chain = () if self.membership is None else self.membership.chain
        issuers = {one.shape.issuer for one in (*chain, *_chain(verdict))}
        return verdict, _choose(() if self.verifier.store is None else self.verifier.store.of_issuers(issuers))

    def _again(
        self, lists: tuple[bytes, ...], shown: tuple[Credential, GatedCertificate], before: Verdict
    ) -> tuple[Verdict, tuple[str, ...]]:
        """On the worker thread."""
        believed = [anchor.certificate for anchor in self.verifier.organisations.anchors]
        if before.peer.endorsement is not None:
            believed += before.peer.endorsement.authorities
        said = self.verifier.take(lists, believed)
        if before.peer.endorsement is None:
            return before, said
        verdict = self.verifier.check(*shown, utc_now(), settled=True)
        self.verifier.require(verdict)
        return verdict, said

    def _seen(self, verdict: Verdict) -> PeerSeen:
        peer, device = verdict.peer, verdict.device
        return PeerSeen(
            did=peer.did,
            device_id=peer.device_id.hex(),
            assurance=device.assurance,
            safety_number=safety_number(self.identity.own.spki, peer.spki),
            pinned=self.expected == peer.did,
            attested=device.attested,
            attested_by=device.by,
            facts=device.facts,
            organisation=peer.organisation or "",
            names=verdict.names,
            level=verdict.level,
            revocation=verdict.revocation,
            revocation_age=verdict.revocation_age,
        )


def _choose(held: Sequence[SignedCrl]) -> tuple[bytes, ...]:
    """As many lists as may be shown."""
    shown: list[bytes] = []
    left = OCTETS_MAX
    for one in held:
        if len(shown) < LISTS_MAX and len(one.der) <= left:
            shown.append(one.der)
            left -= len(one.der)
    return tuple(shown)


def _chain(verdict: Verdict) -> tuple[GatedCertificate, ...]:
    endorsement = verdict.peer.endorsement
    return () if endorsement is None else (verdict.peer.certificate, *endorsement.authorities)


_CHECKED: Final = "`hardwire id` on the peer's machine prints it; it begins with did:key:z"


def check_expected(did: str | None) -> str | None:
    """The ``--peer`` argument, checked.

    Raises:
        UsageError: Not a did:key that hardwire can expect.
    """
    if did is None:
        return None
    try:
        parse_did_key(did)
    except PeerError as problem:
        raise UsageError(f"--peer: {problem.message}", hint=_CHECKED) from None
    return did
