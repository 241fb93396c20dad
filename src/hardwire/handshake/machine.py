# SPDX-License-Identifier: Apache-2.0
"""The handshake as a machine: the verbs that both roles share, and the engine behind them.

The rules this file keeps:

* What is not in :data:`~hardwire.handshake.transitions.TRANSITIONS` is an error, and an error is the end: a dead
  machine never speaks again.
* A machine is dead *while* it works on an input and comes back only when every check has passed. An exception that
  nobody foresaw therefore leaves a dead machine behind, not one in the middle of something.
* The peer is told nothing. A failure empties the outbox; the driver closes the connection, and the person is told
  through :class:`~hardwire.handshake.events.HandshakeFailed`.
* Octets of the peer never raise out of a verb. Only a caller who breaks the contract sees an exception (Misuse).
* Secrets live in one :class:`Session`, which is replaced by an empty one when the machine ends. Python cannot
  promise that the memory is gone; it can promise that nothing refers to it any more.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial

from hardwire.certs import VerifiedIdentity
from hardwire.errors import DeviceFailed, HandshakeRefused, HardwireError, LineTimeout, LocalError, Misuse, PeerError
from hardwire.handshake.checks import Presented, usable_leaf
from hardwire.handshake.contact import NO_SECRETS, ContactSecrets, Recognition
from hardwire.handshake.credential import Credential
from hardwire.handshake.events import (
    _MADE_BY_THE_MACHINE,
    Event,
    HandshakeDone,
    HandshakeFailed,
    Message,
    PeerPresented,
    Role,
    SignatureNeeded,
    WaitingForPeer,
)
from hardwire.handshake.kem import Entropy, Kem, KemKeyPair, XWing
from hardwire.handshake.messages import M2, kind_of
from hardwire.handshake.sas import Sas
from hardwire.handshake.schedule import Binding, HandshakeKeys, session_keys, to_be_signed, transcript_0, transcript_sas
from hardwire.handshake.signatures import SignatureScheme, check_scheme, scheme_for, verify
from hardwire.handshake.transitions import AWAITING, FROM_PEER, LIMITS, PHASES, Input, State, after


class Session:
    """What a machine knows until it ends; each attribute is there once its message has been made or read."""

    th0: bytes
    th1: bytes
    th2c: bytes
    th2: bytes
    th3: bytes
    inv_secret: bytes
    contacts: ContactSecrets
    contact: Recognition
    key_pair: KemKeyPair
    nonce: bytes
    commit: bytes
    opening: M2
    keys: HandshakeKeys
    presented: Presented
    identity: VerifiedIdentity


class Handshake(ABC):
    """What :class:`~hardwire.handshake.initiator.Initiator` and ``Responder`` share; build one of those.

    After any verb, first drain :meth:`next_event`, then :meth:`data_to_send`; before waiting, ask
    :meth:`next_timeout`. Answers that come after the end (a person pressed the key too late) are ignored.
    """

    def __init__(  # the whole of a handshake's world, by name
        self,
        binding: Binding,
        credential: Credential,
        *,
        entropy: Entropy,
        now: float,
        secrets: ContactSecrets = NO_SECRETS,
        scheme: SignatureScheme | None = None,
        kem: Kem | None = None,
    ) -> None:
        """Start.

        Args:
            binding: What this side observed of the connection.
            credential: What this side shows; its leaf's key makes the one signature.
            entropy: Fresh random octets.
            now: Monotonic seconds.
            secrets: Contact secrets of earlier meetings.
            scheme: For an RSA key whose device lacks PSS; otherwise the key's preferred scheme.
            kem: Another implementation of X-Wing.

        Raises:
            LocalError: ``own-certificate``, when the own leaf cannot be used or does not fit ``scheme``.
        """
        self._credential = credential.encode()
        try:
            self._leaf = usable_leaf(credential)
            self._scheme = scheme_for(self._leaf.public_key) if scheme is None else scheme
            check_scheme(self._leaf.public_key, self._scheme)
        except PeerError as error:
            raise LocalError(
                f"this side's own certificate cannot be used: {error.message}",
                code="own-certificate",
                hint="make a new one with `hardwire init`",
            ) from error
        self._entropy = entropy
        self._kem: Kem = XWing() if kem is None else kem
        self._events: deque[Event] = deque()
        self._outbox: deque[bytes] = deque()
        self._state = State.DEAD
        self._deadline: float | None = None
        self._phase: Message | None = None
        self._session = Session()
        self._session.th0 = transcript_0(binding)
        self._session.inv_secret = binding.inv_secret
        self._session.contacts = secrets
        self._settle(self._begin(), now)

    # ---- the verbs

    def receive_data(self, data: bytes, now: float) -> None:
        """Take exactly one message of the peer, as the data channel delivered it. Never raises on its content."""
        if self._expired(now):
            return
        try:
            kind = kind_of(data)
        except PeerError as error:
            self._fail(error)
            return
        self._step(FROM_PEER[kind], now, partial(self._on_message, kind, data))

    def provide_signature(self, signature: bytes, now: float) -> None:
        """Answer :class:`SignatureNeeded`.

        Raises:
            Misuse: when none was asked for; the machine is dead then.
        """
        if not self._expired(now):
            self._step(Input.SIGNATURE, now, partial(self._signed, signature))

    def signature_failed(self, error: LocalError) -> None:
        """Answer :class:`SignatureNeeded` with the reason why there is none; ends the handshake.

        Raises:
            Misuse: when none was asked for; the machine is dead then.
        """
        self._end(Input.SIGNATURE_FAILED, error)

    def accept_peer(self, identity: VerifiedIdentity, now: float) -> None:
        """Answer :class:`PeerPresented` with the proof that its leaf was verified.

        Raises:
            Misuse: when nobody was presented, or ``identity`` is of another certificate; the machine is dead then.
        """
        if not self._expired(now):
            self._step(Input.ACCEPTED, now, partial(self._accepted, identity))

    def reject_peer(self, error: HardwireError) -> None:
        """Answer :class:`PeerPresented` with the reason why not; ends the handshake.

        Raises:
            Misuse: when nobody was presented; the machine is dead then.
        """
        self._end(Input.REJECTED, error)

    def close(self) -> None:
        """Give up quietly: no event, nothing to send. After the end it does nothing."""
        if self._state is not State.DONE:
            self._stop(State.DEAD)
            self._events.clear()
            self._outbox.clear()

    def next_event(self) -> Event | None:
        """The next thing to know or to answer, or None."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> bytes | None:
        """The next message for the data channel, or None."""
        return self._outbox.popleft() if self._outbox else None

    def next_timeout(self) -> float | None:
        """When to call :meth:`handle_timeout`, in the seconds of ``now``; None after the end."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Let the time pass; ends the handshake if the limit of the phase is reached."""
        self._expired(now)

    # ---- what the roles add

    @property
    @abstractmethod
    def role(self) -> Role:
        """Which end this is."""

    @abstractmethod
    def _begin(self) -> State:
        """Prepare the first message, if it is this side's; the first state."""

    @abstractmethod
    def _on_message(self, kind: Message, data: bytes) -> None:
        """Check a message that the table allows here."""

    @abstractmethod
    def _on_signature(self, signature: bytes) -> None:
        """Build the message that carries the own signature."""

    @abstractmethod
    def _on_accepted(self) -> None:
        """Go on with the accepted peer."""

    # ---- what the roles use

    def _ask_signature(self) -> None:
        self._events.append(SignatureNeeded(self._to_be_signed(), self._scheme))

    def _present(self, presented: Presented) -> None:
        self._session.presented = presented
        self._events.append(PeerPresented(presented.credential, presented.leaf, self._session.contact.tag))

    def _finish(self, initiator_nonce: bytes, initiator_credential: bytes) -> None:
        session = self._session
        th_sas = transcript_sas(session.th2, initiator_nonce, initiator_credential)
        keys = session_keys(session.keys.master, session.th3, th_sas)
        done = HandshakeDone(
            role=self.role,
            peer=session.identity,
            peer_credential=session.presented.credential,
            sas=Sas(keys.sas),
            sid=keys.sid,
            contact_tag=session.contact.tag,
            epoch_secret=keys.epoch,
            exporter=keys.exporter,
            contact_psk=keys.contact_psk,
            made_by=_MADE_BY_THE_MACHINE,
        )
        self._events.append(done)

    # ---- the engine

    def _step(self, given: Input, now: float, action: Callable[[], None]) -> None:
        """Do what one input asks for; every failure on the way, and every pair not in the table, is the end."""
        before, self._state = self._state, State.DEAD
        try:
            following = after(before, given)
            action()
        except HardwireError as error:
            self._fail(error)
            if isinstance(error, Misuse):
                raise
        else:
            self._settle(following, now)

    def _end(self, given: Input, error: HardwireError) -> None:
        if self._state is not State.DEAD:
            self._step(given, 0.0, partial(_raise, error))

    def _settle(self, state: State, now: float) -> None:
        if state is State.DONE:
            self._stop(state)
            return
        self._state = state
        if PHASES[state] is not self._phase:
            self._phase = PHASES[state]
            self._deadline = now + LIMITS[self._phase]
        if state in AWAITING:
            self._events.append(WaitingForPeer(PHASES[state]))

    def _expired(self, now: float) -> bool:
        """Whether the machine is dead, perhaps as of now."""
        if self._deadline is not None and now >= self._deadline:
            self._fail(LineTimeout(f"the handshake took too long: {self._state.value}"))
        return self._state is State.DEAD

    def _fail(self, error: HardwireError) -> None:
        _drop_frames(error)
        self._stop(State.DEAD)
        self._outbox.clear()
        self._events.clear()
        self._events.append(HandshakeFailed(error))

    def _stop(self, state: State) -> None:
        self._state = state
        self._deadline = None
        self._session = Session()

    def _to_be_signed(self) -> bytes:
        return to_be_signed(self.role, self._session.th2c, self._credential)

    def _signed(self, signature: bytes) -> None:
        # A device that signs with another key than the certificate's is found here, not by a silent peer.
        try:
            verify(self._leaf.public_key, self._scheme, signature, self._to_be_signed())
        except HandshakeRefused as error:
            raise DeviceFailed(
                "the device's signature does not fit the own certificate", code="own-signature"
            ) from error
        self._on_signature(signature)

    def _accepted(self, identity: object) -> None:
        leaf = self._session.presented.leaf
        if not isinstance(identity, VerifiedIdentity) or identity.certificate.der != leaf.der:
            raise Misuse("the verified identity is not of the certificate that the peer presented")
        self._session.identity = identity
        self._on_accepted()


def _drop_frames(error: BaseException) -> None:
    """An error outlives the machine, and the frames of its traceback would keep every key that was in them."""
    # What one error was raised from may lead back to it: an error that is raised again takes its old links along.
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            waiting += (link.__cause__, link.__context__)


def _raise(error: HardwireError) -> None:
    raise error
