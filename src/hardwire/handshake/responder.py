# SPDX-License-Identifier: Apache-2.0
"""The end that published an invite: sends M2 and M4, and shows itself first."""

from hardwire.handshake.checks import Expected, initiator_proof
from hardwire.handshake.contact import recognise
from hardwire.handshake.events import ContactTag, Message, Role
from hardwire.handshake.machine import Handshake
from hardwire.handshake.messages import M1, M2, M3, M4, NONCE_SIZE, TAG_SIZE, Proof, head_of
from hardwire.handshake.schedule import (
    contact_tag,
    digest,
    early_secret,
    handshake_keys,
    handshake_secret,
    mac,
)
from hardwire.handshake.transitions import State


class Responder(Handshake):
    """SDP offerer and DTLS server (docs/protocol.md §4).

    The order of its life: M1 in, ``SignatureNeeded`` out; ``provide_signature``, M2 out; M3 in, ``PeerPresented`` out;
    ``accept_peer``, ``HandshakeDone`` and M4 out. It asks for one signature, whatever arrives.
    """

    @property
    def role(self) -> Role:
        """Responder."""
        return Role.RESPONDER

    def _begin(self) -> State:
        return State.AWAIT_M1

    def _on_message(self, kind: Message, data: bytes) -> None:
        if kind is Message.M1:
            self._on_m1(M1.parse(data), data)
        else:
            self._on_m3(M3.parse(data))

    def _on_m1(self, m1: M1, data: bytes) -> None:
        session = self._session
        shared, ciphertext = self._kem.encapsulate(m1.kem_public, self._entropy)
        session.contact = recognise(session.contacts, session.inv_secret, Role.INITIATOR, session.th0, m1)
        session.commit = m1.commit
        th1 = digest(session.th0, data)
        es = early_secret(session.contact.psk, session.inv_secret)
        bare = M2(ciphertext, self._entropy.octets(NONCE_SIZE), b"", b"")
        if session.contact.tag is ContactTag.HIT:
            tag = contact_tag(es, Role.RESPONDER, th1, bare.clear)
        else:
            tag = self._entropy.octets(TAG_SIZE)
        session.opening = M2(ciphertext, bare.nonce, tag, b"")
        session.th2c = digest(th1, bare.clear, tag)
        session.keys = handshake_keys(handshake_secret(es, session.th0, shared), session.th2c)
        del session.inv_secret, session.contacts  # the device may take minutes; these wait for nobody
        self._ask_signature()

    def _on_signature(self, signature: bytes) -> None:
        session = self._session
        keys = session.keys.responder
        head = head_of(b"", self._credential, self._scheme, signature)
        proof = Proof(b"", self._credential, self._scheme, signature, keys.finish(session.th2c, head)).encode()
        sealed = keys.seal(0, session.th2c, proof)
        opening = session.opening
        self._outbox.append(M2(opening.kem_ciphertext, opening.nonce, opening.tag, sealed).encode())
        session.th2 = digest(session.th2c, proof)

    def _on_m3(self, m3: M3) -> None:
        session = self._session
        expected = Expected(
            Role.INITIATOR, session.keys.initiator, session.th2, session.th2c, self._leaf.spki, session.contact
        )
        plaintext, presented = initiator_proof(m3.sealed, session.commit, expected)
        session.th3 = digest(session.th2, plaintext)
        self._present(presented)

    def _on_accepted(self) -> None:
        session = self._session
        keys = session.keys
        self._outbox.append(M4(keys.responder.seal(1, session.th3, mac(keys.done, session.th3))).encode())
        proof = session.presented.proof
        self._finish(proof.nonce, proof.credential)
