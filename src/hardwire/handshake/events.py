# SPDX-License-Identifier: Apache-2.0
"""What a handshake tells its driver, one value at a time; each says which verb answers it.

:class:`HandshakeDone` is a proof value. Only the machine can make one, and it makes one only after every check of
protocol.md §11 has passed; whatever needs a finished handshake asks for this value in its constructor.
"""

from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from enum import Enum, IntEnum
from typing import Final

from hardwire.certs import GatedCertificate, VerifiedIdentity
from hardwire.errors import HardwireError, Misuse
from hardwire.handshake.credential import Credential
from hardwire.handshake.sas import Sas
from hardwire.handshake.signatures import SignatureScheme

_MADE_BY_THE_MACHINE: Final = object()


class Role(Enum):
    """Which end of the handshake this is; fixed by who made the offer, never negotiated (protocol.md §4)."""

    INITIATOR = "initiator"
    """SDP answerer and DTLS client: accepts an invite, speaks first, shows itself last."""
    RESPONDER = "responder"
    """SDP offerer and DTLS server: publishes an invite, shows itself first."""


class Message(IntEnum):
    """The four messages, by their type octet."""

    M1 = 0x01
    M2 = 0x02
    M3 = 0x03
    M4 = 0x04


class ContactTag(Enum):
    """What became of the contact secrets in this handshake."""

    NONE = "none"
    """This side had none to use."""
    HIT = "hit"
    """The peer proved that it holds one of them."""
    MISS = "miss"
    """This side had some and the peer proved none. With a known contact: reset, restored, or a cloned key."""


@dataclass(frozen=True, slots=True)
class SignatureNeeded:
    """Sign ``tbs`` with the key of the own leaf certificate, then call ``provide_signature``.

    Or ``signature_failed`` when the device or its person would not. Asked exactly once per handshake.

    Attributes:
        tbs: The octets to be signed (hashed by the scheme, not yet hashed).
        scheme: ECDSA signatures are DER (r, s); RSA signatures have the size of the modulus.
    """

    tbs: bytes
    scheme: SignatureScheme


@dataclass(frozen=True, slots=True)
class PeerPresented:
    """The peer holds the key of ``leaf``. Decide whether that is whom you want, then ``accept_peer``.

    Or ``reject_peer``. The signature, the transcript and the MAC have been checked; trust, time and names have not.

    Attributes:
        credential: What the peer showed.
        leaf: Its first certificate, structurally sound.
        contact_tag: Whether the peer proved an earlier meeting.
    """

    credential: Credential
    leaf: GatedCertificate
    contact_tag: ContactTag


@dataclass(frozen=True, slots=True)
class WaitingForPeer:
    """Nothing to do here until the peer sends ``what``, or the timer runs out."""

    what: Message


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """It is over. Tell the person ``error``; tell the peer nothing: just close the connection."""

    error: HardwireError


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """Both ends proved themselves over everything that matters. Made only by the machine.

    A responder stores ``contact_psk`` before it sends the message that is still in ``data_to_send``.

    Attributes:
        role: Which end this is.
        peer: The identity that ``accept_peer`` was given.
        peer_credential: What the peer showed.
        sas: For the two people to compare.
        sid: 16 octets that name this session in logs; not secret.
        contact_tag: Whether the peer proved an earlier meeting.
        epoch_secret: 32 octets, root of the record layer (protocol.md §14).
        exporter: 32 octets, root for applications.
        contact_psk: 32 octets, the contact secret for the next meeting.
    """

    role: Role
    peer: VerifiedIdentity
    peer_credential: Credential
    sas: Sas
    sid: bytes
    contact_tag: ContactTag
    epoch_secret: bytes = field(repr=False)
    exporter: bytes = field(repr=False)
    contact_psk: bytes = field(repr=False)
    _: KW_ONLY
    made_by: InitVar[object]

    def __post_init__(self, made_by: object) -> None:
        if made_by is not _MADE_BY_THE_MACHINE:
            raise Misuse("only a finished handshake makes a HandshakeDone")

    def spent(self) -> "HandshakeDone":
        """The same proof without ``epoch_secret``, for whoever keeps it after the record layer has begun.

        The root of epoch 0 opens all of its frames: it is forgotten when the chains exist (protocol.md §14.3).
        """
        return replace(self, epoch_secret=b"", made_by=_MADE_BY_THE_MACHINE)


Event = SignatureNeeded | PeerPresented | WaitingForPeer | HandshakeDone | HandshakeFailed
