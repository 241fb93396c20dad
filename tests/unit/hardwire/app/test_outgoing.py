# SPDX-License-Identifier: Apache-2.0
import asyncio
import hashlib
import os
import socket
import stat
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hardwire.app import outgoing
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.outgoing import OutgoingReader, inspect, inspect_outgoing
from hardwire.channel import TransferKind
from hardwire.channel.manifest import EntryKind
from hardwire.channel.preface import open_preface
from hardwire.errors import TransferIncomplete, UsageError
from support.trees import MIB, a_tree

DATA = bytes(range(256)) * 40


def leaf(data):
    return hashlib.sha256(b"HBI1 leaf" + data).digest()


def whole(file):
    reader = OutgoingReader(file)
    try:
        return reader.read(0, file.offer.end)
    finally:
        reader.close()
        reader.close()


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


def test_links_are_left_out_unless_they_are_followed(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_text("secret")
    (top / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(top / "pipe")
    (top / SIDE_DIRECTORY).mkdir()
    (top / SIDE_DIRECTORY / "data").write_text("half")
    file = inspect_outgoing(top)
    assert file.size == 0
    assert set(file.skipped) == {
        "link: a symbolic link",
        "pipe: neither a file nor a directory",
        f"{SIDE_DIRECTORY}: unfinished transfers",
    }
    followed = inspect_outgoing(top, follow=True)
    assert whole(followed).endswith(b"secret")
    assert set(followed.skipped) == {"pipe: neither a file nor a directory", f"{SIDE_DIRECTORY}: unfinished transfers"}
    # What the person names is what they mean, link or not.
    assert inspect_outgoing(top / "link").size == 6


def test_links_that_lead_in_a_circle(tmp_path):
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "round").symlink_to(tmp_path / "top")
    with pytest.raises(UsageError, match="leads back"):
        inspect_outgoing(tmp_path / "top", follow=True)


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "dangling").symlink_to(tmp_path / "nowhere")
    assert inspect_outgoing(tmp_path / "top").skipped == ("dangling: a symbolic link",)
    with pytest.raises(UsageError, match="dangling: no such file") as caught:
        inspect_outgoing(tmp_path / "top", follow=True)
    assert caught.value.hint == "leave out --follow"
    (tmp_path / "top" / "dangling").unlink()
    (tmp_path / "top" / "itself").symlink_to("itself")
    with pytest.raises(UsageError, match="itself: too many levels") as caught:
        inspect_outgoing(tmp_path / "top", follow=True)
    assert caught.value.hint == "leave out --follow"


def test_what_cannot_be_offered(tmp_path):
    with pytest.raises(UsageError, match="nothing: no such file"):
        inspect_outgoing(tmp_path / "nothing")
    with pytest.raises(UsageError, match="neither a file nor a directory"):
        inspect_outgoing(outgoing.Path("/dev/null"))
    (tmp_path / ".hidden").touch()
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(tmp_path / ".hidden")
    assert caught.value.code == "bad-name"


@pytest.mark.parametrize(
    "names, said",
    [
        (["README", "readme"], "differs from another name only by case or composition"),
        (["caf\u00e9", "cafe\u0301"], "differs from another name only by case or composition"),
        (["gnp\u202egpj"], "cannot be seen"),
        (["two\nlines"], "cannot be seen"),
        (["\x1b[2Jboo"], "cannot be seen"),
        ([b"caf\xe9"], "it is not UTF-8"),
        (["a\\b"], "not a plain name"),
    ],
)
def test_names_that_cannot_be_carried(tmp_path, names, said):
    (tmp_path / "top" / "deep").mkdir(parents=True)
    for name in names:
        os.close(os.open(os.fsencode(tmp_path / "top" / "deep") + b"/" + os.fsencode(name), os.O_CREAT))
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(tmp_path / "top")
    assert said in caught.value.message
    assert caught.value.message.startswith(f"{tmp_path / 'top'}")
    assert "deep" in caught.value.message, "whoever sends ten thousand files is told where"
    assert caught.value.message.isprintable()
    assert caught.value.code == "bad-name" or "tar czf" in caught.value.hint


def test_names_as_long_as_a_disk_takes_them(tmp_path):
    (tmp_path / "top").mkdir()
    for name in ("a" * 255, "\u00e9" * 127, ".", "CON", "nul.txt", "a:b", " blank ", "-rf", "*"):
        (tmp_path / "top" / name).mkdir(exist_ok=True)
    assert inspect_outgoing(tmp_path / "top").offer.directories == 8


def test_an_error_shows_no_trick_of_a_name(tmp_path):
    """The directory may be somebody else's, and the words go to a terminal."""
    top = tmp_path / "gnp\u202egpj\x1b[2J" / "top"
    top.mkdir(parents=True)
    (top / "gone").symlink_to("nowhere")
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(top, follow=True)
    assert caught.value.message.isprintable()
    (top / "gone").unlink()
    (top / "a").mkdir()
    (top / "a" / "round").symlink_to(top)
    with pytest.raises(UsageError, match="leads back") as caught:
        inspect_outgoing(top, follow=True)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("time, told", [(-(10**18), 0), (1 << 63, (1 << 63) - 1), (13 * 10**18, (1 << 63) - 1)])
def test_times_that_cannot_be_told_become_the_nearest(tmp_path, time, told):
    path = tmp_path / "old"
    path.touch()
    os.utime(path, ns=(0, time))
    assert path.stat().st_mtime_ns == time, "this disk can hold it"
    file = inspect_outgoing(path)
    assert open_preface(file.offer, file.preface).manifest.entries[0].mtime == told
    assert whole(file) == file.preface


def test_what_is_no_file_is_left_out_and_told(tmp_path):
    """A fifo would keep whoever opens it waiting, and a device has no end."""
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(top / "socket"))
    wanted = {"fifo", "socket"}
    if os.geteuid() == 0:
        os.mknod(top / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        wanted.add("zero")
    (top / "to a device").symlink_to("/dev/zero")
    file = inspect_outgoing(top, follow=True)
    assert set(file.skipped) == {f"{name}: neither a file nor a directory" for name in {*wanted, "to a device"}}
    assert (file.size, file.parts) == (0, ())


def test_the_bits_that_make_somebody_else_of_a_program_stay_here(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    (top / "program").touch()
    (top / "program").chmod(0o6755)
    top.chmod(0o1777)
    file = inspect_outgoing(top)
    assert [entry.mode for entry in open_preface(file.offer, file.preface).manifest.entries] == [0o777, 0o755]


@pytest.mark.parametrize("kind", ["file", "directory", "alone"])
def test_what_may_not_be_read_is_told_before_anything_is_offered(kind):
    """Nothing of the tree goes then: whoever sends it would take it for whole."""
    with tempfile.TemporaryDirectory() as name:
        top, secret = outgoing.Path(name) / "top", outgoing.Path(name) / "top" / "secret"
        top.mkdir()
        (top / "before").write_text("much to read")
        read = []
        secret.mkdir() if kind == "directory" else secret.write_text("x")
        secret.chmod(0)
        outgoing.Path(name).chmod(0o755)
        user = os.geteuid()
        try:
            if user == 0:  # may read everything
                os.seteuid(65534)
            with pytest.raises(UsageError, match="secret: permission denied") as caught:
                inspect_outgoing(secret if kind == "alone" else top, lambda done, size: read.append(done))
            assert "move it elsewhere" in caught.value.hint
            assert not read, "nobody waits for hashes first"
        finally:
            os.seteuid(user)
            secret.chmod(0o700)


@pytest.mark.parametrize("cap", ["ENTRIES_MAX", "DEPTH_MAX"])
def test_too_much_for_one_transfer(tmp_path, monkeypatch, cap):
    a_tree(tmp_path / "top")
    monkeypatch.setattr(outgoing, cap, 2)
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(tmp_path / "top")
    assert "tar czf top.tar.gz" in caught.value.hint


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


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_becomes_a_link_between_two_looks_leads_nowhere(tmp_path, monkeypatch, what):
    """Whoever may write to a directory that somebody sends could send along what is none of its business."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "letters").write_bytes(b"secret")
    top = tmp_path / "top"
    top.mkdir()
    (top / "a").mkdir() if what == "directory" else (top / "a").write_bytes(b"public")
    plain = os.scandir

    def swap() -> None:
        (top / "a").rename(tmp_path / "gone")
        (top / "a").symlink_to(tmp_path / "private" / ("letters" if what == "file" else ""))

    @contextmanager
    def scandir(place):
        with plain(place) as listing:
            found = list(listing)
        if what == "file" and found:
            swap()  # listed as a file, and not looked at yet
        yield iter(found)
        if what == "directory" and not (tmp_path / "gone").exists():
            swap()  # found to be a directory, and not listed yet

    monkeypatch.setattr(os, "scandir", scandir)
    if what == "directory":
        with pytest.raises(UsageError) as caught:
            inspect_outgoing(top)
        assert caught.value.code == "file-changed"
    else:
        file = inspect_outgoing(top)
        assert file.skipped == ("a: a symbolic link",)
        assert not file.parts
