# SPDX-License-Identifier: Apache-2.0
"""Each check of docs/protocol.md §11 is taken out of the code, and the attack it stops then succeeds.

A row says: with the code as it is the attack ends in ``stopped``; without the check it ends in ``loose``. Both are
run. The last tests make sure that no check is missing from the table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import hardwire.handshake as package
from hardwire.handshake import (
    Credential,
    HandshakeFailed,
    PeerPresented,
    Role,
    SignatureNeeded,
    SignatureScheme,
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
    BINDING,
    END,
    START,
    Identity,
    Twist,
    attack_initiator,
    attack_responder,
    converse,
    flip,
    identity,
    initiator,
    responder,
    secrets_with,
    software_key,
    verified,
)
from support.mutation import mutate

Attack = Callable[[], str]


@dataclass(frozen=True)
class Mutant:
    name: str
    where: Callable[..., Any]
    check: str
    instead: str
    attack: Attack
    stopped: str
    loose: str = "accepted"


# ---- attacks


def on_initiator(twist: Twist = Twist(), **options: object) -> Attack:  # noqa: B008
    return lambda: attack_initiator(twist, **options).outcome


def on_responder(twist: Twist = Twist(), **options: object) -> Attack:  # noqa: B008
    return lambda: attack_responder(twist, **options).outcome


def certificate_without_signing() -> Identity:
    key = software_key("p256", "no signing")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "no signing")])
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(END)
        .add_extension(x509.KeyUsage(key_agreement=True, **usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(key, Credential((certificate.public_bytes(Encoding.DER),)), SignatureScheme(0x0403))


NO_SIGNING = certificate_without_signing()
OTHER_CREDENTIAL = identity("somebody else").credential.encode()
TRAILING = identity("mallory").credential.encode() + b"\x00"


def second_m3() -> str:
    """How often a person is asked to judge an initiator that shows itself twice."""
    victim, attacker = responder(), initiator()
    victim.pump()
    (m3,) = attacker.take(victim.take(attacker.pump()[0])[0])
    asked = 0
    for _ in range(2):
        victim.machine.receive_data(m3, 0.0)
        while (event := victim.machine.next_event()) is not None:
            asked += isinstance(event, PeerPresented)
    return f"asked {asked} times"


def flipped_m4() -> str:
    i, r = initiator(), responder()
    converse(i, r, lambda n, data: flip(data) if n == 3 else data)
    return i.outcome


def m1_too_long() -> str:
    victim = responder()
    victim.take(initiator().pump()[0] + b"\x00")
    return victim.outcome


def wrong_kind() -> str:
    victim = responder()
    victim.take(b"\x05" + bytes(1280))
    return victim.outcome


def low_order_ciphertext() -> str:
    return escaping(on_initiator(Twist(ciphertext=lambda ct: ct[:1088] + bytes(32))))


def mlkem_key_out_of_range() -> str:
    return escaping(on_responder(Twist(public=lambda pk: b"\xff" * 1184 + pk[1184:])))


def escaping(attack: Attack) -> str:
    try:
        return attack()
    except Exception as error:  # noqa: BLE001
        return f"escaped:{type(error).__name__}"


def stranger_asks_known_contacts_only() -> str:
    """What a responder that is there for known contacts only does on a stranger's M1."""
    victim = responder(secrets=secrets_with(identity("alice"), required=True))
    victim.take(initiator(identity("mallory")).pump()[0])
    return "shown" if victim.signatures else victim.outcome


def stranger_answers_hidden() -> str:
    """Whether an initiator that hides from all but its contact shows itself to a stranger."""
    victim = attack_initiator(secrets=secrets_with(identity("bob"), required=True))
    return "shown" if victim.signatures else victim.outcome


def peer_forgot_the_secret() -> str:
    """A responder that was reset: the initiator goes on without the secret."""
    i, r = initiator(secrets=secrets_with(identity("bob"))), responder()
    converse(i, r)
    return i.outcome


def late(machine_of: str) -> Attack:
    def attack() -> str:
        i, r = initiator(), responder()
        r.pump()
        (m2,) = r.take(i.pump()[0], 1.0)
        if machine_of == "i":
            i.take(m2, 121.0)
            return "went on" if i.of(PeerPresented) else i.outcome
        (m3,) = i.take(m2, 2.0)
        r.take(m3, 302.0)
        return "went on" if r.of(PeerPresented) else r.outcome

    return attack


def wrong_identity_accepted() -> str:
    victim = initiator()
    victim.verify = lambda _leaf: verified(identity("somebody else").leaf)
    return escaping(lambda: converse(victim, responder()) and victim.outcome)


def lookalike_accepted() -> str:
    victim = initiator()
    victim.verify = lambda leaf: SimpleNamespace(certificate=leaf)
    return escaping(lambda: converse(victim, responder()) and victim.outcome)


def device_signs_with_another_key() -> str:
    victim = responder()
    victim.identity = replace(victim.identity, key=software_key("p256", "another slot"))
    sent = victim.take(initiator().pump()[0])
    return "sent" if sent else victim.outcome


def speaks_after_death() -> str:
    victim = initiator()
    victim.machine.next_event()
    victim.machine.receive_data(b"nonsense", 0.0)
    return "spoke" if victim.machine.data_to_send() else "silent"


def asks_after_death() -> str:
    victim = responder()
    victim.machine.receive_data(initiator().pump()[0], 0.0)
    victim.machine.receive_data(b"nonsense", 0.0)
    kinds = []
    while (event := victim.machine.next_event()) is not None:
        kinds.append(type(event))
    return "asked" if SignatureNeeded in kinds else f"{kinds.count(HandshakeFailed)} failure"


def second_failure() -> str:
    victim = responder()
    for _ in range(2):
        victim.take(b"nonsense")
    return f"{len(victim.of(HandshakeFailed))} told"


def forged_proof_value() -> str:
    i, r = initiator(), responder()
    converse(i, r)
    fields = {name: getattr(i.done, name) for name in i.done.__slots__}
    return escaping(lambda: type(events.HandshakeDone(**fields, made_by=object())).__name__)


def hidden_without_secret() -> str:
    return escaping(lambda: initiator(secrets=contact.ContactSecrets(required=True)).pump() and "shown")


def two_secrets() -> str:
    both = secrets_with(identity("bob")).secrets + secrets_with(identity("mallory")).secrets
    return escaping(lambda: initiator(secrets=contact.ContactSecrets(both)).pump() and "one was chosen")


def relayed(**seen_by_initiator: bytes) -> Attack:
    """A relay that ends DTLS on both legs and passes the inner messages through: each leg looks different."""

    def attack() -> str:
        i, r = initiator(binding=replace(BINDING, **seen_by_initiator)), responder()
        converse(i, r)
        assert i.outcome == "accepted" or (i.failed and not r.done)
        return i.outcome

    return attack


def own_key_too_long() -> str:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 4103) + 1)
    return ",".join(scheme.name for scheme in signatures.schemes_of(numbers.public_key())) or "none"


def own_certificate_unusable() -> str:
    return escaping(lambda: initiator(NO_SIGNING).pump() and "started")


def other_session(tbs: bytes) -> bytes:
    return flip(tbs, 90)


def padded_twice(plaintext: bytes) -> bytes:
    return plaintext + bytes(1024)


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


def without_tag(key: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
    """AES-GCM's encryption without its authentication."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\x00\x00\x00\x02"))
    return cipher.decryptor().update(ciphertext[:-16])


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
