# SPDX-License-Identifier: Apache-2.0
"""Each check of docs/protocol.md §11 is taken out of the code, and the attack it stops then succeeds.

A row says: with the code as it is the attack ends in ``stopped``; without the check it ends in ``loose``. Both are
run. The last tests make sure that no check is missing from the table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hardwire.handshake as package
from hardwire.handshake import (
    Credential,
    Role,
    checks,
    contact,
    events,
    kem,
    messages,
    schedule,
    signatures,
    transitions,
)
from hardwire.handshake.initiator import Initiator
from hardwire.handshake.machine import Handshake
from hardwire.handshake.messages import Proof
from hardwire.handshake.schedule import DirectionKeys
from support.hbi1 import (
    Twist,
    attack_initiator,
    attack_responder,
    flip,
    identity,
    secrets_with,
)
from support.hbi1_attacks import (
    NO_SIGNING,
    OTHER_CREDENTIAL,
    TRAILING,
    Attack,
    asks_after_death,
    device_signs_with_another_key,
    flipped_m4,
    forged_proof_value,
    hidden_without_secret,
    late,
    lookalike_accepted,
    low_order_ciphertext,
    m1_too_long,
    mlkem_key_out_of_range,
    on_initiator,
    on_responder,
    other_session,
    own_certificate_unusable,
    own_key_too_long,
    padded_twice,
    peer_forgot_the_secret,
    relayed,
    second_failure,
    second_m3,
    speaks_after_death,
    stranger_answers_hidden,
    stranger_asks_known_contacts_only,
    two_secrets,
    without_tag,
    wrong_identity_accepted,
    wrong_kind,
)
from support.mutation import mutate


@dataclass(frozen=True)
class Mutant:
    name: str
    where: Callable[..., Any]
    check: str
    instead: str
    attack: Attack
    stopped: str
    loose: str = "accepted"


TAG = "same(contact_tag(es, sender, transcript, message.clear), message.tag)"
AEAD = "AESGCM(self.key).decrypt(self._nonce(counter), ciphertext, associated)"
NO_AEAD = "_without_tag(self.key, self._nonce(counter), ciphertext)"
LATE = "now >= self._deadline"
COMMIT = "digest(credential)"

MALLORY_384 = identity("mallory", "p384")

MUTANTS = [
    # I on M2, R on M3: what is inside
    Mutant("aead of M2", DirectionKeys.open, AEAD, NO_AEAD, on_initiator(Twist(sealed=flip)), "refused:aead"),
    Mutant("aead of M3", DirectionKeys.open, AEAD, NO_AEAD, on_responder(Twist(sealed=flip)), "refused:aead"),
    Mutant("aead of M4", DirectionKeys.open, AEAD, NO_AEAD, flipped_m4, "refused:aead"),
    Mutant("padding of M2", Proof.parse.__func__, "reader.zeros()", "pass", on_initiator(Twist(plaintext=flip)), "refused:malformed"),
    Mutant("padding of M3", Proof.parse.__func__, "reader.zeros()", "pass", on_responder(Twist(plaintext=flip)), "refused:malformed"),
    Mutant("bucket of M2", Proof.parse.__func__, "bucket(reader.position) != len(data)", "False",
           on_initiator(Twist(plaintext=padded_twice)), "refused:padding"),
    Mutant("bucket of M3", Proof.parse.__func__, "bucket(reader.position) != len(data)", "False",
           on_responder(Twist(plaintext=padded_twice)), "refused:padding"),
    Mutant("credential of M2", Credential.decode.__func__, "reader.end()", "pass",
           on_initiator(Twist(credential=TRAILING)), "refused:malformed"),
    Mutant("credential of M3", Credential.decode.__func__, "reader.end()", "pass",
           on_responder(Twist(credential=TRAILING)), "refused:malformed"),
    Mutant("commitment, nonce", checks.initiator_proof, "_check_commitment(proof, commit)", "pass",
           on_responder(Twist(nonce=flip)), "refused:commitment"),
    Mutant("commitment, credential", checks.initiator_proof, "_check_commitment(proof, commit)", "pass",
           on_responder(Twist(committed=OTHER_CREDENTIAL)), "refused:commitment"),
    Mutant("commitment covers the credential", schedule.commitment, COMMIT, "b''",
           on_responder(Twist(committed=OTHER_CREDENTIAL)), "refused:commitment"),
    Mutant("commitment covers the nonce", schedule.commitment, "nonce, ", "", on_responder(Twist(nonce=flip)), "refused:commitment"),
    Mutant("key usage of R", checks.usable_leaf, "leaf.key_usage_digital_signature is False", "False",
           on_initiator(who=NO_SIGNING), "refused:key-usage"),
    Mutant("key usage of I", checks.usable_leaf, "leaf.key_usage_digital_signature is False", "False",
           on_responder(who=NO_SIGNING), "refused:key-usage"),
    Mutant("scheme of R", signatures.check_scheme, "schemes_of(public_key)", "SignatureScheme",
           on_initiator(Twist(scheme=0x0503)), "refused:scheme-mismatch"),
    Mutant("scheme of I", signatures.check_scheme, "schemes_of(public_key)", "SignatureScheme",
           on_responder(Twist(scheme=0x0403), who=MALLORY_384), "refused:scheme-mismatch"),
    Mutant("RSA size", signatures.schemes_of, "RSA_BITS_MIN <= public_key.key_size <= RSA_BITS_MAX", "True",
           own_key_too_long, "none", "RSA_PSS_RSAE_SHA256,RSA_PKCS1_SHA256"),
    Mutant("signature of R", checks._present, "verify(", "(lambda *_: None)(", on_initiator(Twist(tbs=other_session)), "refused:signature"),
    Mutant("signature of I", checks._present, "verify(", "(lambda *_: None)(", on_responder(Twist(tbs=other_session)), "refused:signature"),
    Mutant("finished of R", checks._present, "_check_finished(proof, expected)", "pass", on_initiator(Twist(finished=flip)), "refused:finished"),
    Mutant("finished of I", checks._present, "_check_finished(proof, expected)", "pass", on_responder(Twist(finished=flip)), "refused:finished"),
    Mutant("own key shown to I", checks._present, "_check_not_reflected(leaf, expected)", "pass",
           on_initiator(who=identity("alice")), "refused:reflection"),
    Mutant("own key shown to R", checks._present, "_check_not_reflected(leaf, expected)", "pass",
           on_responder(who=identity("bob")), "refused:reflection"),
    Mutant("contact secret of another device, R", checks._present, "_check_contact(leaf, expected)", "pass",
           lambda: attack_initiator(secret=b"\x77" * 32, secrets=secrets_with(identity("bob"))).outcome, "refused:identity-changed"),
    Mutant("contact secret of another device, I", checks._present, "_check_contact(leaf, expected)", "pass",
           lambda: attack_responder(secret=b"\x77" * 32, secrets=secrets_with(identity("alice"))).outcome, "refused:identity-changed"),
    # I on M4
    Mutant("confirmation", Initiator._on_m4, "not same(confirmed, mac(session.keys.done, session.th3))", "False",
           on_initiator(Twist(confirm=flip)), "refused:confirmation"),
    # key encapsulation
    Mutant("low-order point", kem.XWingKeyPair.decapsulate, "except ValueError", "except KeyError",
           low_order_ciphertext, "refused:kem", "escaped:ValueError"),
    Mutant("ML-KEM key out of range", kem.XWing.encapsulate, "except ValueError", "except KeyError",
           mlkem_key_out_of_range, "refused:kem", "escaped:ValueError"),
    # contact secrets
    Mutant("known contacts only", contact.recognise, "contacts.required", "False", stranger_asks_known_contacts_only, "refused:unknown-contact", "shown"),
    Mutant("hidden", contact.recognise, "contacts.required", "False", stranger_answers_hidden, "refused:unknown-contact", "shown"),
    Mutant("tag of I", contact.recognise, TAG, "True", stranger_asks_known_contacts_only, "refused:unknown-contact", "shown"),
    Mutant("tag of R", contact.recognise, TAG, "True", peer_forgot_the_secret, "accepted", "refused:aead"),
    Mutant("hidden without a secret", Initiator._tag, "session.contacts.required", "False", hidden_without_secret, "escaped:LocalError", "shown"),
    Mutant("two secrets", Initiator._tag, "len(secrets) > 1", "False", two_secrets, "escaped:Misuse", "one was chosen"),
    # order, sizes, time, death
    Mutant("size before parsing", messages.kind_of, "not low <= len(data) <= high", "False", m1_too_long, "refused:message-size", "refused:malformed"),
    Mutant("kind of message", messages.kind_of, 'Message(Reader(data, "handshake message").u8())', "Message.M1",
           wrong_kind, "refused:unknown-message", "refused:malformed"),
    Mutant("M2 too late", Handshake._expired, LATE, "False", late("i"), "refused:timeout", "went on"),
    Mutant("M3 too late", Handshake._expired, LATE, "False", late("r"), "refused:timeout", "went on"),
    Mutant("silence", Handshake._fail, "self._outbox.clear()", "pass", speaks_after_death, "silent", "spoke"),
    Mutant("no question after death", Handshake._fail, "self._events.clear()", "pass", asks_after_death, "1 failure", "asked"),
    Mutant("dead after the first error", Handshake._expired, "return self._state is State.DEAD", "return False",
           second_failure, "1 told", "2 told"),
    # what the caller brings
    Mutant("identity of another certificate", Handshake._accepted, "identity.certificate.der != leaf.der", "False",
           wrong_identity_accepted, "escaped:Misuse"),
    Mutant("identity that is no proof", Handshake._accepted, "not isinstance(identity, VerifiedIdentity)", "False",
           lookalike_accepted, "escaped:Misuse"),
    Mutant("own signature", Handshake._signed, "verify(", "(lambda *_: None)(", device_signs_with_another_key, "refused:own-signature", "sent"),
    Mutant("own certificate", checks.usable_leaf, "leaf.key_usage_digital_signature is False", "False",
           own_certificate_unusable, "escaped:LocalError", "started"),
    Mutant("proof value", events.HandshakeDone.__post_init__, "made_by is not _MADE_BY_THE_MACHINE", "False",
           forged_proof_value, "escaped:Misuse", "HandshakeDone"),
    # binding: each thing that both sides saw
    Mutant("exporter", schedule.transcript_0, "binding.cb", "b''", relayed(cb=b"\x13" * 32), "refused:aead"),
    Mutant("offerer's fingerprint", schedule.transcript_0, "binding.fp_offer", "b''", relayed(fp_offer=b"\x13" * 32), "refused:aead"),
    Mutant("answerer's fingerprint", schedule.transcript_0, "binding.fp_answer", "b''", relayed(fp_answer=b"\x13" * 32), "refused:aead"),
    Mutant("offer", schedule.transcript_0, ", binding.offer", "", relayed(offer=b"other"), "refused:aead"),
    Mutant("answer", schedule.transcript_0, ", binding.answer", "", relayed(answer=b"other"), "refused:aead"),
    Mutant("invitation secret", schedule.early_secret, "contact_psk + inv_secret", "contact_psk",
           relayed(inv_secret=b"\x13" * 32), "refused:aead"),
]  # fmt: skip


@pytest.mark.parametrize("mutant", [pytest.param(mutant, id=mutant.name) for mutant in MUTANTS])
def test_the_check_is_what_stops_the_attack(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mutant.attack() == mutant.stopped
    monkeypatch.setattr(schedule, "_without_tag", without_tag, raising=False)
    mutate(monkeypatch, mutant.where, mutant.check, mutant.instead)
    assert mutant.attack() == mutant.loose


def test_what_is_not_in_the_table_is_what_stops_a_second_showing(monkeypatch):
    state = transitions.State.JUDGE_INITIATOR
    assert second_m3() == "asked 1 times"
    monkeypatch.setitem(transitions.TRANSITIONS, (state, transitions.Input.M3), state)
    assert second_m3() == "asked 2 times"


def test_roles_sign_under_different_contexts(monkeypatch):
    signed = {role: schedule.to_be_signed(role, bytes(32), b"same") for role in Role}
    assert len(set(signed.values())) == 2


def test_every_refusal_in_the_source_is_provoked_by_a_mutant():
    folder = Path(package.__file__).parent
    named = set()
    for file in folder.glob("*.py"):
        named |= set(re.findall(r'code="([a-z-]+)"', file.read_text()))
    provoked = {mutant.stopped.removeprefix("refused:") for mutant in MUTANTS}
    # Shown by their own tests: the table of transitions above; the two local ones end in LocalError by name.
    elsewhere = {"unexpected-message", "own-certificate", "contact-secret-missing", "unsupported-key"}
    assert named - provoked == elsewhere


def test_every_line_of_the_proof_checks_is_in_the_table():
    text = "".join(Path(module.__file__).read_text() for module in (checks,))
    calls = set(re.findall(r"^    (_check_\w+)\(", text, re.MULTILINE))
    assert calls == {found for mutant in MUTANTS for found in re.findall(r"_check_\w+", mutant.check)}
