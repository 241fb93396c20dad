# SPDX-License-Identifier: Apache-2.0
"""Agreeing on a direct lane inside the line: who offers, under which keys, and when it is over (protocol.md §14.8).

::

    R  ASK ─────────►                     R has something to carry (I needs nobody's leave)
    I  OFFER n, port, KEM key ─────────►
    R  ◄───────── ANSWER n, port, KEM ciphertext            or END n: no lane
    both connect; I chooses                                 (that is not seen here)
    either  END n                                           it broke, could not be made, is not needed any more

One lane at a time, and only the initiator offers, so that offers cannot cross. Each lane has the next number, and a
key encapsulation of its own. What comes late for a lane that is over is known to be late, and dropped.
"""

from collections.abc import Callable
from enum import Enum

from hardwire.channel.lane.events import LaneAgreed, LaneEnded, LaneEvent, LaneOffered, LaneWanted
from hardwire.channel.lane.keys import LaneKeys, lane_root, lane_secret
from hardwire.channel.lane.messages import (
    LaneAnswer,
    LaneAsk,
    LaneEnd,
    LaneOffer,
    decode_lane,
    require_port,
)
from hardwire.errors import HandshakeRefused, Misuse, RecordRefused, WireError
from hardwire.handshake.events import Role
from hardwire.handshake.kem import Entropy, Kem, KemKeyPair


class State(Enum):
    """Where the lane with the last number is."""

    OVER = "over"
    OFFERED = "offered"
    AGREED = "agreed"


class Lanes:
    """The lanes of one line, one after another.

    Args:
        role: This side's.
        epoch_secret: E_0, from which their common root grows; not kept.
        kem: For a fresh secret in each.
        entropy: For the KEM.
        emit: Takes an event for the driver.
        send: Takes the payload of a record for the peer.
    """

    def __init__(
        self,
        role: Role,
        epoch_secret: bytes,
        *,
        kem: Kem,
        entropy: Entropy,
        emit: Callable[[LaneEvent], None],
        send: Callable[[bytes], None],
    ) -> None:
        self._role = role
        self._root = lane_root(epoch_secret)
        self._kem = kem
        self._entropy = entropy
        self._emit = emit
        self._send = send
        self._state = State.OVER
        self._number = 0
        self._wanted = False
        self._settled = 0
        self._pair: KemKeyPair | None = None
        self._offer: LaneOffer | None = None
        self._keys: LaneKeys | None = None

    # This side's verbs.

    def want(self) -> bool:
        """This side has something to carry. Nothing when there is a lane, or one is on its way.

        Returns:
            Whether the peer was asked. It need not answer: ask again, and not often.
        """
        if self._state is not State.OVER:
            return False
        if self._role is Role.RESPONDER:
            self._send(LaneAsk().encode())
            return True
        if not self._wanted:
            self._wanted = True
            self._emit(LaneWanted())
        return False

    def offer(self, port: int) -> int:
        """Offer the next lane; its number. ``port``: where this side listens, or 0.

        Raises:
            Misuse: at the responder, or when the last lane is not over.
        """
        if self._role is not Role.INITIATOR or self._state is not State.OVER:
            raise Misuse("the initiator offers a lane, and one at a time")
        pair = self._kem.generate(self._entropy)
        offer = LaneOffer(self._number + 1, require_port(port), pair.public)
        self._number, self._state, self._wanted, self._pair = offer.number, State.OFFERED, False, pair
        self._send(offer.encode())
        return self._number

    def decline(self) -> None:
        """At the initiator: there will be no lane for now, and the next wish is a new one."""
        self._wanted = False

    def answer(self, number: int, port: int) -> None:
        """Take the offered lane. Nothing when it is over already.

        Raises:
            Misuse: when no lane was offered.
            RecordRefused: ``lane-kem``: the peer's key is none.
        """
        if number != self._number or self._state is State.OVER:
            return
        offer, self._offer = self._offer, None
        if offer is None:
            raise Misuse("no lane was offered")
        try:
            shared, ciphertext = self._kem.encapsulate(offer.public, self._entropy)
        except HandshakeRefused as error:
            raise RecordRefused(error.message, code="lane-kem") from error
        self._send(LaneAnswer(number, require_port(port), ciphertext).encode())
        self._agree(shared, offer.public, ciphertext, offer.port)

    def end(self, number: int) -> None:
        """This side refuses that lane, or is done with it. Nothing when it is over already."""
        if number == self._number and self._state is not State.OVER:
            self._leave()
            self._send(LaneEnd(number).encode())

    def erase(self) -> None:
        """Forget every key."""
        self._leave()
        self._root = b""

    # What the peer says.

    def on_message(self, payload: bytes) -> None:
        """One record. Raises WireError when no honest peer sends it here, RecordRefused ``lane-kem``."""
        message = decode_lane(payload)
        if isinstance(message, LaneAsk):
            self._on_ask()
        elif isinstance(message, LaneOffer):
            self._on_offer(message)
        elif isinstance(message, LaneAnswer):
            self._on_answer(message)
        else:
            self._on_end(message)

    def _on_ask(self) -> None:
        if self._role is not Role.INITIATOR:
            raise _wrong("asks for a lane, and could offer one")
        self.want()

    def _on_offer(self, offer: LaneOffer) -> None:
        if self._role is not Role.RESPONDER or self._state is not State.OVER or offer.number != self._number + 1:
            raise _wrong(f"offers lane {offer.number}, which is not due")
        self._number, self._state, self._offer = offer.number, State.OFFERED, offer
        self._emit(LaneOffered(offer.number, offer.port))

    def _on_answer(self, answer: LaneAnswer) -> None:
        if not self._settled < answer.number <= self._number:
            raise _wrong(f"answers lane {answer.number}, and was not asked")
        self._settled = answer.number
        if answer.number < self._number or self._pair is None:
            return  # this side ended it while the answer was on its way
        pair, self._pair = self._pair, None
        try:
            shared = pair.decapsulate(answer.ciphertext)
        except HandshakeRefused as error:
            raise RecordRefused(error.message, code="lane-kem") from error
        self._agree(shared, pair.public, answer.ciphertext, answer.port)

    def _on_end(self, end: LaneEnd) -> None:
        if not 1 <= end.number <= self._number:
            raise _wrong(f"ends lane {end.number}, which never was")
        self._settled = max(self._settled, end.number)
        if end.number == self._number and self._state is not State.OVER:
            self._leave()
            self._emit(LaneEnded(end.number))

    def _agree(self, shared: bytes, public: bytes, ciphertext: bytes, port: int) -> None:
        secret = lane_secret(self._root, shared, self._number, public, ciphertext)
        self._state, self._keys = State.AGREED, LaneKeys(self._role, secret)
        self._emit(LaneAgreed(self._number, port, self._keys))

    def _leave(self) -> None:
        self._state, self._pair, self._offer, self._wanted = State.OVER, None, None, False
        if self._keys is not None:
            self._keys.erase()
            self._keys = None


def _wrong(what: str) -> WireError:
    return WireError(f"the peer {what}", code="lane")
