# SPDX-License-Identifier: Apache-2.0
"""HBI/1: two devices prove themselves to each other inside one connection (docs/protocol.md §4 to §13, §17).

A pure machine for each end, :class:`Initiator` and :class:`Responder`, with the same verbs. Octets, values and the
time go in; events and octets come out. The key and the person are outside: they are questions in the stream of
events, answered by a verb whenever the answer is there.
"""

from hardwire.handshake.contact import NO_SECRETS, ContactSecret, ContactSecrets
from hardwire.handshake.credential import Credential
from hardwire.handshake.events import (
    ContactTag,
    Event,
    HandshakeDone,
    HandshakeFailed,
    Message,
    PeerPresented,
    Role,
    SignatureNeeded,
    WaitingForPeer,
)
from hardwire.handshake.initiator import Initiator
from hardwire.handshake.kem import Entropy, Kem, KemKeyPair
from hardwire.handshake.responder import Responder
from hardwire.handshake.sas import Sas, safety_number
from hardwire.handshake.schedule import Binding
from hardwire.handshake.signatures import SignatureScheme, scheme_for

__all__ = [
    "NO_SECRETS",
    "Binding",
    "ContactSecret",
    "ContactSecrets",
    "ContactTag",
    "Credential",
    "Entropy",
    "Event",
    "HandshakeDone",
    "HandshakeFailed",
    "Initiator",
    "Kem",
    "KemKeyPair",
    "Message",
    "PeerPresented",
    "Responder",
    "Role",
    "Sas",
    "SignatureNeeded",
    "SignatureScheme",
    "WaitingForPeer",
    "safety_number",
    "scheme_for",
]
