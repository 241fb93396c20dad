# SPDX-License-Identifier: Apache-2.0
import os
import socket
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardwire.app import scan
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.outgoing import inspect_outgoing
from hardwire.channel.preface import open_preface
from hardwire.errors import UsageError
from support.deliveries import whole
from support.trees import a_tree


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
        top, secret = Path(name) / "top", Path(name) / "top" / "secret"
        top.mkdir()
        (top / "before").write_text("much to read")
        read = []
        secret.mkdir() if kind == "directory" else secret.write_text("x")
        secret.chmod(0)
        Path(name).chmod(0o755)
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
    monkeypatch.setattr(scan, cap, 2)
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(tmp_path / "top")
    assert "tar czf top.tar.gz" in caught.value.hint


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
