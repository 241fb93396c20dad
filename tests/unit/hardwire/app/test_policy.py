# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.attestation import NO_TRUST, Authorities, Trust
from hardwire.app.crlstore import CrlStore
from hardwire.app.events import Notice, PeerSeen, RevocationJudged
from hardwire.app.identity import make_identity
from hardwire.app.membership import Membership
from hardwire.app.organisations import Organisations
from hardwire.app.policy import PeerPolicy, check_expected
from hardwire.app.verdict import Verifier
from hardwire.certs import (
    Assurance,
    BlobType,
    Evidence,
    RevocationMode,
    RevocationRules,
    encode_claim,
    make_self_signed,
    open_gate,
    read_crl,
)
from hardwire.certs.did import did_key
from hardwire.errors import CertificateRefused, IdentityChanged, Misuse, PeerError, PeerNotVerified, UsageError
from hardwire.handshake import Credential, Role, safety_number
from support.evidence import SoftCard
from support.orgs import Org
from support.people import Person

DAY = timedelta(days=1)


class Peer:
    """What a peer shows, valid from ``begins`` to ``ends`` days from now."""

    def __init__(
        self,
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
        attestations: tuple[bytes, ...] = (),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> None:
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC).replace(microsecond=0)
        certificate = make_self_signed(key, not_before=now + begins, not_after=now + ends, serial=7)
        self.did = did_key(key.public_key())
        self.leaf = open_gate(certificate)
        self.credential = Credential((certificate,), attestations)


@pytest.fixture
def me(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    return make_identity(key, key_uri="pkcs11:token=me", device="me", assurance=Assurance.SOFTWARE_TOKEN, home=tmp_path)


def policy(me, person: Person, expected: str | None = None, trust: Trust = NO_TRUST) -> PeerPolicy:
    return PeerPolicy(me, expected, person.emit, person.accept_inviter, Verifier(trust))


async def refusal(kind, decide: PeerPolicy, peer: Peer, role: Role = Role.INITIATOR):
    with pytest.raises(kind) as caught:
        await decide(peer.credential, peer.leaf, role)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("role,questions", [(Role.INITIATOR, 1), (Role.RESPONDER, 0)])
async def test_the_joiner_is_asked_and_the_inviter_is_not(me, role, questions):
    person, peer = Person(), Peer(attestations=(encode_claim(Assurance.TOKEN_CLAIMED),))
    verified = await policy(me, person)(peer.credential, peer.leaf, role)
    assert verified.did == peer.did
    (seen,) = person.events
    assert person.asked == [seen] * questions
    assert (seen.did, seen.device_id, seen.pinned) == (peer.did, verified.device_id.hex(), False)
    assert seen.assurance == "token, unproven"
    assert seen.safety_number == safety_number(peer.leaf.spki, me.own.spki)


@pytest.mark.parametrize("role", list(Role))
async def test_the_expected_peer_needs_no_question(me, role):
    person, peer = Person(accepts=False), Peer()
    await policy(me, person, peer.did)(peer.credential, peer.leaf, role)
    assert person.asked == []
    assert person.events[0].pinned


@pytest.mark.parametrize("role", list(Role))
async def test_another_key_than_expected(me, role):
    person, peer = Person(), Peer()
    problem = await refusal(IdentityChanged, policy(me, person, me.own.did), peer, role)
    assert problem.exit_code == 21
    assert problem.evidence == {"wanted": me.own.did, "got": peer.did}
    assert person.asked == [], "nobody is asked to accept somebody else"
    assert not person.events[0].pinned


async def test_an_inviter_who_is_not_accepted(me):
    problem = await refusal(PeerNotVerified, policy(me, Person(accepts=False)), Peer())
    assert problem.exit_code == 20
    assert "nothing about you was shown" in problem.message


async def test_a_chain_is_refused_before_anything_is_shown(me):
    person, peer = Person(), Peer()
    peer.credential = Credential(peer.credential.certificates * 2)
    problem = await refusal(CertificateRefused, policy(me, person), peer)
    assert (problem.code, problem.exit_code) == ("cert-untrusted", 20)
    assert person.events == []


async def test_an_expired_certificate(me):
    person = Person()
    problem = await refusal(CertificateRefused, policy(me, person), Peer(-2 * DAY, -timedelta(hours=2)))
    assert (problem.code, problem.exit_code) == ("cert-expired", 50)
    assert person.events == []


async def test_a_clock_that_is_two_hours_off(me):
    problem = await refusal(CertificateRefused, policy(me, Person()), Peer(timedelta(hours=2)))
    assert problem.code == "cert-not-yet-valid"
    assert "the clock here says" in problem.message
    assert "clock" in problem.hint
    assert -7201 <= int(problem.evidence["clock_offset"].split()[0]) <= -7190


async def test_a_claim_that_nobody_can_read(me):
    person, peer = Person(), Peer(attestations=(b"\x00\x01",))
    with pytest.raises(PeerError):
        await policy(me, person)(peer.credential, peer.leaf, Role.INITIATOR)
    assert person.events == []


CLAIM = encode_claim(Assurance.TOKEN_CLAIMED)


@pytest.fixture
def card() -> tuple[Peer, Trust]:
    """A peer with a card that was made now, and whoever believes its maker."""
    now = datetime.now(UTC)
    made = SoftCard(after=now - DAY, before=now + DAY)
    proof = Evidence(BlobType.PIV, made.evidence(after=now - DAY, before=now + DAY).encode()).encode()
    peer = Peer(attestations=(CLAIM, proof), key=made.key)
    return peer, Trust(Authorities((made.maker.certificate,)), require_attested=True)


@pytest.mark.parametrize("role", list(Role))
async def test_a_device_that_was_proved(me, card, role):
    peer, trust = card
    person = Person()
    await policy(me, person, trust=trust)(peer.credential, peer.leaf, role)
    (seen,) = person.events
    assert (seen.assurance, seen.attested, seen.attested_by) == ("YubiKey 5 (attested)", True, "maker")
    assert "serial 12345678" in seen.facts


@pytest.mark.parametrize("role", list(Role))
async def test_proof_that_is_not_accepted_is_told_and_leaves_the_claim(me, card, role):
    peer, _ = card
    person = Person()
    await policy(me, person)(peer.credential, peer.leaf, role)
    seen, notice = person.events
    assert isinstance(seen, PeerSeen)
    assert (seen.assurance, seen.attested, seen.attested_by, seen.facts) == ("token, unproven", False, "", ())
    assert isinstance(notice, Notice)
    assert "not accepted" in notice.text
    assert "configured root" in notice.text


@pytest.mark.parametrize("role", list(Role))
async def test_proof_is_required_before_anybody_is_asked(me, card, role):
    _, trust = card
    for attestations, code in (
        ((CLAIM,), "attestation-missing"),
        ((encode_claim(Assurance.SOFTWARE_TOKEN),), "attestation-software"),
        (card[0].credential.attestations, "attestation-refused"),  # of another key
    ):
        person, peer = Person(), Peer(attestations=attestations)
        problem = await refusal(PeerNotVerified, policy(me, person, trust=trust), peer, role)
        assert (problem.code, problem.exit_code) == (code, 20)
        assert person.asked == [], "this side has shown nothing of itself"
    pinned = Peer(attestations=(CLAIM,))
    await refusal(PeerNotVerified, policy(me, Person(), pinned.did, trust), pinned, role)


def test_what_can_be_expected(me):
    assert check_expected(None) is None
    assert check_expected(me.own.did) == me.own.did


@pytest.mark.parametrize("wrong", ["", "alice", "did:web:example.org", "did:key:z", "did:key:zDnaeBroken0"])
def test_what_cannot_be_expected(wrong):
    with pytest.raises(UsageError) as caught:
        check_expected(wrong)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith("--peer: ")
    assert "hardwire id" in caught.value.hint


ORG, OTHER = Org(), Org("Umbrella")


class Member(Peer):
    """What a member of ``ORG`` shows."""

    def __init__(self, *names: str, org: Org = ORG) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.did = did_key(key.public_key())
        self.leaf = org.issue(key, *names)
        self.credential = Credential((self.leaf.der,), (encode_claim(Assurance.TOKEN_CLAIMED),))


def held(store: CrlStore, org: Org) -> bytes:
    (one,) = store.of_issuers([org.gated.shape.subject])
    return one.der


def trusting(me, person: Person, store=None, expected: str | None = None, **changes) -> PeerPolicy:
    known = Organisations((ORG.trusted(),), **changes)
    return PeerPolicy(me, expected, person.emit, person.accept_inviter, Verifier(organisations=known, store=store))


@pytest.mark.parametrize("role", list(Role))
async def test_a_member_needs_no_question(me, role):
    person, peer = Person(accepts=False), Member("alice@example.org")
    verified = await trusting(me, person)(peer.credential, peer.leaf, role)
    assert verified.organisation == "ACME"
    (seen,) = person.events
    assert (seen.organisation, seen.names, seen.pinned) == ("ACME", ("alice@example.org",), False)
    assert "nobody here knows" in seen.revocation
    assert person.asked == []


async def test_a_member_who_is_not_the_expected_one(me):
    person, peer = Person(), Member()
    await refusal(IdentityChanged, trusting(me, person, expected=me.own.did), peer)


async def test_only_members(me):
    person = Person()
    problem = await refusal(PeerNotVerified, trusting(me, person, members_only=True), Peer())
    assert problem.code == "not-a-member"
    assert person.asked == []


async def test_lists_of_both_organisations_are_shown_and_no_others(me, tmp_path):
    store, person, peer = CrlStore(tmp_path / "r"), Person(), Member()
    third = Org("Third")
    for org in (ORG, OTHER, third):
        store.keep(read_crl(org.crl()), org.gated)
    policy = trusting(me, person, store)
    assert policy.show() == (), "nobody was seen yet"
    await policy(peer.credential, peer.leaf, Role.INITIATOR)
    assert policy.show() == (held(store, ORG),)
    policy = trusting(me, person, store)
    policy.membership = Membership((Member(org=OTHER).leaf,))
    await policy(peer.credential, peer.leaf, Role.INITIATOR)
    assert set(policy.show()) == {held(store, ORG), held(store, OTHER)}


@pytest.mark.parametrize("limit,value", [("OCTETS_MAX", 10), ("LISTS_MAX", 0)])
async def test_not_more_lists_than_may_be_shown(me, tmp_path, monkeypatch, limit, value):
    store, person, peer = CrlStore(tmp_path / "r"), Person(), Member()
    store.keep(read_crl(ORG.crl()), ORG.gated)
    monkeypatch.setattr(f"hardwire.app.policy.{limit}", value)
    policy = trusting(me, person, store)
    await policy(peer.credential, peer.leaf, Role.INITIATOR)
    assert policy.show() == ()


async def test_a_stranger_is_shown_no_lists(me, tmp_path):
    store, person, peer = CrlStore(tmp_path / "r"), Person(), Peer()
    store.keep(read_crl(ORG.crl()), ORG.gated)
    policy = trusting(me, person, store)
    await policy(peer.credential, peer.leaf, Role.INITIATOR)
    assert policy.show() == ()
    await policy.judge((ORG.crl(number=9),))
    assert [one.number for one in store.lists()] == [9], "what an authority signed counts, whoever brings it"
    assert not person.all(RevocationJudged)


async def test_a_list_that_the_peer_brings_takes_its_certificate_back(me, tmp_path):
    store, person, peer = CrlStore(tmp_path / "r"), Person(), Member()
    policy = trusting(me, person, store)
    await policy(peer.credential, peer.leaf, Role.INITIATOR)
    with pytest.raises(CertificateRefused) as caught:
        await policy.judge((ORG.crl(peer.leaf, number=2),))
    assert (caught.value.code, caught.value.exit_code) == ("cert-revoked", 50)


async def test_a_list_that_the_peer_brings_is_said_and_kept(me, tmp_path):
    store, person, peer = CrlStore(tmp_path / "r"), Person(), Member()
    policy = trusting(me, person, store, rules=RevocationRules(RevocationMode.REQUIRE))
    await policy(peer.credential, peer.leaf, Role.RESPONDER)
    await policy.judge((ORG.crl(number=2),))
    assert [one.number for one in store.lists()] == [2]
    assert any("newer list" in notice.text for notice in person.all(Notice))
    (judged,) = person.all(RevocationJudged)
    assert judged.age >= 86400
    assert "number 2" in judged.revocation


async def test_nothing_is_judged_before_it_was_seen(me):
    with pytest.raises(Misuse):
        await trusting(me, Person()).judge(())
