# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app import organisations as module
from hardwire.app.organisations import (
    NOBODY,
    add_organisation,
    fits,
    load_organisations,
    names_of,
    with_authorities,
)
from hardwire.certs import Level, RevocationMode, Trust, verify_chain
from hardwire.errors import LocalError, PeerNotVerified, UsageError
from support.orgs import Org

ORG, OTHER = Org(), Org("Umbrella")
KEY = ec.generate_private_key(ec.SECP256R1())
POLICY = Level.ATTESTED.policy


def endorsement(*names: str, level: Level | None = None):
    chain = [ORG.issue(KEY, *names, level=level)]
    return verify_chain(chain, Trust((ORG.anchor,)), at=datetime.now(UTC)).endorsement


def write(home: Path, text: str) -> None:
    (home / "acme.pem").write_text(ORG.pem)
    (home / "both.pem").write_text(ORG.pem + OTHER.pem)
    (home / "device.pem").write_text(ORG.crl_pem())
    (home / "trust.toml").write_text(text)


def test_without_a_file_nobody_is_believed(tmp_path):
    assert load_organisations(tmp_path) is NOBODY


def test_everything_that_can_be_said(tmp_path):
    write(
        tmp_path,
        f"""
        members_only = true
        revocation = "require"
        max_age_days = 7
        clock_skew_seconds = 60
        [[organisation]]
        name = "our ACME"
        certificates = ["acme.pem"]
        names = ["*@example.org", "pump7.example.org"]
        level = "attested"
        policies = ["{POLICY}"]
        attested = true
        [[organisation]]
        certificates = ["both.pem"]
        """,
    )
    read = load_organisations(tmp_path)
    assert (read.members_only, read.skew) == (True, timedelta(seconds=60))
    assert (read.rules.mode, read.rules.max_age) == (RevocationMode.REQUIRE, timedelta(days=7))
    ours, others = read.members
    assert ours.anchors[0].name == "our ACME"
    assert (ours.names, ours.level, ours.policies, ours.attested) == (
        ("*@example.org", "pump7.example.org"), Level.ATTESTED, frozenset({POLICY}), True,
    )  # fmt: skip
    assert [anchor.name for anchor in others.anchors] == ["ACME", "Umbrella"]
    assert read.of(others.anchors[1]) is others
    assert len(read.anchors) == 3


def test_the_defaults(tmp_path):
    write(tmp_path, '[[organisation]]\ncertificates = ["acme.pem"]')
    read = load_organisations(tmp_path)
    assert (read.members_only, read.skew, read.rules.mode, read.rules.max_age) == (
        False, timedelta(0), RevocationMode.PREFER, None,
    )  # fmt: skip


@pytest.mark.parametrize("text", [
    "members_only = 1", "revocation = 'maybe'", "max_age_days = -1", "max_age_days = true", "max_age_days = 'x'",
    "clock_skew_seconds = 1.5", "nonsense = 1", "organisation = 3", "=", "[[organisation]]",
    "[[organisation]]\ncertificates = 'acme.pem'", "[[organisation]]\ncertificates = [1]",
    "[[organisation]]\ncertificates = ['none.pem']", "[[organisation]]\ncertificates = ['device.pem']",
    "[[organisation]]\ncertificates = ['acme.pem']\nlevel = 'high'",
    "[[organisation]]\ncertificates = ['acme.pem']\nnames = ['a*b']",
    "[[organisation]]\ncertificates = ['acme.pem']\nnames = ['*']",
    "[[organisation]]\ncertificates = ['acme.pem']\npolicies = ['x']",
    "[[organisation]]\ncertificates = ['acme.pem']\nname = 3",
    "[[organisation]]\ncertificates = ['acme.pem']\nattested = 'yes'",
    "[[organisation]]\ncertificates = ['acme.pem']\nwhat = 1",
])  # fmt: skip
def test_a_file_that_cannot_be_used(tmp_path, text):
    write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_organisations(tmp_path)
    assert caught.value.exit_code == 2


def test_too_many_authorities(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ANCHORS", 1)
    write(tmp_path, '[[organisation]]\ncertificates = ["both.pem"]')
    with pytest.raises(UsageError):
        load_organisations(tmp_path)


@pytest.mark.parametrize("pattern,name,fit", [
    ("*@example.org", "alice@example.org", True), ("*@example.org", "alice@evil.example.org", False),
    ("*@example.org", "alice@example.org.evil.net", False), ("*.example.org", "pump.example.org", True),
    ("*.example.org", "a.b.example.org", True), ("*.example.org", "example.org", False),
    ("*.example.org", "evilexample.org", False), ("pump.example.org", "PUMP.example.org", True),
    ("pump.example.org", "pump2.example.org", False), ("*@example.org", "@example.org", False),
    ("*.example.org", "mallory@pump.example.org", False), ("*.example.org", "a@b.example.org", False),
])  # fmt: skip
def test_patterns(pattern, name, fit):
    assert fits(pattern, name) is fit


def test_names_are_those_that_people_read():
    assert names_of(endorsement("alice@example.org", "pump7.example.org", "id:4711")) == (
        "alice@example.org", "pump7.example.org",
    )  # fmt: skip


@pytest.mark.parametrize("conditions,given,code", [
    ({}, {}, None),
    ({"level": Level.CLAIMED}, {"level": Level.ATTESTED}, None),
    ({"level": Level.ATTESTED}, {"level": Level.CLAIMED}, "peer-level"),
    ({"level": Level.SOFTWARE}, {}, "peer-level"),
    ({"policies": frozenset({POLICY})}, {"level": Level.ATTESTED}, None),
    ({"policies": frozenset({POLICY})}, {"level": Level.CLAIMED}, "peer-policy"),
])  # fmt: skip
def test_who_is_welcome(conditions, given, code):
    verdict(conditions, endorsement(**given), code)


@pytest.mark.parametrize("names,code", [((), "peer-name"), (("bob@evil.net",), "peer-name"),
                                        (("bob@evil.net", "bob@example.org"), None)])  # fmt: skip
def test_who_is_welcome_by_name(names, code):
    verdict({"names": ("*@example.org",)}, endorsement(*names), code)


def verdict(conditions, given, code) -> None:
    organisation = ORG.trusted(**conditions)
    if code is None:
        organisation.welcome(given)
        return
    with pytest.raises(PeerNotVerified) as caught:
        organisation.welcome(given)
    assert (caught.value.code, caught.value.exit_code) == (code, 20)
    assert caught.value.hint


def test_what_the_command_line_adds(tmp_path):
    write(tmp_path, 'revocation = "require"\nmax_age_days = 7')
    known = load_organisations(tmp_path)
    assert with_authorities(known, ()) == known
    wider = with_authorities(known, (tmp_path / "acme.pem",), members_only=True, mode="off")
    assert [anchor.name for anchor in wider.anchors] == ["ACME"]
    assert (wider.members_only, wider.rules.mode, wider.rules.max_age) == (True, RevocationMode.OFF, timedelta(days=7))
    with pytest.raises(UsageError):
        with_authorities(known, (tmp_path / "device.pem",))


def test_an_organisation_is_added(tmp_path):
    write(tmp_path, "members_only = true\n")
    anchor, path = add_organisation(tmp_path / "acme.pem", None, ("*@example.org",), attested=True, home=tmp_path)
    assert (anchor.name, path) == ("ACME", tmp_path / "trust.toml")
    read = load_organisations(tmp_path)
    assert read.members_only
    assert (read.members[0].names, read.members[0].attested) == (("*@example.org",), True)
    with pytest.raises(UsageError) as caught:
        add_organisation(tmp_path / "acme.pem", "again", home=tmp_path)
    assert caught.value.code == "trusted"
    with pytest.raises(UsageError):
        add_organisation(tmp_path / "both.pem", None, home=tmp_path)


def test_the_first_organisation(tmp_path):
    (tmp_path / "x.pem").write_text(OTHER.pem)
    home = tmp_path / "home"
    with pytest.raises(UsageError):
        add_organisation(tmp_path / "x.pem", None, ("a*b",), home=home)
    add_organisation(tmp_path / "x.pem", 'the "other" \u00fc', home=home)
    (one,) = load_organisations(home).members
    assert one.anchors[0].name == 'the "other" \u00fc'
    assert (one.names, one.attested) == ((), False)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "x.pem").write_text(OTHER.pem)
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o500)
    (tmp_path / "file").write_text("")
    with pytest.raises((LocalError, UsageError)):
        add_organisation(tmp_path / "x.pem", None, home=tmp_path / "file")
