# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from hardwire.app.certcheck import CheckInput, Profile, check, lines_of
from hardwire.certs import RevocationMaterial, RevocationMode, RevocationRules
from support import certchains as org
from support.certparts import NOW, Parts, build, tlv
from support.revocations import Crl, root_crl

CHAIN, ROOT = org.chain()
OFF = RevocationRules(RevocationMode.OFF)
GIVEN = CheckInput(tuple(CHAIN), (ROOT,), NOW, OFF)
ALONE = CheckInput((build(Parts()),), (), NOW, OFF)


def test_a_device_of_an_organisation() -> None:
    outcome = check(GIVEN)
    assert outcome.ok
    assert outcome.identity is not None
    assert outcome.identity.organisation == "Example Works"
    assert len(outcome.checks) == 10


def test_what_is_known_of_revocation_comes_out() -> None:
    material = RevocationMaterial((Crl().der(), root_crl().der()))
    outcome = check(replace(GIVEN, rules=RevocationRules(RevocationMode.REQUIRE), material=material))
    assert [fact.number for fact in outcome.revocation] == [5, 5]


def test_a_device_that_vouches_for_itself() -> None:
    for given in (ALONE, replace(ALONE, roots=ALONE.chain)):
        outcome = check(given)
        assert outcome.ok
        assert outcome.identity is not None
        assert outcome.identity.organisation is None
        assert len(outcome.checks) == 11


def test_a_device_that_vouches_for_itself_where_an_organisation_is_wanted() -> None:
    outcome = check(replace(ALONE, roots=(ROOT,)))
    assert outcome.refusal is not None
    assert outcome.refusal.code == "cert-chain"
    assert outcome.identity is None


def test_refusals_are_outcomes() -> None:
    for given, code in (
        (replace(GIVEN, chain=()), "cert-chain"),
        (replace(GIVEN, roots=(b"x",)), "cert-der"),
        (replace(GIVEN, roots=()), "cert-untrusted"),
        (replace(GIVEN, profile=Profile.PATH, chain=()), "cert-chain"),
        (replace(GIVEN, profile=Profile.PATH, chain=(b"x",)), "cert-der"),
        (replace(ALONE, chain=(b"x",)), "cert-der"),
    ):
        outcome = check(given)
        assert outcome.refusal is not None
        assert (outcome.refusal.code, outcome.ok) == (code, False)


def test_one_bad_root_among_good_ones() -> None:
    assert check(replace(GIVEN, roots=(b"x", ROOT))).ok


def test_a_path_proves_no_device() -> None:
    outcome = check(replace(GIVEN, profile=Profile.PATH))
    assert outcome.ok
    assert outcome.identity is None


def test_the_walk_in_words() -> None:
    lines = lines_of(check(replace(GIVEN, at=NOW.replace(year=2040))).checks)
    assert lines[0] == " 1  ok  one to four certificates, each well formed"
    assert lines[6].startswith(" 7  NO  everything in its time: the device's certificate expired at 2036-12-31")
    assert lines[9] == "10  -   the path, read by the second engine: not reached"


def test_a_device_has_to_carry_the_name_that_is_asked_for() -> None:
    named = org.device().with_(also={org.SAN: org.san_of(org.did_name(org.DEVICE_KEY), tlv(0x82, b"h.example"))})
    given = replace(GIVEN, chain=(named.der(), *CHAIN[1:]))
    assert check(replace(given, hostname="H.example")).ok
    for one in (replace(given, hostname="other.example"), replace(ALONE, hostname="h.example"), replace(given, hostname="\ud800")):  # fmt: skip
        outcome = check(one)
        assert outcome.refusal is not None
        assert (outcome.refusal.code, outcome.identity) == ("cert-host", None)
    expired = check(replace(given, hostname="other.example", at=NOW.replace(year=2040)))
    assert expired.refusal is not None
    assert expired.refusal.code == "cert-expired"
