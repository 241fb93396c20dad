# SPDX-License-Identifier: Apache-2.0
"""Two people at two terminals: the first hour of a new user, key by key."""

import os
import re
import signal
import sys

import pytest

from support.screens import Terminal

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]

CODE = r"^(hw:[\w-]+)"
PROMPT = r"^you \(not verified\):"


@pytest.fixture(scope="session")
def carol(token_place):
    """Beside the token, without an identity yet, and without a pin-source ever."""
    return token_place("c")


@pytest.fixture(scope="session")
def dave(tpm_place):
    """Beside the TPM, likewise."""
    return tpm_place("d")


@pytest.fixture(scope="session")
def people(carol, dave):
    """Both have an identity, made at a terminal."""
    window = carol.terminal("init", "--device", carol.device)
    try:
        window.expect("using SoftHSM.*SOFTWARE TOKEN")
        window.expect(r"alice.*\n?.*PIN for .*: ")
        window.enter(carol.pin)
        window.expect("identity made: the key is in SoftHSM")
        window.expect("^did:key:z")
        window.expect("next: ")
        assert window.finished() == 0
        assert carol.pin not in window.text
    finally:
        window.kill()
    window = dave.terminal("init", "--device", "tpm")
    try:
        window.expect("new PIN for .*: ")
        window.enter(dave.pin)
        window.expect("the same again: ")
        window.enter(dave.pin)
        window.expect("identity made")
        assert window.finished() == 0
        assert dave.pin not in window.text
    finally:
        window.kill()
    return carol, dave


def unlock(window, pin):
    window.expect("PIN for .*: ")
    window.enter(pin)


def opened(stage, people, host_words=("chat",), guest_words=("join",), **options):
    """Two terminals with an open line between them."""
    carol, dave = people
    host = stage(carol.terminal(*host_words, "--loopback", **options))
    unlock(host, carol.pin)
    invite = host.expect(CODE).group(1)
    guest = stage(dave.terminal(*guest_words, "--loopback", **options))
    unlock(guest, dave.pin)
    guest.see("paste the invite here:")
    # As a mail program hands it over: quoted, broken, indented.
    guest.paste(f'> "{invite[:50]}\n>   {invite[50:]}"')
    answer = guest.expect(CODE).group(1)
    host.see("paste the answer here:")
    host.paste(f"  {answer}  ")
    guest.see(r"^go on\? \[y/N\]")
    guest.enter("y")
    return host, guest


def numbers_of(window):
    found = re.search(r"^    (\d{4} \d{4} \d{4})$", window.text, re.MULTILINE)
    assert found
    return found.group(1)


def test_a_conversation(people, stage, inbox):
    carol, dave = people
    before = carol.signatures(), dave.signatures()
    host, guest = opened(stage, people, guest_words=("join", "--dir", str(inbox)))
    for window in (host, guest):
        window.see(PROMPT)
        window.expect("line open")
    assert numbers_of(host) == numbers_of(guest)
    assert "your peer: did:key:z" in host.text
    assert "SOFTWARE TOKEN" in guest.text

    host.enter("/verify")
    host.see("^type the three numbers")
    host.enter(numbers_of(guest))
    host.expect("verified: nobody is between you two")
    guest.see("your peer says that the numbers match")
    guest.enter(f"/verify {numbers_of(host)}")
    guest.see("^you:")

    guest.type("half a sent")
    host.see("^you:")
    host.enter("hello dave")
    guest.see(r"^peer: hello dave\nyou: half a sent\Z")  # what is being typed stays below what comes in
    guest.enter("ence")
    host.see("^peer: half a sentence")

    (carol.home / "my photos.tar.gz").write_bytes(os.urandom(3_000_000))
    host.enter("/send 'my photos.tar.gz'")
    guest.see(r"is offered to you: /accept.*\Z")
    guest.enter("and now?")
    host.see("^peer: and now")
    guest.see(r"is offered to you: /accept.*\Z")  # an offer stays visible below the prompt
    guest.enter("/files")
    guest.expect(r"'my photos.tar.gz' \(3.0 MB\) is offered to you")
    guest.enter("/accept")
    guest.see("saved .*/my photos.tar.gz")
    host.see("arrived whole")
    assert (inbox / "my photos.tar.gz").read_bytes() == (carol.home / "my photos.tar.gz").read_bytes()

    host.enter("/quit")
    guest.see("^line closed: your peer closed the line")
    assert (host.finished(), guest.finished()) == (0, 0)
    assert b"\x1b[6n" not in host.raw + guest.raw, "an answer of the terminal's may come after the end"
    assert (carol.signatures() - before[0], dave.signatures() - before[1]) == (1, 1)


def test_what_is_typed_stays_whole_while_a_file_comes_and_is_cancelled(people, stage, inbox):
    carol, _ = people
    host, guest = opened(stage, people, guest_words=("join", "--dir", str(inbox)))
    (carol.home / "large.bin").write_bytes(os.urandom(150_000_000))
    host.see(PROMPT)
    host.enter("/send large.bin")
    guest.see("is offered to you")
    guest.enter("/accept")
    guest.type("meanwhile")
    guest.see(r"^you \(not verified\): meanwhile\s+^file \d+: 'large.bin' \d+ %  .*/s.*\Z")
    host.see(r"^file \d+: 'large.bin' \d+ %")
    guest.press("u")
    guest.enter("/cancel nonsense")
    guest.expect("'nonsense' is not a number")
    guest.enter("/cancel")
    guest.see("did not arrive: stopped here")
    host.see("did not arrive: ")
    assert not list(inbox.iterdir())
    guest.press("c")
    assert guest.finished() == 130
    assert "Traceback" not in guest.text
    host.see("^line closed: ")
    assert host.finished() == 0


def test_a_narrow_terminal_shows_how_fast_a_file_comes_and_why_it_stands_still(people, stage, inbox):
    carol, _ = people
    host, guest = opened(stage, people, guest_words=("join", "--dir", str(inbox)), size=(40, 24))
    with (carol.home / "a video of the holidays.mkv").open("wb") as file:
        file.truncate(4_000_000_000)
    host.see(r"^you \(not")
    host.enter("/send 'a video of the holidays.mkv'")
    guest.see(r"^file \d+: peer offers")
    guest.enter("/accept")
    guest.see(r"^\d+: a.*…\S* \d+ % [\d.]+ MB/s( \d+ (min|s|ms))+$")
    guest.enter("/pause")
    guest.see(r"^\d+: a.*\.mkv \d+ %.* paused \(you\)$")
    host.see(r"^\d+: a.*…\S* \d+ % .*paused \(your peer\)$")
    host.enter("/pause")
    guest.see(r"paused \(both\)$")
    guest.enter("/cancel")
    host.see("did not")
    host.enter("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)


def test_wrong_words_are_said_so_and_change_nothing(people, stage):
    host, guest = opened(stage, people)
    host.see(PROMPT)
    for typed, said in (
        ("/frobnicate", "there is no /frobnicate"),
        ("/accept", "nothing is offered to you right now"),
        ("/accept x", "'x' is not a number"),
        ("/cancel", "there is nothing to cancel"),
        ("/send", "which file?"),
        ("/send nowhere.bin", "nowhere.bin: no such file"),
        ("/verify 1", "those are not the numbers here"),
        ("/help", "/decline"),
        ("/id", "your peer: did:key:z"),
        ("x" * 300, "x{100}"),
    ):
        host.enter(typed)
        host.expect(said)
    guest.see("^peer: x{50}")
    host.press("d")
    assert (host.finished(), guest.finished()) == (0, 0)


def test_strings_that_differ_end_the_line_at_both_ends(people, stage):
    host, guest = opened(stage, people)
    host.see(PROMPT)
    host.enter("/verify differs")
    host.expect("hardwire: the strings differ: somebody is in between")
    host.expect("hint: ")
    guest.expect("hardwire: your peer says that the strings differ")
    assert (host.finished(), guest.finished()) == (20, 20)


def test_an_inviter_who_is_not_accepted_learns_nothing(people, stage):
    carol, dave = people
    signed = dave.signatures()
    host = stage(carol.terminal("chat", "--loopback"))
    unlock(host, carol.pin)
    guest = stage(dave.terminal("join", "--loopback"))
    unlock(guest, dave.pin)
    guest.see("paste the invite")
    guest.paste(host.expect(CODE).group(1))
    host.see("paste the answer")
    host.paste(guest.expect(CODE).group(1))
    guest.see(r"^go on\?")
    host.see("waiting for your peer to accept you")
    guest.enter("")
    guest.expect("hardwire: the inviter was not accepted")
    guest.expect("hint: ")
    host.expect("hardwire: the line closed before both sides had proved themselves")
    assert (host.finished(), guest.finished()) == (30, 20)
    assert dave.signatures() == signed
    assert "your peer: did" not in host.text


def test_a_mistyped_code_is_asked_for_again(people, stage):
    carol, _ = people
    host = stage(carol.terminal("chat", "--loopback"))
    unlock(host, carol.pin)
    own = host.expect(CODE).group(1)
    host.see("paste the answer")
    flipped = own[:-2] + ("A" if own[-2] != "A" else "B") + own[-1]
    for pasted, said in (("no code", "this is not a hardwire code"), (own, "hint"), (flipped, "hint")):
        host.paste(pasted)
        host.expect(f"hardwire: .*\n?.*{said}")
        host.expect("paste the answer here:")
    host.press("c")
    assert host.finished() == 130
    assert "Traceback" not in host.text


def test_send_asks_for_the_numbers_and_receive_for_consent(people, stage, inbox):
    carol, _ = people
    (carol.home / "letter.txt").write_text("dear dave\n")
    host, guest = opened(stage, people, ("send", "letter.txt"), ("receive", "--dir", str(inbox)))
    for window, other in ((host, guest), (guest, host)):
        window.see("^type the three numbers")
        other.expect("line open")
        window.enter(numbers_of(window))
    rows = guest.see(r"^take 'letter.txt' \(10 B\) into ")
    assert "\n".join(rows).count("letter.txt") == 1, "said once"
    assert "peer offers" not in guest.text
    guest.enter("y")
    assert (host.finished(), guest.finished()) == (0, 0)
    assert (inbox / "letter.txt").read_text() == "dear dave\n"
    assert "arrived whole" in host.text


@pytest.mark.parametrize("how", ["dumb", "plain"])
def test_a_terminal_that_cannot_be_redrawn(people, stage, inbox, how):
    words = ("--plain",) if how == "plain" else ()
    term = "dumb" if how == "dumb" else "xterm-256color"
    host, guest = opened(stage, people, ("chat", *words), ("join", *words, "--dir", str(inbox)), term=term)
    host.see(PROMPT)
    guest.see(PROMPT)
    host.enter("plain words")
    guest.expect("peer: plain words")
    guest.enter("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)
    for window in (host, guest):
        assert b"\x1b" not in window.raw


def test_no_color_is_obeyed_and_the_prompt_still_edited(people, stage):
    carol, dave = (place.with_env(NO_COLOR="1") for place in people)
    host, guest = opened(stage, (carol, dave))
    host.see(PROMPT)
    guest.see(PROMPT)
    host.enter("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", host.raw + guest.raw)


def test_the_prompt_does_not_go_where_the_data_goes(people, stage, inbox):
    carol, _ = people
    log = inbox / "out.txt"
    command = f'exec "{sys.executable}" -m hardwire chat --loopback > "{log}"'
    host = stage(Terminal(["sh", "-c", command], carol.env, carol.home))
    unlock(host, carol.pin)
    host.see("paste the answer here:")
    host.press("c")
    assert host.finished() == 130
    assert re.fullmatch(r"hw:[\w-]+\n", log.read_text())


def test_ctrl_c_at_the_pin(people, stage):
    carol, _ = people
    host = stage(carol.terminal("chat", "--loopback"))
    host.expect("PIN for .*: ")
    host.press("c")
    assert host.finished() == 130
    assert "Traceback" not in host.text


def test_a_new_invite_inside_a_conversation(people, stage):
    """One machine sleeps, the other person does not want to wait: the conversation goes on over new codes."""
    host, guest = opened(stage, people)
    for window in (host, guest):
        window.see(PROMPT)
        window.expect("line open")
    host.enter(f"/verify {numbers_of(guest)}")
    host.expect("verified: nobody is between you two")
    host.enter("/invite")
    host.expect("the line is open: a new invite is of use when it is lost")
    os.kill(guest.pid, signal.SIGSTOP)
    host.expect("path lost, looking for another one")
    host.enter("are you there?")
    host.enter("/invite")
    host.expect("only a new invite helps; lines that wait: 1")
    invite = host.expect(CODE).group(1)
    host.expect("who pastes it, or runs `hardwire join`")
    host.enter("nobody?")
    os.kill(guest.pid, signal.SIGCONT)
    guest.expect("peer: are you there[?]")  # it waited in the socket; that it was heard is not known here
    guest.expect("path lost, looking for another one")
    guest.paste(f'> "{invite[:50]}\n>   {invite[50:]}"')
    answer = guest.expect(CODE).group(1)
    host.paste(answer[:-1])
    host.expect("hint: ")
    host.paste(answer)
    for window in (host, guest):
        window.expect("another line is open, to the same device")
    guest.expect("peer: nobody[?]")
    assert guest.text.count("peer: are you there?") == 1
    guest.enter("yes")
    host.expect("peer: yes")
    host.see("^you:")
    guest.see(PROMPT)
    guest.enter("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)
