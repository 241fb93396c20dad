# SPDX-License-Identifier: Apache-2.0
import os
import stat
from pathlib import Path

import pytest

from hardwire.app import newname
from hardwire.app.paths import config_dir, write_private


def test_one_directory_for_everything(monkeypatch, tmp_path):
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path / "home"))
    assert config_dir() == tmp_path / "home"


def test_the_platforms_place_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("HARDWIRE_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_dir() == tmp_path / "hardwire"


def test_only_the_owner_reads_it(tmp_path):
    path = tmp_path / "new" / "file"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_private(path, b"old")

    def fail(_self, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_can_be_kept(tmp_path):
    path = tmp_path / "file"
    write_private(path, b"first", replace=False)
    with pytest.raises(FileExistsError):
        write_private(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    assert path.stat().st_nlink == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exclusive", [True, False], ids=["renameat2", "neither"])
def test_it_is_kept_without_hard_links_too(tmp_path, monkeypatch, exclusive):
    if not exclusive:
        monkeypatch.setattr(newname, "_CALL", "rename_as_nobody_can")

    def no_links(_source, _target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    test_what_is_there_can_be_kept(tmp_path)
