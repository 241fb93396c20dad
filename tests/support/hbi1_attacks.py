# SPDX-License-Identifier: Apache-2.0
"""Attacks on the handshake, each a function that says in a word how it ended."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardwire.handshake import (
    Credential,
    HandshakeFailed,
    PeerPresented,
    SignatureNeeded,
    SignatureScheme,
    contact,
    events,
    signatures,
)
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

Attack = Callable[[], str]


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


def without_tag(key: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
    """AES-GCM's encryption without its authentication."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\x00\x00\x00\x02"))
    return cipher.decryptor().update(ciphertext[:-16])
