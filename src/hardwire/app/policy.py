# SPDX-License-Identifier: Apache-2.0
"""Who may be at the other end: certificate checks, the device, the pin, and the person, in that order.

This version knows self-signed identities. The joiner decides before it shows itself (protocol.md §4); the inviter has
shown itself already and decides by comparing the strings.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hardwire.app.attestation import NO_TRUST, Trust, judge
from hardwire.app.entropy import utc_now
from hardwire.app.events import Event, Notice, PeerSeen
from hardwire.app.identity import Identity
from hardwire.certs import GatedCertificate, VerifiedIdentity, parse_did_key, verify_self_signed
from hardwire.errors import CertificateRefused, IdentityChanged, PeerError, PeerNotVerified, UsageError
from hardwire.handshake import Credential, Role, safety_number


@dataclass(frozen=True, slots=True)
class PeerPolicy:
    """The decision on a peer that has proved its key.

    Attributes:
        identity: This side's, for the safety number.
        expected: The peer's ``did:key``, when the person said whom they want; None accepts anyone at this point.
        emit: Where :class:`PeerSeen` goes.
        accept_inviter: Asked on the joining side before it shows itself, unless the peer is the expected one.
        trust: Whom this side believes about devices, and whether they have to prove anything.
    """

    identity: Identity
    expected: str | None
    emit: Callable[[Event], None]
    accept_inviter: Callable[[PeerSeen], Awaitable[bool]]
    trust: Trust = NO_TRUST

    async def __call__(self, credential: Credential, leaf: GatedCertificate, role: Role) -> VerifiedIdentity:
        """Check and decide; ``role`` is this side's.

        Raises:
            CertificateRefused: A check failed, or the credential is a chain, which this version does not know.
            IdentityChanged: Another key than the expected one.
            WireError: Attestation blobs that no honest peer sends.
            PeerNotVerified: The key is not proved to be in hardware, and has to be; or the person said no.
        """
        if len(credential.certificates) != 1:
            raise CertificateRefused(
                "the peer shows a certificate chain, and this version knows self-signed identities only",
                code="cert-chain",
                hint="ask your peer for a self-signed identity, or update hardwire",
            )
        now = utc_now()
        peer = verify_self_signed(leaf, at=now)
        device = judge(credential.attestations, peer, self.trust, now)
        seen = PeerSeen(
            did=peer.did,
            device_id=peer.device_id.hex(),
            assurance=device.assurance,
            safety_number=safety_number(self.identity.own.spki, peer.spki),
            pinned=self.expected == peer.did,
            attested=device.attested,
            attested_by=device.by,
            facts=device.facts,
        )
        self.emit(seen)
        if device.refusal is not None:
            reason = f"{device.refusal.message} ({device.refusal.hint})"
            self.emit(Notice(f"your peer's proof that its key is in hardware is not accepted: {reason}"))
        if self.expected is not None and not seen.pinned:
            raise IdentityChanged(
                "the peer is not the one you asked for", evidence={"wanted": self.expected, "got": peer.did}
            )
        if self.trust.require_attested:
            device.require_attested()
        if role is Role.INITIATOR and not seen.pinned and not await self.accept_inviter(seen):
            raise PeerNotVerified(
                "the inviter was not accepted; nothing about you was shown to them",
                hint="ask them for their did:key over another medium, and give it with --peer",
            )
        return peer


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
        raise UsageError(
            f"--peer: {problem.message}", hint="`hardwire id` on the peer's machine prints it; it begins with did:key:z"
        ) from None
    return did
