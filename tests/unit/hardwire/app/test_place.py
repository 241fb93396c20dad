# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest

from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.place import Place, open_place, place_name
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


def test_one_at_a_time(tmp_path):
    place = Place(tmp_path, NAME)
    with pytest.raises(TransferIncomplete) as caught:
        Place(tmp_path, NAME)
    assert caught.value.code == "busy"
    place.leave()
    Place(tmp_path, NAME).remove()


HOLDS = """
import pathlib, sys
from hardwire.app.place import open_place
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
