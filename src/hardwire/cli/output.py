# SPDX-License-Identifier: Apache-2.0
"""Where words go: data to stdout, talk to stderr, events as NDJSON when a program listens."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

from hardwire.app.events import Event, to_json
from hardwire.app.text import printable
from hardwire.errors import HardwireError

_STYLES: Final[Mapping[str, str]] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class Output:
    """One command's voice.

    Args:
        json_mode: Events as NDJSON on stdout, and no talk for people on stderr.
        plain: No colour and no redrawn lines, whatever the terminal can do.
    """

    def __init__(self, *, json_mode: bool = False, plain: bool = False) -> None:
        self.json_mode = json_mode
        self._redraw = not plain and not json_mode and sys.stderr.isatty() and _terminal() != "dumb"
        self._colour = self._redraw and "NO_COLOR" not in os.environ
        self._transient = False

    def event(self, event: Event) -> None:
        """One event for a program; says nothing to people."""
        self.record(to_json(event))

    def record(self, fields: Mapping[str, object]) -> None:
        """One JSON object on stdout, only in JSON mode."""
        if self.json_mode:
            _write(sys.stdout, json.dumps(fields, ensure_ascii=False))

    def data(self, text: str) -> None:
        """What the command was asked for; stdout. Nothing in JSON mode, where events carry it."""
        if not self.json_mode:
            self._clear()
            _write(sys.stdout, text)

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Talk; stderr. Nothing in JSON mode."""
        if not self.json_mode:
            self._clear()
            _write(sys.stderr, self.styled(text, style))

    def transient(self, text: str) -> None:
        """A line that the next one replaces (progress); nothing where lines cannot be redrawn."""
        if self._redraw:
            sys.stderr.write(f"\r\x1b[2K{text}")
            sys.stderr.flush()
            self._transient = True

    def styled(self, text: str, style: str | None) -> str:
        """``text`` in a style, where the terminal can."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self._colour else text

    def error(self, problem: HardwireError) -> None:
        """The one line, its evidence and the hint; or an ``error`` event."""
        if self.json_mode:
            self.record(
                {
                    "event": "error",
                    "code": problem.code,
                    "message": problem.message,
                    "hint": problem.hint,
                    "exit_code": problem.exit_code,
                    "evidence": dict(problem.evidence),
                }
            )
            return
        self._clear()
        lines = [f"{self.styled('hardwire:', 'red')} {printable(problem.message)}"]
        lines += [f"  {printable(name)}: {printable(value)}" for name, value in problem.evidence.items()]
        if problem.hint:
            lines.append(f"{self.styled('hint:', 'yellow')} {printable(problem.hint)}")
        _write(sys.stderr, "\n".join(lines))

    def _clear(self) -> None:
        if self._transient:
            sys.stderr.write("\r\x1b[2K")
            self._transient = False


def _terminal() -> str:
    return os.environ.get("TERM", "dumb")


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()
