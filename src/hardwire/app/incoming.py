# SPDX-License-Identifier: Apache-2.0
"""What arrives, on its way to the disk, and from there to its name.

* Until it is whole it lies in a private side directory (``place.py``). A final name is given by one rename or link
  of what is complete, proved and on the disk: whoever looks sees all of it or nothing.
* Each leaf is judged as it is completed (``tree.py``), so octets that are not the offered ones are noticed within a
  leaf, and what was proved once is proved for ever: neither the end nor a new beginning reads it again.
* The disk writes out behind the back of the stream: every 64 MiB another thread waits for it and notes a mark, so that
  a power cut costs no more than that and a slow disk holds nobody up before its memory is full.

Everything here blocks: it is called on worker threads.
"""

import contextlib
import errno
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, Protocol

from hardwire.app.digest import FileHash
from hardwire.app.files import NOTES, check_component, check_name, check_room, disk_problem, publish
from hardwire.app.layout import Layout, put_on_disk
from hardwire.app.partials import forget, sweep
from hardwire.app.paths import absence, sync_directory
from hardwire.app.place import open_place
from hardwire.app.text import printable
from hardwire.channel import FILE_SIZE_MAX, Offer, TransferKind
from hardwire.channel.manifest import Entry, EntryKind, Manifest
from hardwire.channel.preface import Preface, open_preface
from hardwire.channel.tree import LEAF_MIN, LeafWalk, RootHash, mismatch, new_leaf
from hardwire.errors import HardwireError, LocalError, PeerError, TransferIncomplete

MARK_EVERY: Final = 64 << 20
"""Octets after which what was written is put on the disk, and that is noted."""
HASHED_BESIDE: Final = 1 << 18
"""Octets that are hashed on a thread of their own while they are written: waking it takes as long as hashing half."""


class Sink(Protocol):
    """Where a transfer goes.

    Attributes:
        received: Octets of the stream that it has taken; the next chunk begins there.
        sha256: In hex, when it is finished, if somebody wanted it; empty for a directory, and for a file that another
            process began: its beginning is proved, and not read again for this.
    """

    received: int

    @property
    def sha256(self) -> str:
        """See the class."""
        ...

    def write(self, offset: int, *pieces: bytes | memoryview) -> None:
        """Take the next octets, as they came. Raises TransferIncomplete."""
        ...

    def finish(self, size: int, root: bytes) -> Path | None:
        """All came: judge it, and give it its name.

        Args:
            size: Of the content.
            root: What the sender says it is.

        Raises:
            TransferIncomplete: It is not what was offered, or the disk refused.
        """
        ...

    def release(self, *, keep: bool) -> None:
        """Let go; what is not finished is kept for another time, or removed. Safe to call twice."""
        ...

    def told(self) -> None:
        """The sender knows that it is finished: nothing has to be remembered of it any more."""
        ...


class StreamHash:
    """Root of a stream while it comes in: a leaf's hash at a time, whatever its length."""

    def __init__(self) -> None:
        self._root = RootHash(TransferKind.STREAM, b"")
        self._leaf = new_leaf()
        self._filled = 0
        self._size = 0

    def update(self, data: memoryview) -> None:
        """The next octets."""
        self._size += len(data)
        while data:
            part = data[: LEAF_MIN - self._filled]
            self._leaf.update(part)
            self._filled += len(part)
            if self._filled == LEAF_MIN:
                self._root.add(self._leaf.digest())
                self._leaf, self._filled = new_leaf(), 0
            data = data[len(part) :]

    def digest(self) -> bytes:
        """The root of everything so far, as if it were all; to be asked once."""
        if self._filled:
            self._root.add(self._leaf.digest())
        return self._root.digest(self._size)


class Incoming:
    """A file, a directory or a stream that goes into a directory of this side's.

    Args:
        directory: Where it shall end up.
        owner: Hex of the sender's device id: nobody else continues what they began.
        offer: What was offered; its name is checked here.
        sha256: Somebody wants the SHA-256 of the file as well.

    Raises:
        TransferIncomplete: The name is a trick (``bad-name``), the disk is too full (``disk-full``), the directory
            cannot be written (``disk``), or another process is at it (``busy``). Nothing is left behind.
    """

    def __init__(self, directory: Path, owner: str, offer: Offer, *, sha256: bool = False) -> None:
        check_name(offer.name)
        self.received = 0
        self.sha256 = ""
        self._wants_sha256 = sha256
        self._directory = directory
        self._offer = offer
        self._head = bytearray()
        self._walk: LeafWalk | None = None
        self._leaves = 0  # that are right, and written: a hash may be ahead of a disk that refuses
        self._stream = StreamHash()
        self._whole: FileHash | None = None
        self._layout: Layout | None = None
        self._hasher = ThreadPoolExecutor(1, "hardwire hash")
        self._marker = ThreadPoolExecutor(1, "hardwire mark")
        self._marking: Future[None] | None = None
        self._unmarked = 0
        self._final: Path | None = None
        self._begun = False
        sweep(directory)
        try:
            self._place = open_place(directory, owner, offer.root)
        except OSError as problem:
            raise self._refused(problem) from None
        try:
            if not self._is_here() and not self._go_on():
                self._begin()
        except OSError as problem:
            self._give_up()
            raise self._refused(problem) from None

    @property
    def proved(self) -> int:
        """Octets of content that are here and right."""
        if self._final is not None:
            return self._offer.size
        return min(self._leaves * self._walk.leaf_size, self._offer.size) if self._walk else 0

    def write(self, offset: int, *pieces: bytes | memoryview) -> None:
        """See :class:`Sink`."""
        if offset != self.received:
            raise TransferIncomplete(f"{printable(self._offer.name)}: a piece that does not belong there")
        position = max(0, offset - self._offer.preface)
        try:
            self._write_content(position, [self._behind_preface(memoryview(piece)) for piece in pieces])
        except OSError as problem:
            raise self._refused(problem) from None
        self.received += sum(map(len, pieces))

    def finish(self, size: int, root: bytes) -> Path:
        """See :class:`Sink`."""
        if self._final is not None:
            return self._final
        name = self._offer.name
        if self._offer.kind is TransferKind.STREAM:
            if self._stream.digest() != root or size != self.received:
                raise mismatch()
        elif self.proved != self._offer.size or self._layout is None:
            raise TransferIncomplete(f"{printable(name)}: {self.proved} of {self._offer.size} octets arrived")
        try:
            self._settle()
            if self._walk is not None and self._layout is not None:
                self._layout.dress()
            self._final = publish(self._place.data, self._directory, name, self._place.inside, self._note_name)
        except OSError as problem:
            raise self._refused(problem) from None
        with contextlib.suppress(OSError):  # a directory that may be written and not read; the file is there
            sync_directory(self._directory)
        if self._whole is not None:
            self.sha256 = self._whole.hexdigest()
        if self._offer.end is None:
            self._place.remove()
        else:
            with contextlib.suppress(OSError):  # what is kept too long is swept away some day
                self._place.keep_name()
        self.release(keep=True)
        return self._final

    def told(self) -> None:
        """See :class:`Sink`."""
        self._place.leave()
        forget(self._place.path)

    def release(self, *, keep: bool) -> None:
        """See :class:`Sink`. Nothing is kept of which no leaf is proved; what has its name is not removed."""
        if keep and self.proved and self._final is None:
            with contextlib.suppress(OSError):  # it will be read again, then
                self._settle()
        self._hasher.shutdown()
        self._marker.shutdown()
        if self._whole is not None:
            self._whole.close()
        if self._layout is not None:
            self._layout.close()
        if self._final is not None or (keep and self.proved):
            self._place.leave()
        else:
            self._place.remove()

    def _give_up(self) -> None:
        """It cannot begin. What was found, and cannot be read or finished just now, stays as it is."""
        if not self._begun:
            self._place.leave()
        self.release(keep=False)

    def _refused(self, problem: OSError) -> LocalError:
        offer, stream = self._offer, self._offer.kind is TransferKind.STREAM
        after = self.received if stream else None
        return disk_problem(problem, self._directory, offer.size, offer.files + offer.directories, after=after)

    def _is_here(self) -> bool:
        """Whether all of it came before and has its name, and its sender may not know it."""
        if self._offer.end is None:  # a stream's root is random: nobody offers the same again
            return False
        self._final = self._place.given()
        if self._final is not None:
            self.received = self._offer.end
        return self._final is not None

    def _go_on(self) -> bool:
        """Take up what is here; False when there is nothing that can be relied on."""
        if self._offer.kind is TransferKind.STREAM:
            return False
        preface = None
        with absence(), contextlib.suppress(HardwireError):
            preface = open_preface(self._offer, self._place.preface())
        if preface is None:
            return False
        marked = self._place.marked()
        layout = self._lay_out(preface.manifest)
        if marked is None or not layout.intact():
            return False
        self._layout = layout
        self._walk = LeafWalk(self._offer.size, preface.leaves, marked)
        self._reprove(self._walk, layout)
        self._leaves = self._walk.proved
        # Most of it, or all, has its room already. What has none is what is missing; elsewhere a disk says more than
        # it takes (compressed), or less (one that cannot set room aside).
        check_room(self._directory, min(layout.unreserved(), self._offer.size - self._walk.octets))
        self.received = self._offer.preface + self._walk.octets
        return True

    def _reprove(self, walk: LeafWalk, layout: Layout) -> None:
        """Read what was written after the last mark: as far as it is right, it need not come again."""
        marked = walk.octets
        with contextlib.suppress(TransferIncomplete):
            while walk.missing and walk.octets - marked < 2 * MARK_EVERY:
                for block in layout.read(walk.octets, walk.missing):
                    walk.update(memoryview(block))

    def _begin(self) -> None:
        self._begun = True
        self._place.wipe()
        check_room(self._directory, self._offer.size, self._offer.files + self._offer.directories + NOTES)
        if self._offer.kind is not TransferKind.DIRECTORY:
            self._whole = FileHash() if self._wants_sha256 else None
            # One file, whatever it is called: its space is taken before the first octet is asked for.
            sized = self._offer.kind is TransferKind.FILE
            entry = Entry(EntryKind.FILE, 0o600, 0, self._offer.size if sized else FILE_SIZE_MAX, "")
            self._layout = self._lay_out(Manifest((entry,)))
            self._layout.build(sized=sized)

    def _lay_out(self, manifest: Manifest) -> Layout:
        return Layout(self._place.data, manifest, self._place.inside)

    def _behind_preface(self, piece: memoryview) -> memoryview:
        """What is content of a piece; the rest is taken in."""
        head = piece[: self._offer.preface - len(self._head)] if self._walk is None else piece[:0]
        if head:
            self._head += head
            if len(self._head) == self._offer.preface:
                self._open_preface()
        return piece[len(head) :]

    def _open_preface(self) -> None:
        try:
            preface = open_preface(self._offer, bytes(self._head))
            _check_names(preface)
        except PeerError as problem:
            raise TransferIncomplete(problem.message, code="bad-name") from None
        self._head.clear()
        if self._layout is not None:
            self._layout.close()
        layout = self._lay_out(preface.manifest)
        if self._offer.kind is TransferKind.DIRECTORY:
            self._build(layout)
        self._layout = layout
        self._walk = LeafWalk(self._offer.size, preface.leaves)
        self._place.keep_preface(preface.manifest.encode() + preface.leaves)
        self._place.mark(0)

    def _build(self, layout: Layout) -> None:
        try:
            layout.build()
        except FileExistsError as problem:
            name, other = printable(self._offer.name), printable(Path(str(problem.filename)).name)
            raise TransferIncomplete(
                f"{name}: in {self._directory} the name {other!r} is the same as another one in it",
                code="bad-name",
                hint="choose a directory on another disk with --dir, or ask your peer to pack it first",
            ) from None

    def _write_content(self, offset: int, pieces: list[memoryview]) -> None:
        if self._layout is None:
            return
        size = sum(map(len, pieces))
        judging = self._hasher.submit(self._judge, pieces) if size >= HASHED_BESIDE else None
        try:
            for piece in pieces:
                if self._whole is not None:
                    self._whole.update(piece)
                self._layout.write(offset, piece)
                offset += len(piece)
        finally:
            if judging is not None:
                wait([judging])
        try:
            judging.result() if judging is not None else self._judge(pieces)
        finally:
            self._leaves = self._walk.proved if self._walk else 0
        self._unmarked += size
        if self._unmarked >= MARK_EVERY:
            self._mark_soon()

    def _judge(self, pieces: list[memoryview]) -> None:
        for piece in pieces:
            data = piece
            if self._walk is None:
                self._stream.update(data)
                continue
            while data:
                part = data[: self._walk.missing]
                self._walk.update(part)
                data = data[len(part) :]

    def _mark_soon(self) -> None:
        if self._marking is not None:
            if not self._marking.done():
                return  # the disk is still at the last one
            self._marking.result()
        self._unmarked = 0
        if self._layout is not None:
            self._marking = self._marker.submit(self._mark, self._layout.touched(), self._leaves)

    def _settle(self) -> None:
        """Everything that was written is on the disk now, and noted. Raises OSError."""
        if self._marking is not None:
            self._marking.result()
        if self._layout is not None:
            self._mark(self._layout.touched(), self._leaves)

    def _mark(self, files: frozenset[Path], leaves: int) -> None:
        put_on_disk(files, self._place.inside)
        if leaves:
            with _without_room():  # the content has its room; without the note more of it is read, or comes, again
                self._place.mark(leaves)

    def _note_name(self, name: str) -> None:
        with _without_room():  # without it, a line that is lost just now brings a second copy: better than none
            self._place.note_name(name)


@contextlib.contextmanager
def _without_room() -> Iterator[None]:
    """Pass over a note that the disk has no room for: somebody else filled it since the content got its own."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def _check_names(preface: Preface) -> None:
    for entry in preface.manifest.entries:
        for name in entry.components[-1:]:
            check_component(name)
