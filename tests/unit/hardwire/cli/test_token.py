# SPDX-License-Identifier: Apache-2.0
import re
import tempfile
from pathlib import Path

import pytest

from support.commands import ran
from support.people import shared_token
from support.swtpm import SwTpm

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


def test_one_of_them_closely(me):
    serial = shared_token().serial
    shown = ran("token", "show", serial)
    assert shown.code == 0, shown.err
    assert shown.out.count("  via   SoftHSM (/") == 1
    assert shown.out.count("<- this identity's") == 1
    assert "(EC P-256, to sign)" in shown.out
    (event,) = ran("token", "show", serial, "--json").events
    assert (event["serial"], event["words"]) == (serial, [])
    assert ran("token", "show", "no such thing").code == 10


@pytest.mark.device("swtpm")
def test_a_tpms_counter(home, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="hw-") as name, SwTpm(Path(name)) as tpm:
        monkeypatch.setenv("HARDWIRE_TCTI", tpm.tcti)
        shown = ran("token", "list")
        assert re.search(r"  via   swtpm:path=.*\n(.*\n)*        0 of 3 wrong PINs before lock-out", shown.out)
        assert "one is forgiven every 1000 s" in shown.out
        (event,) = [one for one in ran("token", "list", "--json").events if one["kind"] == "tpm"]
        assert (event["tries_left"], event["tries_most"], event["forgives_in"]) == (3, 3, 1000)


def test_modules_without_a_token_are_named(me):
    shown = ran("token", "list")
    assert "no token in: " in shown.err
    assert "ykcs11 (/" in shown.err
    assert "OpenSC (/" in shown.err


def test_token_alone_shows_its_help():
    assert "list" in ran("token").err
