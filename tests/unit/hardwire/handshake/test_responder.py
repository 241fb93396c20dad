# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.handshake import HandshakeDone, PeerPresented, Role, SignatureNeeded
from support.hbi1 import (
    BINDING,
    Twist,
    attack_responder,
    converse,
    flip,
    identity,
    initiator,
    responder,
    sign,
    software_key,
    verified,
)

OTHER = identity("somebody else").credential.encode()


def test_it_waits_and_is_its_role():
    r = responder()
    assert r.pump() == []
    assert r.machine.role is Role.RESPONDER


def test_it_signs_at_most_once_whatever_arrives():
    r, first, second = responder(), initiator(), initiator(seed="second")
    r.pump()
    r.machine.receive_data(first.pump()[0], 0.0)
    event = r.machine.next_event()
    assert isinstance(event, SignatureNeeded)
    r.machine.receive_data(second.pump()[0], 0.0)
    r.machine.provide_signature(r.identity.sign(event.tbs), 0.0)
    assert r.pump() == []
    assert r.signatures == 0
    assert r.outcome == "refused:unexpected-message"


def test_it_is_done_when_m4_is_ready():
    i, r = initiator(), responder()
    r.pump()
    (m3,) = i.take(r.take(i.pump()[0])[0])
    r.machine.receive_data(m3, 0.0)
    event = r.machine.next_event()
    assert isinstance(event, PeerPresented)
    assert r.machine.data_to_send() is None
    r.machine.accept_peer(verified(event.leaf), 0.0)
    assert isinstance(r.machine.next_event(), HandshakeDone)
    assert len(r.machine.data_to_send()) == 51


def test_an_honest_scripted_peer_is_accepted():
    assert attack_responder().outcome == "accepted"


@pytest.mark.parametrize(
    "twist, code",
    [
        (Twist(nonce=flip), "commitment"),
        (Twist(committed=OTHER), "commitment"),
        (Twist(sealed=flip), "aead"),
        (Twist(plaintext=flip), "malformed"),
        (Twist(plaintext=lambda text: text + bytes(1024)), "padding"),
        (Twist(credential=b"\x02"), "malformed"),
        (Twist(scheme=0x0503), "scheme-mismatch"),
        (Twist(tbs=lambda tbs: tbs.replace(b"initiator", b"responder")), "signature"),
        (Twist(finished=flip), "finished"),
        (Twist(public=lambda pk: b"\xff" * 1184 + pk[1184:]), "kem"),
        (Twist(public=lambda pk: pk[:1184] + bytes(32)), "kem"),
    ],
)
def test_a_peer_that_deviates_is_refused(twist, code):
    victim = attack_responder(twist)
    assert victim.outcome == f"refused:{code}"
    assert victim.machine.data_to_send() is None


def test_its_own_key_is_not_a_peer():
    assert attack_responder(who=identity("bob")).outcome == "refused:reflection"


def test_a_mirror_gets_nowhere():
    r, mirror = responder(), responder(seed="mirror")
    r.pump()
    (m2,) = r.take(initiator().pump()[0])
    mirror.pump()
    assert mirror.take(m2) == []
    assert r.take(m2) == []
    assert r.outcome == mirror.outcome == "refused:unexpected-message"


@pytest.mark.parametrize("field", ["offer", "answer", "fp_offer", "fp_answer", "cb", "inv_secret"])
def test_a_binding_that_differs_ends_it_for_both(field):
    from dataclasses import replace

    i, r = initiator(binding=replace(BINDING, **{field: b"\x13" * 32})), responder()
    converse(i, r)
    assert i.outcome == "refused:aead"
    assert r.done is None
    r.machine.handle_timeout(300.0)
    r.pump()
    assert r.outcome == "refused:timeout"


def test_a_second_m3_is_refused():
    i, r = initiator(), responder()
    r.pump()
    (m3,) = i.take(r.take(i.pump()[0])[0])
    r.machine.receive_data(m3, 0.0)
    r.machine.receive_data(m3, 0.0)
    r.events.clear()
    r.pump()
    assert r.outcome == "refused:unexpected-message"


def test_a_signature_made_for_another_session_is_refused():
    captured = []
    attack_responder(Twist(tbs=lambda tbs: captured.append(tbs) or tbs))
    replayed = attack_responder(Twist(tbs=lambda tbs: captured[0]), seed="another")
    assert replayed.outcome == "refused:signature"
    assert sign(software_key("p256", "mallory"), 0x0403, captured[0])
