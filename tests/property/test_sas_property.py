# SPDX-License-Identifier: Apache-2.0
"""A person in the middle against a short authentication string of 16 bits, with and without the commitment.

The string is cut to 16 bits here, in the test, so that an attack can be counted. Each leg's string is computed by
the real key schedule. What the attacker may choose at which time is what the order of the messages leaves it.
"""

from dataclasses import dataclass
from hashlib import shake_256

import pytest

from hardwire.handshake import checks
from hardwire.handshake.schedule import digest, master_secret, sas_octets, transcript_sas
from support.hbi1 import (
    ScriptedInitiator,
    ScriptedResponder,
    Twist,
    attack_responder,
    identity,
    initiator,
    responder,
    unchecked,
)
from support.mutation import mutate

BITS = 16
TRIALS = 200_000
CREDENTIAL = identity("mallory").credential.encode()
HONEST = identity("alice").credential.encode()


class Coins:
    """Reproducible coins, drawn in bulk because a draw is most of a trial."""

    def __init__(self, seed: str) -> None:
        self._seed, self._at, self._block = seed, 0, b""

    def octets(self, size: int) -> bytes:
        if self._at + size > len(self._block):
            self._seed += "+"
            self._block = shake_256(self._seed.encode()).digest(65_536)
            self._at = 0
        self._at += size
        return self._block[self._at - size : self._at]


@dataclass
class Leg:
    """One of the two connections, up to M2: everything but the initiator's nonce and credential is fixed."""

    master: bytes
    th2: bytes

    @classmethod
    def after_m2(cls, hs: bytes, th1: bytes, nonce_r: bytes) -> "Leg":
        th2c = digest(th1, nonce_r)
        return cls(master_secret(hs, th2c), digest(th2c, b"AuthR"))

    def short_string(self, nonce_i: bytes, credential: bytes) -> bytes:
        return sas_octets(self.master, transcript_sas(self.th2, nonce_i, credential))[: BITS // 8]


def attacker_as_initiator_first(coins: Coins) -> bool:
    """Against the responder everything is fixed first; then the honest initiator opens its commitment."""
    committed = coins.octets(32)
    target = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32)).short_string(committed, CREDENTIAL)
    chosen = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32))  # any M2: ground or not, it is blind
    return chosen.short_string(coins.octets(32), HONEST) == target


def attacker_as_responder_first(coins: Coins) -> bool:
    """The honest initiator is opened first; then the attacker must commit before the responder's nonce comes."""
    target = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32)).short_string(coins.octets(32), HONEST)
    committed = coins.octets(32)
    leg = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32))
    return leg.short_string(committed, CREDENTIAL) == target


@pytest.mark.parametrize("order", [attacker_as_initiator_first, attacker_as_responder_first])
def test_with_the_commitment_it_is_a_guess(order):
    coins = Coins(order.__name__)
    wins = sum(order(coins) for _ in range(TRIALS))
    expected = TRIALS / 2**BITS
    print(f"{order.__name__}: {wins} of {TRIALS}, {expected:.1f} expected")
    # A Poisson count of 16 or more, with 3 expected, has a probability below one in a million.
    assert wins < 16


def test_the_count_would_notice_a_weaker_string():
    """The same count at 8 bits, where a guess succeeds often: the measure works in both directions."""
    coins = Coins("eight bits")

    def guess() -> bool:
        left = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32)).short_string(coins.octets(32), HONEST)
        right = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32)).short_string(
            coins.octets(32), CREDENTIAL
        )
        return left[0] == right[0]

    wins = sum(guess() for _ in range(20_000))
    assert 78 * 0.5 < wins < 78 * 1.6


def grind(leg: Leg, target: bytes, coins: Coins, *, vary: str) -> tuple[bytes, bytes] | None:
    nonce, credential = coins.octets(32), CREDENTIAL
    for _ in range(1 << (BITS + 4)):
        if leg.short_string(nonce, credential) == target:
            return nonce, credential
        if vary == "nonce":
            nonce = coins.octets(32)
        else:
            credential = CREDENTIAL[:-1] + coins.octets(8)
    return None


@pytest.mark.parametrize("vary", ["nonce", "credential"])
def test_without_the_commitment_it_is_won_nearly_always(vary):
    """Nothing binds the nonce (or, with a commitment to the nonce only, the credential): the attacker picks last."""
    coins = Coins(vary)
    wins = 0
    for _ in range(3):
        target = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32)).short_string(
            coins.octets(32), HONEST
        )
        leg = Leg.after_m2(coins.octets(32), coins.octets(32), coins.octets(32))
        wins += grind(leg, target, coins, vary=vary) is not None
    assert wins == 3


# ---- the same with the real machines


def two_legs(twist: Twist):
    """Mallory between Alice and Bob, with an own valid identity on both legs; both legs' victims."""
    alice, mallory = initiator(identity("alice")), identity("mallory")
    alice.verify = unchecked
    leg_a = ScriptedResponder(mallory)
    (m1,) = alice.pump()
    (m3,) = alice.take(leg_a.m2(m1))
    alice.take(leg_a.m4(m3))
    return alice, attack_responder(twist, who=mallory)


def test_a_person_in_the_middle_shows_in_the_string():
    alice, bob = two_legs(Twist())
    assert (alice.outcome, bob.outcome) == ("accepted", "accepted")
    assert alice.done.sas != bob.done.sas
    assert alice.done.sas.decimal != bob.done.sas.decimal
    assert alice.done.sas.emoji != bob.done.sas.emoji


class Grinder(ScriptedInitiator):
    """An initiator that picks its nonce after it has seen the responder's."""

    target = b""

    def m3(self, data: bytes) -> bytes:
        super().m3(data)  # learns the keys and transcripts of this leg
        from hardwire.handshake.messages import M2

        m2 = M2.parse(data)
        th2c = digest(self.th1, m2.clear, m2.tag)
        leg = Leg(self.keys.master, digest(th2c, self.keys.responder.open(0, th2c, m2.sealed)))
        found = grind(leg, self.target, Coins("grinder"), vary="nonce")
        assert found is not None
        self.twist = Twist(nonce=lambda _committed: found[0])
        return super().m3(data)


def mallory_against_bob(target: bytes):
    bob = responder()
    bob.verify = unchecked
    bob.pump()
    mallory = Grinder(identity("mallory"))
    mallory.target = target
    (m2,) = bob.take(mallory.m1())
    bob.take(mallory.m3(m2))
    return bob


def test_the_commitment_check_is_what_stops_the_grinder(monkeypatch):
    alice, _ = two_legs(Twist())
    target = alice.done.sas.value[: BITS // 8]
    assert mallory_against_bob(target).outcome == "refused:commitment"
    mutate(monkeypatch, checks.initiator_proof, "_check_commitment(proof, commit)", "pass")
    bob = mallory_against_bob(target)
    assert bob.outcome == "accepted"
    assert bob.done.sas.value[: BITS // 8] == target
