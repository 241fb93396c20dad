# SPDX-License-Identifier: Apache-2.0
"""The row of a transfer below the typed line: which it is, how far, how fast; never wider than the terminal.

What stands still has no rate: its row says why instead, until something moves again.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prompt_toolkit.utils import get_cwidth

from hardwire.app.events import (
    Event,
    FileDone,
    FileFailed,
    FileMoved,
    FilePaused,
    FileProgress,
    FileStarted,
    PathFound,
    PathLost,
    Reconnected,
    Reconnecting,
)
from hardwire.app.text import human_duration, human_size, printable

_NAME: Final = 10
"""Columns that a name should keep before anything else is left out for it."""
_CUT: Final = "…"
_LOST: Final = "waiting for a path"
_MOVED: Final = "goes on over the new line"
_HOLDERS: Final[Mapping[frozenset[str], str]] = {
    frozenset({"here"}): "paused (you)",
    frozenset({"peer"}): "paused (your peer)",
    frozenset({"here", "peer"}): "paused (both)",
}


@dataclass(slots=True)
class Row:
    """What is known of a transfer.

    Attributes:
        number: On this line.
        name: As the sender calls it.
        done: Octets; None before it moved at all.
        size: 0 as long as nobody knows it.
        rate: Octets a second; None since it stood still.
        eta: Seconds; None while unknown.
        held: Who holds it: ``here``, ``peer``.
        note: Why it stands still, besides.
    """

    number: int
    name: str
    done: int | None = None
    size: int = 0
    rate: float | None = None
    eta: float | None = None
    held: set[str] = field(default_factory=set)
    note: str = ""

    @property
    def share(self) -> int:
        """Of a hundred."""
        return 100 * (self.done or 0) // self.size if self.size else 0

    def still(self) -> None:
        """Nothing moves: what was measured says nothing any more."""
        self.rate = self.eta = None

    def words(self, columns: int | None = None) -> str:
        """The transfer in one row.

        Args:
            columns: As wide as the row may be; None for everything there is to say.
        """
        quoted = repr(printable(self.name))
        name = quoted[1:-1]
        head, mark, tail = "", "", ""
        for head, mark, tail in self._forms(quoted[0]):
            room = _room(columns, head, mark, tail)
            if room is None or room >= min(get_cwidth(name), _NAME):
                return f"{head}{mark}{shortened(name, room)}{mark}{tail}"
        room = _room(columns, head, mark, tail) or 0
        return head + (shortened(name, room) + tail if room > len(_CUT) else tail.lstrip())

    def _forms(self, mark: str) -> Iterator[tuple[str, str, str]]:
        """What stands before a name, around it and behind it; each form says less than the one before."""
        head, short = f"file {self.number}: ", f"{self.number}: "
        done = [] if self.done is None else [human_size(self.done)]
        share = [f"{self.share} %"] if self.size else []
        far = [f"{done[0]} of {human_size(self.size)}"] if done and self.size else done
        pace, brief = self._pace()
        yield head, mark, _tail("  ", share, far, pace)
        yield head, mark, _tail("  ", share, done, pace)
        yield head, mark, _tail("  ", share, done, brief)
        yield short, "", _tail(" ", share, done, brief)
        yield short, "", _tail(" ", share or done, brief)

    def _pace(self) -> tuple[list[str], list[str]]:
        """How fast it is and how long it takes, or else why it stands still; the same in fewer letters."""
        if self.held or self.note:
            return ([_HOLDERS[frozenset(self.held)]] if self.held else [self.note],) * 2
        rate = [] if self.rate is None else [f"{human_size(round(self.rate))}/s"]
        eta = [human_duration(self.eta)] if self.eta else []
        return [*rate, *(f"{one} left" for one in eta)], [*rate, *eta]


class Rows:
    """The transfers of a conversation, whatever line they move on."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._left: dict[int, Row] = {}

    def take(self, event: Event) -> tuple[Row, ...]:
        """Learn from an event; the rows that are others now."""
        match event:
            case FileStarted(id=number, name=name, done=done, size=size):
                known = number in self._rows
                row = self._row(number, name)
                row.done, row.size, row.note = done, size, ""
                return (row,) if known else ()
            case FileProgress(id=number, name=name):
                row = self._row(number, name)
                row.done, row.size, row.rate, row.eta, row.note = event.done, event.size, event.rate, event.eta, ""
                return (row,)
            case FilePaused(id=number, name=name, by=by, on=on):
                row = self._row(number, name)
                row.still()
                (row.held.add if on else row.held.discard)(by)
                return (row,)
            case FileDone(id=number) | FileFailed(id=number):
                self._rows.pop(number, None)
                self._left.pop(number, None)
                return ()
            case _:
                return self._line(event)

    def _line(self, event: Event) -> tuple[Row, ...]:
        """The line lost its path or its peer, or has them again."""
        match event:
            case PathLost() | Reconnecting():
                return self._noted(_LOST, self._rows.values())
            case PathFound():
                return self._noted("", [row for row in self._rows.values() if row.note == _LOST])
            case Reconnected():
                self._left |= self._rows
                self._rows = {}
            case FileMoved(id=number, was=was, name=name):
                row = self._left.pop(was, None) or self._rows.pop(was, None) or Row(number, name)
                row.number = number
                row.held.clear()  # neither side holds it on the new line
                self._rows[number] = row
                return self._noted(_MOVED, [row])
            case _:
                pass
        return ()

    def _row(self, number: int, name: str) -> Row:
        return self._rows.setdefault(number, Row(number, name))

    def _noted(self, note: str, rows: Iterable[Row]) -> tuple[Row, ...]:
        changed = tuple(rows)
        for row in changed:
            row.still()
            row.note = note
        return changed


def _tail(between: str, *parts: list[str]) -> str:
    said = between.join(itertools.chain(*parts))
    return f" {said}" if said else ""


def _room(columns: int | None, head: str, mark: str, tail: str) -> int | None:
    return None if columns is None else columns - len(head) - 2 * len(mark) - len(tail)


def shortened(name: str, room: int | None) -> str:
    """``name`` in so many columns: its middle is left out, and its end stays, which says what kind of file it is."""
    if room is None or get_cwidth(name) <= room:
        return name
    behind = (room - len(_CUT) + 1) // 2
    end = _beginning(name[::-1], behind)[::-1]
    return _beginning(name, room - len(_CUT) - get_cwidth(end)) + _CUT + end


def _beginning(text: str, room: int) -> str:
    """As much of ``text`` as so many columns hold."""
    for place, char in enumerate(text):
        room -= get_cwidth(char)
        if room < 0:
            return text[:place]
    return text
