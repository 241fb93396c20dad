# SPDX-License-Identifier: Apache-2.0
import importlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

import hwkeys
from hardwire.app import demodevices
from hardwire.app.attestation import judge, load_trust
from hardwire.app.demodevices import EnrolmentAuthority, device, parse_devices
from hardwire.app.identity import load_identity
from hardwire.app.setup import choose_device, create, find_devices, renew
from hardwire.errors import DeviceFailed, TokenMissing, UsageError
from support.evidence import Authority

swtpm = pytest.mark.device("swtpm")


@pytest.fixture
def pin(tmp_path) -> Path:
    path = tmp_path / "pin"
    path.touch(mode=0o600)
    path.write_text("pin-9876")
    return path


@pytest.fixture
def place() -> Iterator[Path]:
    """Sockets' names are in it: a short one."""
    with tempfile.TemporaryDirectory(prefix="hw-") as name:
        yield Path(name)


@pytest.mark.parametrize("words, pair", [("piv,tpm", ("piv", "tpm")), (" softhsm , softhsm", ("softhsm", "softhsm"))])
def test_two_devices(words, pair):
    assert parse_devices(words) == pair


@pytest.mark.parametrize("words", ["", "piv", "piv,tpm,softhsm", "piv,yubikey", "piv tpm"])
def test_not_two_devices(words):
    with pytest.raises(UsageError, match="two kinds") as refused:
        parse_devices(words)
    assert "softhsm, tpm, piv" in refused.value.hint


@swtpm
def test_a_tpm_is_manufactured_enrolled_and_proves_itself(pin, place, tmp_path):
    with device("tpm", place, pin, proves=True) as made:
        uri = made.init[1]
        create(choose_device(find_devices(uri), uri), None, pin_source=pin, home=tmp_path)
        assert load_identity(tmp_path).evidence is None, "nobody has enrolled it yet"
        assert made.enrol is not None
        assert made.root is not None
        made.enrol(load_identity(tmp_path).key_uri)
        mine = renew(None, home=tmp_path)
        folder, pem = made.root
        (tmp_path / "attestation" / folder).mkdir(parents=True)
        (tmp_path / "attestation" / folder / "root.pem").write_bytes(pem)
        shown = judge(mine.credential.attestations, mine.own, load_trust(tmp_path), datetime.now(UTC))
        assert (shown.assurance, shown.attested) == ("SOFTWARE TOKEN, TPM (attested)", False)
        assert shown.by == "hardwire demo enrolment"
        assert shown.facts[0] == "made by id:00001014", "swtpm writes IBM as a number"
        assert made.signatures() == 2, "two certificates"


@swtpm
def test_a_tpm_of_another_maker_is_not_enrolled(pin, place, tmp_path):
    with device("tpm", place, pin, proves=True) as made:
        uri = made.init[1]
        key_uri = create(choose_device(find_devices(uri), uri), None, pin_source=pin, home=tmp_path).key_uri
        stranger = EnrolmentAuthority.new((Authority.root("a").certificate, Authority.root("b").certificate))
        with pytest.raises(hwkeys.EvidenceRefused):
            stranger.enrol(key_uri)


@pytest.mark.device("piv-ykcs11")
def test_a_virtual_card_comes_blank_and_goes(pin, place):
    with device("piv", place, pin, proves=True) as made:
        assert made.signatures() == 0
        assert made.root is not None
        folder, pem = made.root
        assert folder == "piv"
        assert x509.load_pem_x509_certificate(pem).subject.rfc4514_string() == "CN=Test PIV Root"
        assert made.environment["PCSCLITE_CSOCK_NAME"].startswith(str(place))
        assert "VIRTUAL" in made.remark
        assert len({(place / "puk").read_text(), pin.read_text()}) == 2
    assert not (place / "pcscd.comm").exists()


def test_without_the_checkout_there_is_no_virtual_card(pin, place, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(TokenMissing) as refused, device("piv", place, pin, proves=True):
        pass
    assert "hsm/up.sh demo" in refused.value.hint


def test_a_card_that_does_not_start(pin, place, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceFailed) as refused, device("piv", place, pin, proves=True):
        pass
    assert "hsm/up.sh demo" in refused.value.hint


def test_without_the_makers_tools_it_says_what_is_missing(pin, place, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TokenMissing) as refused, device("tpm", place, pin, proves=True):
        pass
    assert "swtpm-tools" in refused.value.hint


def test_a_manufacture_that_fails(pin, place, monkeypatch):
    monkeypatch.setattr(demodevices, "_SETUP", ("--no-such-word",))
    with pytest.raises(DeviceFailed, match="swtpm_setup"), device("tpm", place, pin, proves=True):
        pass


@swtpm
def test_a_secret_that_does_not_come_back(monkeypatch, pin, place, tmp_path):
    with device("tpm", place, pin, proves=True) as made:
        uri = made.init[1]
        key_uri = create(choose_device(find_devices(uri), uri), None, pin_source=pin, home=tmp_path).key_uri
        assert made.enrol is not None
        monkeypatch.setattr(hwkeys.tpm.key.TpmKey, "activate", lambda *_args: bytes(32))
        with pytest.raises(DeviceFailed, match="does not hold"):
            made.enrol(key_uri)
        assert not Path(str(hwkeys.parse_uri(key_uri).file) + ".ak.pem").exists()
