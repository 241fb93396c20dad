# SPDX-License-Identifier: Apache-2.0
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.attestation import Trust as DeviceTrust
from hardwire.app.crlstore import CrlStore
from hardwire.app.organisations import NOBODY, Organisation, Organisations
from hardwire.app.verdict import Verifier
from hardwire.certs import Level, RevocationMode, RevocationRules, make_self_signed, open_gate, read_crl, trust_anchor
from hardwire.errors import CertificateRefused, PeerError, PeerNotVerified
from hardwire.handshake import Credential
from support.orgs import DAY, Org, now

ORG, OTHER = Org(), Org("Umbrella")
KEY = ec.generate_private_key(ec.SECP256R1())
DEVICE = ORG.issue(KEY, "alice@example.org", level=Level.CLAIMED)
REQUIRE = RevocationRules(RevocationMode.REQUIRE)


@pytest.fixture
def store(tmp_path):
    return CrlStore(tmp_path)


def verifier(store=None, *orgs: Org, members_only: bool = False, rules=RevocationRules(), **conditions) -> Verifier:  # noqa: B008
    members = tuple(org.trusted(**conditions) for org in orgs or (ORG,))
    return Verifier(organisations=Organisations(members, members_only, rules), store=store)


def check(judge: Verifier, device=DEVICE, *, settled: bool = False, later: timedelta = timedelta(0)):
    return judge.check(Credential((device.der,)), device, datetime.now(UTC) + later, settled=settled)


def refusal(judge: Verifier, device=DEVICE, **options) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        check(judge, device, **options)
    assert caught.value.hint
    return caught.value


def personal():
    begin = now() - DAY
    return open_gate(make_self_signed(KEY, not_before=begin, not_after=begin + 9 * DAY, serial=3))


def test_a_member_is_known_by_its_organisation(store):
    found = check(verifier(store))
    assert found.peer.organisation == "ACME"
    assert found.organisation.anchors == (ORG.anchor,)
    assert (found.names, found.level) == (("alice@example.org",), "token, unproven")
    assert found.revocation == "not known to be revoked: nobody here knows"
    assert found.revocation_age is None


def test_a_device_that_vouches_for_itself(store):
    found = check(verifier(store), personal())
    assert (found.organisation, found.names, found.level, found.revocation) == (None, (), "", "")
    assert found.revocation_age is None


def test_nobody_is_trusted_here():
    problem = refusal(Verifier())
    assert (problem.code, problem.exit_code) == ("cert-untrusted", 20)
    assert "hardwire cert trust" in problem.hint
    assert Verifier().organisations is NOBODY


def test_another_organisation(store):
    problem = refusal(verifier(store, OTHER))
    assert problem.code == "cert-untrusted"
    assert "ACME" in problem.message


def test_an_expired_one(store):
    problem = refusal(verifier(store), ORG.issue(KEY, begins=-3 * DAY, ends=-DAY))
    assert (problem.code, problem.exit_code) == ("cert-expired", 50)


def test_the_age_of_a_list_is_known(store):
    store.keep(read_crl(ORG.crl(age=3 * DAY)), ORG.gated)
    found = check(verifier(store))
    assert found.revocation.startswith("not revoked, says the CRL number 1, ")
    assert 3 * 86400 <= found.revocation_age <= 3 * 86400 + 60


def test_an_old_list_says_how_old(store):
    store.keep(read_crl(ORG.crl(age=40 * DAY, life=30 * DAY)), ORG.gated)
    found = check(verifier(store))
    assert "40 d" in found.revocation
    assert found.revocation_age is None
    problem = refusal(verifier(store, rules=REQUIRE), settled=True)
    assert problem.code == "crl-expired"
    assert "40 d" in problem.message


def test_a_revoked_one(store):
    store.keep(read_crl(ORG.crl(DEVICE)), ORG.gated)
    problem = refusal(verifier(store))
    assert (problem.code, problem.exit_code) == ("cert-revoked", 50)


def test_require_waits_for_the_peers_lists(store):
    judge = verifier(store, rules=REQUIRE)
    assert check(judge).revocation_age is None
    assert refusal(judge, settled=True).code == "cert-revocation-unknown"
    assert judge.take((ORG.crl(number=4),), [ORG.gated]) == (
        "your peer brought a newer list of revoked certificates: number 4",
    )
    assert check(judge, settled=True).revocation_age is not None


def test_lists_that_do_not_count(store):
    judge = verifier(store)
    assert judge.take((ORG.crl(number=4), ORG.crl(number=4)), [ORG.gated])
    (older,) = judge.take((ORG.crl(number=3),), [ORG.gated])
    assert older == "your peer's list of revoked certificates is older, number 3; here it is 4"
    (forged,) = judge.take((Org("ACME").crl(number=9),), [ORG.gated])
    assert "is not used" in forged
    assert judge.take((OTHER.crl(),), [ORG.gated]) == ()
    assert "is not used" in judge.take((b"nonsense",), [ORG.gated])[0]
    assert [one.number for one in store.lists()] == [4]
    assert judge.take((b"nonsense",), []) == (), "whom nobody is believed about is not even read"
    assert verifier(None).take((ORG.crl(),), [ORG.gated]) == ()


def test_two_authorities_of_one_name(store):
    """A new key, or another organisation that is called the same: the list is taken under the key that signed it."""
    twin = Org("ACME")
    judge = verifier(store)
    assert judge.take((ORG.crl(number=4), twin.crl(number=2)), [twin.gated, ORG.gated])
    assert sorted(one.number for one in store.lists()) == [2, 4]


def test_what_was_seen_is_remembered(store):
    store.keep(read_crl(ORG.crl(number=6)), ORG.gated)
    check(verifier(store))
    assert set(store.memory().highest.values()) == {6}


def test_without_a_store():
    assert check(verifier(None)).revocation_age is None


@pytest.mark.parametrize("judge,device,code", [
    (verifier(None, members_only=True), personal(), "not-a-member"),
    (verifier(None, names=("*@other.org",)), DEVICE, "peer-name"),
    (verifier(None, level=Level.ATTESTED), DEVICE, "peer-level"),
    (verifier(None, attested=True), DEVICE, "attestation-missing"),
    (Verifier(DeviceTrust(require_attested=True)), personal(), "attestation-missing"),
])  # fmt: skip
def test_what_policy_asks_for(judge, device, code):
    found = check(judge, device)
    with pytest.raises(PeerNotVerified) as caught:
        judge.require(found)
    assert caught.value.code == code
    assert caught.value.hint


def test_who_is_welcome():
    for judge, device in ((verifier(None, members_only=True), DEVICE), (verifier(None), personal())):
        judge.require(check(judge, device))


VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "status.json").read_text())


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_status_in_the_credential(case):
    anchor = trust_anchor(bytes.fromhex(VECTORS["authority"]))
    judge = Verifier(organisations=Organisations((Organisation((anchor,)),)))
    credential = Credential.decode(bytes.fromhex(case["credential"]))
    leaf, at = open_gate(credential.leaf), datetime.fromisoformat(case["at"])
    if case["refused"]:
        with pytest.raises(PeerError) as caught:
            judge.check(credential, leaf, at)
        assert caught.value.code == case["refused"]
    else:
        (fact,) = judge.check(credential, leaf, at).peer.endorsement.revocation
        assert fact.source.value == case["known"]
