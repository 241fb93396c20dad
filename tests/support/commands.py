# SPDX-License-Identifier: Apache-2.0
"""A command of hardwire in this process: its exit code and what it said."""

import json
from dataclasses import dataclass

from typer.testing import CliRunner

from hardwire.cli.main import app


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


def ran(*words: object, text: str = "") -> Ran:
    """Run ``hardwire WORDS`` with ``text`` on stdin."""
    done = CliRunner().invoke(app, list(map(str, words)), input=text)
    return Ran(done.exit_code, done.stdout, done.stderr)
