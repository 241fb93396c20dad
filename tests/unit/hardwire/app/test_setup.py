# SPDX-License-Identifier: Apache-2.0
import asyncio
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hardwire.app import identity as identity_module
from hardwire.app import setup
from hardwire.app.identity import identity_path, load_identity
from hardwire.app.keys import DeviceKey
from hardwire.certs import Assurance
from hardwire.errors import DeviceFailed, IdentityChanged, LocalError, NoIdentity, PinWrong, TokenMissing, UsageError
from hardwire.handshake import scheme_for
from hwkeys import DeviceInfo, PinState, StaticPrompter
from support.hwbench import Asked
from support.swtpm import PIN as TPM_PIN

softhsm = pytest.mark.device("softhsm")
swtpm = pytest.mark.device("swtpm")

YUBIKEY = DeviceInfo("pkcs11", software=False, manufacturer="Yubico", model="YubiKey YK5", serial="17", label="work",
                     uri="pkcs11:token=work;serial=17?module-path=/usr/lib/ykcs11.so", pin_state=PinState.OK)  # fmt: skip
SPARE = replace(YUBIKEY, serial="18", uri="pkcs11:token=work;serial=18?module-path=/usr/lib/ykcs11.so")
TPM = DeviceInfo("tpm", software=False, manufacturer="INTC", model="TPM", serial="", label="device:/dev/tpmrm0",
                 uri="tpm:?tcti=device:/dev/tpmrm0", pin_state=PinState.OK, tries_left=31)  # fmt: skip
SOFT = replace(YUBIKEY, software=True, manufacturer="SoftHSM project", model="SoftHSM v2", serial="a1", label="alice",
               uri="pkcs11:token=alice;serial=a1?module-path=/usr/lib/softhsm.so")  # fmt: skip
ALL = (SOFT, TPM, SPARE, YUBIKEY)


def device_of(token) -> DeviceInfo:
    return next(one for one in setup.find_devices(token.uri()) if one.serial == token.serial)


def keys_on(token) -> list[str]:
    return [key.label for key in device_of(token).keys]


def right(token) -> StaticPrompter:
    return StaticPrompter(token.pin)


def test_the_best_device_comes_first(monkeypatch):
    monkeypatch.setattr(hwkeys, "list_devices", lambda **_: list(ALL))
    assert setup.find_devices() == (YUBIKEY, SPARE, TPM, SOFT)


def test_where_devices_are_looked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(hwkeys, "list_devices", lambda **where: asked.append(where) or [])
    monkeypatch.delenv("HARDWIRE_TCTI", raising=False)
    setup.find_devices()
    setup.find_devices("yubikey")
    setup.find_devices("tpm:?tcti=swtpm:path=/a")
    monkeypatch.setenv("HARDWIRE_TCTI", "swtpm:path=/b")
    setup.find_devices()
    monkeypatch.setenv("HARDWIRE_TCTI", "none")
    setup.find_devices()
    places = [(one["modules"], one["tctis"]) for one in asked]
    assert places == [(None, None), (None, None), (None, ["swtpm:path=/a"]), (None, ["swtpm:path=/b"]), (None, [])]
    with pytest.raises(UsageError):
        setup.find_devices("pkcs11:nonsense")


def test_the_first_is_taken_unless_its_pin_is_not_set():
    assert setup.choose_device(ALL, None) == SOFT
    assert setup.choose_device((replace(SOFT, pin_state=PinState.NOT_SET), TPM), None) == TPM


@pytest.mark.parametrize("says", [{"manufacturer": "piv_II"}, {"model": "YubiKey YK5"}])
def test_a_card_that_no_key_can_be_made_in_comes_last(says):
    card = replace(SOFT, software=False, **says)
    assert setup.choose_device((card, SOFT, TPM), None) == SOFT
    assert setup.choose_device((card,), None) == card


@pytest.mark.parametrize(
    "wanted,chosen",
    [
        ("tpm", TPM),
        ("ALICE", SOFT),
        ("18", SPARE),
        ("softhsm", SOFT),
        ("pkcs11:serial=17", YUBIKEY),
        ("pkcs11:token=alice", SOFT),
        ("tpm:?tcti=device:/dev/tpmrm0", TPM),
    ],
)
def test_the_wanted_one(wanted, chosen):
    assert setup.choose_device(ALL, wanted) == chosen


@pytest.mark.parametrize("wanted", ["nothing like it", "pkcs11:token=bob", "tpm:?tcti=device:/dev/tpm1"])
def test_none_that_fits(wanted):
    with pytest.raises(TokenMissing) as caught:
        setup.choose_device(ALL, wanted)
    assert caught.value.exit_code == 10
    assert caught.value.hint


def test_none_at_all():
    for devices in ((), (replace(SOFT, pin_state=PinState.NOT_SET),)):
        with pytest.raises(TokenMissing, match="no token and no TPM"):
            setup.choose_device(devices, None)


def test_several_that_fit():
    with pytest.raises(UsageError) as caught:
        setup.choose_device(ALL, "yubikey")
    assert "serial 17" in caught.value.message
    assert "serial 18" in caught.value.message


def test_why_and_how_many_tries():
    assert "SOFTWARE TOKEN" in setup.why(SOFT)
    assert "TPM" in setup.why(TPM)
    assert "take it with you" in setup.why(YUBIKEY)
    assert setup.describe_pin(TPM) == "set, no wrong tries known, 31 tries left before lock-out"
    words = {state: setup.describe_pin(replace(YUBIKEY, pin_state=state)) for state in PinState}
    assert len(set(words.values())) == len(PinState)
    assert words[PinState.FINAL_TRY].startswith("LAST TRY")


@softhsm
def test_a_library_is_known_by_all_its_paths(token, tmp_path):
    link = tmp_path / "another-name.so"
    link.symlink_to(token.module)
    assert setup._fits(device_of(token), token.uri(module=link))


@softhsm
def test_an_identity_is_made_once(token, tmp_path):
    home = tmp_path / "home"
    person = Asked(token.pin)
    made = setup.create(device_of(token), person, pin_source=None, home=home)
    assert len(person.requests) == 1
    assert keys_on(token) == ["hardwire"]
    assert load_identity(home).own.did == made.own.did
    assert made.assurance is Assurance.SOFTWARE_TOKEN
    assert home.stat().st_mode & 0o777 == 0o700
    assert token.pin not in identity_path(home).read_text()
    before = identity_path(home).read_bytes()
    for again in (
        lambda: setup.refuse_second(home),
        lambda: setup.create(device_of(token), person, pin_source=None, home=home),
        lambda: setup.adopt(made.key_uri, person, home=home),
    ):
        with pytest.raises(UsageError, match="already"):
            again()
    assert identity_path(home).read_bytes() == before
    assert keys_on(token) == ["hardwire"]


@softhsm
def test_a_key_that_is_there_is_kept_and_named(token, tmp_path):
    made = setup.create(device_of(token), right(token), pin_source=None, home=tmp_path / "old")
    with pytest.raises(UsageError) as caught:
        setup.create(device_of(token), right(token), pin_source=None, home=tmp_path / "new")
    assert caught.value.code == "key-exists"
    assert "init --key 'pkcs11:" in caught.value.hint
    uri = caught.value.hint.split("'")[1]
    assert setup.adopt(uri, right(token), home=tmp_path / "new").own.did == made.own.did


@softhsm
def test_a_wrong_pin_makes_nothing(token, tmp_path):
    person = Asked("000000")
    with pytest.raises(PinWrong) as caught:
        setup.create(device_of(token), person, pin_source=None, home=tmp_path)
    assert caught.value.exit_code == 11
    assert len(person.requests) == 1
    assert keys_on(token) == []
    assert list(tmp_path.iterdir()) == []


def cannot_write(_path, _data, **_):
    raise OSError(28, "No space left on device")


def somebody_was_faster(path, _data, **_):
    path.write_text("another identity")
    raise FileExistsError(17, "File exists")


@softhsm
@pytest.mark.parametrize("write,kind", [(cannot_write, LocalError), (somebody_was_faster, UsageError)])
def test_a_key_for_nothing_is_deleted_again(token, tmp_path, monkeypatch, write, kind):
    monkeypatch.setattr(identity_module, "write_private", write)
    with pytest.raises(kind) as caught:
        setup.create(device_of(token), right(token), pin_source=None, home=tmp_path)
    assert "\n" not in caught.value.message
    assert keys_on(token) == []
    assert not identity_path(tmp_path).exists() or identity_path(tmp_path).read_text() == "another identity"


@swtpm
def test_a_key_file_for_nothing_is_deleted_again(tpm, tmp_path, monkeypatch):
    (device,) = hwkeys.list_devices(modules=[], tctis=[tpm.tcti])
    monkeypatch.setattr(identity_module, "write_private", cannot_write)
    with pytest.raises(LocalError, match="no space left"):
        setup.create(device, StaticPrompter(TPM_PIN), pin_source=None, home=tmp_path)
    assert list(tmp_path.iterdir()) == []


@swtpm
def test_an_identity_in_a_tpm(tpm, tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWIRE_TCTI", tpm.tcti)
    monkeypatch.setattr(hwkeys, "list_devices", only_tpms(hwkeys.list_devices))
    (device,) = setup.find_devices()
    pin = tpm.pin_file()
    made = setup.create(device, None, pin_source=pin, home=tmp_path)
    assert (tmp_path / "identity.tss2").exists()
    assert f"pin-source=file:{pin}" in made.key_uri
    assert made.assurance is Assurance.SOFTWARE_TOKEN
    before = tpm.signatures()
    assert setup.renew(None, home=tmp_path).own.did == made.own.did
    assert tpm.signatures() == before + 1


def only_tpms(real):
    return lambda **where: real(**{**where, "modules": []})


@softhsm
def test_a_place_that_cannot_be_made(token, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalError, match="cannot be made") as caught:
        setup.create(device_of(token), right(token), pin_source=None, home=tmp_path / "file" / "home")
    assert caught.value.code == "disk"
    assert keys_on(token) == []


@softhsm
def test_renewing_keeps_who_one_is_even_after_the_end(token, tmp_path, monkeypatch):
    made = setup.create(device_of(token), right(token), pin_source=token.pin_file, home=tmp_path)
    later = datetime.now(UTC) + timedelta(days=6 * 365)
    monkeypatch.setattr(identity_module, "utc_now", lambda: later)
    with pytest.raises(LocalError, match="expired"):
        load_identity(tmp_path)
    person = Asked("000000")
    renewed = setup.renew(person, home=tmp_path)
    assert person.requests == [], "the pin-source comes first"
    assert renewed.own.did == made.own.did
    assert renewed.own.not_after > later
    assert load_identity(tmp_path).certificate == renewed.certificate


@softhsm
def test_a_file_with_the_pin_can_be_named_later(token, tmp_path):
    made = setup.create(device_of(token), right(token), pin_source=None, home=tmp_path / "old")
    assert "pin-source" not in made.key_uri
    renewed = setup.renew(None, pin_source=token.pin_file, home=tmp_path / "old")
    assert f"pin-source=file:{token.pin_file}" in renewed.key_uri
    assert setup.renew(None, home=tmp_path / "old").key_uri == renewed.key_uri, "and it stays"
    adopted = setup.adopt(made.key_uri, None, pin_source=token.pin_file, home=tmp_path / "new")
    assert f"pin-source=file:{token.pin_file}" in adopted.key_uri


@softhsm
def test_what_is_not_renewed(token, tmp_path):
    with pytest.raises(NoIdentity):
        setup.renew(None, home=tmp_path)
    made = setup.create(device_of(token), right(token), pin_source=token.pin_file, home=tmp_path)
    path = identity_path(tmp_path)
    honest = path.read_text()
    path.write_text(honest.replace("software_token", "token_claimed"))
    with pytest.raises(DeviceFailed, match="software token"):
        setup.renew(None, home=tmp_path)
    path.write_text(honest)
    hwkeys.delete_key(made.key_uri)
    hwkeys.generate_key(f"{token.uri('hardwire', pin_source=True)}").close()
    with pytest.raises((IdentityChanged, TokenMissing)):
        setup.renew(None, home=tmp_path)
    path.write_text(honest.replace(made.key_uri, token.uri("hardwire", pin_source=True)))
    with pytest.raises(IdentityChanged) as caught:
        setup.renew(None, home=tmp_path)
    assert caught.value.exit_code == 21


@softhsm
async def test_a_p384_key_made_elsewhere_is_taken_and_signs(token, tmp_path):
    words = [
        "--login",
        "--pin",
        token.pin,
        "--keypairgen",
        "--key-type",
        "EC:secp384r1",
        "--label",
        "big",
        "--id",
        "07",
    ]
    tool = ["pkcs11-tool", "--module", str(token.module), "--token-label", token.label, *words]
    await asyncio.to_thread(subprocess.run, [*tool, "--sensitive", "--usage-sign"], check=True, capture_output=True)
    made = setup.adopt(token.uri("big"), right(token), home=tmp_path)
    assert made.own.certificate.public_key.curve.name == "secp384r1"
    key = await DeviceKey.open(made, right(token))
    signature = await key.sign(b"transcript", scheme_for(made.own.certificate.public_key))
    made.own.certificate.public_key.verify(signature, b"transcript", ec.ECDSA(hashes.SHA384()))
    await key.close()


@softhsm
def test_an_uri_without_a_key(token, tmp_path):
    with pytest.raises(TokenMissing):
        setup.adopt(token.uri("nothing"), right(token), home=tmp_path)
    with pytest.raises(UsageError):
        setup.adopt("pkcs11:oops", right(token), home=tmp_path)
    assert list(tmp_path.iterdir()) == []
