# SPDX-License-Identifier: Apache-2.0
import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import threading

import pytest

from hardwire.app import files as files_module
from hardwire.app.files import IncomingFile, OutgoingReader, check_name, inspect, inspect_outgoing
from hardwire.errors import TransferIncomplete, UsageError

DATA = bytes(range(256)) * 40
HASH = hashlib.sha256(DATA).digest()


def incoming(directory, name="report.pdf", size=10240, sha256=HASH):
    return IncomingFile.create(directory, name, size, sha256)


def test_a_whole_file_gets_its_name_and_only_then(tmp_path):
    file = incoming(tmp_path)
    file.write(0, DATA[:1000])
    assert not (tmp_path / "report.pdf").exists()
    file.write(1000, DATA[1000:])
    assert file.finish() == tmp_path / "report.pdf"
    assert (tmp_path / "report.pdf").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]


def test_an_empty_file_is_a_file(tmp_path):
    assert incoming(tmp_path, size=0, sha256=hashlib.sha256().digest()).finish().read_bytes() == b""


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "report.pdf").write_text("mine")
    (tmp_path / "report (2).pdf").symlink_to("/nonexistent/target")
    file = incoming(tmp_path)
    file.write(0, DATA)
    assert file.finish().name == "report (3).pdf"
    assert (tmp_path / "report.pdf").read_text() == "mine"


def test_a_wrong_hash_leaves_nothing(tmp_path):
    file = incoming(tmp_path, sha256=bytes(32))
    file.write(0, DATA)
    with pytest.raises(TransferIncomplete) as caught:
        file.finish()
    assert caught.value.code == "hash-mismatch"
    assert list(tmp_path.iterdir()) == []


def test_a_short_file_leaves_nothing(tmp_path):
    file = incoming(tmp_path)
    file.write(0, DATA[:5])
    with pytest.raises(TransferIncomplete, match="5 of 10240 octets"):
        file.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("offset,data", [(1, b"x"), (0, DATA + b"x")])
def test_a_piece_that_does_not_belong(tmp_path, offset, data):
    file = incoming(tmp_path)
    with pytest.raises(TransferIncomplete):
        file.write(offset, data)
    assert list(tmp_path.iterdir()) == []


def test_discard_twice(tmp_path):
    file = incoming(tmp_path)
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../../etc/passwd",
        "a\\b",
        "a\0b",
        ".bashrc",
        "x" * 256,
        "gnp\u202egpj.exe",
        "a\nb",
        " a",
        "a ",
    ],
)
def test_a_name_is_a_name(tmp_path, name):
    with pytest.raises(TransferIncomplete) as caught:
        incoming(tmp_path, name=name)
    assert caught.value.code == "bad-name"
    assert list(tmp_path.iterdir()) == []


def test_ordinary_names_pass():
    for name in ("a", "report.pdf", "Übersicht 2026.tar.gz", "日本.txt", "x" * 255):
        check_name(name)


def test_a_full_disk_is_seen_before_the_first_octet(tmp_path):
    """A real full disk: a tmpfs of 1 MB, in a mount namespace of its own."""
    script = (
        "import sys, pathlib\n"
        "from hardwire.app.files import IncomingFile\n"
        "from hardwire.errors import TransferIncomplete\n"
        "d = pathlib.Path(sys.argv[1])\n"
        "try:\n    IncomingFile.create(d, 'big', 5_000_000, bytes(32))\n"
        "except TransferIncomplete as e:\n    print(e.code, '|', e.message, '|', e.hint, '|', list(d.iterdir()))\n"
    )
    command = f'mount -t tmpfs -o size=1m none "{tmp_path}" && exec "{sys.executable}" -c "$1" "{tmp_path}"'
    shell = ["unshare", "--user", "--map-root-user", "--mount"] if os.geteuid() else ["unshare", "--mount"]
    run = subprocess.run([*shell, "sh", "-c", command, "sh", script], capture_output=True, text=True, check=False)
    code, message, hint, left = (part.strip() for part in run.stdout.split("|"))
    assert code == "disk-full", run.stderr
    assert message.startswith("no room for 5.0 MB in")
    assert "--dir" in hint
    assert left == "[]"


def test_a_disk_that_fills_up_later(tmp_path, monkeypatch):
    file = incoming(tmp_path)

    def full(_descriptor, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TransferIncomplete) as caught:
        file.write(0, DATA)
    assert caught.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(TransferIncomplete, match="no such file or directory"):
        incoming(tmp_path / "nowhere")


def test_a_link_where_the_side_file_would_be(tmp_path, monkeypatch):
    monkeypatch.setattr("hardwire.app.files.secrets.token_hex", lambda _size: "t1")
    (tmp_path / ".hardwire-t1.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TransferIncomplete):
        incoming(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_without_hard_links_the_name_is_claimed_first(tmp_path, monkeypatch):
    def no_links(_source, _target, **_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "report.pdf").write_text("mine")
    file = incoming(tmp_path)
    file.write(0, DATA)
    assert file.finish().name == "report (2).pdf"
    assert (tmp_path / "report.pdf").read_text() == "mine"
    assert (tmp_path / "report (2).pdf").read_bytes() == DATA


def test_an_outgoing_file_is_read_once_and_described(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    seen = []
    file = inspect_outgoing(path, lambda done, size: seen.append((done, size)))
    assert (file.name, file.size, file.sha256) == ("data.bin", len(DATA), HASH)
    assert seen == [(len(DATA), len(DATA))]
    reader = OutgoingReader(file)
    assert reader.read(100) + reader.read(len(DATA) - 100) == DATA
    with pytest.raises(TransferIncomplete):
        reader.read(1)
    reader.close()


def test_a_file_that_changes_is_not_sent(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    file = inspect_outgoing(path)
    reader = OutgoingReader(file)
    reader.read(10)
    path.write_bytes(b"something else")
    with pytest.raises(TransferIncomplete) as caught:
        reader.read(10)
    reader.close()
    assert caught.value.code == "file-changed"
    with pytest.raises(TransferIncomplete):
        OutgoingReader(file)


def test_what_cannot_be_offered(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        inspect_outgoing(tmp_path / "nothing")
    with pytest.raises(UsageError) as caught:
        inspect_outgoing(tmp_path)
    assert "tar czf" in caught.value.hint
    with pytest.raises(UsageError, match="not a regular file"):
        inspect_outgoing(tmp_path.joinpath("/dev/null"))
    gone = tmp_path / "gone"
    gone.write_bytes(b"x")
    file = inspect_outgoing(gone)
    gone.unlink()
    with pytest.raises(TransferIncomplete, match="no such file"):
        OutgoingReader(file)


async def test_reading_a_file_tells_how_far_it_is_on_the_loop(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(3 << 20))
    seen = []
    file = await inspect(path, lambda done, size: seen.append((done, size, threading.get_ident())))
    assert file.size == 3 << 20
    assert seen[-1] == (3 << 20, 3 << 20, threading.get_ident())


async def test_reading_stops_when_nobody_waits_any_more(tmp_path, monkeypatch):
    """Otherwise Ctrl-C would wait until the last octet of a large file was read."""
    ended = threading.Event()
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = files_module.inspect_outgoing

    def watched(path, progress):
        def slowly(done, size):
            loop.call_soon_threadsafe(began.set)
            progress(done, size)

        try:
            return real(path, slowly)
        finally:
            ended.set()

    monkeypatch.setattr(files_module, "inspect_outgoing", watched)
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    reading = asyncio.create_task(inspect(path))
    await asyncio.wait_for(began.wait(), 5)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(ended.wait, 5)
