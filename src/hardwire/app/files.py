# SPDX-License-Identifier: Apache-2.0
"""Names and places on this side's disk: what a peer may call a file, and how a finished one gets its name.

Rules this file keeps:

* Nothing is overwritten: a taken name gets a number, decided by the file system (``link(2)`` fails when the name
  exists, and so does a rename that replaces nothing), so that two transfers and another program cannot race.
* The peer's name is a name and never a path, cannot hide itself (no leading dot) and cannot trick the eye.
* Space is reserved before the first octet is asked for, so that a full disk is seen at the start.

Everything here blocks, some of it for as long as a slow disk takes: it is called on worker threads.
"""

import errno
import math
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hardwire.app.newname import rename_new
from hardwire.app.text import human_size, printable
from hardwire.errors import LocalError, TransferIncomplete

SIDE_DIRECTORY: Final = ".hardwire-partial"
"""Where transfers lie that are not whole (``place.py``). What is in it is believed, so nobody may send one."""
NOTES: Final = 4
"""Files that are kept about an unfinished transfer (``place.py``), at the same time."""
RENAME_HINT: Final = "rename it and send again"
_NAME_MAX: Final = 255
_SAME_NAME_MAX: Final = 1000


def check_name(name: str) -> None:
    """Refuse a transfer's name that is a path, hides itself, or tricks the eye.

    Raises:
        TransferIncomplete: With the code ``bad-name``.
    """
    check_component(name)
    reason = ""
    if name.startswith("."):
        reason = "it would be hidden"
    elif name != name.strip():
        reason = "it begins or ends with a blank"
    if reason:
        raise _bad_name(name, reason)


def check_component(name: str) -> None:
    """Refuse a name inside a directory that is a path or tricks the eye; a leading dot is ordinary there.

    Raises:
        TransferIncomplete: With the code ``bad-name``.
    """
    reason = ""
    if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
        reason = "it is not a plain name"
    elif any("\ud800" <= char <= "\udfff" for char in name):
        reason = "it is not UTF-8"
    elif len(name.encode()) > _NAME_MAX:
        reason = "it is too long"
    elif is_side_directory(name):
        reason = "it is where unfinished transfers are kept"
    elif printable(name) != name:
        reason = "it has characters that cannot be seen"
    if reason:
        raise _bad_name(name, reason)


def is_side_directory(name: str) -> bool:
    """Whether some file system takes ``name`` for :data:`SIDE_DIRECTORY`."""
    return name.casefold() == SIDE_DIRECTORY


def _bad_name(name: str, reason: str) -> LocalError:
    return TransferIncomplete(
        f"file name {printable(name)[:80]!r} refused: {reason}", code="bad-name", hint=RENAME_HINT
    )


def publish(
    part: Path, directory: Path, name: str, inside: int | None = None, before: Callable[[str], None] | None = None
) -> Path:
    """Give what is finished the first free name, which is returned; the file system decides what is free.

    Args:
        part: What is finished.
        directory: Where it shall be.
        name: What it shall be called.
        inside: Descriptor of the directory that a relative ``part`` is in, instead of the current one.
        before: Told each name that is about to be tried.

    Raises:
        OSError: The disk refused.
        TransferIncomplete: There are too many of that name.
    """
    tree = stat.S_ISDIR(os.stat(part, dir_fd=inside, follow_symlinks=False).st_mode)
    move = _move_directory if tree else _move_file
    for number in range(1, _SAME_NAME_MAX):
        candidate = directory / (name if number == 1 else _numbered(name, number))
        if before is not None:
            before(candidate.name)
        if move(part, candidate, inside):
            return candidate
    raise TransferIncomplete(f"{name}: there are {_SAME_NAME_MAX} files of that name already")


def _numbered(name: str, number: int) -> str:
    """``report (2).tar.gz``; what does not fit is cut, so that a long name that is taken costs nobody the transfer."""
    stem, dot, suffix = name.partition(".")
    ending = f" ({number}){dot}{suffix}"
    if len(ending.encode()) >= _NAME_MAX:
        stem, ending = name, f" ({number})"
    return stem.encode()[: _NAME_MAX - len(ending.encode())].decode(errors="ignore") + ending


def _move_file(part: Path, candidate: Path, inside: int | None) -> bool:
    try:
        os.link(part, candidate, src_dir_fd=inside, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as problem:
        if problem.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}:
            raise
        # A file system without hard links (FAT).
        if (free := rename_new(part, candidate, inside)) is not None:
            return free
        if not _claim(candidate):  # a kill before the next step leaves an empty file of that name
            return False
        try:
            os.replace(part, candidate, src_dir_fd=inside)
        except OSError:
            candidate.unlink()
            raise
    else:
        os.unlink(part, dir_fd=inside)
    return True


def _move_directory(part: Path, candidate: Path, inside: int | None) -> bool:
    """rename(2) replaces nothing but an empty directory, and that only if it appears between the look and the move."""
    if os.path.lexists(candidate):
        return False
    try:
        os.rename(part, candidate, src_dir_fd=inside)
    except OSError as problem:
        if problem.errno in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
            return False
        raise
    return True


def _claim(candidate: Path) -> bool:
    try:
        os.close(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return False
    return True


def check_room(directory: Path, size: int, files: int = 0) -> None:
    """Look whether ``size`` octets fit; a disk may be filled to the brim before it says that it is full.

    Args:
        directory: Where.
        size: How many octets.
        files: In how many new files and directories: a disk can have room, and none for another of those.

    Raises:
        OSError: ENOSPC: they do not.
    """
    free = os.statvfs(directory)
    if size > free.f_bavail * free.f_frsize or files > _more_files(free):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _more_files(free: os.statvfs_result) -> float:
    """How many more there may be; a file system that does not count them says that it has none in all."""
    return free.f_favail if free.f_files else math.inf


def reserve(descriptor: int, size: int) -> None:
    """Take the space for a file, or at least give it its size where the file system cannot.

    Raises:
        OSError: No room, or more than a quota allows.
    """
    if size:
        take = getattr(os, "posix_fallocate", _only_size)  # macOS has none
        try:
            take(descriptor, 0, size)
        except OSError as problem:
            if problem.errno not in {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:
                raise
            os.ftruncate(descriptor, size)


def _only_size(descriptor: int, offset: int, size: int) -> None:
    os.ftruncate(descriptor, offset + size)


def disk_problem(
    problem: OSError, directory: Path, size: int, files: int = 1, *, after: int | None = None
) -> LocalError:
    """What a disk that refused means for a transfer.

    Args:
        problem: What it said.
        directory: Where the transfer goes.
        size: Its octets.
        files: In so many files and directories.
        after: What was written of a stream, whose size nobody knows; None of everything else.
    """
    if problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        why = ": it is more than your quota allows" if problem.errno == errno.EDQUOT else _free(directory, files)
        what = f"no room for {human_size(size)}" if after is None else f"the disk became full after {human_size(after)}"
        return TransferIncomplete(
            f"{what} in {directory}{why}",
            code="disk-full",
            hint="make room or choose another directory with --dir, and ask for it again",
        )
    reason = (problem.strerror or str(problem)).lower()
    return TransferIncomplete(f"{directory}: {reason}", code="disk", hint="choose another directory with --dir")


def _free(directory: Path, files: int) -> str:
    try:
        free = os.statvfs(directory)
    except OSError:
        return ""
    few = f", for {free.f_favail} more files and directories," if files + NOTES > _more_files(free) else ""
    return f": {human_size(free.f_bavail * free.f_frsize)}{few} free"
