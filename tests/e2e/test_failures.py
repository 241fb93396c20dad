# SPDX-License-Identifier: Apache-2.0
"""What goes wrong before a line is open: one clear line, a hint, the right exit code, and no signature too many."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.clockshim import Clock
from support.programs import Place

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]

HOUR = 3600
YEAR = 365 * 24 * HOUR


@pytest.fixture
def old(token_place, clock_shim, inbox, pin_file) -> Place:
    """Made an identity six years ago."""
    place = token_place("old")
    back_then = Clock(clock_shim, inbox / "clock", -6 * YEAR).at(place)
    code, _, said = back_then.run("init", "--device", place.device, "--pin-source", pin_file)
    assert code == 0, said
    return place


def copied(place: Place, home, **replaced: str) -> Place:
    """The same identity in another home, with words in its file replaced."""
    home.mkdir()
    text = (place.home / "identity.toml").read_text()
    for old, new in replaced.items():
        value = {"pin": f"file:{place.home.parent}/pin", "tpm": "tpm.sock"}[old]
        assert value in text
        text = text.replace(value, new)
    (home / "identity.toml").write_text(text)
    return place.with_env(HARDWIRE_HOME=str(home))


def complains(result, code, *words):
    """One line and a hint on stderr, nothing on stdout."""
    got, out, err = result
    # What of this machine has no device may be mentioned first.
    mentions = ("not looked at: ", "no YubiKey can be provisioned here: ")
    lines = [line for line in err.strip().splitlines() if not line.startswith(mentions)]
    assert got == code, err
    assert not out
    assert lines[0].startswith("hardwire: "), err
    assert lines[-1].startswith("hint: "), err
    assert all(line.startswith("  ") for line in lines[1:-1]), err
    assert "Traceback" not in err
    for word in words:
        assert word in err
    return lines


def test_a_wrong_pin(alice, inbox):
    (inbox / "wrong").touch(mode=0o600)
    (inbox / "wrong").write_text("000000")
    place = copied(alice, inbox / "home", pin=f"file:{inbox}/wrong")
    for words in (("chat",), ("join",), ("init", "--renew")):
        complains(place.run(*words), 11, "refused the PIN")


def test_a_pin_that_nobody_can_be_asked_for(alice, inbox):
    home = inbox / "home"
    place = copied(alice, home)
    text = (home / "identity.toml").read_text()
    (home / "identity.toml").write_text(text.replace(f"&pin-source=file:{alice.home.parent}/pin", ""))
    complains(place.run("chat"), 11, "no terminal")
    code, out, err = place.run("chat", "--json")
    assert code == 11
    assert '"exit_code": 11' in out
    assert not err


def test_no_token(alice, bob, inbox):
    (inbox / "none").mkdir()
    (inbox / "conf").write_text(f"directories.tokendir = {inbox / 'none'}\n")
    complains(alice.with_env(SOFTHSM2_CONF=str(inbox / "conf")).run("chat"), 10, "alice")
    complains(copied(bob, inbox / "home", tpm="gone.sock").run("join"), 10)
    complains(alice.with_env(HARDWIRE_HOME=str(inbox / "x")).run("init", "--device", "yubikey"), 10, "yubikey")


@pytest.mark.parametrize("words", [("chat",), ("join",), ("id",), ("receive",), ("init", "--renew")])
def test_no_identity(alice, inbox, words):
    complains(alice.with_env(HARDWIRE_HOME=str(inbox)).run(*words), 10, "hardwire init")


def test_a_second_identity(alice):
    complains(alice.run("init"), 2, "already", "--renew")


def test_wrong_words(alice, inbox):
    for words, said in (
        (("chat", "--peer", "did:web:x"), "--peer"),
        (("send", inbox / "nothing"), "no such file"),
        (("receive", "--dir", inbox / "none"), "not a directory"),
        (("chat", "--dir", inbox / "none"), "not a directory"),
        (("chat", "--out-file", __file__), "exists already"),
        (("chat", "--stun", "ftp://x"), "stun"),
        (("chat", "--relay-only"), "--turn"),
        (("init", "--renew", "--device", "x"), "exclude"),
    ):
        got, out, err = alice.run(*words)
        assert (got, out) == (2, ""), err
        assert err.startswith("hardwire: ")
        assert said in err


def test_a_code_is_never_taken_from_the_arguments(alice):
    for words in (("join", "hw:AAAA"), ("chat", "hw:AAAA"), ("receive", "hw:AAAA"), ("join", "--code", "hw:AAAA")):
        assert alice.run(*words)[0] == 2


def test_a_mistyped_code_in_a_pipe(alice, bob, stage):
    host = stage(alice.json("chat", "--loopback"))
    code = host.expect("invite-ready")["code"]
    flipped = code[:-2] + ("A" if code[-2] != "A" else "B") + code[-1]
    for wrong in (flipped, code[:-4], "hello", f"{code[:30]} {code[31:]}"):
        complains(bob.run("join", "--loopback", text=f"{wrong}\n"), 2)
    host.say(flipped)
    assert host.failed()["exit_code"] == 2


def test_the_answer_to_another_offer(alice, bob, stage):
    first, second = stage(alice.json("chat", "--loopback")), stage(alice.json("chat", "--loopback"))
    guest = stage(bob.json("join", "--loopback"))
    guest.say(first.expect("invite-ready")["code"])
    second.say(guest.expect("answer-ready")["code"])
    error = second.failed()
    assert (error["exit_code"], error["code"]) == (2, "invite-other-offer")
    assert error["hint"]


def test_an_invite_joined_two_hours_late(alice, bob, stage, clock_shim, inbox):
    host = stage(alice.json("chat", "--loopback"))
    code = host.expect("invite-ready")["code"]
    late = Clock(clock_shim, inbox / "clock", 2 * HOUR).at(bob)
    lines = complains(late.run("join", "--loopback", text=f"{code}\n"), 2, "expired")
    assert "clock" in "".join(lines)


def test_a_clock_two_hours_behind_does_no_harm(alice, bob, stage, clock_shim, inbox):
    behind = Clock(clock_shim, inbox / "clock", -2 * HOUR).at(bob)
    host, guest = stage(alice.json("chat", "--loopback")), stage(behind.json("join", "--loopback"))
    stage.line(host, guest)
    host.say("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)


def test_a_clock_two_days_behind_is_named(alice, clock_shim, inbox):
    behind = Clock(clock_shim, inbox / "clock", -48 * HOUR).at(alice)
    complains(behind.run("chat"), 50, "clock")


def test_an_own_certificate_past_its_time(alice, clock_shim, inbox):
    late = Clock(clock_shim, inbox / "clock", 6 * YEAR).at(alice)
    complains(late.run("chat"), 50, "hardwire init --renew")


def test_an_invite_that_nobody_answers(alice, stage, clock_shim, inbox):
    clock = Clock(clock_shim, inbox / "clock")
    program = stage(clock.at(alice).json("chat", "--loopback"))
    window = stage(clock.at(alice).terminal("chat", "--loopback"))
    program.expect("invite-ready")
    window.see("paste the answer here:")
    clock.set(HOUR)
    error = program.failed()
    assert (error["exit_code"], error["code"]) == (31, "invite-unanswered")
    window.expect("hardwire: nobody answered the invite before it expired")
    window.expect("hint: ")
    assert window.finished() == 31


def test_the_other_peer_than_the_one_asked_for(alice, bob, stage):
    stranger = "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"
    for host_words, guest_words in ((("--peer", stranger), ()), ((), ("--peer", stranger))):
        before = bob.signatures()
        host = stage(alice.json("chat", "--loopback", *host_words))
        guest = stage(bob.json("join", "--loopback", *guest_words))
        stage.codes(host, guest)
        if not guest_words:
            guest.expect("question", name="accept-inviter")
            guest.say("y")
        deceived, other = (host, guest) if host_words else (guest, host)
        error = deceived.failed()
        assert (error["exit_code"], error["evidence"]["wanted"]) == (21, stranger)
        assert other.failed()["exit_code"] == 30
        assert bob.signatures() - before == (0 if guest_words else 1)


def test_an_inviter_who_is_not_accepted(alice, bob, stage):
    host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback"))
    stage.codes(host, guest)
    guest.expect("question", name="accept-inviter")
    guest.say("n")
    assert guest.failed()["exit_code"] == 20
    assert host.failed()["exit_code"] == 30


def test_strings_that_differ(alice, bob, stage):
    for words in (("/verify differs",), ("/verify", "1", "2", "3")):
        host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback"))
        stage.line(host, guest)
        for word in words:
            host.say(word)
        assert host.failed()["exit_code"] == 20
        assert guest.expect("verified", by="peer")["matched"] is False
        assert guest.failed()["exit_code"] == 20


def test_a_peer_whose_certificate_has_expired(bob, old, stage):
    host, guest = stage(old.tricky("expired", "chat", "--loopback")), stage(bob.json("join", "--loopback"))
    stage.codes(host, guest)
    error = guest.failed()
    assert error["exit_code"] == 50
    assert "expired" in error["message"]
    assert host.failed()["exit_code"] == 30


def test_peers_that_vanish_while_somebody_is_asked(alice, bob, stage):
    """Both ways round at the same time, as the patience of a line is what takes the time here."""
    left = []
    for victim in ("host", "guest"):
        host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback"))
        stage.codes(host, guest)
        guest.expect("question", name="accept-inviter")
        (host if victim == "host" else guest).kill()
        if victim == "host":
            guest.say("y")
        left.append(guest if victim == "host" else host)
    for program in left:
        error = program.failed(40)
        assert error["exit_code"] in {30, 31}
        assert error["hint"]


def test_started_with_the_standard_streams_closed(alice):
    out = alice.run("id", "--name")[1]
    script = f'exec "{sys.executable}" -m hardwire "$@" 0<&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", "id", "--name"], env=alice.env, stdout=subprocess.PIPE, timeout=20, check=True
    )
    assert done.stdout.decode() == out
    script = f'exec "{sys.executable}" -m hardwire chat --loopback 0<&- 1>&-'
    done = subprocess.run(["sh", "-c", script], env=alice.env, stderr=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == 2
    assert b"hardwire: no answer was given" in done.stderr


def test_a_full_disk_behind_stdout(alice):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hardwire", "id"],
            env=alice.env, stdout=full, stderr=subprocess.PIPE, timeout=20, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"hardwire: cannot write to stdout: No space left on device\nhint: ")
