# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

import hwkeys
from hardwire.app import inventory
from hardwire.app.identity import make_identity
from hardwire.app.inventory import counter, empty_modules, look_closer, via
from hardwire.certs import Assurance
from hardwire.errors import TokenMissing, UsageError
from hwkeys import DeviceInfo, PinState
from support import softhsm
from support.hwbench import right
from support.hwpiv import PivBench
from support.memorypiv import plug

CARD = DeviceInfo("pkcs11", software=False, manufacturer="Yubico", model="YubiKey YK5", serial="10017", label="l",
                  uri="pkcs11:token=l?module-path=/usr/lib/libykcs11.so.2", pin_state=PinState.OK)  # fmt: skip
TPM = replace(CARD, kind="tpm", model="TPM", label="device:/dev/tpmrm0", uri="tpm:?tcti=device:/dev/tpmrm0",
              tries_left=29, tries_most=32, forgives_in=600)  # fmt: skip


@pytest.mark.parametrize(
    "path, name",
    [
        ("/usr/lib/libykcs11.so.2", "ykcs11"),
        ("/usr/lib/opensc-pkcs11.so", "OpenSC"),
        ("/usr/lib/softhsm/libsofthsm2.so", "SoftHSM"),
        ("/usr/lib/p11-kit-client.so", "p11-kit"),
        ("/opt/vendor.so", "module"),
    ],
)
def test_the_usual_names_of_modules(path, name):
    assert via(replace(CARD, uri=f"pkcs11:token=l?module-path={path}")) == f"{name} ({path})"


def test_a_tpm_is_reached_by_its_tcti_and_counts():
    assert via(TPM) == "device:/dev/tpmrm0"
    assert counter(TPM) == (
        "3 of 32 wrong PINs before lock-out, for all keys of the TPM together; one is forgiven every 600 s"
    )
    assert counter(replace(TPM, forgives_in=0)).endswith("together")
    assert counter(CARD) == ""


def test_no_module_at_all(monkeypatch):
    def none():
        raise hwkeys.ModuleMissing("no PKCS#11 module is installed")

    monkeypatch.setattr(inventory, "default_modules", none)
    assert empty_modules(()) == ()


def test_a_card_is_asked_for_what_no_module_tells(monkeypatch):
    plug(monkeypatch, 10_017)
    words = list(inventory._card_words(CARD))
    assert words[0] == "firmware 5.4.3; tries left: 3 for the PIN, 3 for the PUK"
    assert words[1:3] == ["still the factory's: PIN, PUK", "management key: factory"]
    assert words[3:] == ["slot 9a empty", "slot 9d empty"]
    assert next(inventory._card_words(replace(CARD, serial="10018"))).startswith("not asked more closely: ")
    assert list(inventory._card_words(TPM)) == []


def test_a_key_file_is_named_with_the_tpm_that_opens_it(monkeypatch):
    mine = "tpm:file=/home/a/identity.tss2?tcti=device:/dev/tpmrm0"
    monkeypatch.setattr(inventory, "read_key_uri", lambda: (mine, "", Assurance.TPM_CLAIMED, b""))
    assert list(inventory._key_file(TPM)) == [
        "this identity's key is in the file /home/a/identity.tss2, which only this TPM opens"
    ]
    assert list(inventory._key_file(CARD)) == []
    assert list(inventory._key_file(replace(TPM, uri="tpm:?tcti=device:/dev/tpm1"))) == []


def test_the_only_device_needs_no_name(monkeypatch):
    def found(*devices):
        monkeypatch.setattr(inventory, "find_devices", lambda _wanted, **_how: devices)

    plug(monkeypatch)
    found(TPM)
    assert look_closer(None, pytest.fail).device == TPM
    found(TPM, CARD)
    assert look_closer("YK5", pytest.fail).device == CARD
    with pytest.raises(UsageError, match="2 devices are here") as refused:
        look_closer(None, pytest.fail)
    assert "token show NAME" in refused.value.hint
    found()
    with pytest.raises(TokenMissing):
        look_closer(None, pytest.fail)


@pytest.mark.device("piv-ykcs11")
def test_the_identitys_key_is_marked(tmp_path, monkeypatch):
    softhsm.in_process()
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path))
    bench = PivBench("ykcs11")
    serial = str(bench.card.serial)
    closer = look_closer(serial, lambda _trouble: None)
    assert not any(key.mine for key in closer.keys), "there is no identity"
    with bench.make("alice", right(bench)) as key:
        make_identity(key, key_uri=key.uri, device="d", assurance=Assurance.TOKEN_CLAIMED)
    closer = look_closer(serial, lambda _trouble: None)
    assert [key.info.key_id for key in closer.keys if key.mine] == [b"\x01"]
    assert "slot 9a ECCP256, made in the card, PIN once, touch never" in closer.words
    assert bench.card.spent == 1, "no PIN for a look"
    bench.card.pull()
