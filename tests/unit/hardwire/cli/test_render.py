# SPDX-License-Identifier: Apache-2.0
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hardwire.app import events
from hardwire.cli.output import Output
from hardwire.cli.render import CLOSED_HERE, show, show_rows
from hardwire.cli.rows import Rows

EVIL = "x\x1b[2J\u202ey\rz"
OPEN = events.LineOpen("1111 2222 3333", ("🐶 dog", "🐱 cat"), "00", 1.0, 2.0)


def shown(capsys, event) -> tuple[str, str]:
    show(Output(), event)
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_numbers_and_words_stand_side_by_side_as_data(capsys):
    out, err = shown(capsys, OPEN)
    assert out == "    1111 2222 3333\n    🐶 dog · 🐱 cat\n"
    assert "compare with your peer" in err


@pytest.mark.parametrize(
    "event",
    [
        events.Said("peer", "00", EVIL),
        events.FileOffer(1, EVIL, "file", 5, 1, 0, "00"),
        events.FileFailed(1, EVIL, "in", "declined", EVIL, "ask"),
        events.FileDone(1, EVIL, "out", 5, "00", 1.0, None),
        events.HelperUsed("stun:x", EVIL, (EVIL,)),
        events.Notice(EVIL),
        events.LineClosed(clean=True, reason=EVIL),
    ],
    ids=lambda event: type(event).__name__,
)
def test_nothing_of_the_peer_steers_the_terminal(capsys, event):
    out, err = shown(capsys, event)
    for char in "\x1b\u202e\r":
        assert char not in out + err


def test_a_message_of_several_lines_is_marked_on_each(capsys):
    assert shown(capsys, events.Said("peer", "00", "one\nyou: two"))[0] == "peer: one\npeer: you: two\n"


@pytest.mark.parametrize(
    "event, words",
    [
        (events.DeviceAsked("a token", software=False), "\asigning with a token: touch it now if it blinks\n"),
        (events.DeviceAsked("SoftHSM", software=True), "signing with SoftHSM\n"),
        (events.DeviceAsked("a TPM", software=False, touch=False), "signing with a TPM\n"),
        (
            events.DeviceAsked("a YubiKey", software=False, touch=True),
            "\atouch your key now: a YubiKey waits for it, 15 s at most\n",
        ),
        (events.HelperUsed("stun:s", "your address"), "asked stun:s: it learns your address\n"),
        (events.HelperUsed("s", "it all", ("192.0.2.7",)), "asked s: it learns it all; it saw 192.0.2.7\n"),
        (events.Verified("here", matched=True), "verified: nobody is between you two\n"),
        (events.Verified("peer", matched=True), "your peer says that the numbers match\n"),
        (events.FileOffer(3, "a.txt", "file", 2_000_000, 1, 0, "00"), "file 3: peer offers 'a.txt' (2.0 MB)\n"),
        (events.Notice("no relay"), "no relay\n"),
        (events.LineClosed(clean=True, reason=CLOSED_HERE), "line closed\n"),
        (events.LineClosed(clean=True, reason="your peer left"), "line closed: your peer left\n"),
        (events.LineClosed(clean=False, reason="cut"), ""),
        (events.Said("here", "00", "mine"), ""),
        (
            events.Said("here", "00", "mine", queued=True),
            "  (no path to your peer right now: this line waits)\n",
        ),
        (events.PathLost(0), "path lost, looking for another one\n"),
        (events.PathLost(2), "path lost, looking for another one; lines that wait: 2\n"),
        (events.PathFound(True, 3661.0), "the line goes on over another path, after 1 h 1 min\n"),
        (events.PathFound(False, 31.0), "the line goes on over the same path, after 31 s\n"),
        (events.Reconnecting(1), "line lost, looking for your peer to open another one; lines that wait: 1\n"),
        (
            events.InviteGone(("192.0.2.7:4000", "192.0.2.8:4000")),
            "this machine has moved, and the code above leads to 192.0.2.7:4000 or 192.0.2.8:4000. Another one:\n",
        ),
        (events.InviteNeeded(0), "your peer was not found: only a new invite helps\n"),
        (events.InviteNeeded(2), "your peer was not found: only a new invite helps; lines that wait: 2\n"),
        (
            events.Reconnected("1111 2222 3333", ("dog",), "00"),
            "another line is open, to the same device\n  its numbers: 1111 2222 3333\n",
        ),
        (events.PathFound(True, 0.0), "the line moved to another path\n"),
        (events.Delivered("00"), ""),
        (events.EpochChanged(1), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, events.Event) else "",
)
def test_words_for_people(capsys, event, words):
    assert shown(capsys, event) == ("", words)


def test_a_peer_is_introduced(capsys):
    seen = events.PeerSeen("did:key:zA", "00", "SOFTWARE TOKEN", "1234567890", pinned=True)
    _, err = shown(capsys, seen)
    assert err == (
        "\nyour peer: did:key:zA\n  key in     SOFTWARE TOKEN\n  safety no. 12345 67890\n"
        "  this is the peer you asked for (--peer)\n"
    )


def test_a_proved_device_is_shown_with_whoever_vouches_for_it(capsys):
    facts = ("firmware 5.4.3", EVIL)
    seen = events.PeerSeen("did:key:zA", "00", "YubiKey 5 (attested)", "1", False, True, f"maker {EVIL}", facts)
    _, err = shown(capsys, seen)
    assert "  key in     YubiKey 5 (attested)\n  proved by  maker x" in err
    assert "             firmware 5.4.3, x" in err
    for char in "\x1b\u202e\r":
        assert char not in err
    bare = events.PeerSeen("did:key:zA", "00", "TPM (attested)", "1", False, True, "office")
    assert "  proved by  office\n  safety no." in shown(capsys, bare)[1]


def test_the_end_of_a_file(capsys):
    done = events.FileDone(1, "a", "in", 5, "abcd", 0.5, Path("/tmp/a"))
    assert shown(capsys, done)[1] == "file 1: saved /tmp/a (5 B in 500 ms)\n  root abcd\n"
    hashed = events.FileDone(1, "a", "in", 5, "abcd", 0.5, Path("/tmp/a"), sha256="ef01")
    assert shown(capsys, hashed)[1].splitlines()[1:] == ["  sha256 ef01", "  root abcd"]
    direct = events.FileDone(1, "a", "out", 5_000_000, "abcd", 0.5, None, 4_000_000)
    words = "file 1: 'a' arrived whole (5.0 MB in 500 ms, 4.0 MB of it over a direct connection)"
    assert shown(capsys, direct)[1].splitlines()[0] == words
    all_of_it = events.FileDone(1, "a", "out", 5, "abcd", 0.5, None, 5)
    words = "file 1: 'a' arrived whole (5 B in 500 ms, over a direct connection)"
    assert shown(capsys, all_of_it)[1].splitlines()[0] == words
    failed = events.FileFailed(1, "a", "in", "disk-full", "no room", "make room")
    assert shown(capsys, failed)[1] == "file 1: 'a' did not arrive: no room\nhint: make room\n"


def test_which_way_files_take(capsys):
    assert shown(capsys, events.WayChanged("direct", open=True))[1] == "files go over a direct connection from now on\n"
    assert shown(capsys, events.WayChanged("direct", open=False))[1] == "files go over the line from now on\n"


def test_a_program_gets_each_event_as_it_is(capsys):
    show(Output(json_mode=True), OPEN)
    captured = capsys.readouterr()
    assert json.loads(captured.out)["sas"] == "1111 2222 3333"
    assert captured.err == ""


def test_a_member_is_introduced_by_its_organisation(capsys):
    seen = events.PeerSeen(
        "did:key:zA", "00", "token, unproven", "1", pinned=False, organisation=f"ACME{EVIL}",
        names=("alice@example.org",), level="attested hardware", revocation="not revoked, 3 h old", revocation_age=10800.0,
    )  # fmt: skip
    _, err = shown(capsys, seen)
    assert "  member of  ACME" in err
    assert "  called     alice@example.org\n  checked    attested hardware, says ACME" in err
    assert "  revocation not revoked, 3 h old\n" in err
    for char in "\x1b\u202e\r":
        assert char not in err


def test_a_member_of_whom_little_is_known(capsys):
    seen = events.PeerSeen("did:key:zA", "00", "x", "1", pinned=False, organisation="ACME", revocation="nobody knows")
    _, err = shown(capsys, seen)
    assert "called" not in err
    assert "checked" not in err
    assert "  revocation nobody knows\n" in err


def test_what_was_judged_is_said_when_something_is_missing(capsys):
    assert shown(capsys, events.RevocationJudged("the CRL is 40 d old", None))[1] == "the CRL is 40 d old\n"
    assert shown(capsys, events.RevocationJudged("not revoked", 5.0))[1] == ""


def test_a_row_of_progress_fits_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    event = events.FileProgress(1, "a name that is long.tar.gz", "in", 510_700_000, 1_500_000_000, 148.5e6, 200.0)
    out, rows = Output(), Rows()
    for happens in (event, events.PathLost(0)):
        show_rows(out, rows, happens)
    assert capsys.readouterr().err == (
        "\r\x1b[2K1: a na…r.gz 34 % 148.5 MB/s 3 min 20 s\r\x1b[2K1: a nam…tar.gz 34 % waiting for a path"
    )


def test_a_row_of_progress_steers_no_terminal(capsys):
    show_rows(Output(), Rows(), events.FileProgress(1, EVIL, "in", 4, 5, 1.0, None))
    err = capsys.readouterr().err
    assert err.startswith("file 1: 'x")
    for char in "\x1b\u202e\r":
        assert char not in err


def test_a_verified_line_shows_nothing_to_compare(capsys):
    out, err = shown(capsys, replace(OPEN, verified_by="ACME"))
    assert out == ""
    assert "verified by ACME: there is nothing to compare" in err


def test_who_asked_for_this_very_peer_is_not_told_to_compare(capsys):
    out, err = shown(capsys, replace(OPEN, pinned=True))
    assert err.splitlines()[-1] == (
        "no need to compare: you asked for this peer (--peer). If they ask for the numbers:"
    )
    assert "compare with your peer" not in err
    assert out.startswith("    1111 2222 3333\n"), "the peer may have asked for nobody, and wants to hear them"
    assert "there is nothing to compare" in shown(capsys, replace(OPEN, pinned=True, verified_by="ACME"))[1]


@pytest.mark.parametrize(
    "event, words",
    [
        (
            events.FileOffer(3, "a", "directory", 5, 2, 3, "00"),
            "file 3: peer offers the directory 'a' (2 files, 3 directories, 5 B)\n",
        ),
        (
            events.FileOffer(3, "a", "directory", 5, 1, 1, "00"),
            "file 3: peer offers the directory 'a' (1 file, 1 directory, 5 B)\n",
        ),
        (events.FileOffer(3, "a", "directory", 5, 1, 0, "00"), "file 3: peer offers the directory 'a' (1 file, 5 B)\n"),
        (events.FileOffer(3, "a", "file", 0, 1, 0, "00"), "file 3: peer offers 'a' (0 B)\n"),
        (
            events.FileOffer(3, "a", "directory", 1 << 53, 0, (1 << 17) - 1, "00"),
            "file 3: peer offers the directory 'a' (0 files, 131071 directories, 9.0 PB)\n",
        ),
        (events.FileOffer(3, "a", "stream", 0, 1, 0, "00"), "file 3: peer offers 'a' (its size is known at its end)\n"),
        (events.FileStarted(3, "a", "in", 0, 5), ""),
        (events.FileStarted(3, "a", "in", 2, 5), "file 3: 'a' goes on at 40 %: 2 B is there already\n"),
        (events.FilePaused(3, "a", "here", True), "file 3: 'a' paused (you)\n"),
        (events.FilePaused(3, "a", "peer", False), "file 3: 'a' goes on (your peer)\n"),
        (events.FileMoved(2, 3, "a", "in"), "file 2: 'a' goes on over the new line (it was file 3)\n"),
    ],
)
def test_words_about_files(capsys, event, words):
    assert shown(capsys, event) == ("", words)
