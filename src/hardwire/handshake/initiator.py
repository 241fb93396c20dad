# SPDX-License-Identifier: Apache-2.0
"""The end that accepted an invite: sends M1 and M3, and sees the other side before it shows itself."""

from hardwire.errors import HandshakeRefused, LocalError, Misuse
from hardwire.handshake.checks import Expected, responder_proof
from hardwire.handshake.contact import recognise
from hardwire.handshake.events import Message, Role
from hardwire.handshake.machine import Handshake
from hardwire.handshake.messages import M1, M2, M3, M4, NONCE_SIZE, TAG_SIZE, Proof, head_of
from hardwire.handshake.schedule import (
    commitment,
    contact_tag,
    digest,
    early_secret,
    handshake_keys,
    handshake_secret,
    mac,
    same,
)
from hardwire.handshake.transitions import State


class Initiator(Handshake):
    """SDP answerer and DTLS client (docs/protocol.md §4).

    The order of its life: M1 is there to send at once; M2 in, ``PeerPresented`` out; ``accept_peer``,
    ``SignatureNeeded``, ``provide_signature``, M3 out; M4 in, ``HandshakeDone``. Until then nothing of an application
    may be sent.

    Raises:
        LocalError: also ``contact-secret-missing``: the contact is "hidden", and there is no secret to hide behind.
        Misuse: more than one contact secret.
    """

    @property
    def role(self) -> Role:
        """Initiator."""
        return Role.INITIATOR

    def _begin(self) -> State:
        session = self._session
        session.key_pair = self._kem.generate(self._entropy)
        session.nonce = self._entropy.octets(NONCE_SIZE)
        bare = M1(session.key_pair.public, commitment(session.nonce, self._credential), b"")
        m1 = M1(bare.kem_public, bare.commit, self._tag(bare.clear)).encode()
        session.th1 = digest(session.th0, m1)
        self._outbox.append(m1)
        return State.AWAIT_M2

    def _tag(self, clear: bytes) -> bytes:
        session = self._session
        secrets = session.contacts.secrets
        if len(secrets) > 1:
            raise Misuse("an initiator uses the secret of one contact")
        if secrets:
            es = early_secret(secrets[0].secret, session.inv_secret)
            return contact_tag(es, Role.INITIATOR, session.th0, clear)
        if session.contacts.required:
            raise LocalError(
                "a hidden contact is reached only with its secret, and none is stored", code="contact-secret-missing"
            )
        return self._entropy.octets(TAG_SIZE)

    def _on_message(self, kind: Message, data: bytes) -> None:
        if kind is Message.M2:
            self._on_m2(M2.parse(data))
        else:
            self._on_m4(M4.parse(data))

    def _on_m2(self, m2: M2) -> None:
        session = self._session
        shared = session.key_pair.decapsulate(m2.kem_ciphertext)
        session.contact = recognise(session.contacts, session.inv_secret, Role.RESPONDER, session.th1, m2)
        session.th2c = digest(session.th1, m2.clear, m2.tag)
        es = early_secret(session.contact.psk, session.inv_secret)
        session.keys = handshake_keys(handshake_secret(es, session.th0, shared), session.th2c)
        expected = Expected(
            Role.RESPONDER, session.keys.responder, session.th2c, session.th2c, self._leaf.spki, session.contact
        )
        del session.key_pair, session.inv_secret, session.contacts  # the person may take minutes; these wait for nobody
        plaintext, presented = responder_proof(m2.sealed, expected)
        session.th2 = digest(session.th2c, plaintext)
        self._present(presented)

    def _on_accepted(self) -> None:
        self._ask_signature()

    def _on_signature(self, signature: bytes) -> None:
        session = self._session
        head = head_of(session.nonce, self._credential, self._scheme, signature)
        finished = session.keys.initiator.finish(session.th2, head)
        proof = Proof(session.nonce, self._credential, self._scheme, signature, finished).encode()
        self._outbox.append(M3(session.keys.initiator.seal(0, session.th2, proof)).encode())
        session.th3 = digest(session.th2, proof)

    def _on_m4(self, m4: M4) -> None:
        session = self._session
        confirmed = session.keys.responder.open(1, session.th3, m4.sealed)
        if not same(confirmed, mac(session.keys.done, session.th3)):
            raise HandshakeRefused("the responder confirms another handshake", code="confirmation")
        self._finish(session.nonce, self._credential)
