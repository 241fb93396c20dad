# SPDX-License-Identifier: Apache-2.0
"""The row of a transfer below the typed line: which it is, how far, how fast; never wider than the terminal."""

from collections.abc import Iterator
from typing import Final

from prompt_toolkit.utils import get_cwidth

from hardwire.app.events import FileProgress
from hardwire.app.text import human_duration, human_size, printable

_NAME: Final = 10
"""Columns that a name should keep before anything else is left out for it."""
_CUT: Final = "…"


def row(event: FileProgress, columns: int | None) -> str:
    """A transfer in one row.

    Args:
        event: How far it is.
        columns: As wide as the row may be; None for everything there is to say.
    """
    quoted = repr(printable(event.name))
    name = quoted[1:-1]
    head, mark, tail = "", "", ""
    for head, mark, tail in _forms(event, quoted[0]):
        room = _room(columns, head, mark, tail)
        if room is None or room >= min(get_cwidth(name), _NAME):
            return f"{head}{mark}{shortened(name, room)}{mark}{tail}"
    room = _room(columns, head, mark, tail) or 0
    return head + (shortened(name, room) + tail if room > len(_CUT) else tail.lstrip())


def _room(columns: int | None, head: str, mark: str, tail: str) -> int | None:
    return None if columns is None else columns - len(head) - 2 * len(mark) - len(tail)


def _forms(event: FileProgress, mark: str) -> Iterator[tuple[str, str, str]]:
    """What stands before a name, around it and behind it; each form says less than the one before."""
    head, done = f"file {event.id}: ", human_size(event.done)
    share = [f"{100 * event.done // event.size} %"] if event.size else []
    rate = [f"{human_size(round(event.rate))}/s"]
    eta = [human_duration(event.eta)] if event.eta else []
    left = [f"{one} left" for one in eta]
    if event.size:
        yield head, mark, " " + "  ".join([*share, f"{done} of {human_size(event.size)}", *rate, *left])
    yield head, mark, " " + "  ".join([*share, done, *rate, *left])
    yield head, mark, " " + "  ".join([*share, done, *rate, *eta])
    yield f"{event.id}: ", "", " " + " ".join([*share, done, *rate, *eta])
    yield f"{event.id}: ", "", " " + " ".join([*(share or [done]), *rate, *eta])


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
