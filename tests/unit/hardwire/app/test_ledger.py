# SPDX-License-Identifier: Apache-2.0
import json
import os
import stat
import subprocess
import sys

import pytest

from hardwire.app import ledger as module
from hardwire.app.ledger import open_ledger
from hardwire.errors import LocalError


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "ca").mkdir()
    return tmp_path / "ca" / "ledger.jsonl", tmp_path / "state" / "mark.json"


def write(paths, *kinds: str, number: int = 0) -> None:
    with open_ledger(*paths) as ledger:
        for kind in kinds:
            ledger.append({"kind": kind, "at": "now"}, number=number)


def kinds(paths) -> list[object]:
    with open_ledger(*paths) as ledger:
        return [row["kind"] for row in ledger.rows]


def refusal(paths) -> LocalError:
    with pytest.raises(LocalError) as caught, open_ledger(*paths):
        pass
    assert caught.value.hint
    return caught.value


def test_what_was_written_is_read(paths):
    write(paths, "one", "two")
    write(paths, "three")
    assert kinds(paths) == ["one", "two", "three"]
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o600


@pytest.mark.parametrize("torn", [b'{"at":"now"', b'{"at":"now","kind":"four"}', b"\x00\xff"])
def test_a_line_without_its_end_never_happened(paths, torn):
    write(paths, "one")
    with paths[0].open("ab") as file:
        file.write(torn)
    assert kinds(paths) == ["one"]
    write(paths, "two")
    assert kinds(paths) == ["one", "two"]
    assert paths[0].read_bytes().count(b"\n") == 2


def test_killed_between_the_line_and_its_mark(paths):
    write(paths, "one")
    before = paths[1].read_bytes()
    write(paths, "two")
    paths[1].write_bytes(before)
    with open_ledger(*paths) as ledger:
        assert not ledger.behind
        assert len(ledger.rows) == 2


def test_killed_before_anything_was_written(paths):
    assert kinds(paths) == []
    with open_ledger(*paths) as ledger:
        assert not ledger.behind


@pytest.mark.parametrize("change", [
    lambda text: text.replace(b"two", b"too"),
    lambda text: text.replace(b"one", b"on3"),
    lambda text: b"".join(text.splitlines(keepends=True)[1:]),
    lambda text: b"".join(reversed(text.splitlines(keepends=True))),
    lambda text: text + text.splitlines(keepends=True)[-1],
    lambda text: text + b"no json\n",
    lambda text: text + b"[1]\n",
    lambda text: text + b"{}\n",
    lambda text: text.replace(b'"at":', b'"at": '),
])  # fmt: skip
def test_a_line_that_was_changed(paths, change):
    write(paths, "one", "two", "three")
    text = paths[0].read_bytes()
    assert change(text) != text
    paths[0].write_bytes(change(text))
    assert verdict(paths) in {"ledger-damaged", "behind"}


def verdict(paths) -> str:
    """The last line, and the way it is written, are told by the mark."""
    try:
        with open_ledger(*paths) as ledger:
            return "behind" if ledger.behind else "fine"
    except LocalError as problem:
        return problem.code


def test_an_older_file_is_told_from_a_newer_one(paths):
    write(paths, "one", number=4)
    old = paths[0].read_bytes()
    write(paths, "two", number=9)
    paths[0].write_bytes(old)
    with open_ledger(*paths) as ledger:
        assert ledger.behind
        assert ledger.marked_number() == 9
        ledger.accept()
        assert not ledger.behind
    with open_ledger(*paths) as ledger:
        assert not ledger.behind
        assert ledger.rows[-1] == {"kind": "restored", "number": 9}
        assert ledger.marked_number() == 9


def test_another_history_of_the_same_length(paths):
    write(paths, "one")
    old = paths[0].read_bytes()
    write(paths, "two")
    paths[0].write_bytes(old)
    mark = paths[1].read_bytes()
    paths[1].unlink()
    write(paths, "other")
    paths[1].write_bytes(mark)
    with open_ledger(*paths) as ledger:
        assert ledger.behind


def test_a_number_is_never_forgotten(paths):
    write(paths, "one", number=5)
    write(paths, "two")
    with open_ledger(*paths) as ledger:
        assert ledger.marked_number() == 5


def test_one_program_at_a_time(paths):
    with open_ledger(*paths):
        assert refusal(paths).code == "ledger-busy"
    assert kinds(paths) == []


def test_too_large(paths, monkeypatch):
    monkeypatch.setattr(module, "MAX_LEDGER", 10)
    write(paths, "one")
    assert refusal(paths).code == "ledger-damaged"


def test_a_mark_that_is_damaged(paths):
    write(paths, "one")
    paths[1].write_text("{")
    with pytest.raises(LocalError) as caught, open_ledger(*paths) as ledger:
        assert ledger.behind
    assert caught.value.code == "ledger-damaged"


def test_a_disk_that_is_full(paths, monkeypatch):
    write(paths, "one")

    def full(*_):
        raise OSError(28, "No space left on device")

    with open_ledger(*paths) as ledger, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LocalError) as caught:
            ledger.append({"kind": "two", "at": "now"})
        assert caught.value.code == "disk"
        assert "nothing was done" in caught.value.hint
        assert [row["kind"] for row in ledger.rows] == ["one"]
    assert kinds(paths) == ["one"], "nor did it happen a moment later"


def test_no_room_for_the_mark(paths):
    paths[1].parent.write_text("a file")
    with open_ledger(*paths) as ledger, pytest.raises(LocalError) as caught:
        ledger.append({"kind": "one", "at": "now"})
    assert "nothing was done" in caught.value.hint
    paths[1].parent.unlink()
    assert kinds(paths) == []


def test_the_mark_cannot_be_written(paths, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with open_ledger(*paths) as ledger, monkeypatch.context() as patch:
        patch.setattr(module, "write_private", full)
        with pytest.raises(LocalError) as caught:
            ledger.append({"kind": "one", "at": "now"})
    assert "in the ledger all the same" in caught.value.hint
    assert kinds(paths) == ["one"]


def test_killed_while_an_older_file_is_accepted(paths, monkeypatch):
    """The next one still knows that it is older, and the numbers."""
    write(paths, "one", number=9)
    paths[0].unlink()

    def killed(*_):
        raise KeyboardInterrupt

    with open_ledger(*paths) as ledger, monkeypatch.context() as patch:
        patch.setattr(os, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            ledger.accept()
    with open_ledger(*paths) as ledger:
        assert ledger.behind
        assert ledger.marked_number() == 9


def test_a_directory_that_is_not_there(tmp_path):
    assert refusal((tmp_path / "none" / "ledger.jsonl", tmp_path / "mark")).code == "disk"


def test_the_rows_are_json_lines(paths):
    write(paths, "one")
    (row,) = map(json.loads, paths[0].read_text().splitlines())
    assert set(row) == {"kind", "at", "before"}


WRITER = """
import sys
from pathlib import Path
from hardwire.app.ledger import open_ledger
for number in range(100_000):
    with open_ledger(Path(sys.argv[1]), Path(sys.argv[2])) as ledger:
        ledger.append({"kind": "revoked", "serial": f"{len(ledger.rows):x}", "at": "now"})
    print(len(ledger.rows), flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_killed_at_any_moment_nothing_that_was_reported_is_lost(paths, lines):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, *map(str, paths)], stdout=subprocess.PIPE, text=True)
    try:
        reported = [int(writer.stdout.readline()) for _ in range(lines)]
    finally:
        writer.kill()
        writer.communicate()
    with open_ledger(*paths) as ledger:
        assert not ledger.behind
        assert len(ledger.rows) >= reported[-1] == lines
        assert [row["serial"] for row in ledger.rows] == [f"{number:x}" for number in range(len(ledger.rows))]
        ledger.append({"kind": "listed", "at": "now"})
