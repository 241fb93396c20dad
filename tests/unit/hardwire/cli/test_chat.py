# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran

pytestmark = pytest.mark.device("softhsm")


def test_an_invite_is_the_only_data(me):
    shown = ran("chat", "--loopback")
    assert shown.code == 2
    assert shown.out.startswith("hw:")
    assert shown.out.count("\n") == 1
    assert "your invite:" in shown.err
    assert shown.err.endswith("hardwire: no answer was given\nhint: paste it, or give it with --code-file\n")


def test_a_picture_in_the_terminal_and_in_a_file(me, tmp_path):
    shown = ran("chat", "--loopback", "--qr", "--out-file", tmp_path / "invite.svg")
    assert "█" in shown.err
    assert "█" not in shown.out
    assert "<svg" in (tmp_path / "invite.svg").read_text()


def test_events_for_programs(me):
    shown = ran("chat", "--loopback", "--json")
    assert [event["event"] for event in shown.events] == ["invite-ready", "question", "error"]
    assert shown.err == ""


def test_where_files_go_is_checked_first(home, tmp_path):
    shown = ran("chat", "--dir", tmp_path / "none")
    assert shown.code == 2
    assert "is not a directory" in shown.err


@pytest.mark.parametrize(
    "words", [("--relay-only",), ("--stun", "http://x"), ("--turn", "turn:"), ("--peer", "did:key:zNobody")]
)
def test_wrong_words(me, words):
    shown = ran("chat", *words)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.startswith("hardwire: ")
