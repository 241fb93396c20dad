# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.handshake import PeerPresented, Role, SignatureNeeded
from hardwire.handshake.kem import XWing
from hardwire.handshake.messages import M1
from support.hbi1 import (
    BINDING,
    FixedKem,
    ScriptedResponder,
    Twist,
    attack_initiator,
    converse,
    flip,
    identity,
    initiator,
    responder,
    unchecked,
)

PAIR_OFFSET = 1


def test_it_speaks_first_and_is_its_role():
    i = initiator()
    (m1,) = i.pump()
    assert len(m1) == 1281
    assert i.machine.role is Role.INITIATOR
    assert i.signatures == 0


def test_it_sees_the_peer_before_it_signs():
    i, r = initiator(), responder()
    r.pump()
    (m2,) = r.take(i.pump()[0])
    i.machine.receive_data(m2, 0.0)
    event = i.machine.next_event()
    assert isinstance(event, PeerPresented)
    assert event.leaf.der == r.identity.credential.leaf
    assert i.machine.next_event() is None
    assert i.machine.data_to_send() is None
    i.machine.accept_peer(unchecked(event.leaf), 0.0)
    assert isinstance(i.machine.next_event(), SignatureNeeded)


def test_nothing_is_done_before_m4():
    i, r = initiator(), responder()
    r.pump()
    i.take(r.take(i.pump()[0])[0])
    assert i.outcome == "waiting"


def test_an_honest_scripted_peer_is_accepted():
    assert attack_initiator().outcome == "accepted"


@pytest.mark.parametrize(
    "twist, code",
    [
        (Twist(sealed=flip), "aead"),
        (Twist(plaintext=flip), "malformed"),
        (Twist(plaintext=lambda text: text + bytes(1024)), "padding"),
        (Twist(credential=b"\x02"), "malformed"),
        (Twist(scheme=0x0503), "scheme-mismatch"),
        (Twist(scheme=0x0807), "scheme-mismatch"),
        (Twist(tbs=lambda tbs: tbs.replace(b"responder", b"initiator")), "signature"),
        (Twist(finished=flip), "finished"),
        (Twist(confirm=flip), "confirmation"),
        (Twist(confirm=lambda _mac: b""), "message-size"),
        (Twist(ciphertext=lambda ct: ct[:1088] + bytes(32)), "kem"),
        (Twist(ciphertext=flip), "aead"),
    ],
)
def test_a_peer_that_deviates_is_refused(twist, code):
    assert attack_initiator(twist).outcome == f"refused:{code}"


def test_its_own_key_is_not_a_peer():
    assert attack_initiator(who=identity("alice")).outcome == "refused:reflection"


def test_its_own_messages_are_not_answers():
    i = initiator()
    (m1,) = i.pump()
    assert i.take(m1) == []
    assert i.outcome == "refused:unexpected-message"


def test_an_m2_of_another_session_is_refused():
    i, other = initiator(), initiator(seed="other")
    attacker = ScriptedResponder(identity("bob"))
    m2 = attacker.m2(other.pump()[0])
    i.pump()
    i.take(m2)
    assert i.outcome == "refused:aead"


def test_a_second_m2_is_refused():
    i, r = initiator(), responder()
    r.pump()
    (m2,) = r.take(i.pump()[0])
    i.take(m2)
    i.take(m2)
    assert i.outcome == "refused:unexpected-message"


def test_the_commitment_is_to_what_is_shown_later():
    i, r = initiator(), responder()
    (m1, _, _, _) = converse(i, r)
    assert M1.parse(m1).commit not in (bytes(32), i.identity.device_id)
    assert r.done.peer_credential == i.identity.credential


def test_another_kem_can_be_put_in():
    class Same(XWing):
        made = 0

        def generate(self, entropy):
            Same.made += 1
            return super().generate(entropy)

    i = initiator(kem=Same())
    i.pump()
    assert Same.made == 1


def test_a_peer_that_encapsulated_to_another_key_is_refused():
    i = initiator()
    i.pump()
    r = responder(
        kem=FixedKem(*XWing().encapsulate(initiator(seed="z").pump()[0][PAIR_OFFSET:1217], i.machine._entropy))
    )
    r.pump()
    (m2,) = r.take(initiator().pump()[0])
    i.take(m2)
    assert i.outcome == "refused:aead"
    assert BINDING.offer == b"offer"
