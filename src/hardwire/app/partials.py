# SPDX-License-Identifier: Apache-2.0
"""What is kept of a transfer that is not whole: where it lies, how it is found again, when it goes.

::

    DIR/.hardwire-partial/            0700, so that nobody else sees even the names below; gone when it is empty
        5f0c…/                        16 octets in hex: a hash over the root of the transfer and the key of its sender
            preface                   manifest and hash list, written whole, once they agreed with the root
            data                      the file or the directory, growing; moved to its name when all of it is proved
            mark                      how many leaves were on the disk for certain: 12 octets each time it was noted
            old                       empty: since when nobody touched it, as far as anybody noticed

Nobody's name is stored: who sent it, when and from where is not on the disk. The names inside a directory are.
What nobody touched for seven days is marked as old when the next transfer comes into the same directory, and goes when
another one comes seven days after that: a wall clock that jumps takes nothing away.

**Order of things on the disk.** A mark is noted after the leaves that it counts were put on the disk; so leaves below
the last valid mark are never read again. What was written after it is read and hashed once when the transfer goes on,
and counts as far as it is right: after a kill that is nearly all, after a power cut what had got there.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app.entropy import utc_now
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.paths import sync_directory
from hardwire.errors import TransferIncomplete

LIFE: Final = 7 * 86_400.0
"""Seconds without being touched after which a partial transfer is old, and after which an old one goes."""
_RECORD: Final = struct.Struct(">QI")


class Place:
    """The private directory of one partial transfer, locked for this process while it is open.

    Args:
        directory: Where the transfer shall end up.
        name: 32 hex digits.

    Raises:
        OSError: It cannot be made, or the side directory is somebody else's.
        TransferIncomplete: ``busy``: another process receives the very same thing here.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / SIDE_DIRECTORY / name
        self.preface = self.path / "preface"
        self.data = self.path / "data"
        self._mark = self.path / "mark"
        self._lock = _locked(self.path)
        if self._lock < 0:
            raise TransferIncomplete(
                "another hardwire is receiving the same thing into the same directory",
                code="busy",
                hint="wait for that one, or choose another directory with --dir",
            )

    def marked(self) -> int | None:
        """The last number of leaves that was noted as being on the disk; None before the first note."""
        try:
            notes = self._mark.read_bytes()
        except OSError:
            return None
        found = None
        for start in range(0, len(notes) - _RECORD.size + 1, _RECORD.size):
            leaves, check = _RECORD.unpack_from(notes, start)
            if check != zlib.crc32(notes[start : start + 8]):
                break  # the power went in the middle of this note
            found = leaves
        return found

    def mark(self, leaves: int) -> None:
        """Note that so many leaves are on the disk, on the disk. Raises OSError."""
        head = leaves.to_bytes(8)
        first = not self._mark.exists()
        descriptor = os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, head + zlib.crc32(head).to_bytes(4))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if first:
            sync_directory(self.path)

    def wipe(self) -> None:
        """Begin anew: nothing is kept. Raises OSError."""
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def leave(self) -> None:
        """Let others at it; safe to call twice."""
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)

    def remove(self) -> None:
        """It is not needed any more; safe to call twice."""
        _remove(self.path)
        self.leave()


@dataclass(frozen=True, slots=True)
class Partial:
    """One that lies on the disk.

    Attributes:
        path: Its directory.
        octets: What it takes of the disk.
        age: Seconds since it was touched.
    """

    path: Path
    octets: int
    age: float


def place_name(owner: str, root: bytes) -> str:
    """How a transfer with that root from that device (hex of its id) is called on this disk."""
    return hashlib.sha256(b"hardwire partial" + bytes.fromhex(owner) + root).digest()[:16].hex()


def partials(directory: Path) -> list[Partial]:
    """What lies in a directory, oldest first."""
    now = utc_now().timestamp()
    found = [
        Partial(path, sum(_size(file) for file in path.rglob("*")), now - _touched(path)) for path in _places(directory)
    ]
    return sorted(found, key=lambda partial: -partial.age)


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
            if now - _touched(path) < life:
                (path / "old").unlink(missing_ok=True)
                continue
            descriptor = _locked(path)
            if descriptor < 0:
                continue
            try:
                if now - _noticed(path, now) >= life:
                    _remove(path)
                    gone += 1
            finally:
                os.close(descriptor)
    return gone


def _noticed(path: Path, now: float) -> float:
    """When it was first found to be old, which may be now; the note of that is no touch. Raises OSError."""
    note = path / "old"
    if not note.exists():
        touched = path.stat()
        note.touch(mode=0o600)
        os.utime(note, (int(now),) * 2)
        os.utime(path, ns=(touched.st_atime_ns, touched.st_mtime_ns))
    return note.stat().st_mtime


def _places(directory: Path) -> Iterator[Path]:
    side = directory / SIDE_DIRECTORY
    with contextlib.suppress(OSError):
        yield from sorted(path for path in side.iterdir() if path.is_dir() and not path.is_symlink())


def _touched(path: Path) -> float:
    times = [0.0]
    for one in (path, path / "mark", path / "data"):
        with contextlib.suppress(OSError):
            times.append(one.stat().st_mtime)
    return max(times)


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.lstat().st_blocks * 512
    return 0


def _locked(path: Path) -> int:
    """A descriptor of the directory, made if need be, that holds its lock; -1 when somebody else does."""
    while True:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _check_private(path.parent)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            path.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another transfer ended just now and took the side directory along
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # it was removed between the two


def _check_private(side: Path) -> None:
    """Refuse a side directory that somebody else could have laid out, or can look into."""
    info = side.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise PermissionError(errno.EPERM, f"{side} is not this user's own private directory")


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):  # others are still in it
        path.parent.rmdir()
