# SPDX-License-Identifier: Apache-2.0
import pytest
from prompt_toolkit.utils import get_cwidth

from hardwire.app.events import (
    FileDone,
    FileFailed,
    FileMoved,
    FilePaused,
    FileProgress,
    FileStarted,
    Notice,
    PathFound,
    PathLost,
    Reconnected,
    Reconnecting,
)
from hardwire.cli.rows import Rows, shortened

LONG = "minutes of the meeting of the board in November, second draft.tar.gz"


def progress(name="large.bin", *, number=1, done=510_700_000, size=1_500_000_000, rate=148.5e6, eta=200.0):
    return FileProgress(number, name, "in", done, size, rate, eta)


def row(event, columns):
    (row,) = Rows().take(event)
    return row.words(columns)


@pytest.mark.parametrize(
    "name, columns, words",
    [
        (LONG, None, f"file 1: '{LONG}' 34 %  510.7 MB of 1.5 GB  148.5 MB/s  3 min 20 s left"),
        (LONG, 90, "file 1: 'minutes of t… draft.tar.gz' 34 %  510.7 MB of 1.5 GB  148.5 MB/s  3 min 20 s left"),
        ("large.bin", 79, "file 1: 'large.bin' 34 %  510.7 MB of 1.5 GB  148.5 MB/s  3 min 20 s left"),
        (LONG, 65, "file 1: 'minut…ar.gz' 34 %  510.7 MB  148.5 MB/s  3 min 20 s left"),
        ("large.bin", 60, "file 1: 'large.bin' 34 %  510.7 MB  148.5 MB/s  3 min 20 s"),
        ("large.bin", 50, "1: large.bin 34 % 510.7 MB 148.5 MB/s 3 min 20 s"),
        ("large.bin", 39, "1: large.bin 34 % 148.5 MB/s 3 min 20 s"),
        ("holiday 2026.jpg", 39, "1: holi….jpg 34 % 148.5 MB/s 3 min 20 s"),
        ("会議の記録と議事録の写し.tar.gz", 79, "file 1: '会議の….tar.gz' 34 %  510.7 MB of 1.5 GB  148.5 MB/s  3 min 20 s left"),
        ("large.bin", 30, "1: 34 % 148.5 MB/s 3 min 20 s"),
    ],
)  # fmt: skip
def test_a_row_is_as_wide_as_the_terminal_and_no_wider(name, columns, words):
    assert row(progress(name), columns) == words


@pytest.mark.parametrize("name", [LONG, "x", "it's \\ odd", "写し" * 40, "e\u0301" * 60, ""])
def test_how_far_how_fast_and_how_long_still_are_always_there(name):
    for columns in range(30, 140):
        shown = row(progress(name), columns)
        assert get_cwidth(shown) <= columns
        for words in ("34 %", "148.5 MB/s", "3 min 20 s"):
            assert words in shown


def test_a_size_that_nobody_knows():
    assert row(progress(size=0, eta=None), 79) == "file 1: 'large.bin' 510.7 MB  148.5 MB/s"
    assert row(progress(LONG, size=0, eta=None), 39) == "1: minutes…t.tar.gz 510.7 MB 148.5 MB/s"


def test_a_shortened_name_keeps_its_end():
    assert shortened("abcdefgh.txt", 12) == "abcdefgh.txt"
    assert shortened("abcdefgh.txt", 9) == "abcd….txt"


MOVING = "file 1: 'large.bin' 34 %  510.7 MB of 1.5 GB  148.5 MB/s  3 min 20 s left"
STILL = "file 1: 'large.bin' 34 %  510.7 MB of 1.5 GB"


def held(by, *, on):
    return FilePaused(1, "large.bin", by, on)


def said(rows, *happens):
    """The words after each event; None where no row is another."""
    words = []
    for event in happens:
        changed = rows.take(event)
        words.append(changed[0].words() if changed else None)
    return words


def test_what_is_held_says_by_whom_and_has_no_rate_until_it_moves_again():
    assert said(
        Rows(),
        progress(),
        held("here", on=True),
        progress(),  # what was on its way still arrives
        held("peer", on=True),
        held("here", on=False),
        held("peer", on=False),
        progress(),
    ) == [
        MOVING,
        f"{STILL}  paused (you)",
        f"{STILL}  paused (you)",
        f"{STILL}  paused (both)",
        f"{STILL}  paused (your peer)",
        STILL,
        MOVING,
    ]


def test_what_has_no_path_says_so_until_it_moves_again():
    rows = Rows()
    assert said(rows, progress(), PathLost(0), PathFound(True, 9.0), progress(), PathFound(True, 0.0)) == [
        MOVING,
        f"{STILL}  waiting for a path",
        STILL,
        MOVING,
        None,
    ]
    assert said(rows, PathLost(0), progress()) == [f"{STILL}  waiting for a path", MOVING], "over a direct connection"
    assert said(rows, held("here", on=True), PathLost(0), held("here", on=False)) == [
        f"{STILL}  paused (you)",
        f"{STILL}  paused (you)",
        f"{STILL}  waiting for a path",
    ]


def test_a_row_moves_to_the_next_line_and_nobody_holds_it_there():
    moved = STILL.replace("file 1", "file 4")
    assert said(
        Rows(),
        progress(),
        held("peer", on=True),
        Reconnecting(0),
        Reconnected("", (), ""),
        PathLost(0),
        FileMoved(4, 1, "large.bin", "in"),
        FileStarted(4, "large.bin", "in", 510_700_000, 1_500_000_000),
        progress(number=4),
    )[2:] == [
        f"{STILL}  paused (your peer)",
        None,
        None,
        f"{moved}  goes on over the new line",
        moved,
        MOVING.replace("file 1", "file 4"),
    ]
    assert said(Rows(), FileMoved(4, 1, "x", "out")) == ["file 4: 'x' goes on over the new line"]


def test_what_has_just_begun_and_what_is_over():
    rows = Rows()
    begun = FileStarted(1, "large.bin", "in", 0, 1_500_000_000)
    assert said(rows, begun, held("here", on=True)) == [None, "file 1: 'large.bin' 0 %  0 B of 1.5 GB  paused (you)"]
    for over in (
        FileDone(1, "large.bin", "in", 5, "", 1.0, None),
        FileFailed(1, "large.bin", "in", "stopped", "", ""),
    ):
        assert said(rows, over, PathLost(0), Notice("")) == [None, None, None]
        rows.take(begun)
    assert said(Rows(), held("peer", on=True)) == ["file 1: 'large.bin' paused (your peer)"]


def test_why_it_stands_still_fits_a_narrow_terminal():
    rows = Rows()
    rows.take(progress(LONG))
    (one,) = rows.take(held("peer", on=True))
    assert one.words(39) == "1: minut…tar.gz 34 % paused (your peer)"
    (one,) = rows.take(held("here", on=True))
    assert one.words(60) == "file 1: 'minu…ar.gz' 34 %  510.7 MB of 1.5 GB  paused (both)"
