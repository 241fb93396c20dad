# SPDX-License-Identifier: Apache-2.0
"""The content of a transfer as files on disk: one run of octets, many files (protocol.md §14.11).

Everything lies below one private place of this side's choosing, and the manifest has only plain relative paths in
declared directories, so nothing can lead out of it. Files are made with ``O_EXCL``: two names that this file system
takes for one are noticed before an octet is written.
"""

import bisect
import contextlib
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hardwire.app.files import reserve
from hardwire.app.paths import absence, sync_directory
from hardwire.channel.manifest import Entry, EntryKind, Manifest

_MANY: Final = 256
"""Files or directories beyond which the whole system is told to write out, instead of each of them."""
_BLOCK: Final = 1 << 20
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Layout:
    """Files and directories of a manifest, below ``top``.

    Args:
        top: The file itself, or the directory that holds the rest.
        manifest: What there is.
        inside: Descriptor of the directory that a relative ``top`` is in, instead of the current one.
    """

    def __init__(self, top: Path, manifest: Manifest, inside: int | None = None) -> None:
        self.top = top
        self._inside = inside
        self._manifest = manifest
        self._files = [entry for entry in manifest.entries if entry.size]
        self._starts = list(itertools.accumulate((entry.size for entry in self._files), initial=0))
        self._open: tuple[int, int] = (-1, -1)
        self._touched: set[Path] = set()

    def build(self, *, sized: bool = True) -> None:
        """Make everything, empty, with the space for it reserved.

        Args:
            sized: The sizes are known; they are not for a stream.

        Raises:
            OSError: No room; or FileExistsError: two names are one here.
        """
        for entry in self._manifest.entries:
            path = self._path(entry)
            if entry.kind is EntryKind.DIRECTORY:
                os.mkdir(path, 0o700, dir_fd=self._inside)
                continue
            descriptor = os.open(path, _NEW, 0o600, dir_fd=self._inside)
            try:
                reserve(descriptor, entry.size if sized else 0)
            finally:
                os.close(descriptor)
        self._sync_directories()

    def intact(self) -> bool:
        """Whether everything is there as it was built, and only here: under no second name. Raises OSError."""
        as_built = 0
        with absence():
            for entry in self._manifest.entries:
                as_built += _as_built(self._look(entry), entry)
        return as_built == len(self._manifest.entries)

    def unreserved(self) -> int:
        """Octets of it that the disk has still to find room for. Raises OSError."""
        return sum(max(0, entry.size - self._look(entry).st_blocks * 512) for entry in self._files)

    def write(self, offset: int, data: memoryview) -> None:
        """Put octets where they belong.

        Raises:
            OSError: The disk refused.
        """
        while data:
            index = bisect.bisect_right(self._starts, offset) - 1
            within = offset - self._starts[index]
            wanted = min(len(data), self._files[index].size - within)
            done = os.pwrite(self._descriptor(index), data[:wanted], within)
            offset += done
            data = data[done:]

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """Octets that were written, in blocks; fewer than asked for when they are not there.

        Raises:
            OSError: The disk refused.
        """
        while size:
            index = bisect.bisect_right(self._starts, offset) - 1
            within = offset - self._starts[index]
            block = os.pread(self._descriptor(index), min(size, self._files[index].size - within, _BLOCK), within)
            if not block:
                return
            offset += len(block)
            size -= len(block)
            yield block

    def touched(self) -> frozenset[Path]:
        """The files written to since the last call."""
        touched, self._touched = frozenset(self._touched), set()
        if self._open[0] >= 0:
            self._touched.add(self._path(self._files[self._open[0]]))
        return touched

    def dress(self) -> None:
        """Give everything its mode and time, innermost first; directories stay writable for their owner."""
        masked = ~_umask()
        for entry in reversed(self._manifest.entries):
            path = self._path(entry)
            own = 0o700 if entry.kind is EntryKind.DIRECTORY else 0o400
            os.chmod(path, (entry.mode & masked) | own, dir_fd=self._inside)
            with contextlib.suppress(OSError):  # a time that this file system cannot hold
                os.utime(path, ns=(entry.mtime, entry.mtime), dir_fd=self._inside)
        self._sync_directories()

    def close(self) -> None:
        """Let go of the open file; safe to call twice."""
        (_, descriptor), self._open = self._open, (-1, -1)
        if descriptor >= 0:
            with contextlib.suppress(OSError):  # what a network file system still has to say comes too late
                os.close(descriptor)

    def _path(self, entry: Entry) -> Path:
        return self.top.joinpath(*entry.components)

    def _look(self, entry: Entry) -> os.stat_result:
        return os.stat(self._path(entry), dir_fd=self._inside, follow_symlinks=False)

    def _sync_directories(self) -> None:
        directories = [self._path(entry) for entry in self._manifest.entries if entry.kind is EntryKind.DIRECTORY]
        if len(directories) > _MANY:  # a disk that turns takes half an hour for a hundred thousand
            os.sync()
            return
        for path in directories:
            sync_directory(path, self._inside)

    def _descriptor(self, index: int) -> int:
        if self._open[0] != index:
            self.close()
            path = self._path(self._files[index])
            flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            self._open = (index, os.open(path, flags, dir_fd=self._inside))
            self._touched.add(path)
        return self._open[1]


def put_on_disk(files: frozenset[Path], inside: int | None = None) -> None:
    """Wait until the contents of these files are on disk.

    Args:
        files: Which.
        inside: Descriptor of the directory that relative paths begin at, instead of the current one.

    Raises:
        OSError: They did not get there.
    """
    if len(files) > _MANY:
        os.sync()
        return
    for path in files:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _as_built(info: os.stat_result, entry: Entry) -> bool:
    if entry.kind is EntryKind.DIRECTORY:
        return stat.S_ISDIR(info.st_mode)
    return stat.S_ISREG(info.st_mode) and info.st_size == entry.size and info.st_nlink == 1


def _umask() -> int:
    """The process's own; reading it means setting it, and the strictest is set for that moment."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
