# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import LocalError, Misuse
from hardwire.handshake import ContactSecret, ContactSecrets, ContactTag, PeerPresented, Role, contact, schedule
from hardwire.handshake.messages import M1
from support.hbi1 import (
    BINDING,
    attack_initiator,
    attack_responder,
    converse,
    identity,
    initiator,
    responder,
    secrets_with,
)

ALICE, BOB, CAROL = identity("alice"), identity("bob"), identity("carol")
SECRET = b"\x77" * 32


def run(for_i: ContactSecrets, for_r: ContactSecrets):
    i, r = initiator(secrets=for_i), responder(secrets=for_r)
    converse(i, r)
    return i, r


def test_a_secret_that_both_hold_is_a_hit_and_enters_every_key():
    i, r = run(secrets_with(BOB), secrets_with(ALICE))
    assert (i.outcome, r.outcome) == ("accepted", "accepted")
    assert i.done.contact_tag is r.done.contact_tag is ContactTag.HIT
    assert i.of(PeerPresented)[0].contact_tag is ContactTag.HIT


def test_the_secret_of_the_next_meeting_is_another():
    i, r = run(secrets_with(BOB), secrets_with(ALICE))
    assert i.done.contact_psk == r.done.contact_psk != SECRET
    again, other = run(secrets_with(BOB, i.done.contact_psk), secrets_with(ALICE, r.done.contact_psk))
    assert again.done.contact_tag is other.done.contact_tag is ContactTag.HIT


@pytest.mark.parametrize(
    "for_i, for_r, seen_by_i, seen_by_r",
    [
        (ContactSecrets(), ContactSecrets(), ContactTag.NONE, ContactTag.NONE),
        (secrets_with(BOB), ContactSecrets(), ContactTag.MISS, ContactTag.NONE),
        (ContactSecrets(), secrets_with(ALICE), ContactTag.NONE, ContactTag.MISS),
        (secrets_with(BOB, b"\x78" * 32), secrets_with(ALICE), ContactTag.MISS, ContactTag.MISS),
    ],
)
def test_a_miss_goes_on_without_and_says_so(for_i, for_r, seen_by_i, seen_by_r):
    i, r = run(for_i, for_r)
    assert i.done.contact_tag is seen_by_i
    assert r.done.contact_tag is seen_by_r
    assert i.done.epoch_secret == r.done.epoch_secret


def test_known_contacts_only_stays_hidden_from_a_stranger():
    i, r = run(ContactSecrets(), secrets_with(ALICE, required=True))
    assert r.outcome == "refused:unknown-contact"
    assert r.signatures == 0
    assert i.outcome == "waiting"


def test_known_contacts_only_with_nobody_known_refuses_everybody():
    _, r = run(ContactSecrets(), ContactSecrets(required=True))
    assert r.outcome == "refused:unknown-contact"


def test_a_required_hit_is_let_through():
    i, r = run(secrets_with(BOB, required=True), secrets_with(ALICE, required=True))
    assert (i.outcome, r.outcome) == ("accepted", "accepted")


def test_a_hidden_initiator_shows_itself_to_nobody_without_the_secret():
    i, r = run(secrets_with(BOB, required=True), ContactSecrets())
    assert i.outcome == "refused:unknown-contact"
    assert i.signatures == 0
    assert r.outcome == "waiting"


def test_a_hidden_contact_without_a_secret_is_not_tried():
    with pytest.raises(LocalError) as caught:
        initiator(secrets=ContactSecrets(required=True))
    assert caught.value.code == "contact-secret-missing"


def test_an_initiator_uses_one_secret():
    with pytest.raises(Misuse):
        initiator(secrets=ContactSecrets(secrets_with(BOB).secrets * 2))


def test_a_stolen_secret_shows_another_device():
    assert attack_initiator(secret=SECRET, secrets=secrets_with(BOB)).outcome == "refused:identity-changed"
    assert attack_responder(secret=SECRET, secrets=secrets_with(ALICE)).outcome == "refused:identity-changed"


@pytest.mark.parametrize("position", [0, 1, 99])
def test_all_secrets_are_tried_wherever_the_right_one_is(position, monkeypatch):
    strangers = [ContactSecret(CAROL.device_id, bytes([n + 1]) * 32) for n in range(99)]
    known = [*strangers[:position], ContactSecret(ALICE.device_id, SECRET), *strangers[position:]]
    tried = []
    real = contact.contact_tag
    monkeypatch.setattr(contact, "contact_tag", lambda *args: tried.append(args) or real(*args))
    i, r = run(secrets_with(BOB), ContactSecrets(tuple(known)))
    assert r.done.contact_tag is ContactTag.HIT
    assert len(tried) == 100 + 1
    assert i.outcome == "accepted"


def test_a_tag_belongs_to_its_role_and_its_message():
    es = schedule.early_secret(SECRET, BINDING.inv_secret)
    message = M1(
        b"k" * 1216,
        b"c" * 32,
        schedule.contact_tag(es, Role.INITIATOR, b"t" * 32, M1(b"k" * 1216, b"c" * 32, b"").clear),
    )
    secrets = secrets_with(ALICE)
    hit = contact.recognise(secrets, BINDING.inv_secret, Role.INITIATOR, b"t" * 32, message)
    assert hit == contact.Recognition(ContactTag.HIT, SECRET, ALICE.device_id)
    for inv_secret, role, transcript in (
        (b"\x05" * 32, Role.INITIATOR, b"t" * 32),
        (BINDING.inv_secret, Role.RESPONDER, b"t" * 32),
        (BINDING.inv_secret, Role.INITIATOR, b"u" * 32),
    ):
        miss = contact.recognise(secrets, inv_secret, role, transcript, message)
        assert miss == contact.Recognition(ContactTag.MISS, bytes(32), None)


@pytest.mark.parametrize("device, secret", [(b"short", SECRET), (bytes(32), b"short"), (bytes(32), bytes(32))])
def test_values_out_of_bounds_cannot_be_built(device, secret):
    with pytest.raises(Misuse):
        ContactSecret(device, secret)


def test_a_secret_is_not_shown():
    assert "secret=" not in repr(ContactSecret(bytes(32), SECRET))
    assert "psk" not in repr(contact.Recognition(ContactTag.HIT, SECRET, None))
