# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest

from hardwire.app import files, newname
from hardwire.app.files import check_component, check_name, check_room, disk_problem, publish, reserve
from hardwire.errors import TransferIncomplete


@pytest.fixture
def part(tmp_path):
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / "data").write_text("theirs")
    return tmp_path / "side" / "data"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "side" / "tree").mkdir(parents=True)
    (tmp_path / "side" / "tree" / "a").write_text("theirs")
    return tmp_path / "side" / "tree"


TRICKS = ["", ".", "..", "a/b", "../../etc/passwd", "a\\b", "a\0b", "x" * 256, "gnp\u202egpj.exe", "a\nb"]


@pytest.mark.parametrize("name", [*TRICKS, ".bashrc", " a", "a "])
def test_a_name_is_a_name(name):
    with pytest.raises(TransferIncomplete) as caught:
        check_name(name)
    assert caught.value.code == "bad-name"


def test_ordinary_names_pass():
    for name in ("a", "report.pdf", "Übersicht 2026.tar.gz", "日本.txt", "x" * 255):
        check_name(name)


def test_names_inside_a_directory():
    for name in (".git", " a", "a "):
        check_component(name)
    for name in TRICKS:
        with pytest.raises(TransferIncomplete):
            check_component(name)


def test_a_finished_file_gets_its_name(part, tmp_path):
    assert publish(part, tmp_path, "report.pdf") == tmp_path / "report.pdf"
    assert (tmp_path / "report.pdf").read_text() == "theirs"
    assert not part.exists()


def test_nothing_is_overwritten(part, tmp_path):
    (tmp_path / "report.pdf").write_text("mine")
    (tmp_path / "report (2).pdf").symlink_to("/nonexistent/target")
    assert publish(part, tmp_path, "report.pdf").name == "report (3).pdf"
    assert (tmp_path / "report.pdf").read_text() == "mine"


def no_links(_source, _target, **_):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("exclusive", [True, False], ids=["renameat2", "neither"])
def test_without_hard_links_nothing_is_overwritten_either(part, tmp_path, monkeypatch, exclusive):
    monkeypatch.setattr(os, "link", no_links)
    if not exclusive:
        monkeypatch.setattr(newname, "_CALL", "rename_as_nobody_can")
    (tmp_path / "report.pdf").write_text("mine")
    assert publish(part, tmp_path, "report.pdf").name == "report (2).pdf"
    assert (tmp_path / "report.pdf").read_text() == "mine"
    assert (tmp_path / "report (2).pdf").read_text() == "theirs"
    assert not part.exists()


def test_without_hard_links_no_moment_shows_half_of_it(part, tmp_path, monkeypatch):
    """Stopped before each call that changes the disk: under the final name there is nothing, or all of it."""
    monkeypatch.setattr(os, "link", no_links)
    for name in ("open", "replace", "rename", "unlink"):
        original = getattr(os, name)

        def looks(*arguments, original=original, **named):
            final = tmp_path / "report.pdf"
            assert not final.exists() or final.read_text() == "theirs"
            return original(*arguments, **named)

        monkeypatch.setattr(os, name, looks)
    assert publish(part, tmp_path, "report.pdf").read_text() == "theirs"


def test_a_finished_directory_gets_its_name(tree, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos (2)").write_text("a file")
    (tmp_path / "photos (3)").symlink_to("/nonexistent/target")
    assert publish(tree, tmp_path, "photos") == tmp_path / "photos (4)"
    assert (tmp_path / "photos (4)" / "a").read_text() == "theirs"
    assert list((tmp_path / "photos").iterdir()) == [], "not even an empty directory is replaced"


@pytest.mark.parametrize("there", ["file", "directory"])
def test_a_name_that_appears_just_then(tree, tmp_path, monkeypatch, there):
    """Another program takes the name between the look and the move; the file system decides."""
    if there == "file":
        (tmp_path / "photos").write_text("mine")
    else:
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "b").write_text("mine")
    monkeypatch.setattr(files.os.path, "lexists", lambda _path: False)
    assert publish(tree, tmp_path, "photos").name == "photos (2)"


def test_a_directory_that_cannot_be_moved(tree, tmp_path):
    with pytest.raises(FileNotFoundError):
        publish(tree, tmp_path / "gone", "photos")


def test_too_many_of_one_name(part, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SAME_NAME_MAX", 2)
    (tmp_path / "a").touch()
    with pytest.raises(TransferIncomplete):
        publish(part, tmp_path, "a")


def test_room(tmp_path):
    check_room(tmp_path, 1)
    with pytest.raises(OSError, match="No space left"):
        check_room(tmp_path, 1 << 60)
    with pytest.raises(OSError, match="No space left"):
        check_room(Path("/dev/shm"), 1, 1 << 60)
    check_room(Path("/proc"), 0, 1 << 60)  # counts no files


def test_space_is_taken(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        reserve(file.fileno(), 0)
        assert os.fstat(file.fileno()).st_size == 0
        reserve(file.fileno(), 1_000_000)
        info = os.fstat(file.fileno())
    assert info.st_size == 1_000_000
    assert info.st_blocks * 512 >= 1_000_000


@pytest.mark.parametrize("number, size", [(errno.EOPNOTSUPP, 1000), (errno.EDQUOT, 0)])
def test_where_space_cannot_be_taken(tmp_path, monkeypatch, number, size):
    def refuses(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "posix_fallocate", refuses)
    with (tmp_path / "a").open("wb") as file:
        if size:
            reserve(file.fileno(), 1000)
        else:
            with pytest.raises(OSError, match="no"):
                reserve(file.fileno(), 1000)
        assert os.fstat(file.fileno()).st_size == size


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_is_full(tmp_path, number):
    problem = disk_problem(OSError(number, "x"), tmp_path, 5_000_000)
    assert problem.code == "disk-full"
    assert problem.message.startswith(f"no room for 5.0 MB in {tmp_path}: ")
    assert problem.message.endswith("it is more than your quota allows" if number == errno.EDQUOT else " free")
    assert "--dir" in problem.hint


def test_a_disk_that_became_full(tmp_path):
    problem = disk_problem(OSError(errno.ENOSPC, "x"), tmp_path, 0, after=5_000_000)
    assert problem.message.startswith(f"the disk became full after 5.0 MB in {tmp_path}: ")


def test_a_disk_that_will_not(tmp_path):
    assert disk_problem(OSError(errno.EIO, "Bad sector"), tmp_path, 1).message == f"{tmp_path}: bad sector"
    assert disk_problem(OSError(errno.ENOSPC, "x"), tmp_path / "gone", 1).message.endswith("gone")


@pytest.mark.parametrize("name", ["x" * 255, "\N{SNOWMAN}" * 85, "x" * 250 + ".conf", "x." + "y" * 253])
def test_a_long_name_that_is_taken(part, tmp_path, name):
    (tmp_path / name).touch()
    found = publish(part, tmp_path, name)
    assert " (2)" in found.name
    assert len(found.name.encode()) <= 255
    assert found.read_text() == "theirs"


def test_a_system_that_takes_no_space(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")  # as on macOS
    with (tmp_path / "a").open("wb") as file:
        reserve(file.fileno(), 1000)
        assert os.fstat(file.fileno()).st_size == 1000
