# SPDX-License-Identifier: Apache-2.0
"""Files on disk: what is offered, and what arrives.

Rules this file keeps:

* A file appears under its final name only when it is whole and its SHA-256 is right; until then it lives in a
  ``.hardwire-*.part`` file beside it, which is removed when the transfer ends badly.
* Nothing is overwritten: a taken name gets a number, decided by the file system (``link(2)`` fails when the name
  exists), so that two transfers and another program cannot race.
* The peer's name is a name and never a path, cannot hide itself (no leading dot) and cannot trick the eye.
* Space is reserved before the first octet is asked for, so that a full disk is seen at the start.

Everything here but :func:`inspect` blocks, some of it for as long as a slow disk takes: it is called on worker threads.
"""

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final, Self

from hardwire.app.paths import sync_directory
from hardwire.app.text import human_size, printable
from hardwire.errors import LocalError, TransferIncomplete, UsageError

_READ_SIZE: Final = 1 << 20
_NAME_MAX: Final = 255
_SAME_NAME_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file that was read once, to know what is offered.

    Attributes:
        path: Where it is.
        name: What the peer is told: the last component only.
        size: Octets.
        sha256: Of the contents, 32 octets.
        stamp: (device, inode, size, mtime in ns) when it was read; a file that changes later is not sent.
    """

    path: Path
    name: str
    size: int
    sha256: bytes
    stamp: tuple[int, int, int, int]


def inspect_outgoing(path: Path, progress: Callable[[int, int], None] | None = None) -> OutgoingFile:
    """Read ``path`` once and say what it is; blocking, for a worker thread.

    Args:
        path: A regular file (symbolic links are followed: the person named it).
        progress: Called with (octets read, octets in all).

    Raises:
        UsageError: Not there, not readable, not a regular file, or a name the protocol cannot carry.
    """
    try:
        with _open_to_read(path) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise UsageError(f"{path}: not a regular file")
            digest = hashlib.sha256()
            done = 0
            while block := file.read(_READ_SIZE):
                digest.update(block)
                done += len(block)
                if progress:
                    progress(done, info.st_size)
            stamp = _stamp(os.fstat(file.fileno()))
    except IsADirectoryError:
        hint = f"pack it first: tar czf {path.name or 'directory'}.tar.gz -C {path.parent} {path.name}"
        raise UsageError(f"{path}: a directory, and a line carries files", hint=hint) from None
    except OSError as problem:
        raise UsageError(f"{path}: {(problem.strerror or str(problem)).lower()}") from None
    if done != info.st_size or stamp != _stamp(info):
        raise UsageError(f"{path}: changed while it was read", hint="send it when nothing writes to it any more")
    try:
        check_name(path.name)
    except TransferIncomplete as problem:
        raise UsageError(problem.message, code=problem.code, hint=problem.hint) from None
    return OutgoingFile(path, path.name, done, digest.digest(), stamp)


class OutgoingReader:
    """Reads an offered file in order; refuses when it is no longer the file that was offered."""

    def __init__(self, file: OutgoingFile) -> None:
        self._offered = file
        try:
            self._file = _open_to_read(file.path)
        except OSError as problem:
            raise TransferIncomplete(f"{file.path}: {(problem.strerror or str(problem)).lower()}") from None
        if _stamp(os.fstat(self._file.fileno())) != file.stamp:
            self.close()
            raise _changed(file)

    def read(self, size: int) -> bytes:
        """The next ``size`` octets, exactly; the caller asks for no more than the file has left.

        Raises:
            TransferIncomplete: The file changed under the transfer, or cannot be read.
        """
        try:
            data = self._file.read(size)
            stamp = _stamp(os.fstat(self._file.fileno()))
        except OSError as problem:
            raise TransferIncomplete(f"{self._offered.path}: {(problem.strerror or str(problem)).lower()}") from None
        if stamp != self._offered.stamp or len(data) != size:
            raise _changed(self._offered)
        return data

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self._file.close()


class IncomingFile:
    """A file on its way in. Ends with :meth:`finish` or :meth:`discard`, exactly once."""

    def __init__(self, directory: Path, name: str, size: int, *, sha256: bytes, part: Path, descriptor: int) -> None:
        self.name = name
        self.size = size
        self.received = 0
        self._directory = directory
        self._sha256 = sha256
        self._part = part
        self._descriptor = descriptor
        self._digest = hashlib.sha256()

    @classmethod
    def create(cls, directory: Path, name: str, size: int, sha256: bytes) -> Self:
        """Reserve the space and open the side file.

        Args:
            directory: Where the file shall end up.
            name: As the peer gave it; checked here.
            size: Octets promised.
            sha256: Promised hash, 32 octets.

        Raises:
            TransferIncomplete: The name is a trick (code ``bad-name``), the disk is too full (``disk-full``), or
                the directory cannot be written (``disk``). Nothing is left behind.
        """
        check_name(name)
        part = directory / f".hardwire-{secrets.token_hex(8)}.part"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(part, flags, 0o600)
        except OSError as problem:
            raise _disk_problem(problem, directory, size) from None
        try:
            _reserve(descriptor, size)
        except OSError as problem:
            os.close(descriptor)
            part.unlink(missing_ok=True)
            raise _disk_problem(problem, directory, size) from None
        return cls(directory, name, size, sha256=sha256, part=part, descriptor=descriptor)

    def write(self, offset: int, data: bytes) -> None:
        """Append ``data``, which must start at ``offset`` (chunks arrive in order).

        Raises:
            TransferIncomplete: Out of order, too much, or the disk refused; the side file is gone then.
        """
        if offset != self.received or offset + len(data) > self.size:
            self.discard()
            raise TransferIncomplete(f"{printable(self.name)}: a piece that does not belong there")
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as problem:
            self.discard()
            raise _disk_problem(problem, self._directory, self.size) from None
        self._digest.update(data)
        self.received += len(data)

    def finish(self) -> Path:
        """Check the hash, put the file on disk, and give it its final name, which is returned.

        Raises:
            TransferIncomplete: Too short, another hash (code ``hash-mismatch``), or the disk refused; nothing is
                left behind then.
        """
        shown = printable(self.name)
        if self.received != self.size:
            self.discard()
            raise TransferIncomplete(f"{shown}: {self.received} of {self.size} octets arrived")
        if not hmac.compare_digest(self._digest.digest(), self._sha256):
            self.discard()
            raise TransferIncomplete(f"{shown}: the SHA-256 is not the one that was offered", code="hash-mismatch")
        try:
            os.fsync(self._descriptor)
            final = _publish(self._part, self._directory, self.name)
        except OSError as problem:
            raise _disk_problem(problem, self._directory, self.size) from None
        finally:
            self.discard()
        with contextlib.suppress(OSError):  # a directory that may be written and not read; the file is there
            sync_directory(self._directory)
        return final

    def discard(self) -> None:
        """Remove the side file; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):  # what a network file system still has to say comes too late
                os.close(descriptor)
        with contextlib.suppress(OSError):  # the disk, or the right to write there, is gone
            self._part.unlink(missing_ok=True)


def check_name(name: str) -> None:
    """Refuse a file name that is a path, hides itself, or tricks the eye.

    Raises:
        TransferIncomplete: With the code ``bad-name``.
    """
    reason = ""
    if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
        reason = "it is not a plain name"
    elif len(name.encode("utf-8", "surrogatepass")) > _NAME_MAX:
        reason = "it is too long"
    elif printable(name) != name:
        reason = "it has characters that cannot be seen"
    elif name.startswith("."):
        reason = "it would be hidden"
    elif name != name.strip():
        reason = "it begins or ends with a blank"
    if reason:
        shown = printable(name)[:80]
        raise TransferIncomplete(
            f"file name {shown!r} refused: {reason}", code="bad-name", hint="rename it and send again"
        )


def _publish(part: Path, directory: Path, name: str) -> Path:
    """Give the finished side file the first free name; the file system decides what is free."""
    stem, dot, suffix = name.partition(".")
    for number in range(1, _SAME_NAME_MAX):
        candidate = directory / (name if number == 1 else f"{stem} ({number}){dot}{suffix}")
        try:
            os.link(part, candidate, follow_symlinks=False)
        except FileExistsError:
            continue
        except OSError as problem:
            if problem.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}:
                raise
            if not _claim(candidate):  # a file system without hard links (FAT)
                continue
            try:
                part.replace(candidate)
            except OSError:
                candidate.unlink()
                raise
        return candidate
    raise TransferIncomplete(f"{name}: there are {_SAME_NAME_MAX} files of that name already")


def _claim(candidate: Path) -> bool:
    try:
        os.close(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return False
    return True


def _open_to_read(path: Path) -> BufferedReader:
    # A named pipe would keep the caller waiting for a writer before anybody could see that it is no regular file.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def _reserve(descriptor: int, size: int) -> None:
    """Take the space; look first, because a disk may be filled to the brim before it says that it is full."""
    free = os.fstatvfs(descriptor)
    if size > free.f_bavail * free.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if size:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as problem:
            if problem.errno not in {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:
                raise


def _stamp(info: os.stat_result) -> tuple[int, int, int, int]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _changed(file: OutgoingFile) -> LocalError:
    hint = "send it when nothing writes to it any more"
    return TransferIncomplete(f"{file.path}: changed while it was sent", hint=hint, code="file-changed")


def _disk_problem(problem: OSError, directory: Path, size: int) -> LocalError:
    if problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return TransferIncomplete(
            f"no room for {human_size(size)} in {directory}{_free(directory)}",
            code="disk-full",
            hint="make room or choose another directory with --dir, and ask for it again",
        )
    reason = (problem.strerror or str(problem)).lower()
    return TransferIncomplete(f"{directory}: {reason}", code="disk", hint="choose another directory with --dir")


def _free(directory: Path) -> str:
    try:
        free = os.statvfs(directory)
    except OSError:
        return ""
    return f": {human_size(free.f_bavail * free.f_frsize)} free"


async def inspect(path: Path, progress: Callable[[int, int], None] | None = None) -> OutgoingFile:
    """Read a file to be offered, off the event loop; ``progress`` is called on it.

    Raises:
        UsageError: It cannot be offered.
    """
    loop = asyncio.get_running_loop()
    given_up = threading.Event()

    def tick(done: int, size: int) -> None:
        if given_up.is_set():
            raise UsageError(f"{path}: not read to its end")
        if progress is not None:
            loop.call_soon_threadsafe(progress, done, size)

    try:
        return await asyncio.to_thread(inspect_outgoing, path, tick)
    except asyncio.CancelledError:
        given_up.set()  # otherwise the process would go on reading after Ctrl-C
        raise
