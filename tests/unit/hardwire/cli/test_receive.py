# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran

pytestmark = pytest.mark.device("softhsm")


def test_without_a_code_nothing_comes(me, tmp_path):
    shown = ran("receive", "--dir", tmp_path)
    assert (shown.code, shown.out) == (2, "")
    assert "hardwire: no invite was given" in shown.err


def test_where_files_go_is_checked_first(home, tmp_path):
    shown = ran("receive", "--dir", tmp_path / "none")
    assert shown.code == 2
    assert shown.err.endswith("hint: make it first, or choose another with --dir\n")


def test_questions_are_announced_to_programs(me):
    shown = ran("receive", "--json")
    assert [event["event"] for event in shown.events] == ["question", "error"]
    assert shown.events[0]["name"] == "invite"
