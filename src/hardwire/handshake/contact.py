# SPDX-License-Identifier: Apache-2.0
"""Contact secrets: recognising somebody one has met before, before either side shows itself (protocol.md §13).

Every finished handshake leaves both sides a fresh 32-octet secret. With it, M1 and M2 carry MACs where a stranger's
carry random octets, so an active attacker in the signalling learns no identity; and it enters the key schedule.
It never stands in for a signature. Where secrets are stored, which are confirmed and when they expire is the
business of the caller: these are values for one handshake.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hardwire.errors import Misuse

SECRET_SIZE: Final = 32
NO_SECRET: Final = bytes(SECRET_SIZE)
"""What the key schedule takes when no contact secret is in use."""
_DEVICE_ID_SIZE: Final = 32


class ContactTag(Enum):
    """What became of the contact secrets in this handshake."""

    NONE = "none"
    """This side had none to use."""
    HIT = "hit"
    """The peer proved that it holds one of them."""
    MISS = "miss"
    """This side had some and the peer proved none. With a known contact: reset, restored, or a cloned key."""


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
