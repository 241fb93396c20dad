# SPDX-License-Identifier: Apache-2.0
"""What is kept of transfers that are not whole: how it is found, and when it goes.

What nobody touched for seven days is marked as old when the next transfer comes into the same directory, and goes when
another one comes seven days after that: a wall clock that jumps takes nothing away.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app.entropy import utc_now
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.place import GIVEN, MARK, PREFACE, last_mark
from hardwire.app.sidedir import FLAGS, hold, let_go, open_inside, remove
from hardwire.app.text import human_size
from hardwire.channel.tree import leaf_size

LIFE: Final = 7 * 86_400.0
"""Seconds without being touched after which a partial transfer is old, and after which an old one goes."""
_OLD: Final = "old"


@dataclass(frozen=True, slots=True)
class Partial:
    """One that lies on the disk.

    Attributes:
        path: Its directory.
        octets: What it takes of the disk, where room for all of it may be reserved.
        age: Seconds since it was touched.
        done: Octets of its content that are there for certain; None while nobody knows.
        size: Octets of all its content; None while nobody knows.
    """

    path: Path
    octets: int
    age: float
    done: int | None = None
    size: int | None = None


def forget(path: Path) -> None:
    """Remove a place that nobody needs any more, unless somebody holds it; nothing when there is none."""
    with contextlib.suppress(OSError):
        inside, held = open_inside(path), False
        try:
            held = hold(inside)
            if held:
                remove(path, inside)
        finally:
            let_go(inside, held=held)


def partials(directory: Path) -> list[Partial]:
    """What lies in a directory, oldest first."""
    now = utc_now().timestamp()
    found = [
        Partial(path, sum(_taken(file) for file in path.rglob("*")), now - _touched(path), *_proved(path))
        for path in _places(directory)
        if (path / "data").exists() or not (path / GIVEN).exists()  # otherwise it is whole, and has its name
    ]
    return sorted(found, key=lambda partial: -partial.age)


def amount(found: Sequence[Partial]) -> str:
    """How much of them is there: ``510.7 MB of 1.5 GB``, or what they take of the disk where no more is known."""
    there = human_size(sum(one.octets if one.done is None else one.done for one in found))
    sizes = [one.size for one in found if one.size is not None]
    return f"{there} of {human_size(sum(sizes))}" if len(sizes) == len(found) else there


def sweep(directory: Path, life: float = LIFE) -> int:
    """Mark what nobody touched for ``life`` seconds, and remove what is marked for as long and nobody holds.

    Two looks, because one says little: a clock that was set right between them makes everything look old.

    Returns:
        How many were removed.
    """
    gone = 0
    for path in _places(directory):
        now = utc_now().timestamp()
        with contextlib.suppress(OSError):
            inside, held = open_inside(path), False
            try:
                if now - _touched(inside) < life:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(_OLD, dir_fd=inside)
                    continue
                held = hold(inside)
                if held and now - _noticed(inside, now) >= life:
                    remove(path, inside)
                    gone += 1
            finally:
                let_go(inside, held=held)
    return gone


def _noticed(inside: int, now: float) -> float:
    """When it was first found to be old, which may be now; the note of that is no touch. Raises OSError."""
    touched = os.fstat(inside)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(_OLD, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600, dir_fd=inside))
        os.utime(_OLD, (int(now),) * 2, dir_fd=inside, follow_symlinks=False)
        os.utime(inside, ns=(touched.st_atime_ns, touched.st_mtime_ns))
    return os.stat(_OLD, dir_fd=inside, follow_symlinks=False).st_mtime


def _places(directory: Path) -> Iterator[Path]:
    side = directory / SIDE_DIRECTORY
    with contextlib.suppress(OSError):
        yield from sorted(path for path in side.iterdir() if path.is_dir() and not path.is_symlink())


def _touched(place: int | Path) -> float:
    times = [0.0]
    for name in (".", MARK, "data"):
        with contextlib.suppress(OSError):
            info = (place / name).stat() if isinstance(place, Path) else os.stat(name, dir_fd=place)
            times.append(info.st_mtime)
    return max(times)


def _taken(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.lstat().st_blocks * 512
    return 0


def _proved(path: Path) -> tuple[int, int] | tuple[None, None]:
    """How much is there for certain, of how much. What came after the last mark counts only when it goes on."""
    leaves, data = None, path / "data"
    with contextlib.suppress(OSError):
        inside = open_inside(path)
        try:
            leaves = last_mark(inside) if (path / PREFACE).exists() else None
        finally:
            let_go(inside, held=False)
    if leaves is None:
        return None, None
    size = sum(_length(file) for file in (data, *data.rglob("*")))
    return min(leaves * leaf_size(size), size), size


def _length(path: Path) -> int:
    with contextlib.suppress(OSError):
        info = path.lstat()
        return info.st_size if stat.S_ISREG(info.st_mode) else 0
    return 0
