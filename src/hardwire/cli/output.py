# SPDX-License-Identifier: Apache-2.0
"""Where words go: data to stdout, talk to stderr, events as NDJSON when a program listens."""

import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Final, Protocol, TextIO

from hardwire.app.events import Event, to_json
from hardwire.app.text import printable
from hardwire.errors import HardwireError, LocalError

_STYLES: Final[Mapping[str, str]] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_NARROWEST: Final = 40
_QUARTER: Final = 25


class Prompt(Protocol):
    """Whoever has a line open that is being typed: what is printed meanwhile must not run through it."""

    def write(self, stream: TextIO, text: str) -> None:
        """Print above the typed line."""
        ...

    def status(self, rows: tuple[str, ...]) -> bool:
        """Keep these rows below the typed line; False when there is none to keep them below."""
        ...


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
        self._prompt: Prompt | None = None
        self._status: dict[int, str] = {}
        self._quarters: dict[int, int] = {}

    @property
    def columns(self) -> int | None:
        """How wide a row may be that is redrawn; None where rows are only written, one after another."""
        return _width() - 1 if self._redraw else None

    def attach(self, prompt: Prompt | None) -> None:
        """From now on print around a line that is being typed; None ends that."""
        self._prompt = prompt

    def event(self, event: Event) -> None:
        """One event for a program; says nothing to people."""
        self.record(to_json(event))

    def record(self, fields: Mapping[str, object]) -> None:
        """One JSON object on stdout, only in JSON mode."""
        if self.json_mode:
            self._write(sys.stdout, json.dumps(fields))

    def data(self, text: str) -> None:
        """What the command was asked for; stdout. Nothing in JSON mode, where events carry it."""
        if not self.json_mode:
            self.clear()
            self._write(sys.stdout, text)

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Talk; stderr. Nothing in JSON mode. Long sentences are broken between words at a terminal."""
        if not self.json_mode:
            self.clear()
            self._write(sys.stderr, self.styled(self._fitted(text), style))

    def picture(self, text: str) -> bool:
        """Talk that is no text: never broken. False where a terminal is too narrow for it, and nothing was drawn."""
        if self.json_mode:
            return True
        if sys.stderr.isatty() and max(map(len, text.split("\n"))) > _width():
            return False
        self.clear()
        self._write(sys.stderr, text)
        return True

    def transient(self, text: str) -> None:
        """A line that the next one replaces (progress); nothing where lines cannot be redrawn."""
        if self._redraw:
            self._raw(f"\r\x1b[2K{text[: _width() - 1]}")
            self._transient = True

    def status(self, key: int, text: str | None) -> None:
        """Something that lasts, under a number: kept below the typed line until it is None."""
        if text is None:
            self._status.pop(key, None)
            self._quarters.pop(key, None)
        else:
            self._status[key] = text
        if self.json_mode or not self._redraw:
            return
        rows = tuple(self._status.values())
        shown = self._prompt is not None and self._prompt.status(rows)
        if not shown and text is not None:
            self.transient(text)

    def progress(self, key: int, share: int, text: str) -> None:
        """How far something is, ``share`` of a hundred: a status, or a line each quarter where nothing is redrawn."""
        if self._redraw:
            self.status(key, text)
        elif share // _QUARTER > self._quarters.get(key, 0):
            self._quarters[key] = share // _QUARTER
            self.say(text)

    def styled(self, text: str, style: str | None) -> str:
        """``text`` in a style, where the terminal can."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self._colour else text

    def error(self, problem: HardwireError, *, final: bool = True) -> None:
        """The one line, its evidence and the hint; or an ``error`` event.

        Args:
            problem: What happened.
            final: The command ends with it; otherwise it goes on, and only that one wish was refused.
        """
        if self.json_mode:
            self.record(
                {
                    "event": "error",
                    "code": problem.code,
                    "message": problem.message,
                    "hint": problem.hint,
                    "exit_code": problem.exit_code,
                    "evidence": dict(problem.evidence),
                    "final": final,
                }
            )
            return
        self.clear()
        lines = [f"{self.styled('hardwire:', 'red')} {printable(problem.message)}"]
        lines += [f"  {printable(name)}: {printable(value)}" for name, value in problem.evidence.items()]
        if problem.hint:
            lines.append(f"{self.styled('hint:', 'yellow')} {printable(problem.hint)}")
        self._write(sys.stderr, "\n".join(map(self._fitted, lines)))

    def _fitted(self, text: str) -> str:
        """Sentences broken between words; a code or a name is left as it is."""
        if not self._redraw:
            return text
        width = max(_width() - 1, _NARROWEST)
        return "\n".join(
            textwrap.fill(
                line,
                width,
                break_long_words=False,
                break_on_hyphens=False,
                drop_whitespace=True,
                subsequent_indent="  ",
            )
            if len(line) > width and " " in line.strip()
            else line
            for line in text.split("\n")
        )

    def _write(self, stream: TextIO, text: str) -> None:
        if self._prompt is not None:
            self._prompt.write(stream, f"{text}\n")
        else:
            put(stream, f"{text}\n")

    def _raw(self, text: str) -> None:
        if self._prompt is not None:
            self._prompt.write(sys.stderr, text)
        else:
            put(sys.stderr, text)

    def clear(self) -> None:
        """Take the transient line away: something else comes to stand there."""
        if self._transient:
            self._transient = False
            self._raw("\r\x1b[2K")


def put(stream: TextIO, text: str) -> None:
    """Write and flush.

    Raises:
        BrokenPipeError: The reader went away.
        LocalError: ``output-failed``: the words cannot be put where they should go (a full disk).
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except (OSError, UnicodeEncodeError) as problem:
        name = "stdout" if stream is sys.stdout else "stderr"
        reason = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise LocalError(f"cannot write to {name}: {reason}", code="output-failed", hint="see where it goes") from None


def _terminal() -> str:
    return os.environ.get("TERM", "dumb")


def _width() -> int:
    """Columns of the terminal that is talked to; stdout may well be a file."""
    if "COLUMNS" not in os.environ:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if columns := os.get_terminal_size(sys.stderr.fileno()).columns:
                return columns
    return shutil.get_terminal_size().columns
