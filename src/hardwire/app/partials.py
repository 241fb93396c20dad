# SPDX-License-Identifier: Apache-2.0
"""What is kept of a transfer that is not whole: where it lies, how it is found again, when it goes.

::

    DIR/.hardwire-partial/            0700, so that nobody else sees even the names below; gone when it is empty
        5f0c…/                        16 octets in hex: a hash over the root of the transfer and the key of its sender
            preface                   manifest and hash list, written whole, once they agreed with the root
            data                      the file or the directory, growing; moved to its name when all of it is proved
            mark                      how many leaves were on the disk for certain: 12 octets each time it was noted
            given                     the name that it is about to get or has got, and what it is known again by
            old                       empty: since when nobody touched it, as far as anybody noticed

Nobody's name is stored: who sent it, when and from where is not on the disk. The names inside a directory are.
What nobody touched for seven days is marked as old when the next transfer comes into the same directory, and goes when
another one comes seven days after that: a wall clock that jumps takes nothing away.

**Order of things on the disk.** A mark is noted after the leaves that it counts were put on the disk; so leaves below
the last valid mark are never read again. What was written after it is read and hashed once when the transfer goes on,
and counts as far as it is right: after a kill that is nearly all, after a power cut what had got there. A name is noted
before it is given, and the note stays until the sender knows that everything arrived: whoever offers the same again in
between is told so, and nothing comes twice.

**Whose directory it is.** Others may be able to write to DIR, rename what is in it, and put something else there. So
the side directory is judged when it is open, and what is in it is reached through open directories, never through DIR.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app.entropy import utc_now
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.errors import TransferIncomplete

LIFE: Final = 7 * 86_400.0
"""Seconds without being touched after which a partial transfer is old, and after which an old one goes."""
_TWINS: Final = 16
"""As many as a line takes at a time."""
_held_here: Final[set[tuple[int, int]]] = set()
"""Device and inode of what this process holds: the lock alone does not say who does."""
_turn: Final = threading.Lock()
"""Taken while the lock of a place and what is known of it change together: transfers begin and end in threads."""
_RECORD: Final = struct.Struct(">QI")
_MARK: Final = "mark"
_PREFACE: Final = "preface"
_OLD: Final = "old"
_GIVEN: Final = "given"
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | _FLAGS


class Place:
    """The private directory of one partial transfer, locked for this process while it is open.

    Args:
        directory: Where the transfer shall end up.
        name: 32 hex digits.

    Attributes:
        path: Where it is, for whoever is told.
        inside: Its descriptor: what ``dir_fd`` is to be for everything in it.
        data: The file or directory that grows, from there.

    Raises:
        OSError: It cannot be made, or the side directory is somebody else's.
        TransferIncomplete: ``busy``: the very same thing is received here, by another process or by this one.
    """

    data: Final = Path("data")

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / SIDE_DIRECTORY / name
        with _turn:
            self.inside, held = _locked(self.path)
            here = _identity(self.inside)
            if not held:
                os.close(self.inside)
                raise (_Twin if here in _held_here else TransferIncomplete)(
                    "another hardwire is receiving the same thing into the same directory",
                    code="busy",
                    hint="wait for that one, or choose another directory with --dir",
                )
            _held_here.add(here)

    def marked(self) -> int | None:
        """The last number of leaves that was noted as being on the disk; None before the first note."""
        try:
            notes = _read(_MARK, self.inside)
        except OSError:
            return None
        found = None
        for start in range(0, len(notes) - _RECORD.size + 1, _RECORD.size):
            leaves, check = _RECORD.unpack_from(notes, start)
            if check == zlib.crc32(notes[start : start + 8]):  # otherwise the power went in the middle of this note
                found = leaves
        return found

    def mark(self, leaves: int) -> None:
        """Note that so many leaves are on the disk, on the disk. Raises OSError."""
        head = leaves.to_bytes(8)
        note = head + zlib.crc32(head).to_bytes(4)
        descriptor = os.open(_MARK, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o600, dir_fd=self.inside)
        try:
            end = os.fstat(descriptor).st_size
            # Over what is left of a note that a full disk or the end of power cut short.
            if os.pwrite(descriptor, note, end - end % _RECORD.size) < len(note):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not end:
            os.fsync(self.inside)

    def preface(self) -> bytes:
        """What :meth:`keep_preface` kept. Raises OSError."""
        return _read(_PREFACE, self.inside)

    def keep_preface(self, data: bytes) -> None:
        """Keep manifest and hash list, whole or not at all. Raises OSError."""
        self._keep(_PREFACE, data)

    def note_name(self, name: str) -> None:
        """``data`` is about to be called ``name``, beside the side directory. On the disk. Raises OSError."""
        info = os.stat(self.data, dir_fd=self.inside, follow_symlinks=False)
        self._keep(_GIVEN, "\n".join([*_known_by(info), name]).encode())

    def given(self) -> Path | None:
        """Where it lies if it got its name, and nobody has moved, changed or replaced it since."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            *known_by, name = _read(_GIVEN, self.inside).decode().split("\n")
            final = self.path.parents[1] / Path(name).name
            if _known_by(final.lstat()) == known_by:
                return final
        return None

    def keep_name(self) -> None:
        """It got its name: nothing but the note of that is wanted any more. Raises OSError."""
        _wipe(self.inside, but=_GIVEN)

    def _keep(self, name: str, data: bytes) -> None:
        growing = f"{name}.part"
        descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600, dir_fd=self.inside)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(growing, name, src_dir_fd=self.inside, dst_dir_fd=self.inside)
        os.fsync(self.inside)

    def wipe(self) -> None:
        """Begin anew: nothing is kept. Raises OSError."""
        _wipe(self.inside)

    def leave(self) -> None:
        """Let others at it; safe to call twice."""
        descriptor, self.inside = self.inside, -1
        if descriptor >= 0:
            _let_go(descriptor, held=True)

    def remove(self) -> None:
        """It is not needed any more; safe to call twice."""
        if self.inside >= 0:
            _remove(self.path, self.inside)
        self.leave()


class _Twin(TransferIncomplete):
    """This very process is at it."""


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


def open_place(directory: Path, owner: str, root: bytes) -> Place:
    """The place of a transfer; another one for each twin that this very process receives at the same time.

    Raises:
        OSError: See :class:`Place`.
        TransferIncomplete: ``busy``: another process receives the very same thing here, or this one does many times.
    """
    for twin in range(_TWINS - 1):
        with contextlib.suppress(_Twin):
            return Place(directory, place_name(owner, root, twin))
    return Place(directory, place_name(owner, root, _TWINS - 1))


def place_name(owner: str, root: bytes, twin: int = 0) -> str:
    """How a transfer is called on this disk.

    Args:
        owner: Hex of the sender's device id.
        root: Of the transfer; two files that differ by nothing but where they lie at the sender have the same.
        twin: How many of that root are under way already.
    """
    number = bytes([twin]) if twin else b""
    return hashlib.sha256(b"hardwire partial" + bytes.fromhex(owner) + root + number).digest()[:16].hex()


def _identity(place: int) -> tuple[int, int]:
    info = os.fstat(place)
    return info.st_dev, info.st_ino


def forget(path: Path) -> None:
    """Remove a place that nobody needs any more, unless somebody holds it; nothing when there is none."""
    with contextlib.suppress(OSError):
        inside, held = _open(path), False
        try:
            held = _hold(inside)
            if held:
                _remove(path, inside)
        finally:
            _let_go(inside, held=held)


def partials(directory: Path) -> list[Partial]:
    """What lies in a directory, oldest first."""
    now = utc_now().timestamp()
    found = [
        Partial(path, sum(_size(file) for file in path.rglob("*")), now - _touched(path))
        for path in _places(directory)
        if (path / "data").exists() or not (path / _GIVEN).exists()  # otherwise it is whole, and has its name
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
            inside, held = _open(path), False
            try:
                if now - _touched(inside) < life:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(_OLD, dir_fd=inside)
                    continue
                held = _hold(inside)
                if held and now - _noticed(inside, now) >= life:
                    _remove(path, inside)
                    gone += 1
            finally:
                _let_go(inside, held=held)
    return gone


def _noticed(inside: int, now: float) -> float:
    """When it was first found to be old, which may be now; the note of that is no touch. Raises OSError."""
    touched = os.fstat(inside)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(_OLD, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=inside))
        os.utime(_OLD, (int(now),) * 2, dir_fd=inside, follow_symlinks=False)
        os.utime(inside, ns=(touched.st_atime_ns, touched.st_mtime_ns))
    return os.stat(_OLD, dir_fd=inside, follow_symlinks=False).st_mtime


def _places(directory: Path) -> Iterator[Path]:
    side = directory / SIDE_DIRECTORY
    with contextlib.suppress(OSError):
        yield from sorted(path for path in side.iterdir() if path.is_dir() and not path.is_symlink())


def _touched(place: int | Path) -> float:
    times = [0.0]
    for name in (".", _MARK, "data"):
        with contextlib.suppress(OSError):
            info = (place / name).stat() if isinstance(place, Path) else os.stat(name, dir_fd=place)
            times.append(info.st_mtime)
    return max(times)


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.lstat().st_blocks * 512
    return 0


def _locked(path: Path) -> tuple[int, bool]:
    """A descriptor of the directory, made if need be, and whether it holds its lock now: else, somebody else does."""
    while True:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        try:
            inside = _open(path, make=True)
        except FileNotFoundError:
            continue  # another transfer ended just now and took the side directory along
        held = _lock(inside)
        if not held or os.fstat(inside).st_nlink:
            return inside, held
        os.close(inside)  # it was removed between the two


def _hold(inside: int) -> bool:
    """Whether nobody was at it; from now on this process is."""
    with _turn:
        held = _lock(inside)
        if held:
            _held_here.add(_identity(inside))
        return held


def _let_go(inside: int, *, held: bool) -> None:
    with _turn:
        if held:
            _held_here.discard(_identity(inside))
        os.close(inside)


def _lock(inside: int) -> bool:
    try:
        fcntl.flock(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path, *, make: bool = False) -> int:
    """A descriptor of one place. Raises OSError."""
    side = _open_side(path.parent)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path.name, 0o700, dir_fd=side)
        return os.open(path.name, _DIRECTORY, dir_fd=side)
    finally:
        os.close(side)


def _open_side(side: Path) -> int:
    """A descriptor of a side directory that nobody else could have laid out, or can look into. Raises OSError."""
    descriptor = os.open(side, _DIRECTORY)
    info = os.fstat(descriptor)
    if info.st_uid != os.geteuid() or info.st_mode & 0o077:
        os.close(descriptor)
        raise PermissionError(errno.EPERM, f"{side} is not this user's own private directory")
    return descriptor


def _read(name: str, inside: int) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY | _FLAGS, dir_fd=inside), "rb") as file:
        return file.read()


def _known_by(info: os.stat_result) -> list[str]:
    """What a file or directory is known again by under another name; what is in a directory may change."""
    whole = () if stat.S_ISDIR(info.st_mode) else (info.st_size, info.st_mtime_ns)
    return [str(number) for number in (info.st_dev, info.st_ino, *whole)]


def _wipe(inside: int, but: str = "") -> None:
    for name in os.listdir(inside):
        if name == but:
            continue
        if stat.S_ISDIR(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=inside)
        else:
            os.unlink(name, dir_fd=inside)


def _remove(path: Path, inside: int) -> None:
    with contextlib.suppress(OSError):
        _wipe(inside)
        side = _open_side(path.parent)
        try:
            os.rmdir(path.name, dir_fd=side)
        finally:
            os.close(side)
        path.parent.rmdir()  # unless others are still in it
