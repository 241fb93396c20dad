# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hardwire.app import partials as module
from hardwire.app.partials import LIFE, SIDE_DIRECTORY, Place, forget, open_place, partials, place_name, sweep
from hardwire.errors import TransferIncomplete

NAME = place_name("aa" * 32, bytes(32))


def test_names_say_nothing_and_belong_to_one_peer_and_one_root():
    assert len(NAME) == 32
    assert set(NAME) <= set("0123456789abcdef")
    assert len({NAME, place_name("ab" * 32, bytes(32)), place_name("aa" * 32, b"x" * 32)}) == 3


def test_a_private_place(tmp_path):
    place = Place(tmp_path, NAME)
    for path in (tmp_path / SIDE_DIRECTORY, place.path):
        assert path.stat().st_mode & 0o777 == 0o700
    place.leave()
    place.leave()
    assert place.path.exists()
    again = Place(tmp_path, NAME)
    again.remove()
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_others_keep_the_side_directory(tmp_path):
    first, second = Place(tmp_path, NAME), Place(tmp_path, "other")
    first.remove()
    assert [path.name for path in (tmp_path / SIDE_DIRECTORY).iterdir()] == ["other"]
    second.remove()


def test_one_at_a_time(tmp_path):
    place = Place(tmp_path, NAME)
    with pytest.raises(TransferIncomplete) as caught:
        Place(tmp_path, NAME)
    assert caught.value.code == "busy"
    place.leave()
    Place(tmp_path, NAME).remove()


HOLDS = """
import pathlib, sys
from hardwire.app.partials import open_place
open_place(pathlib.Path(sys.argv[1]), "aa" * 32, bytes(32))
print("held", flush=True)
sys.stdin.read()
"""


def test_twins_of_this_process_and_of_another(tmp_path):
    first = [open_place(tmp_path, "aa" * 32, bytes(32)) for _ in range(16)]
    assert first[0].path.name == NAME
    assert len({place.path for place in first}) == 16
    with pytest.raises(TransferIncomplete) as caught:
        open_place(tmp_path, "aa" * 32, bytes(32))
    assert caught.value.code == "busy"
    first[3].leave()
    assert open_place(tmp_path, "aa" * 32, bytes(32)).path == first[3].path
    for place in first:
        place.leave()
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TransferIncomplete) as caught:  # what it has so far is not begun anew beside it
            open_place(tmp_path, "aa" * 32, bytes(32))
        assert caught.value.code == "busy"
        other.stdin.close()


def test_one_that_comes_while_the_last_one_is_being_forgotten(tmp_path):
    """As when the same file is sent again at once: other threads let go of its place in that moment."""

    def receive(_):
        for _ in range(100):
            place = open_place(tmp_path, "aa" * 32, bytes(32))
            place.leave()
            forget(place.path)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(receive, range(4)))
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_process_that_was_killed_is_gone(tmp_path):
    script = "import sys, pathlib, os, signal\nfrom hardwire.app.partials import Place\np = Place(pathlib.Path(sys.argv[1]), sys.argv[2])\nos.kill(os.getpid(), signal.SIGKILL)\n"
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path), NAME], check=False)
    assert run.returncode == -9
    Place(tmp_path, NAME).remove()


@pytest.mark.parametrize("trap", ["a link", "a file", "open to others"])
def test_a_side_directory_that_was_laid_out_by_somebody(tmp_path, trap):
    side = tmp_path / SIDE_DIRECTORY
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        side.symlink_to(tmp_path / "elsewhere")
    elif trap == "a file":
        side.touch()
    else:
        side.mkdir(mode=0o755)
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's affair
        Place(tmp_path, NAME)


def test_a_place_that_is_a_link(tmp_path):
    (tmp_path / SIDE_DIRECTORY).mkdir(mode=0o700)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / SIDE_DIRECTORY / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):  # noqa: PT011 - the same
        Place(tmp_path, NAME)


def test_a_place_that_is_removed_just_then(tmp_path, monkeypatch):
    """Another transfer ends between the making and the opening, and between the opening and the lock."""
    honest_open, honest_flock = os.open, module.fcntl.flock
    todo = ["open", "lock"]

    def opens(path, *words, **named):
        if todo and todo[0] == "open" and str(path).endswith(NAME):
            todo.pop(0)
            (tmp_path / SIDE_DIRECTORY / NAME).rmdir()
        return honest_open(path, *words, **named)

    def locks(*words):
        if todo and todo[0] == "lock":
            todo.pop(0)
            (tmp_path / SIDE_DIRECTORY / NAME).rmdir()
        return honest_flock(*words)

    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(module.fcntl, "flock", locks)
    place = Place(tmp_path, NAME)
    assert todo == []
    assert place.path.exists()
    place.remove()


def test_marks(tmp_path):
    place = Place(tmp_path, NAME)
    assert place.marked() is None
    place.mark(0)
    assert place.marked() == 0
    place.mark(64)
    place.mark(128)
    assert place.marked() == 128
    mark = place.path / "mark"
    for torn in range(1, 12):
        mark.write_bytes(mark.read_bytes()[:24] + (192).to_bytes(8)[: min(torn, 8)] + bytes(max(0, torn - 8)))
        assert place.marked() == 64
    mark.write_bytes(mark.read_bytes()[:24] + (192).to_bytes(8) + b"\0\0\0\0")
    assert place.marked() == 64, "the length was on the disk, and the octets were not"
    place.mark(256)
    assert place.marked() == 256
    mark.write_bytes(mark.read_bytes()[:-5])  # a disk that was full in the middle of a note
    place.mark(320)
    assert place.marked() == 320
    place.wipe()
    assert list(place.path.iterdir()) == []
    place.remove()


def test_a_disk_that_takes_half_a_note(tmp_path, monkeypatch):
    place = Place(tmp_path, NAME)
    plain = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, octets, at: plain(descriptor, octets[:4], at))
    with pytest.raises(OSError, match="space"):
        place.mark(1)
    place.remove()


def test_wiping(tmp_path):
    place = Place(tmp_path, NAME)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").touch()
    (place.path / "data").mkdir()
    (place.path / "data" / "a").touch()
    (place.path / "link").symlink_to(tmp_path / "elsewhere")
    place.wipe()
    assert list(place.path.iterdir()) == []
    assert (tmp_path / "elsewhere" / "a").exists()
    place.remove()


def test_what_is_whole_is_not_unfinished(tmp_path):
    place = Place(tmp_path, NAME)
    (place.path / "data").write_bytes(b"all of it")
    place.mark(0)
    place.note_name("report.pdf")
    assert len(partials(tmp_path)) == 1
    assert place.given() is None
    (place.path / "data").rename(tmp_path / "report.pdf")
    place.keep_name()
    assert [path.name for path in place.path.iterdir()] == ["given"]
    assert partials(tmp_path) == []
    assert place.given() == tmp_path / "report.pdf"
    place.leave()
    forget(place.path)
    forget(place.path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]


def test_what_lies_there_and_what_goes(tmp_path):
    assert partials(tmp_path) == []
    assert sweep(tmp_path) == 0
    for name, age in (("old", LIFE + 5), ("new", 5), ("held", LIFE + 5)):
        place = Place(tmp_path, name)
        place.mark(0)
        (place.path / "data").write_bytes(bytes(100_000))
        for path in (place.path / "mark", place.path / "data", place.path):
            os.utime(path, (module.utc_now().timestamp() - age,) * 2)
        if name != "held":
            place.leave()
    found = partials(tmp_path)
    assert sorted(partial.path.name for partial in found) == ["held", "new", "old"]
    assert [round(partial.age, -1) for partial in found] == sorted(
        (round(partial.age, -1) for partial in found), reverse=True
    )
    assert all(partial.octets >= 100_000 for partial in found)
    assert sweep(tmp_path) == 0
    assert sweep(tmp_path) == 0
    assert sorted(partial.path.name for partial in partials(tmp_path)) == ["held", "new", "old"]
    noticed = tmp_path / SIDE_DIRECTORY / "old" / "old"
    os.utime(noticed, (module.utc_now().timestamp() - LIFE - 5,) * 2)
    assert sweep(tmp_path) == 1
    assert sorted(partial.path.name for partial in partials(tmp_path)) == ["held", "new"]
    assert place.path.exists()
    place.leave()
    assert sweep(tmp_path, life=0) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_jumps_takes_nothing_away(tmp_path, monkeypatch):
    place = Place(tmp_path, NAME)
    place.mark(1)
    place.leave()
    right = module.utc_now()
    for days in (30, -30, 400, 0, 400):
        monkeypatch.setattr(module, "utc_now", lambda days=days: right + dt.timedelta(days=days))
        assert sweep(tmp_path) == 0
        assert sweep(tmp_path) == 0
    place = Place(tmp_path, NAME)
    assert place.marked() == 1
    place.leave()
    # Two looks that far apart, and nothing between them that says otherwise: it goes.
    monkeypatch.setattr(module, "utc_now", lambda: right + dt.timedelta(days=408))
    assert sweep(tmp_path) == 1


def test_what_goes_on_is_no_longer_old(tmp_path, monkeypatch):
    place = Place(tmp_path, NAME)
    place.mark(1)
    later = module.utc_now() + dt.timedelta(days=8)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    place.leave()
    assert sweep(tmp_path) == 0
    assert (place.path / "old").exists()
    os.utime(place.path / "mark", (later.timestamp(),) * 2)
    assert sweep(tmp_path) == 0
    assert not (place.path / "old").exists()
