# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest

from hardwire.app import sidedir as module
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.place import Place

NAME = "5f" * 16


def test_others_keep_the_side_directory(tmp_path):
    first, second = Place(tmp_path, NAME), Place(tmp_path, "other")
    first.remove()
    assert [path.name for path in (tmp_path / SIDE_DIRECTORY).iterdir()] == ["other"]
    second.remove()


def test_the_lock_of_a_process_that_was_killed_is_gone(tmp_path):
    script = "import sys, pathlib, os, signal\nfrom hardwire.app.place import Place\np = Place(pathlib.Path(sys.argv[1]), sys.argv[2])\nos.kill(os.getpid(), signal.SIGKILL)\n"
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
    with pytest.raises(OSError) as caught:  # noqa: PT011 - which one is the system's affair
        Place(tmp_path, NAME)
    assert SIDE_DIRECTORY in caught.value.strerror


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


def test_who_holds_it(tmp_path):
    path = tmp_path / SIDE_DIRECTORY / NAME
    inside = module.claim(path)
    with pytest.raises(module.Twin) as caught:
        module.claim(path)
    assert caught.value.code == "busy"
    other = module.open_inside(path)
    assert not module.hold(other)
    module.let_go(other, held=False)
    with pytest.raises(module.Twin):  # whoever only looked gave nothing back
        module.claim(path)
    module.let_go(inside, held=True)
    other = module.open_inside(path)
    assert module.hold(other)
    with pytest.raises(module.Twin):
        module.claim(path)
    module.remove(path, other)
    module.let_go(other, held=True)
    assert list(tmp_path.iterdir()) == []
