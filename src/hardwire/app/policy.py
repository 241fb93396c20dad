# SPDX-License-Identifier: Apache-2.0
"""Who may be at the other end: certificate checks, the pin, and the person, in that order.

This version knows self-signed identities. The joiner decides before it shows itself (protocol.md §4); the inviter has
shown itself already and decides by comparing the strings.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hardwire.app.entropy import utc_now
from hardwire.app.events import Event, PeerSeen
from hardwire.app.identity import Identity
from hardwire.certs import GatedCertificate, VerifiedIdentity, assurance_of, parse_did_key, verify_self_signed
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
    """

    identity: Identity
    expected: str | None
    emit: Callable[[Event], None]
    accept_inviter: Callable[[PeerSeen], Awaitable[bool]]

    async def __call__(self, credential: Credential, leaf: GatedCertificate, role: Role) -> VerifiedIdentity:
        """Check and decide; ``role`` is this side's.

        Raises:
            CertificateRefused: A check failed, or the credential is a chain, which this version does not know.
            IdentityChanged: Another key than the expected one.
            PeerNotVerified: The person said no.
        """
        if len(credential.certificates) != 1:
            raise CertificateRefused(
                "the peer shows a certificate chain, and this version knows self-signed identities only",
                code="cert-chain",
                hint="ask your peer for a self-signed identity, or update hardwire",
            )
        peer = verify_self_signed(leaf, at=utc_now())
        seen = PeerSeen(
            did=peer.did,
            device_id=peer.device_id.hex(),
            assurance=assurance_of(credential.attestations).value,
            safety_number=safety_number(self.identity.own.spki, peer.spki),
            pinned=self.expected == peer.did,
        )
        self.emit(seen)
        if self.expected is not None and not seen.pinned:
            raise IdentityChanged(
                "the peer is not the one you asked for", evidence={"wanted": self.expected, "got": peer.did}
            )
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
