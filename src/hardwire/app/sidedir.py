# SPDX-License-Identifier: Apache-2.0
"""The side directory of unfinished transfers, and the directories in it: how they are reached, held and removed.

**Whose directory it is.** Others may be able to write to the directory that a transfer goes to, rename what is in it,
and put something else there. So the side directory is judged when it is open, and what is in it is reached through open
directories, never by a path through that directory.

**Who is at it.** One process at a time, by a lock that ends with it, and in it one transfer at a time.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import Final

from hardwire.errors import TransferIncomplete

FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
"""Of everything that is opened in there: nobody else's link is followed, and no child inherits it."""
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | FLAGS
_held_here: Final[set[tuple[int, int]]] = set()
"""Device and inode of what this process holds: the lock alone does not say who does."""
_turn: Final = threading.Lock()
"""Taken while the lock of a place and what is known of it change together: transfers begin and end in threads."""


class Twin(TransferIncomplete):
    """This very process is at it."""


def claim(path: Path) -> int:
    """A descriptor of one directory in a side directory, both made if need be, held from now on.

    Raises:
        OSError: It cannot be made, or the side directory is somebody else's.
        Twin: This process holds it.
        TransferIncomplete: ``busy``: another process holds it.
    """
    with _turn:
        inside, held = _locked(path)
        here = _identity(inside)
        if not held:
            os.close(inside)
            raise (Twin if here in _held_here else TransferIncomplete)(
                "another hardwire is receiving the same thing into the same directory",
                code="busy",
                hint="wait for that one, or choose another directory with --dir",
            )
        _held_here.add(here)
        return inside


def hold(inside: int) -> bool:
    """Whether nobody was at it; from now on this process is."""
    with _turn:
        held = _lock(inside)
        if held:
            _held_here.add(_identity(inside))
        return held


def let_go(inside: int, *, held: bool) -> None:
    """Close it; if it was ``held``, the next one may have it."""
    with _turn:
        if held:
            _held_here.discard(_identity(inside))
        os.close(inside)


def open_inside(path: Path, *, make: bool = False) -> int:
    """A descriptor of one place. Raises OSError."""
    side = _open_side(path.parent)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path.name, 0o700, dir_fd=side)
        return os.open(path.name, _DIRECTORY, dir_fd=side)
    finally:
        os.close(side)


def read_note(name: str, inside: int) -> bytes:
    """All of one file in there. Raises OSError."""
    with os.fdopen(os.open(name, os.O_RDONLY | FLAGS, dir_fd=inside), "rb") as file:
        return file.read()


def wipe(inside: int, but: str = "") -> None:
    """Remove all that is in there, ``but`` that. Raises OSError."""
    for name in os.listdir(inside):
        if name == but:
            continue
        if stat.S_ISDIR(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=inside)
        else:
            os.unlink(name, dir_fd=inside)


def remove(path: Path, inside: int) -> None:
    """Remove it, and the side directory if nothing else is in it, as far as that goes."""
    with contextlib.suppress(OSError):
        wipe(inside)
        side = _open_side(path.parent)
        try:
            os.rmdir(path.name, dir_fd=side)
        finally:
            os.close(side)
        path.parent.rmdir()  # unless others are still in it


def _open_side(side: Path) -> int:
    """A descriptor of a side directory that nobody else could have laid out, or can look into. Raises OSError."""
    try:
        descriptor = os.open(side, _DIRECTORY)
    except OSError as problem:
        if problem.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        raise NotADirectoryError(errno.ENOTDIR, f"{side.name} in it is a link or a file, and no directory") from None
    info = os.fstat(descriptor)
    if info.st_uid != os.geteuid() or info.st_mode & 0o077:
        os.close(descriptor)
        raise PermissionError(errno.EPERM, f"{side} is not this user's own private directory")
    return descriptor


def _locked(path: Path) -> tuple[int, bool]:
    """A descriptor of the directory, made if need be, and whether it holds its lock now: else, somebody else does."""
    while True:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        try:
            inside = open_inside(path, make=True)
        except FileNotFoundError:
            continue  # another transfer ended just now and took the side directory along
        held = _lock(inside)
        if not held or os.fstat(inside).st_nlink:
            return inside, held
        os.close(inside)  # it was removed between the two


def _lock(inside: int) -> bool:
    try:
        fcntl.flock(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _identity(place: int) -> tuple[int, int]:
    info = os.fstat(place)
    return info.st_dev, info.st_ino
