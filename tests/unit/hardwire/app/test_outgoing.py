# SPDX-License-Identifier: Apache-2.0
import asyncio
import hashlib
import os
import threading
from dataclasses import replace

import pytest

from hardwire.app import outgoing
from hardwire.app.outgoing import OutgoingReader, inspect, inspect_outgoing
from hardwire.channel import TransferKind
from hardwire.channel.manifest import EntryKind
from hardwire.channel.preface import open_preface
from hardwire.errors import TransferIncomplete, UsageError
from support.deliveries import whole
from support.trees import MIB, a_tree

DATA = bytes(range(256)) * 40


def leaf(data):
    return hashlib.sha256(b"HBI1 leaf" + data).digest()


def test_a_file_is_read_once_and_described(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    path.chmod(0o4751)
    os.utime(path, ns=(0, 12_345_678_901))
    seen = []
    file = inspect_outgoing(path, lambda done, size: seen.append((done, size)))
    assert (file.name, file.size, file.skipped, file.offer.kind) == ("data.bin", len(DATA), (), TransferKind.FILE)
    assert seen == [(len(DATA), len(DATA))]
    preface = open_preface(file.offer, file.preface)
    (entry,) = preface.manifest.entries
    assert (entry.mode, entry.mtime, entry.path) == (0o751, 12_345_678_901, "")
    assert preface.leaves == leaf(DATA)
    assert whole(file) == file.preface + DATA


def test_many_leaves(tmp_path):
    path = tmp_path / "data.bin"
    data = os.urandom(20 * MIB + 3)
    path.write_bytes(data)
    seen = []
    file = inspect_outgoing(path, lambda done, size: seen.append(done))
    leaves = b"".join(leaf(data[start : start + MIB]) for start in range(0, len(data), MIB))
    assert open_preface(file.offer, file.preface).leaves == leaves
    assert seen == sorted(seen)
    assert seen[-1] == len(data)
    assert len(seen) > 3
    reader = OutgoingReader(file)
    start = len(file.preface) + 5 * MIB - 2
    assert reader.read(start, 3 * MIB) == data[5 * MIB - 2 : 8 * MIB - 2]
    assert reader.read(len(file.preface) - 1, 2) == file.preface[-1:] + data[:1]
    assert reader.read(3, 5) == file.preface[3:8]
    reader.close()


@pytest.mark.parametrize("size", [0, 5, MIB, 30 * MIB + 1])
def test_the_sha256_of_a_file_if_somebody_wants_it(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    told = []
    file = inspect_outgoing(tmp_path / "a", lambda done, whole: told.append((done, whole)), sha256=True)
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file == replace(inspect_outgoing(tmp_path / "a"), sha256=file.sha256)
    assert told == sorted(told)
    assert not size or told[-1] == (size, size)
    assert inspect_outgoing(tmp_path, sha256=True).sha256 == ""


def test_a_file_whose_leaves_are_too_large_to_hold_has_no_sha256(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc")
    monkeypatch.setattr(outgoing, "_HELD_LEAF_MAX", MIB - 1)
    assert inspect_outgoing(tmp_path / "a", sha256=True).sha256 == ""


def test_a_directory(tmp_path):
    top = a_tree(tmp_path / "photos")
    file = inspect_outgoing(top)
    manifest = open_preface(file.offer, file.preface).manifest
    files = [path for path in top.rglob("*") if path.is_file()]
    assert (file.name, file.offer.kind, file.offer.files) == ("photos", TransferKind.DIRECTORY, len(files))
    assert {entry.path for entry in manifest.entries[1:]} == {str(path.relative_to(top)) for path in top.rglob("*")}
    content = b"".join((top / entry.path).read_bytes() for entry in manifest.entries if entry.kind is EntryKind.FILE)
    assert whole(file) == file.preface + content


def test_an_empty_directory_and_an_empty_file(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    os.utime(tmp_path / "f", ns=(0, -5_000_000_000))
    for name in ("d", "f"):
        file = inspect_outgoing(tmp_path / name)
        assert (file.size, whole(file)) == (0, file.preface)


def test_a_directory_named_by_a_dot(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for way in (".", "..", "../here/"):
        assert inspect_outgoing(outgoing.Path(way)).name == (tmp_path.name if way == ".." else "here")


def test_what_cannot_be_offered(tmp_path):
    with pytest.raises(UsageError, match="nothing: no such file"):
        inspect_outgoing(tmp_path / "nothing")
    with pytest.raises(UsageError, match="neither a file nor a directory"):
        inspect_outgoing(outgoing.Path("/dev/null"))
    (tmp_path / ".hidden").touch()
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(tmp_path / ".hidden")
    assert caught.value.code == "bad-name"


@pytest.mark.parametrize("touch", ["grown", "shrunk", "replaced", "removed", "pipe"])
def test_a_file_that_changes_is_not_sent(tmp_path, touch):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    file = inspect_outgoing(path)
    reader = OutgoingReader(file)
    if touch == "grown":
        reader.read(len(file.preface), 10)
        with path.open("ab") as more:
            more.write(b"!")
    elif touch == "shrunk":
        os.truncate(path, 20)
    elif touch == "replaced":
        (tmp_path / "other").write_bytes(DATA)
        os.utime(tmp_path / "other", ns=(0, path.stat().st_mtime_ns))
        (tmp_path / "other").replace(path)
    else:
        path.unlink()
        if touch == "pipe":
            os.mkfifo(path)
    with pytest.raises(TransferIncomplete) as caught:
        reader.read(len(file.preface) + 10, 100)
    assert caught.value.code == ("transfer-incomplete" if touch in {"removed", "pipe"} else "file-changed")
    reader.close()


def test_a_file_that_changes_while_it_is_looked_at(tmp_path, monkeypatch):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    honest = outgoing._hash_leaf

    def late(*words):
        path.write_bytes(b"something else")
        return honest(*words)

    monkeypatch.setattr(outgoing, "_hash_leaf", late)
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(path)
    assert caught.value.code == "file-changed"


async def test_reading_does_not_hold_up_the_loop_and_ends_with_it(tmp_path, monkeypatch):
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(40 * MIB))
    seen = []
    file = await inspect(path, lambda done, size: seen.append(done))
    assert file.size == 40 * MIB
    assert seen[-1] == file.size
    started, go_on, honest = threading.Event(), threading.Event(), outgoing._hash_leaf
    hashed = []

    def slow(*words):
        started.set()
        assert go_on.wait(10)
        hashed.append(words)
        return honest(*words)

    monkeypatch.setattr(outgoing, "_hash_leaf", slow)
    reading = asyncio.create_task(inspect(path))
    await asyncio.to_thread(started.wait, 10)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("hardwire hash"):
            await asyncio.to_thread(thread.join, 10)
    assert len(hashed) < 40
