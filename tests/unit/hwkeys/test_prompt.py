# SPDX-License-Identifier: Apache-2.0
import os
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from hwkeys import (
    CallbackPrompter,
    Credential,
    CredentialPrompter,
    DeviceInfo,
    PinRefused,
    PinRequest,
    PinSourcePrompter,
    PinState,
    StaticPrompter,
)
from hwkeys.prompt import MAX_PIN_FILE, ask_pin


def request(state: PinState = PinState.OK, tries: int | None = None, **more) -> PinRequest:
    device = DeviceInfo("pkcs11", True, "Maker", "Model 5", "S-1", "alice", "pkcs11:", state, tries)
    return PinRequest(device, "mykey", **more)


def test_the_person_is_told_device_serial_and_tries():
    assert request().describe() == 'Maker Model 5 "alice", serial S-1'
    assert request(tries=3).describe().endswith(", 3 tries left")
    assert request(PinState.FINAL_TRY, 1).describe().endswith(", 1 try left, LAST TRY")
    assert request(PinState.COUNT_LOW).describe().endswith(", a wrong PIN was entered before")
    assert "tries" not in request(PinState.FINAL_TRY, 3, new=True).describe()


def test_the_last_try_needs_leave():
    final = request(PinState.FINAL_TRY)
    asked = []
    for prompter in (StaticPrompter("1234"), CallbackPrompter(lambda r: asked.append(r) or "1234")):
        with pytest.raises(PinRefused, match="one try is left"):
            ask_pin(prompter, final)
    assert asked == []
    assert ask_pin(CallbackPrompter(lambda _: "1234", lambda r: r is final), final) == "1234"
    with pytest.raises(PinRefused):
        ask_pin(CallbackPrompter(lambda _: "1234", lambda _: False), final)
    # A PIN that is being chosen spends nothing.
    assert ask_pin(StaticPrompter("1234"), request(PinState.FINAL_TRY, new=True)) == "1234"


def test_an_empty_pin_is_only_for_new_keys():
    with pytest.raises(PinRefused):
        ask_pin(StaticPrompter(""), request())
    assert ask_pin(StaticPrompter(""), request(new=True)) == ""
    with pytest.raises(PinRefused):
        ask_pin(StaticPrompter(""), request(new=True, rule="6 to 8 digits"))


def test_a_pin_source_is_one_line(tmp_path):
    source = PinSourcePrompter(tmp_path / "pin")
    source.path.touch(0o600)
    for octets, pin in ((b"1234", "1234"), (b"1234\n", "1234"), (b"1234\r\n", "1234"), (b" 12 ", " 12 ")):
        source.path.write_bytes(octets)
        assert source.pin(request()) == pin
    for octets in (b"1234\n5678\n", b"\xff\xfe", b"1" * (MAX_PIN_FILE + 1), b"12\x0034"):
        source.path.write_bytes(octets)
        with pytest.raises(PinRefused):
            source.pin(request())
    source.path.unlink()
    with pytest.raises(PinRefused):
        source.pin(request())
    assert not source.confirm_last_try(request())


@pytest.mark.parametrize("mode, kept", [(0o600, True), (0o400, True), (0o640, True), (0o644, False), (0o660, False)])
def test_a_pin_source_is_kept_from_others(tmp_path, mode, kept):
    source = PinSourcePrompter(tmp_path / "pin")
    source.path.write_text("1234")
    source.path.chmod(mode)
    (tmp_path / "link").symlink_to(source.path)
    for prompter in (source, PinSourcePrompter(tmp_path / "link")):
        if kept:
            assert prompter.pin(request()) == "1234"
            continue
        with pytest.raises(PinRefused, match="others can read or change") as refused:
            prompter.pin(request())
        assert refused.value.hint == f"chmod 600 {prompter.path}"


@pytest.mark.parametrize("owner, kept", [(0, True), (os.geteuid(), True), (os.geteuid() + 4711, False)])
def test_a_pin_source_is_ones_own_or_roots(tmp_path, monkeypatch, owner, kept):
    source = PinSourcePrompter(tmp_path / "pin")
    source.path.touch(0o600)
    source.path.write_text("1234")
    real = os.fstat

    def of_that_owner(number):
        facts = list(real(number))
        facts[stat.ST_UID] = owner
        return os.stat_result(facts)

    monkeypatch.setattr(os, "fstat", of_that_owner)
    if kept:
        assert source.pin(request()) == "1234"
    else:
        with pytest.raises(PinRefused, match="another user"):
            source.pin(request())


def test_a_pin_source_is_a_plain_file(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    # A pipe that nobody writes to would be waited for without end.
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(PinRefused, match="cannot be read"):
            PinSourcePrompter(path).pin(request())


@pytest.fixture
def credential(tmp_path, monkeypatch):
    """A credential's file, and its prompter."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path / "hw.pin", CredentialPrompter(Credential("hw.pin"))


def test_a_systemd_credential_is_one_line(credential):
    path, prompter = credential
    path.write_bytes(b"1234\n")
    assert ask_pin(prompter, request()) == "1234"
    for octets in (b"1234\n5678\n", b"\xff\xfe", b"1" * (MAX_PIN_FILE + 1), b"12\x0034"):
        path.write_bytes(octets)
        with pytest.raises(PinRefused) as refused:
            prompter.pin(request())
        assert "1234" not in f"{refused.value!r}{refused.value.__cause__!r}"
    with pytest.raises(PinRefused, match="one try is left"):
        ask_pin(prompter, request(PinState.FINAL_TRY))


def test_nothing_but_a_plain_file_is_a_credential(credential, tmp_path):
    path, prompter = credential
    with pytest.raises(PinRefused, match=r"no credential 'hw\.pin'") as refused:
        prompter.pin(request())
    assert "LoadCredentialEncrypted=hw.pin" in refused.value.hint
    (tmp_path / "elsewhere").write_text("1234")
    for make in (lambda: path.symlink_to(tmp_path / "elsewhere"), lambda: os.mkfifo(path)):
        make()
        with pytest.raises(PinRefused, match="no credential"):
            prompter.pin(request())
        path.unlink()


@pytest.mark.parametrize("directory", [None, "", "relative"])
def test_outside_of_systemd_there_are_no_credentials(credential, directory, monkeypatch):
    if directory is None:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    else:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", directory)
    with pytest.raises(PinRefused, match="given no credentials"):
        credential[1].pin(request())


def test_a_static_pin_is_not_printed():
    assert "1234" not in repr(StaticPrompter("1234"))


TERMINAL = """
import sys
from hwkeys import *
device = DeviceInfo("pkcs11", True, "Maker", "Model 5", "S-1", "alice", "pkcs11:", PinState[sys.argv[1]])
from hwkeys.prompt import ask_pin
try:
    rule = "6 to 8 digits" if sys.argv[2] == "rule" else ""
    request = PinRequest(device, "mykey", new=sys.argv[2] != "old", rule=rule)
    print("PIN was", ask_pin(TerminalPrompter(), request).upper())
except (PinRefused, PinNeeded) as error:
    print("refused:", error)
except KeyboardInterrupt:
    print("interrupted")
"""


def terminal(*arguments: str) -> pexpect.spawn:
    return pexpect.spawn(sys.executable, ["-c", TERMINAL, *arguments], encoding="utf-8", timeout=20)


def test_a_terminal_shows_the_device_and_hides_the_pin():
    child = terminal("OK", "old")
    child.expect_exact('Maker Model 5 "alice", serial S-1')
    child.expect_exact("PIN for mykey: ")
    child.sendline("hidden")
    child.expect_exact("PIN was HIDDEN")
    assert "hidden" not in child.before


@pytest.mark.parametrize("answer, goes_on", [("yes", True), ("y", False), ("", False), ("no", False)])
def test_a_terminal_wants_the_whole_yes_for_the_last_try(answer, goes_on):
    child = terminal("FINAL_TRY", "old")
    child.expect_exact("LAST TRY")
    child.expect_exact("use the last try? yes/no: ")
    child.sendline(answer)
    if goes_on:
        child.expect_exact("PIN for mykey: ")
        child.sendline("1234")
        child.expect_exact("PIN was 1234")
    else:
        child.expect_exact("refused: one try is left")


def test_a_new_pin_is_asked_twice():
    child = terminal("OK", "new")
    child.expect_exact("new PIN for mykey (empty for none): ")
    child.sendline("abc")
    child.expect_exact("the same again: ")
    child.sendline("abd")
    child.expect_exact("refused: the two PINs differ")


def test_a_new_pin_that_must_be_one_is_asked_for_with_its_rule():
    for word, said in (("123456", "PIN was 123456"), ("", "refused: an empty PIN was given")):
        child = terminal("OK", "rule")
        child.expect_exact("choose mykey (6 to 8 digits): ")
        child.sendline(word)
        child.expect_exact("the same again: ")
        child.sendline(word)
        child.expect_exact(said)


@pytest.mark.parametrize("answer, said", [("yes", "PIN was"), ("no", "refused: no PIN was chosen")])
def test_no_pin_at_all_needs_a_yes(answer, said):
    child = terminal("OK", "new")
    child.expect_exact("(empty for none): ")
    child.sendline("")
    child.expect_exact("the same again: ")
    child.sendline("")
    child.expect_exact("really no PIN?")
    child.sendline(answer)
    child.expect_exact(said)


def test_the_end_of_input_is_a_no_on_a_line_of_its_own():
    child = terminal("OK", "old")
    child.expect_exact("PIN for mykey: ")
    child.sendeof()
    child.expect_exact("\r\nrefused: no PIN was given")


@pytest.mark.parametrize("state, prompt", [("OK", "PIN for mykey: "), ("FINAL_TRY", "use the last try? yes/no: ")])
def test_ctrl_c_is_an_interrupt_on_a_line_of_its_own(state, prompt):
    child = terminal(state, "old")
    child.expect_exact(prompt)
    child.sendintr()
    child.expect("\r\n.*interrupted")


TOUCH = """
import sys
from hwkeys import *
from hwkeys.evidence import PinPolicy, TouchPolicy, UsePolicy
from hwkeys.touch import touch_notice
device = DeviceInfo("pkcs11", False, "Maker", "Model 5", "S-1", "alice", "pkcs11:", PinState.OK)
for prompter in (TerminalPrompter(tells_touch=False), TerminalPrompter()):
    with touch_notice(prompter, device, "mykey", UsePolicy(PinPolicy.ONCE, TouchPolicy.ALWAYS)):
        sys.stdout.write("[signing]")
        sys.stdout.flush()
print("done")
"""


def test_a_terminal_rings_and_says_what_waits():
    child = pexpect.spawn(sys.executable, ["-c", TOUCH], encoding="utf-8", timeout=20)
    child.expect_exact("[signing]")
    assert child.before == ""
    child.expect_exact('\atouch your device now: Model 5 "alice" waits up to 15 s …')
    child.expect_exact("[signing]")
    child.expect_exact("\r\ndone")
    done = subprocess.run(
        [sys.executable, "-c", TOUCH], capture_output=True, text=True, start_new_session=True, timeout=30, check=True
    )
    assert done.stdout + done.stderr == "[signing][signing]done\n"


def test_without_a_terminal_nothing_is_read_from_standard_input():
    # A new session has no controlling terminal.
    for words, said in ((("OK", "old"), "there is no terminal"), (("FINAL_TRY", "old"), "one try is left")):
        done = subprocess.run(
            [sys.executable, "-c", TERMINAL, *words],
            input="yes\n1234\n",
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=30,
            check=True,
        )
        assert said in done.stdout
