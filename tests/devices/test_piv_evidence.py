# SPDX-License-Identifier: Apache-2.0
"""The virtual card's attestation, asked through each module, and judged."""

import datetime as dt
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import Attester, DeviceMissing, EvidenceRefused, KeyClosed, Unsupported, capability, open_key
from hwkeys.evidence import PinPolicy, PivEvidence, TouchPolicy, UsePolicy, verify_piv_attestation
from support.evidence import Authority
from support.hwbench import Asked, right
from support.hwpiv import PivBench
from support.virtualpiv import PIN, VirtualPiv

SHA256 = ec.ECDSA(hashes.SHA256())
MODULES = [
    pytest.param("opensc", marks=pytest.mark.device("piv-opensc")),
    pytest.param("ykcs11", marks=pytest.mark.device("piv-ykcs11")),
]


@pytest.fixture(params=MODULES)
def piv(request: pytest.FixtureRequest) -> Iterator[PivBench]:
    bench = PivBench(request.param)
    yield bench
    bench.card.pull()


def judged(piv: PivBench, evidence: PivEvidence, public_key, slot: str = "9a"):
    root = x509.load_pem_x509_certificate(piv.card.attest(slot)[2].encode())
    at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    return verify_piv_attestation(PivEvidence.decode(evidence.encode()), public_key=public_key, roots=[root], at=at)


@pytest.mark.parametrize("slot", ["9a", "9d"])
def test_the_cards_attestation_is_about_the_key_that_is_open(piv, slot):
    with open_key(piv.uri(slot), prompter=right(piv)) as key:
        evidence = capability(key, Attester).attest(bytes(32))
        proved = judged(piv, evidence, key.public_key(), slot)
        assert (proved.serial, proved.model) == (piv.card.serial, "YubiKey 5")
        assert key.device.policy == UsePolicy(proved.pin_policy, proved.touch_policy)
        roots = [Authority.root().certificate]
        with pytest.raises(EvidenceRefused):
            verify_piv_attestation(evidence, public_key=key.public_key(), roots=roots, at=dt.datetime.now(dt.UTC))
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        with pytest.raises(EvidenceRefused):
            judged(piv, evidence, other, slot)


def test_it_needs_no_pin_and_ends_no_login(piv):
    with open_key(piv.uri("alice")) as locked:
        assert judged(piv, locked.attest(b"nonce"), locked.public_key())
    assert piv.card.spent == 0
    asked = Asked(PIN)
    with open_key(piv.uri("alice"), prompter=asked) as key:
        for _ in range(3):
            key.sign(b"x", SHA256)
            key.attest(b"nonce")
        spent = piv.card.spent
        key.sign(b"x", SHA256)
        key.attest(b"nonce")
        key.sign(b"x", SHA256)
        assert (len(asked.requests), piv.card.spent) == (1, spent)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("kind", ["P384", "RSA2048"])
def test_other_kinds_of_keys_are_attested_too(module, kind):
    piv = PivBench(module, kind=kind)
    with open_key(piv.uri("alice"), prompter=right(piv)) as key:
        assert judged(piv, capability(key, Attester).attest(b"nonce"), key.public_key())
    piv.card.pull()


@pytest.mark.parametrize("module", MODULES)
def test_a_key_that_was_brought_to_the_card_says_so(module):
    card = VirtualPiv()
    card.place("9a", generated=False)
    card.place("9d", generated=False, touch=3)
    piv = PivBench(module, card=card)
    with open_key(piv.uri("alice"), prompter=right(piv)) as key:
        with pytest.raises(Unsupported, match="cannot attest") as refused:
            key.attest(b"nonce")
        assert "generated in it" in refused.value.hint
        assert key.sign(b"x", SHA256)
    card.pull()


@pytest.mark.parametrize("module", MODULES)
def test_the_policy_is_the_keys_own(module):
    card = VirtualPiv()
    card.place("9a", touch=2)
    card.place("9c")
    card.place("9d", touch=3, pin=1)
    piv = PivBench(module, card=card)
    expected = {
        "9a": UsePolicy(PinPolicy.ONCE, TouchPolicy.ALWAYS),
        "9c": UsePolicy(PinPolicy.ALWAYS, TouchPolicy.NEVER),
        "9d": UsePolicy(PinPolicy.NEVER, TouchPolicy.CACHED),
    }
    for slot, policy in expected.items():
        with open_key(piv.uri(slot)) as locked:
            assert locked.device.policy is None
        with open_key(piv.uri(slot), prompter=right(piv)) as key:
            assert key.device.policy == policy
    card.pull()


def test_a_card_that_was_out_attests_when_it_is_back(piv):
    with piv.make("alice", right(piv)) as key:
        assert key.certificate() is not None
        piv.card.pull()
        with pytest.raises(DeviceMissing):
            key.attest(b"nonce")
        piv.card.insert()
        assert judged(piv, key.attest(b"nonce"), key.public_key())
        assert key.certificate() is not None
        piv.card.pull()
        piv.card.insert()
        assert key.certificate() is not None
        assert judged(piv, key.attest(b"nonce"), key.public_key())
        assert key.sign(b"x", SHA256)


def test_a_closed_key_attests_nothing_and_takes_no_hold_of_the_card(piv):
    key = piv.make("alice", right(piv))
    sessions = key._held.login.module.sessions
    key.close()
    for ask in (key.certificate, lambda: key.attest(b"nonce")):
        with pytest.raises(KeyClosed):
            ask()
    assert len(sessions) == 0


@pytest.mark.parametrize("nonce", [b"", bytes(33)], ids=len)
def test_a_nonce_that_no_device_would_take(piv, nonce):
    with open_key(piv.uri("alice")) as key, pytest.raises(Unsupported, match="1 to 32"):
        key.attest(nonce)
