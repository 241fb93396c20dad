# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran

pytestmark = pytest.mark.device("softhsm")


@pytest.mark.parametrize("text, said", [("", "no invite was given"), ("not a code!\n", "this is not a hardwire code")])
def test_without_a_code_there_is_no_line(me, text, said):
    shown = ran("join", text=text)
    assert (shown.code, shown.out) == (2, "")
    assert f"hardwire: {said}" in shown.err
    assert "hint: " in shown.err


def test_a_code_for_machines_elsewhere_or_here(me):
    invite = ran("chat", "--loopback").out
    shown = ran("join", text=invite)
    assert shown.code in {2, 30}
    assert "hint: " in shown.err


def test_a_code_file_that_is_not_there(me, tmp_path):
    shown = ran("join", "--code-file", tmp_path / "none")
    assert shown.code == 1
    assert shown.err.startswith(f"hardwire: cannot read {tmp_path / 'none'}: ")


def test_without_an_identity(home):
    shown = ran("join")
    assert shown.code == 10
    assert "hint: run `hardwire init`" in shown.err
