# SPDX-License-Identifier: Apache-2.0
"""What is offered: a file or a directory, read once to know its hash list, and again to send it.

The first reading hashes leaves on several threads; nothing of it is kept on the disk. From then on each file is only
good as long as its device, inode, size and time of change stay what they were: what changes while it is on its way is
not sent, under whatever name.

Everything but :func:`inspect` blocks: it is called on worker threads.
"""

import asyncio
import bisect
import contextlib
import errno
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from hardwire.app.digest import FileHash
from hardwire.app.files import check_name
from hardwire.app.scan import Part, Scan, changed, stamp_of
from hardwire.app.text import printable
from hardwire.channel import Offer
from hardwire.channel.filecontrol import WINDOW_MAX
from hardwire.channel.manifest import EntryKind, in_order
from hardwire.channel.preface import make_offer
from hardwire.channel.tree import HASH_SIZE, leaf_size, new_leaf
from hardwire.errors import Misuse, TransferIncomplete, UsageError

_BLOCK: Final = 4 << 20
"""Octets that are read at a time, at most: as much as a sender asks for."""
_HELD_LEAF_MAX: Final = 16 << 20
"""Octets of the largest leaf that is kept in memory until it is its turn in the hash of the whole."""
_HASHERS: Final = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """Something that was read once, to know what is offered.

    Attributes:
        path: Where it is.
        offer: What the peer is told; its name is the last component of the path only.
        preface: Manifest and hash list, as they go over the line.
        parts: Its regular files, in the order of the manifest.
        skipped: What was left out of a directory, and why.
        sha256: Of a file, in hex, if somebody wanted it; empty for a directory, and beyond 2 TiB.
    """

    path: Path
    offer: Offer
    preface: bytes = field(repr=False)
    parts: tuple[Part, ...] = field(repr=False)
    skipped: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def name(self) -> str:
        """What the peer is told."""
        return self.offer.name

    @property
    def size(self) -> int:
        """Octets of content."""
        return self.offer.size

    def check(self, done: int) -> None:
        """Look whether the peer could refuse what was on its way behind ``done`` octets of content; blocking.

        Somebody who writes through a mapping changes a file, and its time only when the kernel comes to it.

        Raises:
            TransferIncomplete: ``file-changed``: it is not what was offered; or it cannot be read.
        """
        leaf, hashes = leaf_size(self.size), self.preface[self.offer.manifest :]
        for start in range(done - done % leaf, min(self.size, done + WINDOW_MAX), leaf):
            digest, _, _ = _hash_leaf(self.parts, start, min(leaf, self.size - start))
            if not hashes.startswith(digest, start // leaf * HASH_SIZE):
                raise changed(self.path)


def inspect_outgoing(
    path: Path, progress: Callable[[int, int], None] | None = None, *, follow: bool = False, sha256: bool = False
) -> OutgoingFile:
    """Read ``path`` once and say what it is; blocking, for a worker thread.

    Args:
        path: A regular file or a directory (a symbolic link is followed: the person named it).
        progress: Called with (octets read, octets in all); may raise to stop.
        follow: Follow symbolic links inside a directory, too.
        sha256: Say the SHA-256 of a file as well, which takes up to twice the time.

    Raises:
        UsageError: Not there, not readable, neither file nor directory, or something the protocol cannot carry.
    """
    try:
        name = path.name if path.name not in {"", ".."} else path.resolve().name
        check_name(name)
        scan = Scan(path, follow=follow)
        manifest = in_order(scan.found)
        parts = tuple(scan.found[entry] for entry in manifest.entries if entry.kind is EntryKind.FILE)
        held = manifest.entries[0].kind is EntryKind.FILE and leaf_size(manifest.size) <= _HELD_LEAF_MAX
        with FileHash() as whole:
            leaves = _hashed(parts, manifest.size, progress, whole if sha256 and held else None)
            digest = whole.hexdigest() if sha256 and held else ""
        offer, preface = make_offer(name, manifest, leaves)
    except OSError as problem:
        where = printable(str(problem.filename or path))
        raise UsageError(f"{where}: {(problem.strerror or str(problem)).lower()}", hint=_hint_for(problem)) from None
    except Misuse as problem:
        hint = f"pack it first: tar czf {path.name or 'directory'}.tar.gz -C {path.parent} {path.name}"
        raise UsageError(f"{printable(str(path))}: {problem.message}", hint=printable(hint)) from None
    except TransferIncomplete as problem:
        raise UsageError(problem.message, code=problem.code, hint=problem.hint) from None
    return OutgoingFile(path, offer, preface, parts, tuple(scan.skipped), digest)


async def inspect(
    path: Path, progress: Callable[[int, int], None] | None = None, *, follow: bool = False, sha256: bool = False
) -> OutgoingFile:
    """Read what is to be offered, off the event loop; ``progress`` is called on it.

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
        return await asyncio.to_thread(partial(inspect_outgoing, path, tick, follow=follow, sha256=sha256))
    except asyncio.CancelledError:
        given_up.set()  # otherwise the process would go on reading after Ctrl-C
        raise


class OutgoingReader:
    """Reads the stream of an offered transfer, anywhere in it; refuses what is no longer what was offered."""

    def __init__(self, file: OutgoingFile) -> None:
        self._preface = file.preface
        self._content = Content(file.parts)

    def read(self, offset: int, size: int) -> bytes:
        """``size`` octets from ``offset``, exactly; the caller asks for no more than there are.

        Raises:
            TransferIncomplete: ``file-changed``: something changed under the transfer; or it cannot be read.
        """
        head = self._preface[offset : offset + size]
        if len(head) == size:
            return head
        start = offset + len(head) - len(self._preface)
        return head + b"".join(self._content.read(start, size - len(head)))

    def close(self) -> None:
        """Let go of the files; safe to call twice."""
        self._content.close()


class Content:
    """The octets of many files one after another. One file is open at a time."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = [part for part in parts if part.size]
        self._starts = list(itertools.accumulate((part.size for part in self._parts), initial=0))
        self._open: tuple[int, int] = (-1, -1)

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """``size`` octets from ``offset``, in blocks.

        Raises:
            TransferIncomplete: ``file-changed``, or a file that cannot be read.
        """
        while size:
            index = bisect.bisect_right(self._starts, offset) - 1
            part = self._parts[index]
            within = offset - self._starts[index]
            wanted = min(size, part.size - within, _BLOCK)
            try:
                descriptor = self._descriptor(index, part)
                data = os.pread(descriptor, wanted, within)
                stamp = stamp_of(os.fstat(descriptor))
            except OSError as problem:
                where = printable(str(part.path))
                raise TransferIncomplete(f"{where}: {(problem.strerror or str(problem)).lower()}") from None
            if stamp != part.stamp or not data:
                raise changed(part.path)
            offset += len(data)
            size -= len(data)
            yield data

    def close(self) -> None:
        """Let go of the open file; safe to call twice."""
        (_, descriptor), self._open = self._open, (-1, -1)
        if descriptor >= 0:
            os.close(descriptor)

    def _descriptor(self, index: int, part: Part) -> int:
        if self._open[0] != index:
            self.close()
            # A named pipe put in its place would keep the caller waiting for a writer.
            self._open = (index, os.open(part.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        return self._open[1]


def _hint_for(problem: OSError) -> str | None:
    """What helps against an entry that cannot be looked at: nothing of a directory is sent without all of it."""
    if problem.errno in {errno.EACCES, errno.EPERM}:
        return "nothing was offered: make it readable, or move it elsewhere, and send again"
    return None


def _hashed(
    parts: Sequence[Part], size: int, progress: Callable[[int, int], None] | None, whole: FileHash | None
) -> bytes:
    """All leaf hashes, in order; ``whole`` gets the octets on the way, if the leaves are small enough to be held."""
    hashes: list[bytes] = []
    done = 0
    with contextlib.closing(_leaves(parts, size)) as leaves:
        for leaf_hash, octets, blocks in leaves:
            hashes.append(leaf_hash)
            if whole is not None:
                for block in blocks:
                    whole.update(block)
            done += octets
            if progress:
                progress(done, size)
    return b"".join(hashes)


def _leaves(parts: Sequence[Part], size: int) -> Generator[tuple[bytes, int, list[bytes]], None, None]:
    """Each leaf's hash, its octets, and they themselves; a few leaves at a time, each on a thread of its own."""
    leaf = leaf_size(size)
    running: deque[Future[tuple[bytes, int, list[bytes]]]] = deque()
    with ThreadPoolExecutor(_HASHERS, "hardwire hash") as pool:
        try:
            for start in range(0, size, leaf):
                running.append(pool.submit(_hash_leaf, parts, start, min(leaf, size - start)))
                if len(running) > 2 * _HASHERS:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _hash_leaf(parts: Sequence[Part], offset: int, size: int) -> tuple[bytes, int, list[bytes]]:
    content, digest, held = Content(parts), new_leaf(), []
    try:
        for block in content.read(offset, size):
            digest.update(block)
            if size <= _HELD_LEAF_MAX:
                held.append(block)
    finally:
        content.close()
    return digest.digest(), size, held
