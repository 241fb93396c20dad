# SPDX-License-Identifier: Apache-2.0
"""Two programs over pipes: the whole job through ``--json``, with the signatures counted in the devices."""

import os
import signal
from pathlib import Path

import pytest

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]


def test_prove_compare_talk_send_close(alice, bob, stage, inbox):
    before = alice.signatures(), bob.signatures()
    host = stage(alice.json("chat", "--loopback"))
    guest = stage(bob.json("join", "--loopback", "--dir", inbox))
    here, there = stage.line(host, guest)
    assert here["sas"] == there["sas"]
    assert here["words"] == there["words"]
    assert here["sid"] == there["sid"]

    number = here["sas"]
    host.say(f"/verify {number.split()[-1]}")
    slip = host.expect("error")
    assert (slip["code"], slip["final"]) == ("other-number", False)
    host.say(f"/verify {number}")
    guest.say(f"/verify {number}")
    host.expect("verified", by="peer", matched=True)
    guest.expect("verified", by="peer", matched=True)

    host.say("grüße, bob")
    guest.expect("said", by="peer", text="grüße, bob")
    host.expect("delivered")
    guest.say("//slash")
    host.expect("said", by="peer", text="/slash")

    (alice.home / "photos" / "deep").mkdir(parents=True)
    (alice.home / "photos" / "deep" / "one").write_bytes(os.urandom(300_000))
    (alice.home / "photos" / "link").symlink_to("deep")
    host.say("/send photos")
    assert "link" in host.expect("notice")["text"]
    offer = guest.expect("file-offer", name="photos")
    assert (offer["kind"], offer["files"], offer["size"]) == ("directory", 1, 300_000)
    guest.say("/accept")
    done = guest.expect("file-done")
    host.expect("file-done", path=None)
    assert offer["root"] == done["root"]
    one = Path("photos", "deep", "one")
    assert (inbox / one).read_bytes() == (alice.home / one).read_bytes()

    host.say("/quit")
    assert guest.expect("line-closed")["clean"]
    assert (host.finished(), guest.finished()) == (0, 0)
    assert [path.name for path in inbox.iterdir()] == ["photos"]
    assert not host.stderr
    assert not guest.stderr
    assert (alice.signatures() - before[0], bob.signatures() - before[1]) == (1, 1)


def test_send_and_receive_with_the_roles_of_the_devices_exchanged(alice, bob, stage, inbox):
    before = alice.signatures(), bob.signatures()
    (bob.home / "report.txt").write_text("all well\n")
    (bob.home / "empty").write_text("")
    host = stage(bob.json("send", "report.txt", "empty", "--loopback"))
    guest = stage(alice.json("receive", "--loopback", "--dir", inbox))
    here, _ = stage.line(host, guest)
    for peer in (host, guest):
        peer.expect("question", name="verify")
        peer.say(here["sas"])
    for name in ("report.txt", "empty"):
        question = guest.expect("question", name="take-file")
        assert name in question["text"]
        guest.say("y")
    for _ in range(2):
        guest.expect("file-done")
    assert (host.finished(), guest.finished()) == (0, 0)
    assert (inbox / "report.txt").read_text() == "all well\n"
    assert (inbox / "empty").read_bytes() == b""
    assert (alice.signatures() - before[0], bob.signatures() - before[1]) == (1, 1)


def test_a_pinned_peer_needs_no_questions(alice, bob, stage, inbox):
    did = {place.device: place.run("id", "--name")[1].strip() for place in (alice, bob)}
    (alice.home / "pinned.txt").write_text("to you alone\n")
    (inbox / "pinned.txt").write_text("was here before\n")
    host = stage(alice.json("send", "pinned.txt", "--loopback", "--peer", did[bob.device]))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--peer", did[alice.device]))
    stage.codes(host, guest)
    assert (host.finished(), guest.finished()) == (0, 0)
    assert [event["name"] for event in host.seen + guest.seen if event["event"] == "question"] == ["answer", "invite"]
    assert (inbox / "pinned.txt").read_text() == "was here before\n"
    assert (inbox / "pinned (2).txt").read_text() == "to you alone\n"


def test_a_file_that_is_not_wanted(alice, bob, stage, inbox):
    (alice.home / "spam.txt").write_text("spam")
    host = stage(alice.json("send", "spam.txt", "--loopback", "--unverified"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--unverified"))
    stage.codes(host, guest)
    guest.expect("question", name="take-file")
    guest.say("n")
    assert host.failed()["exit_code"] == 40
    assert guest.failed()["exit_code"] == 40
    assert not list(inbox.iterdir())


def test_both_quit_at_once(alice, bob, stage):
    host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback"))
    stage.line(host, guest)
    host.say("/quit")
    guest.say("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)


def test_the_end_of_input_is_quit_after_everything_was_delivered(alice, bob, stage, inbox):
    (alice.home / "last.bin").write_bytes(os.urandom(500_000))
    host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback", "--dir", inbox))
    stage.line(host, guest)
    host.say("/send last.bin")
    host.end_input()
    guest.expect("file-offer")
    guest.say("/accept")
    guest.expect("file-done")
    assert (host.finished(), guest.finished()) == (0, 0)
    assert (inbox / "last.bin").stat().st_size == 500_000


def test_stdin_was_closed_before_the_code(alice, stage):
    host = stage(alice.json("chat", "--loopback"))
    host.expect("invite-ready")
    host.end_input()
    assert host.failed()["exit_code"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_says_goodbye_first(alice, bob, stage, number):
    host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback"))
    stage.line(host, guest)
    host.signal(number)
    error = host.failed()
    assert (error["code"], error["exit_code"]) == ("interrupted", 128 + number)
    assert guest.expect("line-closed")["clean"]
    assert guest.finished() == 0


def test_whoever_reads_the_events_went_away(alice, bob, stage):
    host, guest = stage(alice.json("chat", "--loopback")), stage(bob.json("join", "--loopback"))
    stage.line(host, guest)
    host.end_output()
    guest.say("anybody there?")
    assert host.finished() == 1
    assert not host.stderr
    assert guest.expect("line-closed")["clean"]
    assert guest.finished() == 0
