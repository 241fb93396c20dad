# SPDX-License-Identifier: Apache-2.0
from hashlib import sha256

import pytest

from hardwire.app.pem import CERTIFICATE, REQUEST, only, to_pem
from hardwire.certs import Grant, Period, issue_device, parse_name, read_request
from support.commands import ran
from support.orgs import DAY, Org, now

pytestmark = pytest.mark.device("softhsm")


def test_a_request(me, tmp_path):
    path = tmp_path / "me.csr"
    made = ran("cert", "request", "--name", "alice@example.org", "--out", path)
    assert made.code == 0, made.err
    assert "without proof that the key is in hardware" in made.err
    (der,) = only(path, REQUEST)
    asked = read_request(der)
    assert (asked.did, [name.text for name in asked.names]) == (me.own.did, ["alice@example.org"])
    again = ran("cert", "request", "--out", path)
    assert (again.code, "exists already" in again.err) == (2, True)


def test_on_stdout_and_as_an_event(me):
    made = ran("cert", "request")
    assert made.out.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    (event,) = ran("cert", "request", "--json").events
    assert (event["did"], event["evidence"]) == (me.own.did, False)


def test_a_name_that_is_none(me):
    assert ran("cert", "request", "--name", "*.example.org").code == 2


def test_no_identity(home):
    assert ran("cert", "request").code == 10


ORG = Org()


@pytest.fixture
def member(me, home, tmp_path):
    """A request that ORG has certified, and ORG's own certificate."""
    asked = read_request(only_request(tmp_path))
    period = Period(now() - DAY, now() + 30 * DAY)
    grant = Grant(0x77, period, (parse_name("alice@example.org"),))
    der = issue_device(asked, grant, authority=ORG.gated, key=ORG.key)
    (tmp_path / "me.pem").write_text(to_pem(CERTIFICATE, der))
    (tmp_path / "acme.pem").write_text(ORG.pem)
    (tmp_path / "1.crl").write_text(ORG.crl_pem(number=1))
    (tmp_path / "2.crl").write_text(ORG.crl_pem(number=2))
    return tmp_path


def only_request(tmp_path) -> bytes:
    assert ran("cert", "request", "--out", tmp_path / "me.csr").code == 0
    (der,) = only(tmp_path / "me.csr", REQUEST)
    return der


def test_trust_install_and_a_list(member, me, home):
    refused = ran("cert", "install", member / "me.pem")
    assert (refused.code, "hardwire cert trust" in refused.err) == (2, True)
    trusted = ran("cert", "trust", member / "acme.pem", "--members", "*@example.org")
    assert trusted.code == 0, trusted.err
    assert trusted.out == f"sha256 {sha256(ORG.der).hexdigest()}\n"
    assert "compare that" in trusted.err

    installed = ran("cert", "install", member / "me.pem", member / "2.crl")
    assert installed.code == 0, installed.err
    assert "member of ACME now" in installed.err
    assert "list number 2 kept: 0 revoked" in installed.err
    assert "member of    ACME as alice@example.org, until " in ran("id").out
    assert "was here already" in ran("cert", "install", member / "2.crl").err
    backwards = ran("cert", "install", member / "1.crl", "--json")
    assert (backwards.code, backwards.events[-1]["code"]) == (20, "crl-rolled-back")


def test_events(member, me):
    assert ran("cert", "trust", member / "acme.pem", "--name", "us", "--json").events[0]["organisation"] == "us"
    first, second = ran("cert", "install", member / "me.pem", member / "1.crl", "--json").events
    assert (first["event"], first["organisation"], first["names"]) == ("installed", "us", ["alice@example.org"])
    assert (second["event"], second["number"], second["new"]) == ("list-kept", 1, True)


def test_a_list_of_somebody_unknown(member, home):
    refused = ran("cert", "install", member / "1.crl")
    assert refused.code == 2
    assert "nobody here knows" in refused.err
