# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran

pytestmark = pytest.mark.device("softhsm")


def test_what_is_sent_is_shown_before_anybody_is_asked(me, tmp_path):
    (tmp_path / "a.txt").write_text("abc")
    shown = ran("send", "--loopback", tmp_path / "a.txt")
    assert shown.code == 2
    assert "  a.txt (3 B)\n" in shown.err
    assert "hardwire receive" in shown.err


def test_nothing_to_send(me, tmp_path):
    assert ran("send").code == 2
    shown = ran("send", tmp_path / "none", "--json")
    assert shown.events[-1]["exit_code"] == shown.code == 2
