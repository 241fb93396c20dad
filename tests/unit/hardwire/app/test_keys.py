# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextlib
import os
import pty
import shutil
import termios
import threading
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hardwire.app import keys as module
from hardwire.app.identity import make_identity
from hardwire.app.keys import (
    DeviceKey,
    assurance_of_device,
    describe_device,
    open_unlocked,
    person_prompter,
    spki_of,
    translated,
    wants_touch,
)
from hardwire.certs import Assurance
from hardwire.errors import (
    DeviceFailed,
    IdentityChanged,
    LocalError,
    Misuse,
    PinLocked,
    PinWrong,
    TokenMissing,
    UsageError,
)
from hardwire.handshake import SignatureScheme
from hwkeys import DeviceInfo, PinState, StaticPrompter, generate_key
from hwkeys import errors as key_errors
from hwkeys.evidence import PinPolicy, TouchPolicy, UsePolicy
from support.hwbench import Asked
from support.swtpm import PIN as TPM_PIN

P256 = SignatureScheme.ECDSA_SECP256R1_SHA256
softhsm = pytest.mark.device("softhsm")
swtpm = pytest.mark.device("swtpm")


def identity_of(key, uri, home, **changes):
    made = make_identity(key, key_uri=uri, device="x", assurance=assurance_of_device(key.device), home=home)
    return replace(made, **changes)


def on_token(token, home, *, pin_source=False, **changes):
    uri = token.uri("hardwire", pin_source=pin_source)
    with generate_key(uri, prompter=StaticPrompter(token.pin)) as key:
        return identity_of(key, uri, home, **changes)


def in_tpm(tpm, home):
    with generate_key(tpm.uri(), prompter=StaticPrompter(TPM_PIN)) as key:
        return identity_of(key, tpm.uri(), home)


async def refused(kind, identity, prompter=None):
    with pytest.raises(kind) as caught:
        await DeviceKey.open(identity, prompter)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


EVERY_ERROR = [
    (key_errors.PinWrong("x"), PinWrong, "pin-wrong", 11),
    (key_errors.PinNeeded("x"), PinWrong, "pin-needed", 11),
    (key_errors.PinRefused("x"), PinWrong, "pin-needed", 11),
    (key_errors.PinLocked("x"), PinLocked, "pin-locked", 12),
    (key_errors.ModuleMissing("x"), TokenMissing, "library-missing", 10),
    (key_errors.TokenRemoved("x"), TokenMissing, "token-removed", 10),
    (key_errors.DeviceMissing("x"), TokenMissing, "token-missing", 10),
    (key_errors.KeyMissing("x"), TokenMissing, "key-missing", 10),
    (key_errors.KeyExists("x"), UsageError, "key-exists", 2),
    (key_errors.UriError("x"), UsageError, "uri", 2),
    (key_errors.Ambiguous("x", candidates=("a", "b")), UsageError, "ambiguous", 2),
    (key_errors.KeyNotAsAsked("x"), DeviceFailed, "device-failed", 10),
    (key_errors.WrongDevice("x"), DeviceFailed, "device-failed", 10),
    (key_errors.ForkRefused("x"), DeviceFailed, "device-failed", 10),
    (key_errors.KeyClosed("x"), DeviceFailed, "device-failed", 10),
    (key_errors.Unsupported("x"), DeviceFailed, "device-failed", 10),
    (key_errors.DeviceFailed("x"), DeviceFailed, "device-failed", 10),
    (key_errors.DeviceFull("x"), DeviceFailed, "device-failed", 10),
    (key_errors.PeerKeyRefused("x"), DeviceFailed, "device-failed", 10),
    (key_errors.SealRefused("x"), DeviceFailed, "device-failed", 10),
    (key_errors.EvidenceRefused("x", code="chain-root"), DeviceFailed, "device-failed", 10),
    (key_errors.NotTouched("x"), DeviceFailed, "not-touched", 10),
    (key_errors.ManagementKeyRefused("x"), DeviceFailed, "device-failed", 10),
]


@pytest.mark.parametrize("theirs,ours,code,exit_code", EVERY_ERROR)
def test_every_failure_of_a_device_has_a_name_here(theirs, ours, code, exit_code):
    with pytest.raises(LocalError) as caught, translated():
        raise theirs
    assert (type(caught.value), caught.value.code, caught.value.exit_code) == (ours, code, exit_code)
    assert caught.value.message == theirs.message
    if not isinstance(theirs, key_errors.PinNeeded):  # hwkeys speaks to programs there
        assert caught.value.hint == (theirs.hint or ours.default_hint)


def test_nobody_to_ask_for_the_pin_gets_a_hint_for_people():
    with pytest.raises(PinWrong) as caught, translated():
        raise key_errors.PinNeeded("x")
    assert "--pin-source FILE" in caught.value.hint


def test_none_was_forgotten():
    concrete = {
        kind for kind in vars(key_errors).values() if isinstance(kind, type) and issubclass(kind, key_errors.HwKeyError)
    } - {key_errors.HwKeyError, key_errors.PinError}
    assert {type(theirs) for theirs, *_ in EVERY_ERROR} == concrete


def test_other_failures_pass():
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError


def device(**changes) -> DeviceInfo:
    base = DeviceInfo("pkcs11", software=False, manufacturer="Yubico", model="YubiKey YK5", serial="17", label="work",
                      uri="pkcs11:token=work", pin_state=PinState.OK)  # fmt: skip
    return replace(base, **changes)


def test_what_may_be_claimed_of_a_device():
    assert assurance_of_device(device()) is Assurance.TOKEN_CLAIMED
    assert assurance_of_device(device(kind="tpm")) is Assurance.TPM_CLAIMED
    assert assurance_of_device(device(software=True)) is Assurance.SOFTWARE_TOKEN
    assert assurance_of_device(device(kind="tpm", software=True)) is Assurance.SOFTWARE_TOKEN


def test_who_wants_a_touch():
    assert wants_touch(device()) is None
    assert wants_touch(device(kind="tpm")) is False
    assert wants_touch(device(software=True)) is False
    for touch in TouchPolicy:
        policy = UsePolicy(PinPolicy.ONCE, touch)
        assert wants_touch(device(policy=policy)) is (touch is not TouchPolicy.NEVER)


@pytest.mark.parametrize(
    "changes,words",
    [
        ({}, 'YubiKey YK5 "work" (serial 17)'),
        ({"manufacturer": "piv_II", "model": "PKCS#15 emulated"}, 'PIV card "work" (serial 17)'),
        ({"manufacturer": "ACME", "model": "Card"}, 'ACME Card "work" (serial 17)'),
        ({"manufacturer": "", "model": "Card", "serial": ""}, 'Card "work"'),
        ({"manufacturer": "", "model": "", "serial": ""}, 'pkcs11 "work"'),
        ({"kind": "tpm", "manufacturer": "INTC", "model": "TPM", "serial": ""}, "INTC TPM"),
    ],
)
def test_a_device_in_words(changes, words):
    assert describe_device(device(**changes)) == words


def test_a_program_is_never_asked_for_a_pin(monkeypatch):
    monkeypatch.delenv("HARDWIRE_PINENTRY", raising=False)
    assert person_prompter(json_mode=True) is None
    assert isinstance(person_prompter(json_mode=False), hwkeys.TerminalPrompter)
    monkeypatch.setenv("HARDWIRE_PINENTRY", "/opt/pinentry")
    assert person_prompter(json_mode=False) == hwkeys.PinentryPrompter("/opt/pinentry")
    assert person_prompter(json_mode=True) is None


@softhsm
async def test_the_pin_is_asked_for_once_and_one_signature_is_made(token, tmp_path):
    identity = on_token(token, tmp_path)
    person = Asked(token.pin)
    key = await DeviceKey.open(identity, person)
    signature = await key.sign(b"transcript", P256)
    assert len(person.requests) == 1
    assert token.label in key.device
    identity.own.certificate.public_key.verify(signature, b"transcript", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(Misuse):
        await key.sign(b"transcript", SignatureScheme.RSA_PSS_RSAE_SHA256)
    await key.close()
    with pytest.raises(DeviceFailed):
        await key.sign(b"transcript", P256)


@softhsm
async def test_a_wrong_pin_is_not_tried_again(token, tmp_path):
    person = Asked("000000")
    problem = await refused(PinWrong, on_token(token, tmp_path), person)
    assert problem.exit_code == 11
    assert len(person.requests) == 1


@softhsm
async def test_nobody_to_ask(token, tmp_path):
    problem = await refused(PinWrong, on_token(token, tmp_path))
    assert (problem.code, problem.exit_code) == ("pin-needed", 11)


@softhsm
async def test_a_pin_source_comes_before_the_person(token, tmp_path):
    identity = on_token(token, tmp_path, pin_source=True)
    person = Asked("000000")
    key = await DeviceKey.open(identity, person)
    await key.close()
    assert person.requests == []
    token.pin_file.write_text("000000\n")
    assert (await refused(PinWrong, identity, Asked(token.pin))).exit_code == 11
    token.pin_file.unlink()
    assert (await refused(PinWrong, identity, Asked(token.pin))).code == "pin-needed"


@softhsm
async def test_no_such_token_and_no_such_key(token, tmp_path):
    identity = on_token(token, tmp_path)
    for old, new, code in ((token.label, "elsewhere", "token-missing"), ("object=hardwire", "object=x", "key-missing")):
        elsewhere = replace(identity, key_uri=identity.key_uri.replace(old, new))
        problem = await refused(TokenMissing, elsewhere, Asked(token.pin))
        assert (problem.code, problem.exit_code) == (code, 10)


@softhsm
async def test_a_token_that_is_pulled_before_it_signs(token, tmp_path):
    key = await DeviceKey.open(on_token(token, tmp_path), StaticPrompter(token.pin))
    shutil.rmtree(token.directory)
    with pytest.raises(TokenMissing) as caught:
        await key.sign(b"transcript", P256)
    assert (caught.value.code, caught.value.exit_code) == ("token-removed", 10)
    await key.close()


@softhsm
async def test_the_device_holds_another_key_now(token, tmp_path):
    identity = on_token(token, tmp_path, pin_source=True)
    hwkeys.delete_key(identity.key_uri)
    generate_key(identity.key_uri).close()
    problem = await refused(IdentityChanged, identity)
    assert problem.exit_code == 21


@softhsm
@pytest.mark.parametrize("claim", [one for one in Assurance if one is not Assurance.SOFTWARE_TOKEN])
async def test_software_is_never_shown_as_hardware(token, tmp_path, claim):
    problem = await refused(DeviceFailed, on_token(token, tmp_path, pin_source=True, assurance=claim))
    assert "software token" in problem.message


@softhsm
def test_a_key_that_cannot_be_unlocked_is_let_go(token, tmp_path, monkeypatch):
    closed = []
    identity = on_token(token, tmp_path)
    with hwkeys.open_key(identity.key_uri) as key:
        kind, real = type(key), type(key).close
    monkeypatch.setattr(kind, "close", lambda key: closed.append(key) or real(key))
    with pytest.raises(hwkeys.PinNeeded):
        open_unlocked(identity.key_uri, None)
    assert len(closed) == 1


@swtpm
async def test_a_tpm_signs_counts_and_locks(tpm, tmp_path):
    identity = in_tpm(tpm, tmp_path)
    before = tpm.signatures()
    key = await DeviceKey.open(identity, StaticPrompter(TPM_PIN))
    assert tpm.signatures() == before
    signature = await key.sign(b"transcript", P256)
    assert tpm.signatures() == before + 1
    identity.own.certificate.public_key.verify(signature, b"transcript", ec.ECDSA(hashes.SHA256()))
    await key.close()

    (info,) = hwkeys.list_devices(modules=[], tctis=[tpm.tcti])
    for _ in range(info.tries_left - 1):
        assert (await refused(PinWrong, identity, StaticPrompter("wrong"))).exit_code == 11
    person = Asked("wrong", last_try=False)
    assert (await refused(PinWrong, identity, person)).code == "pin-needed"
    assert person.requests == [], "the last try is not spent without a yes"
    assert (await refused(PinLocked, identity, Asked("wrong", last_try=True))).exit_code == 12
    assert (await refused(PinLocked, identity, Asked(TPM_PIN, last_try=True))).exit_code == 12


@swtpm
async def test_a_tpm_that_is_gone(tpm, tmp_path):
    identity = in_tpm(tpm, tmp_path)
    key = await DeviceKey.open(identity, StaticPrompter(TPM_PIN))
    tpm.stop()
    with pytest.raises(TokenMissing) as caught:
        await key.sign(b"transcript", P256)
    assert caught.value.exit_code == 10
    await key.close()
    await refused(TokenMissing, identity, StaticPrompter(TPM_PIN))


class Absent:
    """Somebody who went to lunch while the device asked for a PIN."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.back = threading.Event()

    def pin(self, _request) -> str:
        self.asked.set()
        self.back.wait(20)
        raise hwkeys.PinRefused("back from lunch")

    def confirm_last_try(self, _request) -> bool:
        return False


@softhsm
async def test_giving_up_does_not_wait_for_the_person(token, tmp_path):
    identity, absent = on_token(token, tmp_path), Absent()
    opening = asyncio.create_task(DeviceKey.open(identity, absent))
    assert await asyncio.to_thread(absent.asked.wait, 5)
    (waiting,) = (thread for thread in threading.enumerate() if thread.name == "hardwire device")
    assert waiting.daemon, "it does not keep the process from ending either"
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(opening, 2)
    absent.back.set()
    await asyncio.to_thread(waiting.join, 5)


async def test_a_device_that_hangs_is_left_alone(monkeypatch):
    monkeypatch.setattr(module, "_CLOSE_TIMEOUT", 0.05)
    go_on = threading.Event()

    class Hung:
        def close(self) -> None:
            go_on.wait(20)

    await asyncio.wait_for(DeviceKey(None, Hung()).close(), 2)
    go_on.set()


def test_a_question_that_was_given_up_leaves_the_echo_on_and_ends_its_line(monkeypatch):
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: real(name if path == "/dev/tty" else path, *rest))
    with contextlib.suppress(asyncio.CancelledError), module._terminal_restored():
        mode = termios.tcgetattr(theirs)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
        raise asyncio.CancelledError
    assert termios.tcgetattr(theirs)[3] & termios.ECHO
    assert os.read(ours, 10) == b"\r\n"
    os.close(ours)
    os.close(theirs)


def test_what_names_a_key():
    key = ec.generate_private_key(ec.SECP256R1())
    assert spki_of(key)[:27].hex() == "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    assert len(spki_of(key)) == 91
