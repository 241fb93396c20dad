# SPDX-License-Identifier: Apache-2.0
"""Every step of the handshake and every limit of its time, as tables (docs/protocol.md §4 and §11).

A pair of state and input that is not listed is an error, by default and without exception: a second M1, an M3 before
M2 was sent, a verdict nobody asked for.

Each state between two messages belongs to the *phase* of the message that ends it, and each phase has a limit, at
both ends alike: a person who walked away, a device without a touch and a peer that vanished all end the same way.
"""

from enum import Enum
from typing import Final

from hardwire.errors import HandshakeRefused, Misuse
from hardwire.handshake.events import Message


class State(Enum):
    """Where a machine is. The names tell the role: only a responder awaits M1 and M3."""

    AWAIT_M1 = "awaiting M1"
    SIGN_M2 = "awaiting the signature for M2"
    AWAIT_M3 = "awaiting M3"
    JUDGE_INITIATOR = "awaiting the verdict on the initiator"
    AWAIT_M2 = "awaiting M2"
    JUDGE_RESPONDER = "awaiting the verdict on the responder"
    SIGN_M3 = "awaiting the signature for M3"
    AWAIT_M4 = "awaiting M4"
    DONE = "done"
    DEAD = "dead"


class Input(Enum):
    """What can happen to a machine, besides the passing of time."""

    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4 = "M4"
    SIGNATURE = "provide_signature"
    SIGNATURE_FAILED = "signature_failed"
    ACCEPTED = "accept_peer"
    REJECTED = "reject_peer"


TRANSITIONS: Final = {
    # the responder
    (State.AWAIT_M1, Input.M1): State.SIGN_M2,
    (State.SIGN_M2, Input.SIGNATURE): State.AWAIT_M3,
    (State.SIGN_M2, Input.SIGNATURE_FAILED): State.DEAD,
    (State.AWAIT_M3, Input.M3): State.JUDGE_INITIATOR,
    (State.JUDGE_INITIATOR, Input.ACCEPTED): State.DONE,
    (State.JUDGE_INITIATOR, Input.REJECTED): State.DEAD,
    # the initiator
    (State.AWAIT_M2, Input.M2): State.JUDGE_RESPONDER,
    (State.JUDGE_RESPONDER, Input.ACCEPTED): State.SIGN_M3,
    (State.JUDGE_RESPONDER, Input.REJECTED): State.DEAD,
    (State.SIGN_M3, Input.SIGNATURE): State.AWAIT_M4,
    (State.SIGN_M3, Input.SIGNATURE_FAILED): State.DEAD,
    (State.AWAIT_M4, Input.M4): State.DONE,
}
"""Every step there is. A pair that is not here ends the handshake."""

PHASES: Final = {
    State.AWAIT_M1: Message.M1,
    State.SIGN_M2: Message.M2,
    State.AWAIT_M3: Message.M3,
    State.JUDGE_INITIATOR: Message.M4,
    State.AWAIT_M2: Message.M2,
    State.JUDGE_RESPONDER: Message.M3,
    State.SIGN_M3: Message.M3,
    State.AWAIT_M4: Message.M4,
}
"""The message that each living state leads to."""

LIMITS: Final = {Message.M1: 10.0, Message.M2: 120.0, Message.M3: 300.0, Message.M4: 120.0}
"""Seconds that may pass between the message before and this one."""

FROM_PEER: Final = {Message.M1: Input.M1, Message.M2: Input.M2, Message.M3: Input.M3, Message.M4: Input.M4}
AWAITING: Final = frozenset({State.AWAIT_M1, State.AWAIT_M2, State.AWAIT_M3, State.AWAIT_M4})


def after(before: State, given: Input) -> State:
    """The state that follows.

    Raises:
        HandshakeRefused: ``unexpected-message``, when the peer's input has no place here.
        Misuse: when the caller's has none.
    """
    following = TRANSITIONS.get((before, given))
    if following is not None:
        return following
    if given in FROM_PEER.values():
        raise HandshakeRefused(f"{given.value} came while {before.value}", code="unexpected-message")
    raise Misuse(f"{given.value} was called while {before.value}")
