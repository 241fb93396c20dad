# SPDX-License-Identifier: Apache-2.0
"""Parties for handshake tests: software keys, counted signatures, and peers that can be told to misbehave."""

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hardwire.certs import (
    GatedCertificate,
    VerifiedIdentity,
    device_id,
    make_self_signed,
    open_gate,
    verify_self_signed,
)
from hardwire.certs.identity import prove
from hardwire.errors import HardwireError
from hardwire.handshake import (
    NO_SECRETS,
    Binding,
    ContactSecret,
    ContactSecrets,
    Credential,
    Event,
    HandshakeDone,
    HandshakeFailed,
    Initiator,
    PeerPresented,
    Responder,
    Role,
    SignatureNeeded,
    SignatureScheme,
    WaitingForPeer,
    scheme_for,
)
from hardwire.handshake.kem import XWing
from hardwire.handshake.messages import M1, M2, M3, M4, Proof, head_of
from hardwire.handshake.schedule import (
    HandshakeKeys,
    commitment,
    contact_tag,
    digest,
    early_secret,
    handshake_keys,
    handshake_secret,
    mac,
    to_be_signed,
    transcript_0,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "hbi1.json"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KEY_KINDS = ("p256", "p384", "rsa-pss", "rsa-pkcs1")


class CountedEntropy:
    """Different octets at each call, the same in each run."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = itertools.count()

    def octets(self, size: int) -> bytes:
        return hashlib.shake_256(f"{self._seed}/{next(self._count)}".encode()).digest(size)


class ScriptedEntropy:
    """Exactly these octets, in this order."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def octets(self, size: int) -> bytes:
        part = self._parts.pop(0)
        assert len(part) == size
        return part

    @property
    def used_up(self) -> bool:
        return not self._parts


class FixedKem(XWing):
    """Encapsulation with a known outcome."""

    def __init__(self, shared: bytes, ciphertext: bytes) -> None:
        self._outcome = shared, ciphertext

    def encapsulate(self, public: bytes, entropy: object) -> tuple[bytes, bytes]:
        return self._outcome


@dataclass(frozen=True)
class Identity:
    """A software key with its certificate."""

    key: Key = field(repr=False)
    credential: Credential = field(repr=False)
    scheme: SignatureScheme

    @property
    def leaf(self) -> GatedCertificate:
        return open_gate(self.credential.leaf)

    @property
    def device_id(self) -> bytes:
        return device_id(self.leaf.spki)

    def sign(self, tbs: bytes) -> bytes:
        return sign(self.key, self.scheme, tbs)


def sign(key: Key, scheme: int, tbs: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(tbs, ec.ECDSA(hashes.SHA384() if scheme == 0x0503 else hashes.SHA256()))
    if scheme == 0x0401:
        return key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(tbs, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


@cache
def software_key(kind: str, name: str) -> Key:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())


@cache
def identity(name: str, kind: str = "p256") -> Identity:
    key = software_key(kind, name)
    der = make_self_signed(key, not_before=START, not_after=END, serial=1 + len(name))
    scheme = SignatureScheme.RSA_PKCS1_SHA256 if kind == "rsa-pkcs1" else scheme_for(key.public_key())
    return Identity(key, Credential((der,)), scheme)


def verified(leaf: GatedCertificate) -> VerifiedIdentity:
    return verify_self_signed(leaf, at=NOW)


def unchecked(leaf: GatedCertificate) -> VerifiedIdentity:
    """For certificates outside the device profile: the vectors', and those made to be wrong in one way."""
    return prove(leaf, "did:key:test")


BINDING = Binding(b"offer", b"answer", b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"\x04" * 32)


@dataclass
class Party:
    """A real machine with a driver that signs and accepts at once."""

    machine: Initiator | Responder
    identity: Identity
    verify: Callable[[GatedCertificate], VerifiedIdentity] = verified
    events: list[Event] = field(default_factory=list)

    def pump(self, now: float = 0.0) -> list[bytes]:
        """Answer all questions; what is then to be sent."""
        while (event := self.machine.next_event()) is not None:
            self.events.append(event)
            match event:
                case SignatureNeeded(tbs):
                    self.machine.provide_signature(self.identity.sign(tbs), now)
                case PeerPresented(_, leaf):
                    self.machine.accept_peer(self.verify(leaf), now)
        out = []
        while (data := self.machine.data_to_send()) is not None:
            out.append(data)
        return out

    def take(self, data: bytes, now: float = 0.0) -> list[bytes]:
        self.machine.receive_data(data, now)
        return self.pump(now)

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def done(self) -> HandshakeDone | None:
        found = self.of(HandshakeDone)
        return found[0] if found and not self.failed else None

    @property
    def failed(self) -> HardwireError | None:
        found = self.of(HandshakeFailed)
        return found[0].error if found else None

    @property
    def signatures(self) -> int:
        return len(self.of(SignatureNeeded))

    @property
    def outcome(self) -> str:
        if self.failed:
            return f"refused:{self.failed.code}"
        return "accepted" if self.done else "waiting"


def initiator(who: Identity | None = None, binding: Binding = BINDING, *, seed: str = "i", **options: object) -> Party:
    who = who or identity("alice")
    options = {"entropy": CountedEntropy(seed), "now": 0.0, "scheme": who.scheme, **options}
    return Party(Initiator(binding, who.credential, **options), who)


def responder(who: Identity | None = None, binding: Binding = BINDING, *, seed: str = "r", **options: object) -> Party:
    who = who or identity("bob")
    options = {"entropy": CountedEntropy(seed), "now": 0.0, "scheme": who.scheme, **options}
    return Party(Responder(binding, who.credential, **options), who)


def converse(i: Party, r: Party, spoil: Callable[[int, bytes], bytes] = lambda _n, data: data) -> list[bytes]:
    """Carry messages both ways until nobody speaks; ``spoil(n, data)`` may change the n-th (from 0)."""
    carried: list[bytes] = []
    turn, other = i, r
    r.pump()
    pending = i.pump()
    while pending:
        carried += pending
        answers: list[bytes] = []
        for data in pending:
            answers += other.take(spoil(len(carried) - 1, data))
        pending = answers
        turn, other = other, turn
    return carried


def secrets_with(peer: Identity, secret: bytes = b"\x77" * 32, *, required: bool = False) -> ContactSecrets:
    return ContactSecrets((ContactSecret(peer.device_id, secret),), required)


# ---- peers that can be told to misbehave


def unchanged(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Twist:
    """What a scripted peer does differently from an honest one."""

    credential: bytes | None = None
    scheme: int | None = None
    tbs: Callable[[bytes], bytes] = unchanged
    finished: Callable[[bytes], bytes] = unchanged
    plaintext: Callable[[bytes], bytes] = unchanged
    sealed: Callable[[bytes], bytes] = unchanged
    ciphertext: Callable[[bytes], bytes] = unchanged
    public: Callable[[bytes], bytes] = unchanged
    nonce: Callable[[bytes], bytes] = unchanged
    """The nonce that is revealed, given the one committed to."""
    committed: bytes | None = None
    """The credential that is committed to, when it is another than the one shown."""
    confirm: Callable[[bytes], bytes] = unchanged


def flip(data: bytes, index: int = -1) -> bytes:
    changed = bytearray(data)
    changed[index] ^= 1
    return bytes(changed)


HONEST = Twist()


@dataclass
class Scripted:
    """A peer built from the schedule alone, without the machine."""

    who: Identity
    twist: Twist = HONEST
    binding: Binding = BINDING
    secret: bytes = bytes(32)

    def __post_init__(self) -> None:
        self.th0 = transcript_0(self.binding)
        self.es = early_secret(self.secret, self.binding.inv_secret)
        self.entropy = CountedEntropy("scripted")
        self.credential = self.twist.credential or self.who.credential.encode()

    def proof(self, role: Role, nonce: bytes, direction: object, transcript: bytes, th2c: bytes) -> bytes:
        twist = self.twist
        scheme = twist.scheme or self.who.scheme
        signature = sign(self.who.key, scheme, twist.tbs(to_be_signed(role, th2c, self.credential)))
        head = head_of(nonce, self.credential, scheme, signature)
        finished = twist.finished(direction.finish(transcript, head))
        return twist.plaintext(Proof(nonce, self.credential, scheme, signature, finished).encode())

    def tag(self, role: Role, transcript: bytes, clear: bytes) -> bytes:
        return contact_tag(self.es, role, transcript, clear) if any(self.secret) else self.entropy.octets(32)


@dataclass
class ScriptedResponder(Scripted):
    def m2(self, m1: bytes) -> bytes:
        th1 = digest(self.th0, m1)
        shared, ciphertext = XWing().encapsulate(M1.parse(m1).kem_public, self.entropy)
        bare = M2(self.twist.ciphertext(ciphertext), self.entropy.octets(32), b"", b"")
        bare = replace(bare, tag=self.tag(Role.RESPONDER, th1, bare.clear))
        th2c = digest(th1, bare.clear, bare.tag)
        self.keys = handshake_keys(handshake_secret(self.es, self.th0, shared), th2c)
        plaintext = self.proof(Role.RESPONDER, b"", self.keys.responder, th2c, th2c)
        self.th2 = digest(th2c, plaintext)
        return replace(bare, sealed=self.twist.sealed(self.keys.responder.seal(0, th2c, plaintext))).encode()

    def m4(self, m3: bytes) -> bytes:
        th3 = digest(self.th2, self.keys.initiator.open(0, self.th2, M3.parse(m3).sealed))
        confirmed = self.twist.confirm(mac(self.keys.done, th3))
        return M4(self.keys.responder.seal(1, th3, confirmed)).encode()


@dataclass
class ScriptedInitiator(Scripted):
    def m1(self) -> bytes:
        self.pair = XWing().generate(self.entropy)
        self.nonce = self.entropy.octets(32)
        bare = M1(
            self.twist.public(self.pair.public),
            commitment(self.nonce, self.twist.committed or self.credential),
            b"",
        )
        message = replace(bare, tag=self.tag(Role.INITIATOR, self.th0, bare.clear)).encode()
        self.th1 = digest(self.th0, message)
        return message

    def m3(self, data: bytes) -> bytes:
        m2 = M2.parse(data)
        th2c = digest(self.th1, m2.clear, m2.tag)
        shared = self.pair.decapsulate(m2.kem_ciphertext)
        self.keys: HandshakeKeys = handshake_keys(handshake_secret(self.es, self.th0, shared), th2c)
        th2 = digest(th2c, self.keys.responder.open(0, th2c, m2.sealed))
        plaintext = self.proof(Role.INITIATOR, self.twist.nonce(self.nonce), self.keys.initiator, th2, th2c)
        return M3(self.twist.sealed(self.keys.initiator.seal(0, th2, plaintext))).encode()


def attack_initiator(
    twist: Twist = HONEST, who: Identity | None = None, secret: bytes = bytes(32), **options: object
) -> Party:
    """An honest initiator against a scripted responder; the initiator when it is over."""
    victim = initiator(**options)
    victim.verify = unchecked
    attacker = ScriptedResponder(who or identity("mallory"), twist, secret=secret)
    (m1,) = victim.pump()
    for m3 in victim.take(attacker.m2(m1)):
        assert victim.take(attacker.m4(m3)) == []
    return victim


def attack_responder(
    twist: Twist = HONEST, who: Identity | None = None, secret: bytes = bytes(32), **options: object
) -> Party:
    """An honest responder against a scripted initiator; the responder when it is over."""
    victim = responder(**options)
    victim.verify = unchecked
    attacker = ScriptedInitiator(who or identity("mallory"), twist, secret=secret)
    victim.pump()
    for m2 in victim.take(attacker.m1()):
        victim.take(attacker.m3(m2))
    return victim


# ---- the vectors


@cache
def vectors() -> tuple[dict[str, object], ...]:
    return tuple(json.loads(VECTORS.read_text()))


def octets(vector: dict[str, object], name: str) -> bytes:
    value = vector[name]
    return bytes(32) if value is None else bytes.fromhex(str(value))


def vector_binding(vector: dict[str, object]) -> Binding:
    names = ("offer_blob", "answer_blob", "fp_offer", "fp_answer", "cb", "inv_secret")
    return Binding(*(octets(vector, name) for name in names))


def vector_secrets(vector: dict[str, object], peer: str) -> ContactSecrets:
    if vector["contact_psk"] is None:
        return NO_SECRETS
    leaf = open_gate(Credential.decode(octets(vector, peer)).leaf)
    return ContactSecrets((ContactSecret(device_id(leaf.spki), octets(vector, "contact_psk")),))


def waited_for(party: Party) -> list[str]:
    return [event.what.name for event in party.of(WaitingForPeer)]
