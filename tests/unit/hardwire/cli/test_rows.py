# SPDX-License-Identifier: Apache-2.0
import pytest
from prompt_toolkit.utils import get_cwidth

from hardwire.app.events import FileProgress
from hardwire.cli.rows import row, shortened

LONG = "minutes of the meeting of the board in November, second draft.tar.gz"


def progress(name="large.bin", *, number=1, done=510_700_000, size=1_500_000_000, rate=148.5e6, eta=200.0):
    return FileProgress(number, name, "in", done, size, rate, eta)


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
