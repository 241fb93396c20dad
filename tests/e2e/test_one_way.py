# SPDX-License-Identifier: Apache-2.0
"""One code between two programs: made by the sender or by the receiver, taken by the other."""

import os

import pytest

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]


def deliver(stage, host, guest, inbox):
    ready = host.expect("invite-ready")
    assert len(ready["code"]) <= 76  # two loopback addresses
    assert ready["listens"][0].startswith("127.0.0.1:")
    guest.say(ready["code"])
    guest.expect("question", name="accept-inviter")
    guest.say("y")
    here = host.expect("line-open")
    assert here["sas"] == guest.expect("line-open")["sas"]
    for peer in (host, guest):
        peer.expect("question", name="verify")
        peer.say(here["sas"])
    assert (host.finished(), guest.finished()) == (0, 0)
    assert [path.name for path in inbox.iterdir()] == ["report"]


def test_the_sender_listens(alice, bob, stage, inbox):
    (alice.home / "report").write_bytes(os.urandom(10_000))
    host = stage(alice.json("send", "--one-way", "report", "--loopback"))
    guest = stage(bob.json("receive", "--loopback", "--yes", "--dir", inbox))
    deliver(stage, host, guest, inbox)


def test_the_receiver_listens(alice, bob, stage, inbox):
    (bob.home / "report").write_bytes(os.urandom(10_000))
    host = stage(alice.json("receive", "--one-way", "--loopback", "--yes", "--dir", inbox))
    guest = stage(bob.json("send", "--join", "report", "--loopback"))
    deliver(stage, host, guest, inbox)


def test_only_one_of_the_two(alice, stage):
    (alice.home / "report").write_text("x")
    both = stage(alice.json("send", "--join", "--one-way", "report"))
    assert "only one" in both.expect("error")["message"]
    assert both.finished() == 2
