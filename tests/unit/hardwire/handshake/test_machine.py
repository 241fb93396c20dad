# SPDX-License-Identifier: Apache-2.0
import gc
from itertools import product

import pytest

from hardwire.errors import DeviceFailed, LineTimeout, LocalError, Misuse, PeerNotVerified
from hardwire.handshake import (
    Credential,
    HandshakeDone,
    HandshakeFailed,
    Initiator,
    Message,
    PeerPresented,
    Responder,
    SignatureNeeded,
    SignatureScheme,
    WaitingForPeer,
)
from hardwire.handshake.machine import Session
from hardwire.handshake.messages import SIZES
from hardwire.handshake.schedule import HandshakeKeys
from hardwire.handshake.transitions import TRANSITIONS, Input, State
from support.hbi1 import (
    BINDING,
    KEY_KINDS,
    CountedEntropy,
    Twist,
    attack_responder,
    converse,
    identity,
    initiator,
    responder,
    verified,
    waited_for,
)

NO_PERSON = PeerNotVerified("the person said no")
NO_DEVICE = DeviceFailed("the device would not")


@pytest.mark.parametrize("kind_i, kind_r", list(product(KEY_KINDS, KEY_KINDS)))
def test_all_pairs_of_keys_agree_with_one_signature_each(kind_i, kind_r):
    i, r = initiator(identity("alice", kind_i)), responder(identity("bob", kind_r))
    carried = converse(i, r)
    assert (i.outcome, r.outcome) == ("accepted", "accepted")
    assert (i.signatures, r.signatures) == (1, 1)
    assert [len(data) for data in carried] == [1281, 5299, 4115, 51]
    assert i.of(SignatureNeeded)[0].scheme is i.identity.scheme
    for name in ("sas", "sid", "epoch_secret", "exporter", "contact_psk"):
        assert getattr(i.done, name) == getattr(r.done, name)
    assert i.done.peer.device_id == r.identity.device_id
    assert r.done.peer_credential == i.identity.credential


def test_the_events_are_a_conversation():
    i, r = initiator(), responder()
    converse(i, r)
    assert [type(event) for event in i.events] == [
        WaitingForPeer, PeerPresented, SignatureNeeded, WaitingForPeer, HandshakeDone,
    ]  # fmt: skip
    assert [type(event) for event in r.events] == [
        WaitingForPeer, SignatureNeeded, WaitingForPeer, PeerPresented, HandshakeDone,
    ]  # fmt: skip
    assert waited_for(i) == ["M2", "M4"]
    assert waited_for(r) == ["M1", "M3"]


def test_two_sessions_of_the_same_two_share_nothing():
    seen = set()
    for session in "ab":
        i, r = initiator(seed=f"i{session}"), responder(seed=f"r{session}")
        converse(i, r)
        seen |= {i.done.epoch_secret, i.done.exporter, i.done.contact_psk, i.done.sid, i.done.sas.value}
    assert len(seen) == 10


# ---- every state, every input


def walk():
    """One honest run, halted at every state on the way: (state, the party that is in it)."""
    i, r = initiator(), responder()
    r.pump()
    yield State.AWAIT_M1, r
    (m1,) = i.pump()
    yield State.AWAIT_M2, i
    r.machine.receive_data(m1, 0.0)
    yield State.SIGN_M2, r
    (m2,) = r.pump()
    yield State.AWAIT_M3, r
    i.machine.receive_data(m2, 0.0)
    yield State.JUDGE_RESPONDER, i
    i.machine.accept_peer(verified(i.machine.next_event().leaf), 0.0)
    yield State.SIGN_M3, i
    (m3,) = i.pump()
    yield State.AWAIT_M4, i
    r.machine.receive_data(m3, 0.0)
    yield State.JUDGE_INITIATOR, r
    r.pump()
    yield State.DONE, r
    r.take(b"")
    yield State.DEAD, r


def in_state(wanted: State):
    """The party of an honest run that is in this state."""
    return next(party for state, party in walk() if state is wanted)


REACHED = [pytest.param(state, id=state.name) for state in State]


@pytest.mark.parametrize("state", REACHED)
def test_the_states_are_reached(state):
    assert in_state(state).machine._state is state


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize("kind", Message)
@pytest.mark.parametrize("fill", [b"\x00", b"\xff"])
def test_every_state_meets_every_message_and_ends(state, kind, fill):
    party = in_state(state)
    party.machine.receive_data(bytes([kind]).ljust(SIZES[kind][0], fill), 0.0)
    party.events.clear()
    assert party.pump() == []
    assert party.machine._state is State.DEAD
    assert [type(event) for event in party.events] == ([] if state is State.DEAD else [HandshakeFailed])
    assert party.machine.next_timeout() is None


VERBS = {
    Input.SIGNATURE: lambda machine: machine.provide_signature(b"s", 0.0),
    Input.SIGNATURE_FAILED: lambda machine: machine.signature_failed(NO_DEVICE),
    Input.ACCEPTED: lambda machine: machine.accept_peer(verified(identity("carol").leaf), 0.0),
    Input.REJECTED: lambda machine: machine.reject_peer(NO_PERSON),
}


@pytest.mark.parametrize("state, given", [pair for pair in product(State, VERBS) if pair not in TRANSITIONS])
def test_an_answer_without_its_question_is_misuse_and_the_end(state, given):
    party = in_state(state)
    if state is State.DEAD:
        VERBS[given](party.machine)  # late answers are ignored
        assert party.machine.next_event() is None
        return
    with pytest.raises(Misuse):
        VERBS[given](party.machine)
    assert [type(event) for event in iter(party.machine.next_event, None)] == [HandshakeFailed]
    assert party.machine.data_to_send() is None
    assert party.machine._state is State.DEAD


@pytest.mark.parametrize("state", [State.SIGN_M2, State.SIGN_M3])
def test_a_device_that_fails_ends_it(state):
    party = in_state(state)
    party.machine.signature_failed(NO_DEVICE)
    assert party.machine.next_event() == HandshakeFailed(NO_DEVICE)
    assert party.machine.next_event() is None
    assert party.machine.data_to_send() is None


def raised(error: Exception, **links: Exception) -> Exception:
    """The error with a traceback."""
    for name, value in links.items():
        setattr(error, name, value)
    try:
        raise error  # noqa: TRY301 (that is the point)
    except Exception as caught:  # noqa: BLE001 (the same)
        return caught


@pytest.mark.timeout(20)
def test_no_error_of_a_device_keeps_a_frame_even_if_its_causes_go_in_a_circle():
    party = in_state(State.SIGN_M3)
    first, second, third = DeviceFailed("the card went away"), raised(ValueError("on the way")), raised(KeyError("x"))
    second.__cause__, third.__context__ = third, second
    error = raised(first, __cause__=second, __context__=third)
    party.machine.signature_failed(error)
    assert party.machine.next_event() == HandshakeFailed(error)
    assert [each.__traceback__ for each in (first, second, third)] == [None] * 3


@pytest.mark.parametrize("state", [State.JUDGE_INITIATOR, State.JUDGE_RESPONDER])
def test_a_person_who_says_no_ends_it(state):
    party = in_state(state)
    party.machine.reject_peer(NO_PERSON)
    assert party.machine.next_event() == HandshakeFailed(NO_PERSON)
    assert party.machine.data_to_send() is None


@pytest.mark.parametrize("state", [State.SIGN_M2, State.SIGN_M3])
def test_a_wrong_signature_of_the_own_device_is_not_sent(state):
    party = in_state(state)
    party.machine.provide_signature(b"not a signature", 0.0)
    party.events.clear()
    assert party.pump() == []
    assert party.failed.code == "own-signature"
    assert isinstance(party.failed, DeviceFailed)


def test_an_identity_of_another_certificate_is_misuse():
    party = in_state(State.JUDGE_RESPONDER)
    with pytest.raises(Misuse):
        party.machine.accept_peer(verified(identity("carol").leaf), 0.0)
    assert party.machine._state is State.DEAD
    party = in_state(State.JUDGE_RESPONDER)
    with pytest.raises(Misuse):
        party.machine.accept_peer(party.identity, 0.0)


@pytest.mark.parametrize("state", REACHED)
def test_close_is_quiet(state):
    party = in_state(state)
    while party.machine.next_event():
        pass
    party.machine.close()
    assert party.machine.next_event() is None
    assert party.machine.data_to_send() is None
    assert party.machine.next_timeout() is None
    assert party.machine._state is (State.DONE if state is State.DONE else State.DEAD)


def test_close_after_the_end_keeps_what_is_still_to_be_sent():
    i, r = initiator(), responder()
    r.pump()
    (m3,) = i.take(r.take(i.pump()[0])[0])
    r.machine.receive_data(m3, 0.0)
    r.machine.accept_peer(verified(r.machine.next_event().leaf), 0.0)
    r.machine.close()
    assert isinstance(r.machine.next_event(), HandshakeDone)
    i.take(r.machine.data_to_send())
    assert i.outcome == "accepted"


# ---- time

LIMIT = {
    State.AWAIT_M1: 10.0, State.AWAIT_M2: 120.0, State.SIGN_M2: 120.0, State.AWAIT_M3: 300.0,
    State.JUDGE_RESPONDER: 300.0, State.SIGN_M3: 300.0, State.AWAIT_M4: 120.0, State.JUDGE_INITIATOR: 120.0,
}  # fmt: skip


@pytest.mark.parametrize("state", LIMIT)
def test_every_living_state_has_its_limit(state):
    party = in_state(state)
    assert party.machine.next_timeout() == LIMIT[state]
    party.machine.handle_timeout(LIMIT[state] - 0.001)
    assert party.machine._state is state
    party.machine.handle_timeout(LIMIT[state])
    failed = [event for event in iter(party.machine.next_event, None) if isinstance(event, HandshakeFailed)]
    assert len(failed) == 1
    assert isinstance(failed[0].error, LineTimeout)
    assert state.value in failed[0].error.message
    assert party.machine.next_timeout() is None
    party.machine.handle_timeout(10_000.0)
    assert party.machine.next_event() is None


@pytest.mark.parametrize(
    "state, verb",
    [
        (State.AWAIT_M1, lambda m: m.receive_data(b"\x01" * 1281, 10.0)),
        (State.SIGN_M2, lambda m: m.provide_signature(b"", 120.0)),
        (State.JUDGE_RESPONDER, lambda m: m.accept_peer(verified(identity("bob").leaf), 300.0)),
    ],
)
def test_what_comes_too_late_is_not_looked_at(state, verb):
    party = in_state(state)
    verb(party.machine)
    events = list(iter(party.machine.next_event, None))
    assert isinstance(events[-1].error, LineTimeout)
    assert party.machine.data_to_send() is None


def test_a_verdict_does_not_buy_more_time_for_the_signature():
    i, r = initiator(), responder()
    r.pump()
    (m2,) = r.take(i.pump()[0], 5.0)
    assert r.machine.next_timeout() == 305.0
    i.machine.receive_data(m2, 7.0)
    assert i.machine.next_timeout() == 307.0
    i.machine.accept_peer(verified(i.machine.next_event().leaf), 200.0)
    assert i.machine.next_timeout() == 307.0
    (m3,) = i.pump(250.0)
    assert i.machine.next_timeout() == 370.0
    (m4,) = r.take(m3, 260.0)
    assert r.machine.next_timeout() is None
    i.take(m4, 261.0)
    assert i.machine.next_timeout() is None
    i.machine.handle_timeout(10_000.0)
    assert i.outcome == "accepted"


# ---- what is kept


def test_secrets_go_when_it_is_over():
    def alive() -> set[int]:
        gc.collect()
        return {id(one) for one in gc.get_objects() if isinstance(one, HandshakeKeys)}

    before = alive()
    i, r = initiator(), responder()
    converse(i, r)
    for party in (i, r, attack_responder(Twist(tbs=lambda tbs: b""))):
        assert vars(party.machine._session) == {}
    assert not alive() - before


def test_the_key_pair_and_the_stored_secrets_do_not_wait_for_the_person():
    for state in (State.JUDGE_RESPONDER, State.SIGN_M2):
        party = in_state(state)
        assert not {"key_pair", "inv_secret", "contacts"} & set(vars(party.machine._session))


def test_an_exception_that_nobody_foresaw_leaves_a_dead_machine():
    class Broken(CountedEntropy):
        def octets(self, size: int) -> bytes:
            raise RuntimeError("no entropy")

    r = responder(entropy=Broken("r"))
    r.pump()
    with pytest.raises(RuntimeError):
        r.machine.receive_data(initiator().pump()[0], 0.0)
    r.machine.receive_data(initiator().pump()[0], 0.0)
    assert r.machine._state is State.DEAD
    assert r.machine.data_to_send() is None


# ---- the own side


@pytest.mark.parametrize("make", [Initiator, Responder])
def test_an_own_certificate_that_cannot_be_used_is_said_at_once(make):
    with pytest.raises(LocalError) as caught:
        make(BINDING, Credential((b"no certificate",)), entropy=CountedEntropy("x"), now=0.0)
    assert caught.value.code == "own-certificate"


def test_an_own_scheme_must_fit_the_own_key():
    with pytest.raises(LocalError, match="0x0503"):
        initiator(scheme=SignatureScheme.ECDSA_SECP384R1_SHA384)


def test_the_scheme_defaults_to_the_keys_own():
    i, r = initiator(identity("alice", "rsa-pss"), scheme=None), responder(scheme=None)
    converse(i, r)
    assert i.of(SignatureNeeded)[0].scheme is SignatureScheme.RSA_PSS_RSAE_SHA256
    assert r.outcome == "accepted"


def test_an_empty_session_knows_nothing():
    assert vars(Session()) == {}
