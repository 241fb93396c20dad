# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran
from support.people import shared_token

pytestmark = pytest.mark.device("softhsm")


def test_what_is_there_for_people(me):
    shown = ran("token", "list")
    assert shown.code == 0
    assert "SOFTWARE TOKEN" in shown.out
    assert "  uri   pkcs11:" in shown.out
    assert "  pin   set" in shown.out
    assert "(EC P-256)" in shown.out
    assert "next: `hardwire init`" in shown.err
    assert shared_token().pin not in shown.out + shown.err


def test_what_is_there_for_programs(me):
    shown = ran("token", "list", "--json")
    assert shown.err == ""
    mine = [event for event in shown.events if event["serial"] == shared_token().serial]
    assert [event["event"] for event in mine] == ["device"]
    assert mine[0]["software"] is True
    assert any(key["kind"] == "EC P-256" for key in mine[0]["keys"])


def test_nothing_there(home, monkeypatch):
    monkeypatch.setattr("hardwire.app.setup.find_devices", lambda **_: ())
    shown = ran("token", "list")
    assert (shown.code, shown.out) == (0, "")
    assert "hint: `hardwire doctor`" in shown.err


def test_token_alone_shows_its_help():
    assert "list" in ran("token").err
