# SPDX-License-Identifier: Apache-2.0
"""Octets that come from a pipe and go into one: `hardwire send -` and `hardwire receive --stdout`.

A pipe cannot be read twice and not be unwritten. So a sender keeps what is not acknowledged yet, which is never more
than a window; and a receiver writes a leaf when it is proved, or, of a stream whose root comes last, at once: then the
exit code is the verdict, and what was piped on before it must not be relied on.
"""

import hashlib
import os
import select
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol

from hardwire.app.entropy import SystemEntropy, monotonic
from hardwire.app.files import check_name
from hardwire.app.incoming import StreamHash
from hardwire.channel import Offer, TransferKind
from hardwire.channel.preface import open_preface
from hardwire.channel.tree import HASH_SIZE, LeafWalk, mismatch
from hardwire.errors import PeerError, TransferIncomplete

_LOOK: Final = 0.2
"""Seconds between two looks whether anybody still wants what a silent pipe may bring."""
_LINGER: Final = 0.05
"""Seconds that a pipe which has brought enough for a chunk is given to bring more."""
_HELD_LEAF_MAX: Final = 16 << 20
"""Octets of the largest leaf that is held back until it is proved; larger ones pass as they come."""


class Source(Protocol):
    """Where a transfer comes from.

    Attributes:
        offer: What is offered.
    """

    @property
    def offer(self) -> Offer:
        """See the class."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Octets of the stream from ``offset``; fewer than ``size`` only at its end. Raises TransferIncomplete."""
        ...

    def close(self) -> None:
        """Let go; safe to call twice."""
        ...


class PipeSource:
    """A descriptor that is read to its end.

    Args:
        descriptor: Open for reading; not closed here.
        name: What the peer is told.
        sha256: Somebody wants the SHA-256 of everything as well.

    Attributes:
        acknowledged: What the peer has; the next read forgets what is before it.
    """

    def __init__(self, descriptor: int, name: str, *, sha256: bool = False) -> None:
        check_name(name)
        self.offer = Offer(TransferKind.STREAM, 0, 1, 0, SystemEntropy().octets(HASH_SIZE), name)
        self._descriptor = descriptor
        self._kept: deque[bytes] = deque()
        self._start = 0
        self._end = 0
        self._over = False
        self._closed = False
        self._hash = StreamHash()
        self._whole = hashlib.sha256() if sha256 else None
        self._root = b""
        self._one = threading.Lock()  # at what is kept; nobody holds it and waits for the pipe
        self.acknowledged = 0

    def read(self, offset: int, size: int, enough: int = 0, unwanted: threading.Event | None = None) -> bytes:
        """See :class:`Source`. What is kept is had at once, also while other reads wait for the pipe.

        Args:
            offset: Where to begin.
            size: Octets at most.
            enough: Of a pipe that takes its time, as many of these as it has brought; 0 waits for all of ``size``.
            unwanted: Set when nobody waits for this read any more: it ends as all do when the source is closed.
        """
        enough = enough or size
        with self._one:
            while self._kept and self._start + len(self._kept[0]) <= self.acknowledged:
                self._start += len(self._kept.popleft())
        while self._misses(offset, enough):
            if self._closed or (unwanted is not None and unwanted.is_set()):
                raise TransferIncomplete("stopped before the pipe ended")
            if self._readable(_LOOK):  # within which another read may take what this one waits for, and keep it
                self._take()
        until = monotonic() + _LINGER
        while self._misses(offset, size) and self._readable(max(0.0, until - monotonic())):
            self._take()
        with self._one:
            self._check(offset)
            have = min(size, self._end - offset)
            return b"".join(self._pieces(offset, have if self._over else have - have % enough))

    def _misses(self, offset: int, size: int) -> bool:
        with self._one:
            self._check(offset)
            return self._end < offset + size and not self._over

    def _check(self, offset: int) -> None:
        if offset < self._start:
            raise TransferIncomplete("what came through the pipe is gone, and the peer does not have it")
        if offset > self._end:
            # Reading on to there would keep everything on the way in memory.
            raise TransferIncomplete("the peer says that it has more than ever came through the pipe")

    def ends_at(self, offset: int) -> bool:
        """Whether the pipe ended, and there."""
        return self._over and offset == self._end

    def root(self) -> bytes:
        """Of everything, once it ended."""
        self._root = self._root or self._hash.digest()
        return self._root

    @property
    def sha256(self) -> str:
        """In hex, of what came so far; empty when nobody wanted it."""
        return "" if self._whole is None else self._whole.hexdigest()

    def close(self) -> None:
        """See :class:`Source`; a read that waits for the pipe ends."""
        self._closed = True

    def _pieces(self, offset: int, size: int) -> Iterator[bytes]:
        start, end = self._start, offset + size
        for piece in self._kept:
            if start < end and start + len(piece) > offset:
                yield piece[max(0, offset - start) : end - start]
            start += len(piece)

    def _readable(self, within: float) -> bool:
        return bool(select.select([self._descriptor], [], [], within)[0])

    def _take(self) -> None:
        with self._one:
            if self._over or not self._readable(0.0):  # another read waited as well, and has it
                return
            try:
                data = os.read(self._descriptor, 1 << 20)
            except OSError as problem:
                raise TransferIncomplete(f"standard input: {(problem.strerror or str(problem)).lower()}") from None
            self._over = not data
            if data:
                self._kept.append(data)
                self._end += len(data)
                self._hash.update(memoryview(data))
                if self._whole is not None:
                    self._whole.update(data)


class PipeSink:
    """A descriptor that one file, or one stream, is written to.

    Args:
        descriptor: Open for writing; not closed here.
        offer: What was offered.
        sha256: Somebody wants the SHA-256 of everything as well.

    Raises:
        TransferIncomplete: ``not-a-file``: a directory.
    """

    def __init__(self, descriptor: int, offer: Offer, *, sha256: bool = False) -> None:
        if offer.kind is TransferKind.DIRECTORY:
            raise TransferIncomplete(
                "a directory cannot go through a pipe", code="not-a-file", hint="receive it without --stdout"
            )
        self.received = 0
        self._whole = hashlib.sha256() if sha256 else None
        self._descriptor = descriptor
        self._offer = offer
        self._head = bytearray()
        self._leaf = bytearray()
        self._walk: LeafWalk | None = None
        self._stream = StreamHash()
        self._closed = False

    def write(self, offset: int, *pieces: bytes | memoryview) -> None:
        """See :class:`~hardwire.app.incoming.Sink`."""
        del offset  # a pipe has one end only; the machine below gives no gaps
        for piece in pieces:
            self._take(piece)

    def _take(self, data: bytes | memoryview) -> None:
        self.received += len(data)
        head = self._offer.preface - len(self._head) if self._walk is None else 0
        if head:
            self._head += data[:head]
            data = data[head:]
            if len(self._head) == self._offer.preface:
                self._open_preface()
        view = memoryview(data)
        if self._whole is not None:
            self._whole.update(view)
        if self._offer.kind is TransferKind.STREAM:
            self._stream.update(view)
            self._put(view)
        elif self._walk is not None:
            self._prove(self._walk, view)

    @property
    def sha256(self) -> str:
        """See :class:`~hardwire.app.incoming.Sink`."""
        return "" if self._whole is None else self._whole.hexdigest()

    def finish(self, size: int, root: bytes) -> None:
        """See :class:`~hardwire.app.incoming.Sink`."""
        if self._offer.kind is TransferKind.STREAM and (self._stream.digest() != root or size != self.received):
            raise mismatch()

    def release(self, *, keep: bool) -> None:
        """See :class:`~hardwire.app.incoming.Sink`; a write that waits for a reader ends."""
        del keep  # what is in a pipe is in a pipe
        self._closed = True

    def told(self) -> None:
        """See :class:`~hardwire.app.incoming.Sink`."""

    def _open_preface(self) -> None:
        try:
            preface = open_preface(self._offer, bytes(self._head))
        except PeerError as problem:
            raise TransferIncomplete(problem.message) from None
        self._walk = LeafWalk(self._offer.size, preface.leaves)

    def _prove(self, walk: LeafWalk, data: memoryview) -> None:
        while data:
            part = data[: walk.missing]
            proved = walk.proved
            walk.update(part)
            self._leaf += part
            if walk.proved > proved or walk.leaf_size > _HELD_LEAF_MAX:
                self._put(memoryview(self._leaf))
                self._leaf = bytearray()
            data = data[len(part) :]

    def _put(self, data: memoryview) -> None:
        try:
            while data:
                while not select.select([], [self._descriptor], [], _LOOK)[1]:
                    if self._closed:
                        return
                if self._closed:  # nobody waits for this write, and the failure may have been told
                    return
                data = data[os.write(self._descriptor, data[: select.PIPE_BUF]) :]
        except OSError as problem:
            raise TransferIncomplete(
                f"standard output: {(problem.strerror or str(problem)).lower()}", code="output-failed"
            ) from None
