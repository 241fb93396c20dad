# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest

from hardwire.app import newname
from hardwire.app.newname import can_rename_new, rename_new


@pytest.fixture
def part(tmp_path):
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / "data").write_text("theirs")
    return tmp_path / "side" / "data"


def test_this_system_has_it():
    assert can_rename_new()


def test_a_free_name_is_given(part, tmp_path):
    assert rename_new(part, tmp_path / "Übersicht") is True
    assert (tmp_path / "Übersicht").read_text() == "theirs"
    assert not part.exists()


def test_from_within_an_open_directory(part, tmp_path):
    inside = os.open(part.parent, os.O_RDONLY)
    assert rename_new(Path("data"), tmp_path / "a", inside) is True
    os.close(inside)
    assert (tmp_path / "a").read_text() == "theirs"


@pytest.mark.parametrize("there", ["file", "directory", "link"])
def test_a_name_that_is_taken_is_left_alone(part, tmp_path, there):
    name = tmp_path / "a"
    {"file": name.touch, "directory": name.mkdir, "link": lambda: name.symlink_to("/nonexistent/target")}[there]()
    before = name.lstat()
    assert rename_new(part, name) is False
    assert part.read_text() == "theirs"
    assert name.lstat() == before


def test_another_refusal_is_told(part, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        rename_new(part, tmp_path / "nowhere" / "a")
    assert caught.value.errno == errno.ENOENT


def test_a_system_without_it(part, tmp_path, monkeypatch):
    monkeypatch.setattr(newname, "_CALL", "rename_as_nobody_can")
    assert not can_rename_new()
    assert rename_new(part, tmp_path / "a") is None
    assert part.read_text() == "theirs"


def test_a_file_system_that_does_not_know_the_flag(part, tmp_path, monkeypatch):
    monkeypatch.setattr(newname, "_FLAG", 1 << 30)  # the real answer to what is not known: EINVAL
    assert rename_new(part, tmp_path / "a") is None
    assert part.read_text() == "theirs"
