# SPDX-License-Identifier: Apache-2.0
"""The three published runs of HBI/1, to the octet, by the real machines."""

import runpy
from pathlib import Path

import pytest

from hardwire.handshake import (
    ContactTag,
    Credential,
    HandshakeDone,
    Initiator,
    PeerPresented,
    Responder,
    SignatureNeeded,
    WaitingForPeer,
)
from hardwire.handshake.events import Role
from hardwire.handshake.messages import M1, M2, M3, Proof
from hardwire.handshake.schedule import (
    digest,
    early_secret,
    handshake_keys,
    handshake_secret,
    session_keys,
    transcript_0,
    transcript_sas,
)
from support.hbi1 import (
    VECTORS,
    FixedKem,
    ScriptedEntropy,
    octets,
    unchecked,
    vector_binding,
    vector_secrets,
    vectors,
)

RUNS = [pytest.param(vector, id=str(vector["name"])) for vector in vectors()]


def proofs(vector):
    keys = handshake_keys(octets(vector, "hs"), octets(vector, "th2c"))
    sealed_r = M2.parse(octets(vector, "m2")).sealed
    sealed_i = M3.parse(octets(vector, "m3")).sealed
    return (
        keys.responder.open(0, octets(vector, "th2c"), sealed_r),
        keys.initiator.open(0, octets(vector, "th2"), sealed_i),
    )


@pytest.mark.parametrize("vector", RUNS)
def test_the_schedule_yields_every_listed_value(vector):
    th0 = transcript_0(vector_binding(vector))
    th1 = digest(th0, octets(vector, "m1"))
    m2 = M2.parse(octets(vector, "m2"))
    th2c = digest(th1, m2.clear, m2.tag)
    es = early_secret(octets(vector, "contact_psk"), octets(vector, "inv_secret"))
    hs = handshake_secret(es, th0, octets(vector, "kem_ss"))
    keys = handshake_keys(hs, th2c)
    plain_r, plain_i = proofs(vector)
    th2 = digest(th2c, plain_r)
    th3 = digest(th2, plain_i)
    session = session_keys(keys.master, th3, transcript_sas(th2, octets(vector, "n_I"), octets(vector, "cred_I")))
    found = {
        "th0": th0, "th1": th1, "th2c": th2c, "th2": th2, "th3": th3, "hs": hs, "ms": keys.master,
        "rk": keys.responder.key, "riv": keys.responder.iv, "ik": keys.initiator.key, "iiv": keys.initiator.iv,
        "sas": session.sas, "epoch0": session.epoch, "exporter": session.exporter,
        "next_contact_psk": session.contact_psk, "sid": session.sid,
        "kem_ct": m2.kem_ciphertext, "n_R": m2.nonce,
    }  # fmt: skip
    assert found == {name: octets(vector, name) for name in found}


@pytest.mark.parametrize("vector", RUNS)
def test_the_machines_reproduce_all_four_messages(vector):
    binding = vector_binding(vector)
    m1, m2, m3, m4 = (octets(vector, name) for name in ("m1", "m2", "m3", "m4"))
    known = vector["contact_psk"] is not None
    cred_i, cred_r = (Credential.decode(octets(vector, name)) for name in ("cred_I", "cred_R"))
    plain_r, plain_i = proofs(vector)
    proof_r, proof_i = Proof.parse(plain_r, Role.RESPONDER), Proof.parse(plain_i, Role.INITIATOR)

    drawn = [octets(vector, "mlkem_seed"), octets(vector, "x25519_sk"), octets(vector, "n_I")]
    entropy_i = ScriptedEntropy(*drawn, *([] if known else [M1.parse(m1).tag]))
    i = Initiator(binding, cred_i, entropy=entropy_i, now=0.0, secrets=vector_secrets(vector, "cred_R"))
    assert i.data_to_send() == m1
    assert i.next_event() == WaitingForPeer(2)

    entropy_r = ScriptedEntropy(octets(vector, "n_R"), *([] if known else [M2.parse(m2).tag]))
    kem = FixedKem(octets(vector, "kem_ss"), octets(vector, "kem_ct"))
    r = Responder(binding, cred_r, entropy=entropy_r, now=0.0, secrets=vector_secrets(vector, "cred_I"), kem=kem)
    assert r.next_event() == WaitingForPeer(1)
    r.receive_data(m1, 1.0)
    assert isinstance(r.next_event(), SignatureNeeded)
    r.provide_signature(proof_r.signature, 2.0)
    assert r.data_to_send() == m2
    assert r.next_event() == WaitingForPeer(3)

    i.receive_data(m2, 3.0)
    presented = i.next_event()
    assert isinstance(presented, PeerPresented)
    assert presented.credential == cred_r
    i.accept_peer(unchecked(presented.leaf), 4.0)
    assert isinstance(i.next_event(), SignatureNeeded)
    i.provide_signature(proof_i.signature, 5.0)
    assert i.data_to_send() == m3
    assert i.next_event() == WaitingForPeer(4)

    r.receive_data(m3, 6.0)
    presented = r.next_event()
    assert isinstance(presented, PeerPresented)
    r.accept_peer(unchecked(presented.leaf), 7.0)
    assert r.data_to_send() == m4
    i.receive_data(m4, 8.0)

    assert entropy_i.used_up
    assert entropy_r.used_up
    for machine in (i, r):
        done = machine.next_event()
        assert isinstance(done, HandshakeDone)
        assert done.sas.value == octets(vector, "sas")
        assert done.sas.decimal == " ".join(map(str, vector["sas_decimal"]))
        assert done.epoch_secret == octets(vector, "epoch0")
        assert done.exporter == octets(vector, "exporter")
        assert done.contact_psk == octets(vector, "next_contact_psk")
        assert done.sid == octets(vector, "sid")
        assert done.contact_tag is (ContactTag.HIT if known else ContactTag.NONE)


def test_a_second_reader_written_apart_agrees(capsys):
    script = runpy.run_path(str(Path(VECTORS).with_name("verify_hbi1.py")))
    assert script["main"]() == len(vectors())
    assert "all values agree" in capsys.readouterr().out


def test_the_second_reader_notices_a_changed_value():
    script = runpy.run_path(str(Path(VECTORS).with_name("verify_hbi1.py")))
    for name in ("m4", "sas", "m3", "th1"):
        changed = dict(vectors()[0])
        changed[name] = ("00" if not str(changed[name]).startswith("00") else "01") + str(changed[name])[2:]
        with pytest.raises(SystemExit):
            script["check"](changed)
