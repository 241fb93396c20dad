# SPDX-License-Identifier: Apache-2.0
"""Contact secrets: recognising somebody one has met before, before either side shows itself (protocol.md §13).

Every finished handshake leaves both sides a fresh 32-octet secret. With it, M1 and M2 carry MACs where a stranger's
carry random octets, so an active attacker in the signalling learns no identity; and it enters the key schedule.
It never stands in for a signature. Where secrets are stored, which are confirmed and when they expire is the
business of the caller: these are values for one handshake.
"""

from dataclasses import dataclass, field
from typing import Final

from hardwire.errors import HandshakeRefused, Misuse
from hardwire.handshake.events import ContactTag, Role
from hardwire.handshake.messages import M1, M2
from hardwire.handshake.schedule import contact_tag, early_secret, same

SECRET_SIZE: Final = 32
NO_SECRET: Final = bytes(SECRET_SIZE)
"""What the key schedule takes when no contact secret is in use."""
_DEVICE_ID_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class ContactSecret:
    """One secret shared with one device.

    Attributes:
        device_id: The 32-octet identity of the device it was agreed with. A hit binds the handshake to it.
        secret: 32 octets, not all zero.
    """

    device_id: bytes
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.device_id) != _DEVICE_ID_SIZE:
            raise Misuse(f"a device id has {_DEVICE_ID_SIZE} octets")
        if len(self.secret) != SECRET_SIZE or self.secret == NO_SECRET:
            raise Misuse(f"a contact secret has {SECRET_SIZE} octets that are not all zero")


@dataclass(frozen=True, slots=True)
class ContactSecrets:
    """The secrets one handshake may use.

    Attributes:
        secrets: A responder's: all of all contacts (or of the one contact an offer is bound to). An initiator's: at
            most one, the newest confirmed one of the contact it means to reach.
        required: Abort on a miss. For a responder this is "known contacts only", for an initiator "hidden".
    """

    secrets: tuple[ContactSecret, ...] = ()
    required: bool = False


NO_SECRETS: Final = ContactSecrets()


@dataclass(frozen=True, slots=True)
class Recognition:
    """Whom the tag of a message proved the sender to be.

    Attributes:
        tag: What became of the secrets.
        psk: 32 octets for the key schedule; zeros without a hit.
        device_id: The contact's, after a hit.
    """

    tag: ContactTag
    psk: bytes = field(repr=False)
    device_id: bytes | None


def recognise(
    contacts: ContactSecrets, inv_secret: bytes, sender: Role, transcript: bytes, message: M1 | M2
) -> Recognition:
    """Compare the tag of an M1 or M2 with what each secret would have made of that message.

    Every secret is tried, whether or not one fitted before it: the time taken tells nothing about which.

    Args:
        contacts: The secrets that may be used, and whether one must.
        inv_secret: 32 octets.
        sender: Whose message it is.
        transcript: Transcript hash before the message.
        message: As it was received.

    Raises:
        HandshakeRefused: ``unknown-contact``, when a hit is required and there is none.
    """
    found: ContactSecret | None = None
    for candidate in contacts.secrets:
        es = early_secret(candidate.secret, inv_secret)
        if same(contact_tag(es, sender, transcript, message.clear), message.tag):
            found = candidate
    if found is not None:
        return Recognition(ContactTag.HIT, found.secret, found.device_id)
    if contacts.required:
        raise HandshakeRefused(
            "the peer did not prove an earlier meeting, and one was required",
            code="unknown-contact",
            hint="if your contact has reset or replaced the device, meet anew with an invite for strangers",
        )
    return Recognition(ContactTag.MISS if contacts.secrets else ContactTag.NONE, NO_SECRET, None)
