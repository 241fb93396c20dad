# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from hardwire.app import layout as module
from hardwire.app.layout import Layout, put_on_disk
from hardwire.channel.manifest import Entry, EntryKind, Manifest

TOP = Entry(EntryKind.DIRECTORY, 0o555, 1_000_000_000, 0, "")


def a_file(path, size, mode=0o644):
    return Entry(EntryKind.FILE, mode, 2_000_000_000, size, path)


TREE = Manifest(
    (
        TOP,
        a_file("a", 3),
        a_file("b", 0),
        Entry(EntryKind.DIRECTORY, 0o777, 3_000_000_000, 0, "c"),
        a_file("c/d", 4, 0o777),
    )
)


@pytest.fixture
def built(tmp_path):
    layout = Layout(tmp_path / "data", TREE)
    layout.build()
    yield layout
    layout.close()
    layout.close()


def test_octets_find_their_files(built, tmp_path):
    built.write(0, memoryview(b"aa"))
    built.write(2, memoryview(b"addd"))
    built.write(6, memoryview(b"D"))
    assert (tmp_path / "data" / "a").read_bytes() == b"aaa"
    assert (tmp_path / "data" / "b").read_bytes() == b""
    assert (tmp_path / "data" / "c" / "d").read_bytes() == b"dddD"
    assert b"".join(built.read(1, 5)) == b"aaddd"
    assert b"".join(built.read(0, 7)) == b"aaadddD"


def test_space_is_taken_and_nobody_else_looks_in(built, tmp_path):
    assert (tmp_path / "data" / "c" / "d").stat().st_size == 4
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "a").stat().st_mode & 0o777 == 0o600


def test_a_stream_has_no_size_yet(tmp_path):
    layout = Layout(tmp_path / "data", Manifest((a_file("", 1 << 53),)))
    layout.build(sized=False)
    layout.write(0, memoryview(b"abc"))
    assert (tmp_path / "data").read_bytes() == b"abc"
    layout.close()


def test_two_names_that_are_one_here(tmp_path):
    layout = Layout(tmp_path / "data", Manifest((TOP, a_file("a", 1))))
    (tmp_path / "data").mkdir()
    with pytest.raises(FileExistsError):
        layout.build()
    (tmp_path / "data").rmdir()
    (tmp_path / "data").symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        layout.build()
    with pytest.raises(FileExistsError):
        Layout(tmp_path / "data", Manifest((a_file("", 1),))).build()


@pytest.mark.parametrize("harm", ["nothing", "missing", "shorter", "a second name", "a directory", "a file", "a link"])
def test_intact(built, tmp_path, harm):
    path = tmp_path / "data" / "a"
    if harm == "shorter":
        os.truncate(path, 2)
    elif harm == "a second name":
        os.link(path, tmp_path / "published")
    elif harm == "a file":
        (tmp_path / "data" / "c" / "d").unlink()
        (tmp_path / "data" / "c").rmdir()
        (tmp_path / "data" / "c").touch()
    elif harm != "nothing":
        path.unlink()
        if harm == "a directory":
            path.mkdir()
        elif harm == "a link":
            path.symlink_to("b")
    assert built.intact() is (harm == "nothing")


def test_what_is_not_there_cannot_be_read(built, tmp_path):
    os.truncate(tmp_path / "data" / "a", 2)
    assert b"".join(built.read(0, 7)) == b"\0\0"


def test_a_file_that_became_a_link_is_not_followed(built, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"xxx")
    (tmp_path / "data" / "a").unlink()
    (tmp_path / "data" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        built.write(0, memoryview(b"abc"))
    assert (tmp_path / "elsewhere").read_bytes() == b"xxx"


def test_what_was_touched(built, tmp_path):
    assert built.touched() == frozenset()
    built.write(0, memoryview(b"aaad"))
    assert built.touched() == {tmp_path / "data" / "a", tmp_path / "data" / "c" / "d"}
    built.write(4, memoryview(b"d"))
    assert built.touched() == {tmp_path / "data" / "c" / "d"}, "the open one, without being opened again"
    put_on_disk(built.touched())


def test_modes_and_times(built, tmp_path):
    old = os.umask(0o027)
    try:
        built.dress()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
    data = tmp_path / "data"
    seen = {path.name: (path.stat().st_mode & 0o7777, path.stat().st_mtime) for path in [data, *data.rglob("*")]}
    assert seen == {"data": (0o750, 1.0), "a": (0o640, 2.0), "b": (0o640, 2.0), "c": (0o750, 3.0), "d": (0o750, 2.0)}


def test_a_file_nobody_may_read_stays_readable_for_its_owner(tmp_path):
    layout = Layout(tmp_path / "data", Manifest((a_file("", 1, 0),)))
    layout.build()
    layout.dress()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o400


def test_times_that_a_file_system_cannot_hold(built, monkeypatch):
    def refuses(*_, **__):
        raise OSError("no such time")

    monkeypatch.setattr(os, "utime", refuses)
    built.dress()


def test_many_files_are_put_on_disk_at_once(built, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(module, "_MANY", 1)
    monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
    monkeypatch.setattr(os, "fsync", lambda _descriptor: synced.append("one"))
    put_on_disk(frozenset({tmp_path / "data" / "a"}))
    put_on_disk(frozenset({tmp_path / "data" / "a", tmp_path / "data" / "b"}))
    assert synced == ["one", "all"]


def test_many_directories_are_put_on_disk_at_once(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
    monkeypatch.setattr(module, "sync_directory", lambda *_: synced.append("one"))
    monkeypatch.setattr(module, "_MANY", 2)
    layout = Layout(tmp_path / "data", TREE)
    layout.build()
    monkeypatch.setattr(module, "_MANY", 1)
    layout.dress()
    assert synced == ["one", "one", "all"]
