# SPDX-License-Identifier: Apache-2.0
"""The keys of a direct lane: grown from the line and from a key encapsulation of its own (protocol.md §14.8).

::

    lane root   of the first epoch: ties a lane to this line, its identities and its post-quantum secret
    + ss        of an X-Wing exchange inside the line, fresh for every lane: what was copied before opens no later one
    = secret    of lane n; dies when one connection was chosen, or none could be made
      ├── one greeting key for each role and side of a connection (who dialled, who listened)
      └── + both nonces of a connection = its two chains: two connections of one lane share no key

A greeting is 64 octets each way, and nobody without the secret can tell them from noise, make one, or use one again:
the dialler's proves the secret, the listener's answer is over the dialler's nonce, and the first frame of the chosen
connection is under keys that hold the listener's.
"""

from typing import Final

from hardwire.channel.ratchet import PEER_OF, SECRET_SIZE, Chain
from hardwire.errors import Misuse, RecordRefused
from hardwire.handshake.events import Role
from hardwire.handshake.schedule import digest, expand_label, extract, mac, same

NONCE_SIZE: Final = 32
GREETING_SIZE: Final = 64
"""Octets of a greeting, in either direction: a nonce and a MAC."""

_DIAL_LABEL: Final = {Role.INITIATOR: b"i dial", Role.RESPONDER: b"r dial"}
_LISTEN_LABEL: Final = {Role.INITIATOR: b"i listen", Role.RESPONDER: b"r listen"}
_CHAIN_LABEL: Final = {Role.INITIATOR: b"i chain", Role.RESPONDER: b"r chain"}


def lane_root(epoch_secret: bytes) -> bytes:
    """The 32 octets that every lane of a line grows from. ``epoch_secret`` is E_0 (32 octets)."""
    return expand_label(epoch_secret, b"lane root", b"", SECRET_SIZE)


def lane_secret(root: bytes, shared: bytes, number: int, public: bytes, ciphertext: bytes) -> bytes:
    """The 32 octets of one lane.

    Args:
        root: Of the line, 32 octets.
        shared: The KEM's shared secret, 32 octets.
        number: Of the lane.
        public: The initiator's KEM public key, as sent.
        ciphertext: The responder's KEM ciphertext, as sent.
    """
    context = digest(number.to_bytes(4), public, ciphertext)
    return expand_label(extract(root, shared), b"lane", context, SECRET_SIZE)


class ConnectionKeys:
    """The two chains of one connection, from this side's view; each frame takes one step."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self, secret: bytes, role: Role) -> None:
        chains = {one: Chain(expand_label(secret, label, b"", SECRET_SIZE)) for one, label in _CHAIN_LABEL.items()}
        self.outgoing = chains[role]
        self.incoming = chains[PEER_OF[role]]

    def erase(self) -> None:
        """Forget both."""
        self.outgoing.erase()
        self.incoming.erase()


class LaneKeys:
    """What both sides know of one lane until it stands.

    Args:
        role: This side's role in the handshake, whoever dials.
        secret: 32 octets; the caller keeps no copy.
    """

    __slots__ = ("_role", "_secret")

    def __init__(self, role: Role, secret: bytes) -> None:
        self._role = role
        self._secret = secret

    @property
    def role(self) -> Role:
        """This side's."""
        return self._role

    def hello(self, nonce: bytes) -> bytes:
        """What this side sends when it has dialled: 64 octets, for 32 fresh random ones."""
        return nonce + mac(self._key(_DIAL_LABEL[self._role]), nonce)

    def answer(self, hello: bytes, nonce: bytes) -> tuple[bytes, ConnectionKeys]:
        """What this side sends to who dialled it (64 octets, for 32 fresh random ones), and the connection's keys.

        Raises:
            RecordRefused: ``lane-greeting``: not the peer. Send nothing, close.
        """
        theirs, proof = _split(hello)
        if not same(proof, mac(self._key(_DIAL_LABEL[PEER_OF[self._role]]), theirs)):
            raise _stranger()
        reply = nonce + mac(self._key(_LISTEN_LABEL[self._role]), theirs + nonce)
        return reply, self._connection(PEER_OF[self._role], theirs, nonce)

    def complete(self, nonce: bytes, reply: bytes) -> ConnectionKeys:
        """The connection's keys, for the nonce of this side's hello and the 64 octets that came back.

        Raises:
            RecordRefused: ``lane-greeting``: not the peer. Send nothing more, close.
        """
        theirs, proof = _split(reply)
        if not same(proof, mac(self._key(_LISTEN_LABEL[PEER_OF[self._role]]), nonce + theirs)):
            raise _stranger()
        return self._connection(self._role, nonce, theirs)

    def erase(self) -> None:
        """Forget; greetings are neither made nor understood any more."""
        self._secret = b""

    def _connection(self, dialler: Role, dialled: bytes, listened: bytes) -> ConnectionKeys:
        context = digest(_DIAL_LABEL[dialler], dialled, listened)
        return ConnectionKeys(expand_label(self._alive, b"connection", context, SECRET_SIZE), self._role)

    def _key(self, label: bytes) -> bytes:
        return expand_label(self._alive, label, b"", SECRET_SIZE)

    @property
    def _alive(self) -> bytes:
        if not self._secret:
            raise Misuse("the keys of this lane are gone")
        return self._secret


def _split(greeting: bytes) -> tuple[bytes, bytes]:
    if len(greeting) != GREETING_SIZE:
        raise Misuse(f"a greeting has {GREETING_SIZE} octets, not {len(greeting)}")
    return greeting[:NONCE_SIZE], greeting[NONCE_SIZE:]


def _stranger() -> RecordRefused:
    return RecordRefused("a greeting that is not the peer's", code="lane-greeting")
