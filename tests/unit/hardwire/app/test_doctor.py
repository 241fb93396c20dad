# SPDX-License-Identifier: Apache-2.0
import importlib.metadata
import importlib.util
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hardwire.app import doctor
from hardwire.app import identity as identity_module
from hardwire.app.crlstore import CrlStore
from hardwire.app.doctor import Finding, State, examine
from hardwire.app.identity import identity_path, make_identity
from hardwire.app.membership import install
from hardwire.app.organisations import NOBODY
from hardwire.app.pem import CERTIFICATE, Item
from hardwire.app.place import Place
from hardwire.certs import Assurance, read_crl
from hardwire.errors import LocalError
from hwkeys import DeviceInfo, PinState
from support.evidence import Authority, der
from support.orgs import DAY, Org, identity_of

TOKEN = DeviceInfo("pkcs11", software=False, manufacturer="ACME", model="Card", serial="17", label="work",
                   uri="pkcs11:token=work", pin_state=PinState.OK)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    place = tmp_path / "home"
    monkeypatch.setenv("HARDWIRE_HOME", str(place))
    return place


def findings(name: str) -> list[Finding]:
    check = dict(doctor._CHECKS)[name]
    return list(check(name))


def only(name: str) -> Finding:
    (finding,) = findings(name)
    return finding


def make(home):
    key = ec.generate_private_key(ec.SECP256R1())
    return make_identity(key, key_uri="pkcs11:token=x", device="a card", assurance=Assurance.TOKEN_CLAIMED, home=home)


def test_unfinished_transfers_here_and_in_downloads(tmp_path, monkeypatch):
    here, downloads = tmp_path / "here", tmp_path / "my downloads"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(doctor.platformdirs, "user_downloads_path", lambda: downloads)
    assert only("unfinished").state is State.OK
    downloads.mkdir()
    for directory, names in ((here, ["aa"]), (downloads, ["bb", "cc"])):
        for name in names:
            place = Place(directory, name)
            (place.path / "data").write_bytes(bytes(100_000))
            place.leave()
    one, two = findings("unfinished")
    assert one.state is two.state is State.NOTE
    assert one.text.startswith(f"one unfinished transfer in {here}: 10")
    assert two.text.startswith(f"2 unfinished transfers in {downloads}: 20")
    place = Place(here, "aa")
    place.keep_preface(b"manifest and list")
    place.mark(0)
    place.leave()
    assert findings("unfinished")[0].text.startswith(f"one unfinished transfer in {here}: 0 B of 100.0 kB, ")
    assert two.hint.endswith(f"rm -r '{downloads}/.hardwire-partial'")
    monkeypatch.chdir(downloads)
    assert len(findings("unfinished")) == 1, "the same directory is told once"
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert len(findings("unfinished")) <= 1


@pytest.mark.device("softhsm")
def test_a_whole_examination(home, token):
    made = make(home)
    report = list(examine())
    assert list(dict.fromkeys(one.name for one in report)) == [name for name, _ in doctor._CHECKS]
    assert any(token.serial in one.text and "SOFTWARE TOKEN" in one.text for one in report if one.name == "devices")
    assert [one.text for one in report if one.name == "identity"] == [
        f"{made.own.did} in a card, shown as token, unproven"
    ]
    assert all(one.text and "\n" not in one.text for one in report)
    assert all(bool(one.hint) for one in report if one.state is not State.OK)
    assert all(one.state is not State.BAD for one in report)


def test_a_check_that_breaks_is_a_finding(monkeypatch):
    def broken(_name):
        raise ZeroDivisionError("oops")
        yield

    def refused(_name):
        raise LocalError("the stack is another one", hint="reinstall")
        yield

    monkeypatch.setattr(doctor, "_CHECKS", (("one", broken), ("two", refused), ("scan", doctor._scan)))
    report = list(examine())
    assert report[0] == Finding("one", State.BAD, "the check itself failed: ZeroDivisionError: oops", "report it")
    assert report[1] == Finding("two", State.BAD, "the stack is another one", "reinstall")
    assert report[2].name == "scan"


def test_libraries(monkeypatch):
    assert [one.state for one in findings("libraries")] == [State.OK] * 4

    def version(package):
        if package == "tpm2-pytss":
            raise importlib.metadata.PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    *others, tpm = findings("libraries")
    assert [one.text for one in others] == ["aiortc 1.2.3", "cryptography 1.2.3", "python-pkcs11 1.2.3"]
    assert (tpm.state, tpm.text) == (State.NOTE, "tpm2-pytss is not installed: no TPMs")
    assert "hardwire[tpm]" in tpm.hint


def test_the_transport_is_tried(monkeypatch):
    assert only("transport").state is State.OK
    monkeypatch.setattr(doctor, "fast_problem", lambda: "aiortc 9.9 is installed")
    slower = only("transport")
    assert slower.state is State.NOTE
    assert "aiortc 9.9" in slower.text
    assert "reinstall" in slower.hint


@pytest.mark.parametrize("says,state", [("yes", State.OK), ("no", State.NOTE), ("", State.NOTE)])
def test_the_clock(tmp_path, monkeypatch, says, state):
    tool = tmp_path / "timedatectl"
    tool.write_text(f"#!/bin/sh\necho {says}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = only("clock")
    assert finding.state is state
    assert f"{datetime.now(UTC):%Y-%m-%d}" in finding.text
    assert bool(finding.hint) == (state is not State.OK)


@pytest.mark.parametrize("problem", [subprocess.TimeoutExpired("timedatectl", 5), PermissionError(13, "no")])
def test_a_clock_tool_that_does_not_answer_is_no_fault_of_the_clock(monkeypatch, problem):
    def run(*_arguments, **_named):
        raise problem

    monkeypatch.setattr(doctor.shutil, "which", lambda _tool: "/usr/bin/timedatectl")
    monkeypatch.setattr(subprocess, "run", run)
    assert only("clock").state is State.NOTE


def test_the_directory(home, monkeypatch):
    assert only("home") == Finding("home", State.OK, f"{home} will be made by `hardwire init`")
    home.mkdir(mode=0o700)
    assert only("home") == Finding("home", State.OK, str(home))
    home.chmod(0o770)
    assert only("home") == Finding("home", State.BAD, f"{home} can be written by others", f"chmod 700 {home}")
    home.chmod(0o700)
    monkeypatch.setattr(doctor.os, "geteuid", lambda: home.stat().st_uid + 1)
    assert only("home").state is State.NOTE
    home.rmdir()
    home.write_text("")
    assert only("home").state is State.BAD


def test_the_identity(home, monkeypatch):
    none = only("identity")
    assert (none.state, none.hint) == (State.NOTE, "run `hardwire init`")
    made = make(home)
    assert only("identity").state is State.OK
    monkeypatch.setattr(doctor, "utc_now", lambda: made.own.not_after - timedelta(days=30, hours=1))
    soon = only("identity")
    assert (soon.state, soon.hint) == (State.NOTE, "hardwire init --renew")
    assert soon.text.endswith("expires in 30 days")
    monkeypatch.setattr(identity_module, "utc_now", lambda: made.own.not_after + timedelta(days=1))
    monkeypatch.setattr(doctor, "_CHECKS", (("identity", doctor._identity),))
    (over,) = examine()
    assert over.state is State.BAD
    assert "expired" in over.text
    assert "init --renew" in over.hint
    identity_path(home).write_text("schema = ")
    assert only("identity").state is State.BAD


@pytest.mark.parametrize(
    "pin,state",
    [
        (PinState.OK, State.OK),
        (PinState.UNKNOWN, State.OK),
        (PinState.FINAL_TRY, State.NOTE),
        (PinState.LOCKED, State.BAD),
    ],
)
def test_devices(monkeypatch, pin, state):
    monkeypatch.setattr(hwkeys, "list_devices", lambda **_: [replace(TOKEN, pin_state=pin)])
    finding = only("devices")
    assert finding.state is state
    assert finding.text.startswith('ACME Card "work" (serial 17): PIN ')
    assert bool(finding.hint) == (state is not State.OK)


def test_devices_that_cannot_be_asked_and_none_at_all(monkeypatch):
    def nothing(*, on_error, **_):
        on_error(hwkeys.ModuleMissing("libykcs11.so is not installed", hint="apt-get install ykcs11"))
        return []

    monkeypatch.setattr(hwkeys, "list_devices", nothing)
    trouble, none = findings("devices")
    assert trouble == Finding("devices", State.NOTE, "libykcs11.so is not installed", "apt-get install ykcs11")
    assert (none.state, none.text) == (State.NOTE, "no token and no TPM found")
    assert "tss" in none.hint


def test_addresses(monkeypatch):
    monkeypatch.setattr(doctor, "usable_addresses", lambda: ("192.0.2.7", "2001:db8::7"))
    assert only("addresses") == Finding("addresses", State.OK, "a code would offer 192.0.2.7, 2001:db8::7")
    monkeypatch.setattr(doctor, "usable_addresses", tuple)
    assert only("addresses").state is State.NOTE
    assert "--loopback" in only("addresses").hint


def test_pictures(monkeypatch):
    assert only("scan").state is State.OK
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert only("scan").state is State.NOTE


def test_whom_one_believes_about_devices(home):
    assert [one.text for one in findings("attestation")] == [
        "no root for cards: what they prove is shown as a claim",
        "no root for TPMs: what they prove is shown as a claim",
    ]
    folder = home / "attestation" / "piv"
    folder.mkdir(parents=True)
    (folder / "a.der").write_bytes(der(Authority.root("Maker").certificate))
    (home / "attestation" / "required").touch()
    cards, tpms, required = findings("attestation")
    assert cards == Finding("attestation", State.OK, "proof about cards is believed from: Maker")
    assert tpms.text.startswith("no root for TPMs")
    assert required.state is State.NOTE


def test_a_root_that_is_none_keeps_a_line_from_opening(home):
    folder = home / "attestation" / "tpm"
    folder.mkdir(parents=True)
    (folder / "a.pem").write_text("nothing")
    (finding,) = [one for one in examine() if one.name == "attestation"]
    assert finding.state is State.BAD
    assert "a.pem" in finding.text


def test_organisations(home, monkeypatch):
    org = Org()
    assert only("organisations").text == "no organisation is believed: people compare numbers"
    home.mkdir()
    (home / "acme.pem").write_text(org.pem)
    (home / "trust.toml").write_text('[[organisation]]\ncertificates = ["acme.pem"]')
    assert "no list of revoked certificates is here" in only("organisations").text
    assert only("organisations").state is State.NOTE
    CrlStore().keep(read_crl(org.crl(number=1, age=40 * DAY)), org.gated)
    assert "a newer list than number 1 was due" in only("organisations").text
    CrlStore().keep(read_crl(org.crl(number=2)), org.gated)
    assert only("organisations").state is State.OK
    assert "list number 2, good until" in only("organisations").text
    monkeypatch.setattr(doctor, "utc_now", lambda: org.gated.not_after + DAY)
    assert "past its time" in only("organisations").text


def test_what_this_identity_is_a_member_of(home):
    org, key = Org(), ec.generate_private_key(ec.SECP256R1())
    me = identity_of(key, home)
    device = org.issue(key, "alice@example.org")
    install(me, [Item(CERTIFICATE, one.der) for one in (device, org.gated)], NOBODY)
    (member, nobody) = findings("organisations")
    assert member.text.startswith("this identity is a member of ACME as alice@example.org")
    assert nobody.state is State.OK
    CrlStore().keep(read_crl(org.crl(device)), org.gated)
    with pytest.raises(LocalError, match="was revoked"):
        findings("organisations")


def test_a_memory_of_lists_that_is_damaged(home):
    (home / "state" / "revocation").mkdir(parents=True)
    (home / "state" / "revocation" / "numbers.json").write_text("{")
    with pytest.raises(LocalError) as caught:
        findings("organisations")
    assert caught.value.code == "numbers-damaged"
