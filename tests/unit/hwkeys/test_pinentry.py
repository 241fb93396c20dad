# SPDX-License-Identifier: Apache-2.0
"""Against the pinentries of Debian, on a pseudo terminal, and against a scripted one for what they never do."""

import contextlib
import os
import sys
import time
from pathlib import Path

import pexpect
import pytest

from hwkeys import DeviceInfo, PinentryPrompter, PinRefused, PinRequest, PinState
from hwkeys.pinentry import escape
from hwkeys.prompt import ask_pin

# Prints what came of it.
ASK = """
import sys
from hwkeys import *
from hwkeys.prompt import ask_pin
device = DeviceInfo("pkcs11", True, "Maker", "Model 5", "S-1", "al%ice", "pkcs11:", PinState[sys.argv[2]])
prompter = PinentryPrompter(sys.argv[1], timeout=float(sys.argv[4]))
try:
    rule = "6 to 8 digits" if sys.argv[3] == "rule" else ""
    request = PinRequest(device, "mykey", new=sys.argv[3] != "old", rule=rule)
    print("PIN was", ask_pin(prompter, request).upper())
except PinRefused as error:
    print("refused:", error)
"""


def real(program: str, state: str = "OK", kind: str = "old", seconds: str = "20") -> pexpect.spawn:
    env = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    env.pop("GPG_TTY", None)
    arguments = ["-c", ASK, program, state, kind, seconds]
    return pexpect.spawn(sys.executable, arguments, env=env, encoding="utf-8", timeout=15, dimensions=(40, 120))


def test_pinentry_tty_shows_the_device_and_hides_the_pin():
    child = real("pinentry-tty")
    child.expect_exact('Maker Model 5 "al%ice", serial S-1')
    child.expect_exact("PIN for mykey")
    child.expect_exact("PIN:")
    (entry,) = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    assert Path(f"/proc/{entry}/cmdline").read_bytes() == b"pinentry-tty\0"
    child.sendline("hid den%é")
    child.expect_exact("PIN was HID DEN%É")
    assert "hid den" not in child.before
    child.expect(pexpect.EOF)
    assert not Path(f"/proc/{entry}").exists()


def test_pinentry_curses_takes_a_pin_and_a_cancel():
    child = real("pinentry-curses")
    child.expect_exact("PIN for mykey")
    child.expect_exact("PIN:")
    child.send("hidden\r")
    child.expect_exact("PIN was HIDDEN")
    child = real("pinentry-curses")
    child.expect_exact("PIN:")
    child.send("1234\t\t\r")
    child.expect_exact("refused: no PIN was given")


@pytest.mark.parametrize("answer, goes_on", [("u", True), ("c", False), ("y\nc", False)])
def test_the_last_try_needs_its_own_button(answer, goes_on):
    child = real("pinentry-tty", "FINAL_TRY")
    child.expect_exact("LAST TRY")
    child.expect_exact("use the last try?")
    child.sendline(answer)
    if goes_on:
        child.expect_exact("PIN:")
        child.sendline("1234")
        child.expect_exact("PIN was 1234")
    else:
        child.expect_exact("refused: one try is left")


def test_a_new_pin_is_asked_twice():
    child = real("pinentry-tty", kind="new")
    for prompt, word in (("new:", "abc"), ("again:", "abd")):
        child.expect_exact(prompt)
        child.sendline(word)
    child.expect_exact("refused: the two PINs differ")


def test_a_new_pin_that_must_be_one_is_asked_for_with_its_rule():
    child = real("pinentry-tty", kind="rule")
    child.expect_exact("choose mykey (6 to 8 digits)")
    for prompt in ("new:", "again:"):
        child.expect_exact(prompt)
        child.sendline("")
    child.expect_exact("refused: an empty PIN was given")


@pytest.mark.parametrize("answer, said", [("n", "PIN was"), ("c", "refused: no PIN was chosen")])
def test_no_pin_at_all_needs_a_button(answer, said):
    child = real("pinentry-tty", kind="new")
    for prompt in ("new:", "again:"):
        child.expect_exact(prompt)
        child.sendline("")
    child.expect_exact("really no PIN?")
    child.sendline(answer)
    child.expect_exact(said)


def test_the_person_has_so_much_time_and_the_terminal_is_whole_afterwards():
    child = real("pinentry-tty", seconds="1")
    child.expect_exact("PIN:")
    child.expect_exact("refused: ", timeout=10)
    child.expect_exact("in time")
    child.expect(pexpect.EOF)


def test_an_interrupt_is_a_no():
    child = real("pinentry-tty")
    child.expect_exact("PIN:")
    child.sendintr()
    child.expect_exact("refused: no PIN was given")


# ---------------------------------------------------------------------------------------------
SCRIPTED = """#!{python}
import sys, time
log = open({log!r}, "a")
print(*sys.argv[1:], file=log)
def say(line):
    sys.stdout.buffer.write(line + b"\\n")
    sys.stdout.buffer.flush()
say({greeting!r})
for line in sys.stdin:
    log.write(line)
    log.flush()
    verb = line.split()[0]
    answer = {answers!r}.get(verb, [b"OK"])
    for each in answer:
        say(each)
    if verb == "BYE" or not answer:
        {end}
"""


@pytest.fixture
def scripted(tmp_path):
    """Makes a pinentry that gives these answers; the log is what it was asked."""
    log = tmp_path / "log"

    def make(greeting: bytes = b"OK hello", end: str = "break", seconds: float = 1, **answers) -> PinentryPrompter:
        program = tmp_path / "pinentry-scripted"
        words = {"python": sys.executable, "log": str(log), "greeting": greeting, "answers": answers, "end": end}
        program.write_text(SCRIPTED.format(**words))
        program.chmod(0o755)
        return PinentryPrompter(str(program), ttyname="/dev/a%b", timeout=seconds)

    make.log = log
    return make


def request(state: PinState = PinState.OK, *, key: str = "mykey", new: bool = False) -> PinRequest:
    return PinRequest(DeviceInfo("pkcs11", True, "Maker", "M", "S", "a%b\nc", "pkcs11:", state), key, new=new)


def test_the_dialogue_line_by_line(scripted):
    prompter = scripted(GETPIN=[b"# a comment", b"S PIN_REPEATED", b"D 12%25", b"D %0A34 ", b"OK"])
    assert prompter.pin(request()) == "12%\n34 "
    arguments, *lines = scripted.log.read_text().splitlines()
    assert arguments == ""
    assert lines[:3] == [lines[0], "SETTIMEOUT 1", "OPTION ttyname=/dev/a%25b"]
    assert lines[0].startswith("OPTION lc-ctype=")
    assert lines[4:] == [
        "SETTITLE PIN",
        'SETDESC Maker M "a%25b%0Ac", serial S%0APIN for mykey',
        "SETPROMPT PIN:",
        "GETPIN",
        "BYE",
    ]


def test_a_pinentry_that_knows_no_options_will_do(scripted):
    prompter = scripted(OPTION=[b"ERR 83886254 unknown"], SETTIMEOUT=[b"ERR 83886355"], GETPIN=[b"D 1", b"OK"])
    assert prompter.pin(request()) == "1"


REFUSED = {
    "cancelled": ({"GETPIN": [b"ERR 83886179 Operation cancelled <Pinentry>"]}, "no PIN was given"),
    "closed": ({"GETPIN": [b"ERR 83886278 closed"]}, "no PIN was given"),
    "slow": ({"GETPIN": [b"ERR 83886142 Timeout"]}, "in time"),
    "no terminal": ({"GETPIN": [b"ERR 83918950 Inappropriate ioctl"]}, "failed with error"),
    "odd error": ({"GETPIN": [b"ERR x"]}, "failed with error 1"),
    "empty error": ({"GETPIN": [b"ERR"]}, "failed with error 1"),
    "zero error": ({"GETPIN": [b"ERR 0"]}, "failed with error 1"),
    "no description": ({"SETDESC": [b"ERR 83886355 unknown command"]}, "failed with error"),
    "no text": ({"GETPIN": [b"D \xff\xfe1234", b"OK"]}, "no text"),
    "babbles": ({"GETPIN": [b"hello"]}, "does not speak Assuan"),
    "inquires": ({"GETPIN": [b"INQUIRE QUALITY 12"]}, "does not speak Assuan"),
    "long line": ({"GETPIN": [b"D " + b"1" * 5000]}, "does not speak Assuan"),
    "no end": ({"GETPIN": [b"S x" * 20] * 1000}, "does not come to an end"),
    "dies": ({"GETPIN": []}, "ended early"),
    "dies at once": ({"greeting": b"ERR 1", "OPTION": [], "SETTIMEOUT": []}, "ended early"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_goes_wrong_is_a_refusal(scripted, case):
    answers, said = REFUSED[case]
    with pytest.raises(PinRefused, match=said) as refused:
        scripted(**answers).pin(request())
    assert refused.value.hint
    assert "1234" not in f"{refused.value!r}{refused.value.__cause__!r}"


def running(word: str) -> list[bytes]:
    """The command lines that hold the word; a zombie has none."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if word.encode() in command:
                found.append(command)
    return found


def test_a_pinentry_that_hangs_is_ended(scripted, monkeypatch):
    monkeypatch.setattr("hwkeys.pinentry._GRACE", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    started = time.monotonic()
    with pytest.raises(PinRefused, match="in time"):
        scripted(end=deaf, GETPIN=[]).pin(request())
    assert time.monotonic() - started < 10
    assert running(str(scripted.log.parent)) == []


def test_without_a_pinentry_the_person_is_told_what_to_install():
    with pytest.raises(PinRefused, match="cannot be started") as refused:
        PinentryPrompter("/nowhere/pinentry").pin(request())
    assert "apt-get install pinentry" in refused.value.hint


@pytest.mark.parametrize(
    "answers, leave",
    [
        ({}, True),
        ({"CONFIRM": [b"ERR 83886194 Not confirmed"]}, False),
        ({"CONFIRM": [b"ERR 83886355 Unknown command"]}, False),
        ({"CONFIRM": []}, False),
        ({"SETOK": [b"ERR 83886355"]}, False),
        ({"greeting": b"nonsense"}, False),
    ],
)
def test_only_ok_to_confirm_spends_the_last_try(scripted, answers, leave):
    prompter = scripted(GETPIN=[b"D 1234", b"OK"], **answers)
    final = request(PinState.FINAL_TRY)
    if leave:
        assert ask_pin(prompter, final) == "1234"
        assert "SETOK _use the last try" in scripted.log.read_text()
    else:
        with pytest.raises(PinRefused, match="one try is left"):
            ask_pin(prompter, final)
        assert "GETPIN" not in scripted.log.read_text()


def test_a_long_name_fits_on_a_line(scripted):
    assert scripted(GETPIN=[b"D 1", b"OK"]).pin(request(key="é%" * 3000)) == "1"
    assert max(len(line) for line in scripted.log.read_bytes().splitlines()) < 1000


def test_what_is_escaped():
    assert escape("a b%\r\n\tü") == "a b%25%0D%0A%09ü"
    assert escape("\ud800") == "?"
