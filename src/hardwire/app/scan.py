# SPDX-License-Identifier: Apache-2.0
"""What lies under a path that somebody wants to send: each file and directory once, before anything of it is read.

Symbolic links inside a directory are left out unless the person asked to follow them, and so is what is no file and no
directory; both are told. What cannot be sent ends the search with its place. Everything blocks.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app.files import check_component, is_side_directory
from hardwire.app.text import printable
from hardwire.channel.manifest import DEPTH_MAX, ENTRIES_MAX, Entry, EntryKind
from hardwire.errors import LocalError, Misuse, TransferIncomplete, UsageError

_MTIME_MAX: Final = (1 << 63) - 1
"""Nanoseconds since 1970, in 2262: later times, and those before 1970, become the nearest that can be told."""
_EFFECTIVE: Final = os.access in os.supports_effective_ids

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One regular file of a transfer.

    Attributes:
        path: Where it is.
        size: Octets.
        stamp: (device, inode, size, mtime in ns) when it was found.
    """

    path: Path
    size: int
    stamp: Stamp


class Scan:
    """What lies under a path.

    Attributes:
        found: Each entry of the manifest, with its file; directories have an empty one.
        skipped: What was left out.
    """

    def __init__(self, path: Path, *, follow: bool) -> None:
        self.found: dict[Entry, Part] = {}
        self.skipped: list[str] = []
        self._follow = follow
        info = path.stat()
        if stat.S_ISREG(info.st_mode):
            self._add(path, "", info)
        elif stat.S_ISDIR(info.st_mode):
            self._walk(path, info)
        else:
            raise UsageError(f"{path}: neither a file nor a directory")

    def _walk(self, top: Path, info: os.stat_result) -> None:
        """Every directory once: ``above`` knows the ones on the way here, so that a link cannot lead in a circle."""
        self._add(top, "", info)
        here = (info.st_dev, info.st_ino)
        waiting = deque([(top, "", here, frozenset({here}))])
        while waiting:
            directory, prefix, here, above = waiting.popleft()
            for item in _listing(directory, here):
                found = self._look(item, directory / item.name, prefix)
                if found is None or not stat.S_ISDIR(found.st_mode):
                    continue
                place = (found.st_dev, found.st_ino)
                if place in above:
                    where = printable(str(directory / item.name))
                    raise UsageError(f"{where}: a link that leads back to where it is", hint="leave out --follow")
                waiting.append((directory / item.name, f"{prefix}{item.name}/", place, above | {place}))

    def _look(self, item: os.DirEntry[str], path: Path, prefix: str) -> os.stat_result | None:
        if is_side_directory(item.name):
            self.skipped.append(f"{prefix}{item.name}: unfinished transfers")
            return None
        # One look decides: what is a file now may be a link to somebody's letters a moment later.
        try:
            info = item.stat(follow_symlinks=self._follow)
        except OSError as problem:
            if self._follow and item.is_symlink():  # to nothing, to itself, or to what may not be seen
                where, reason = printable(str(path)), (problem.strerror or str(problem)).lower()
                raise UsageError(f"{where}: {reason}", hint="leave out --follow") from None
            problem.filename = str(path)  # it knows the name only
            raise
        if stat.S_ISLNK(info.st_mode):
            self.skipped.append(f"{prefix}{item.name}: a symbolic link")
            return None
        if not stat.S_ISREG(info.st_mode) and not stat.S_ISDIR(info.st_mode):
            self.skipped.append(f"{prefix}{item.name}: neither a file nor a directory")
            return None
        _check_found(item.name, path.parent)
        self._add(path, prefix + item.name, info)
        return info

    def _add(self, path: Path, relative: str, info: os.stat_result) -> None:
        regular = stat.S_ISREG(info.st_mode)
        if regular and not os.access(path, os.R_OK, effective_ids=_EFFECTIVE):
            # Before an hour is spent on the hashes of what comes before it.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        if len(self.found) == ENTRIES_MAX or relative.count("/") >= DEPTH_MAX:
            raise Misuse(f"more than {ENTRIES_MAX} entries, or more than {DEPTH_MAX} levels of them")
        kind = EntryKind.FILE if regular else EntryKind.DIRECTORY
        size = info.st_size if regular else 0
        entry = Entry(kind, info.st_mode & 0o777, min(max(0, info.st_mtime_ns), _MTIME_MAX), size, relative)
        self.found[entry] = Part(path, size, stamp_of(info))


def stamp_of(info: os.stat_result) -> Stamp:
    """What tells whether a file is still the one that was looked at."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def changed(path: Path) -> LocalError:
    """What to raise when it is no longer what was looked at."""
    hint = "send it when nothing writes to it any more"
    return TransferIncomplete(f"{printable(str(path))}: changed since it was offered", hint=hint, code="file-changed")


def _check_found(name: str, directory: Path) -> None:
    """Refuse a name that the peer would refuse, and say where it is. Raises TransferIncomplete."""
    try:
        check_component(name)
    except TransferIncomplete as problem:
        where = printable(str(directory))
        raise TransferIncomplete(f"{where}: {problem.message}", code=problem.code, hint=problem.hint) from None


def _listing(directory: Path, place: tuple[int, int]) -> Iterator[os.DirEntry[str]]:
    """What is in a directory, if it still is the one that was found: its device and inode.

    Raises:
        TransferIncomplete: ``file-changed``: another one is in its place.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        info = os.fstat(descriptor)
        if (info.st_dev, info.st_ino) != place:
            raise changed(directory)
        with os.scandir(descriptor) as listing:
            yield from listing
    finally:
        os.close(descriptor)
