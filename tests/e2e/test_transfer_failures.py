# SPDX-License-Identifier: Apache-2.0
"""What goes wrong while a file is on its way: nothing is ever left under its final name, and much can go on."""

import os
import signal
import time

import pytest

from hardwire.app.files import SIDE_DIRECTORY
from support.clockshim import Clock
from support.disks import namespace
from support.trees import a_tree

MB = 1_000_000
DAY = 86_400


@pytest.fixture
def machines(alice, bob):
    return alice, bob


def on_its_way(stage, alice, bob, inbox):
    """A line on which a large file is being sent, and held in the middle: a direct lane would be through too soon."""
    large = alice.home / "large.bin"
    if not large.exists() or large.stat().st_size != 800 * MB:  # another line may be sending it
        with large.open("wb") as file:
            file.truncate(800 * MB)
    host = stage(alice.json("chat", "--loopback"))
    guest = stage(bob.json("join", "--loopback", "--dir", inbox))
    stage.line(host, guest)
    host.say("/send large.bin")
    guest.expect("file-offer")
    guest.say("/accept")
    while guest.expect("file-progress")["done"] < 2 * MB:
        pass
    host.say("/pause")
    for one in (host, guest):
        one.expect("file-paused", on=True)
    assert left(inbox) == [SIDE_DIRECTORY]
    return host, guest


def left(inbox):
    return [path.name for path in inbox.iterdir()]


@pytest.mark.device("softhsm", "swtpm")
def test_the_sender_vanishes_and_the_receiver_vanishes(alice, bob, stage, inbox):
    """Both on lines of their own at the same time, as noticing it is what takes the time here."""
    for name in ("one", "two"):
        (inbox / name).mkdir()
    first, left_receiving = on_its_way(stage, alice, bob, inbox / "one")
    left_sending, second = on_its_way(stage, alice, bob, inbox / "two")
    first.kill()
    second.kill()
    for one in (left_receiving, left_sending):
        one.expect("path-lost")
        one.signal(signal.SIGINT)  # a person who does not want to wait whether it comes back
        assert one.finished() == 130
        (ended,) = [event for event in one.seen if event["event"] == "file-failed"]
        assert (ended["name"], ended["resumable"]) == ("large.bin", True)
    for name in ("one", "two"):
        assert left(inbox / name) == [SIDE_DIRECTORY]


@pytest.mark.device("softhsm", "swtpm")
@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_ctrl_c_in_the_middle(alice, bob, stage, inbox, who):
    host, guest = on_its_way(stage, alice, bob, inbox)
    leaver, other = (host, guest) if who == "sender" else (guest, host)
    leaver.signal(signal.SIGINT)
    assert leaver.failed()["exit_code"] == 130
    assert other.expect("file-failed")["name"] == "large.bin"
    assert other.expect("line-closed")["clean"]
    assert other.finished() == 0
    assert left(inbox) == [SIDE_DIRECTORY]


@pytest.mark.device("softhsm", "swtpm")
def test_cancelled_from_either_side(alice, bob, stage, inbox):
    host, guest = on_its_way(stage, alice, bob, inbox)
    guest.say("/cancel")
    for peer in (guest, host):
        assert peer.expect("file-failed")["code"] == "cancelled"
    host.say("/send large.bin")
    guest.expect("file-offer")
    guest.say("/accept")
    guest.expect("file-progress")
    host.say("/cancel")
    for peer in (guest, host):
        assert peer.expect("file-failed")["code"] == "cancelled"
    host.say("still here")
    guest.expect("said", text="still here")
    assert not list(inbox.iterdir())


@pytest.mark.device("softhsm", "swtpm")
def test_a_receiver_that_is_stopped_before_the_end_says_40_at_the_sender(alice, bob, stage, inbox):
    with (alice.home / "big.bin").open("wb") as file:
        file.truncate(900 * MB)
    host = stage(alice.json("send", "big.bin", "--loopback", "--unverified"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
    stage.codes(host, guest)
    while guest.expect("file-progress")["done"] < 2 * MB:
        pass
    guest.signal(signal.SIGTERM)
    assert guest.failed()["exit_code"] == 143
    assert host.failed()["exit_code"] == 40
    assert left(inbox) == [SIDE_DIRECTORY]
    shown = stage(bob.json("receive", "--partials", "--dir", inbox))
    partial = shown.expect("partial")
    assert MB <= partial["done"] < partial["size"] == 900 * MB
    assert shown.finished() == 0
    # The same again goes on from there; nobody says anything of a first time.
    host = stage(alice.json("send", "big.bin", "--loopback", "--unverified"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
    stage.codes(host, guest)
    assert guest.expect("file-started")["done"] >= MB
    host.expect("file-started")  # it cannot be paused before the sender knows that it was accepted
    host.say("pause")
    assert guest.expect("file-paused") | {"id": 0} == {
        "event": "file-paused", "id": 0, "name": "big.bin", "by": "peer", "on": True,
    }  # fmt: skip
    guest.signal(signal.SIGUSR1)
    host.expect("file-paused", by="peer", on=True)
    host.say("resume")
    guest.say("resume")
    host.expect("file-paused", by="peer", on=False)
    guest.say("cancel")
    assert host.failed()["exit_code"] == 40
    guest.failed()
    assert left(inbox) == []


@pytest.mark.device("softhsm", "swtpm")
@pytest.mark.parametrize("what", ["list.txt", "shelf"])
def test_killed_between_the_name_and_the_last_word_nothing_comes_twice(alice, bob, stage, inbox, what):
    if what == "shelf":
        a_tree(alice.home / "shelf", octets=3 * MB)
    (alice.home / "list.txt").write_text("all of it")
    host = stage(alice.json("send", what, "--loopback", "--unverified"))
    guest = stage(bob.tricky("dies", "receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
    stage.codes(host, guest)
    deadline = time.monotonic() + 30
    while not (inbox / what).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    host.signal(signal.SIGINT)
    assert host.failed()["exit_code"] == 130
    host = stage(alice.json("send", what, "--loopback", "--unverified"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
    stage.codes(host, guest)
    assert guest.expect("file-started")["done"] == guest.expect("file-done")["size"]
    assert (host.finished(), guest.finished()) == (0, 0)
    assert left(inbox) == [what]


@pytest.mark.skipif(not namespace(), reason="this kernel lets nobody here mount a small disk")
def test_the_receivers_disk_is_full(alice, bob, stage, inbox):
    (alice.home / "four.bin").write_bytes(os.urandom(4 * MB))
    script = 'mount -t tmpfs -o size=3m none "$1" && shift && exec "$@"'
    host = stage(alice.json("send", "four.bin", "--loopback", "--unverified"))
    guest = stage(
        bob.json(
            "receive", "--loopback", "--dir", inbox, "--yes", "--unverified",
            before=[*namespace(), "sh", "-c", script, "sh", str(inbox)],
        )
    )  # fmt: skip
    stage.codes(host, guest)
    failed = guest.expect("file-failed")
    assert failed["code"] == "disk-full"
    assert "no room for 4.0 MB" in failed["reason"]
    error = guest.failed()
    assert (error["exit_code"], error["code"]) == (40, "disk-full")
    assert "--dir" in error["hint"]
    assert "no room" in host.failed()["message"]


@pytest.mark.device("softhsm", "swtpm")
@pytest.mark.parametrize(
    "name, ends",
    [("../above.txt", True), ("a\nb", True), ("", True), (".bashrc", False), ("evil\u202etxt.exe", False)],
)
def test_a_hostile_name_is_refused(machines, stage, inbox, name, ends):
    alice, bob = machines
    (alice.home / "harmless.txt").write_text("x")
    host = stage(alice.tricky(f"name={name}", "send", "harmless.txt", "--loopback", "--unverified"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
    stage.codes(host, guest)
    # A name that is a path breaks the protocol and ends the line; one that only deceives is declined.
    assert (host.failed()["exit_code"], guest.failed()["exit_code"]) == ((30, 20) if ends else (40, 40))
    assert not list(inbox.iterdir())
    assert not (inbox.parent / "above.txt").exists()


@pytest.mark.device("softhsm", "swtpm")
def test_octets_that_are_not_the_offered_ones(alice, bob, stage, inbox):
    (alice.home / "true.txt").write_text("the truth")
    host = stage(alice.tricky("flip", "send", "true.txt", "--loopback", "--unverified"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
    stage.codes(host, guest)
    error = guest.failed()
    assert (error["exit_code"], error["code"]) == (40, "hash-mismatch")
    assert host.failed()["exit_code"] == 40
    assert not list(inbox.iterdir())


@pytest.mark.device("softhsm", "swtpm")
def test_a_file_that_changes_under_the_transfer(alice, bob, stage, inbox):
    host, guest = on_its_way(stage, alice, bob, inbox)
    with (alice.home / "large.bin").open("ab") as file:
        file.write(b"more")
    host.say("/resume")  # what was read ahead before the pause may not show it
    assert host.expect("file-failed")["code"] == "file-changed"
    guest.expect("file-failed")
    began = time.monotonic()
    while left(inbox) and time.monotonic() < began + 5:
        time.sleep(0.05)
    assert not left(inbox)


@pytest.mark.device("softhsm", "swtpm")
def test_clocks_that_jump_by_days(alice, bob, stage, clock_shim, inbox):
    """At both ends, forward and back, in the middle of a line and a file; and between two lines."""
    clocks = [Clock(clock_shim, inbox.parent / f"clock-{place.home.name}") for place in (alice, bob)]
    sender, receiver = (clock.at(place) for clock, place in zip(clocks, (alice, bob), strict=True))
    host, guest = on_its_way(stage, sender, receiver, inbox)
    for one, other in ((30, -30), (-400, 400), (12, 12)):
        for clock, days in zip(clocks, (one, other), strict=True):
            clock.set(days * DAY)
        host.say(f"day {one}")
        guest.expect("said", text=f"day {one}")
        guest.say(f"day {other}")
        host.expect("said", text=f"day {other}")
    assert not [told for one in (host, guest) for told in one.seen if told["event"] in {"path-lost", "line-closed"}]
    # Another line, twelve days later by both clocks
    guest.kill()
    host.signal(signal.SIGINT)
    host.finished()
    (part,) = (inbox / SIDE_DIRECTORY).iterdir()
    (inbox / SIDE_DIRECTORY / ("0" * 32)).mkdir()  # another one, untouched since
    host, guest = stage(sender.json("chat", "--loopback")), stage(receiver.json("join", "--loopback", "--dir", inbox))
    stage.line(host, guest)
    host.say("/send large.bin")
    guest.expect("file-offer")
    guest.say("/accept")
    assert guest.expect("file-started")["done"] >= MB
    assert part.is_dir()
    assert (inbox / SIDE_DIRECTORY / ("0" * 32)).is_dir()
    guest.say("/cancel")
    guest.expect("file-failed")
    host.say("/quit")
    guest.finished()
