# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import os
import re
import signal

import pytest
import typer

from hardwire import errors
from hardwire.cli.lines import Interrupted
from hardwire.cli.output import Output
from hardwire.cli.run import INTERRUPTED, Stopped, run, run_async
from support.budgets import ROOT

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HardwireError)]


def table() -> dict[int, set[str]]:
    """Exit code → error classes, as docs/exit-codes.md says."""
    text = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| ([A-Za-z, ]*) ?\|$", text, re.MULTILINE)
    return {int(code): {name for name in names.strip().split(", ") if name} for code, names in rows}


def exit_code_of(problem: BaseException, *, json_mode: bool = False) -> int:
    def body() -> None:
        raise problem

    with pytest.raises(typer.Exit) as caught:
        run(Output(json_mode=json_mode), body)
    return caught.value.exit_code


def test_the_table_has_every_class_once_and_no_other():
    listed = [name for names in table().values() for name in names]
    assert sorted(listed) == sorted(kind.__name__ for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_process_ends_as_the_table_says(kind, capsys):
    codes = [code for code, names in table().items() if kind.__name__ in names]
    assert codes == [exit_code_of(kind("it failed"))]
    assert capsys.readouterr().err.startswith("hardwire: it failed\n")
    assert codes == [exit_code_of(kind("it failed"), json_mode=True)]
    assert json.loads(capsys.readouterr().out)["exit_code"] == codes[0]


def test_an_instance_may_know_better(capsys):
    assert exit_code_of(errors.CertificateRefused("expired", exit_code=50)) == 50
    assert 50 in table()


@pytest.mark.parametrize("problem, code", [(KeyboardInterrupt(), 130), (Stopped(signal.SIGTERM), 143)])
def test_who_stopped_it_needs_no_words(problem, code, capsys):
    assert exit_code_of(problem) == code
    assert capsys.readouterr() == ("", "")
    assert exit_code_of(problem, json_mode=True) == code
    event = json.loads(capsys.readouterr().out)
    assert (event["code"], event["exit_code"], event["final"]) == ("interrupted", code, True)
    assert code in table()


def test_a_bug_is_admitted(capsys):
    assert exit_code_of(ZeroDivisionError("oh")) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith(
        "hardwire: unexpected ZeroDivisionError: oh\nhint: this is a bug in hardwire: please report it\n"
    )


def test_an_exit_of_the_command_itself_passes():
    assert exit_code_of(typer.Exit(7)) == 7


def test_ctrl_c_at_the_prompt_is_ctrl_c():
    async def body() -> None:
        raise Interrupted

    with pytest.raises(typer.Exit) as caught:
        run_async(Output(), body)
    assert caught.value.exit_code == INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_lets_the_body_say_goodbye(number):
    said = []

    async def body() -> None:
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)
        try:
            await asyncio.sleep(20)
        finally:
            said.append("goodbye")

    with pytest.raises(typer.Exit) as caught:
        run_async(Output(), body)
    assert caught.value.exit_code == 128 + number
    assert said == ["goodbye"]


def test_a_body_that_ends_well_ends_quietly(capsys):
    async def body() -> None:
        await asyncio.sleep(0)

    run_async(Output(), body)
    assert capsys.readouterr() == ("", "")
