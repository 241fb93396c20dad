# SPDX-License-Identifier: Apache-2.0
"""`hardwire doctor`: what is wrong here, what it means, how to mend it."""

from typing import Final

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

_NAME: Final = len("organisations")
"""Columns of the longest finding's name."""


def command(json_mode: JsonOption = False, plain: PlainOption = False) -> None:
    """Look for everything that could keep a line from opening. Spends no PIN and sends nothing.

    \b
    Examples:
      hardwire doctor
      hardwire doctor --json | jq 'select(.state != "ok")'
    """
    out = Output(json_mode=json_mode, plain=plain)
    run(out, lambda: _examine(out))


def _examine(out: Output) -> None:
    from hardwire.app.doctor import State, examine

    styles = {State.OK: "green", State.NOTE: "yellow", State.BAD: "red"}
    bad = 0
    for finding in examine():
        bad += finding.state is State.BAD
        out.record(
            {
                "event": "finding",
                "name": finding.name,
                "state": finding.state.value,
                "text": finding.text,
                "hint": finding.hint,
            }
        )
        mark = out.styled(f"{finding.state.value:<4}", styles[finding.state])
        out.data(f"{mark} {finding.name:<{_NAME}} {finding.text}")
        if finding.hint:
            out.data(f"     {'':<{_NAME}} hint: {finding.hint}")
    if bad:
        out.say(f"{bad} of these keep a line from opening")
        raise typer.Exit(1)
    out.say("nothing here keeps a line from opening")
