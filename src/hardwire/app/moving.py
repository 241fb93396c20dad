# SPDX-License-Identifier: Apache-2.0
"""One transfer while it moves: from its source to a way, and from the line to its sink.

Blocks are read, hashed and written on worker threads, a mebibyte or more at a time; the event loop only passes them on.
A sender reads on while its last block is being sent, and asks before each chunk where the line wants it to be: when
another way was taken meanwhile, that is somewhere else.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from hardwire.app.events import FileDone, FileFailed
from hardwire.app.incoming import Incoming, Sink
from hardwire.app.outgoing import OutgoingFile, OutgoingReader
from hardwire.app.pipes import PipeSink, PipeSource
from hardwire.app.progress import Meter
from hardwire.channel import BulkPath, Offer
from hardwire.errors import Misuse
from hardwire.net import Line

_READ_SIZE: Final = 1 << 20
"""Octets that are read at a time, about."""
_READ_CHUNKS: Final = 4
"""Chunks of a file that are read at a time, at least: a turn to another thread costs half as much as reading one."""

Destination = Path | int
"""A directory, or the descriptor of a pipe."""


def _future() -> asyncio.Future[FileDone | FileFailed]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Transfer:
    """What is known of one transfer on this side.

    Attributes:
        key: Its number on the line.
        direction: Which way.
        offer: What it is.
        source: What is sent: a file that was read once, or a pipe.
        reader: The same, open.
        sink: Where it goes.
        destination: Where somebody wants it.
        sha256: Somebody wants its SHA-256.
        answered: An offer of the peer's that somebody answered.
        accepted: It may move.
        pieces: Octets that came and are not written yet.
        finished: How long the content was and its root, when that came after an offer that could not say.
        whole: Everything came.
        finishing: It is whole and being put in its place: nothing may throw it away any more.
        held: Who holds it: ``here``, ``peer``.
        detached: The line is gone, and another may take it up.
        outcome: How it ended.
        writing: Into a pipe that nobody reads: the line may be left meanwhile, and the next one waits for it.
        before: The numbers up to this one belong to lines before.
        over: The same, to wait for.
    """

    key: int
    direction: Literal["in", "out"]
    offer: Offer
    meter: Meter
    source: OutgoingFile | PipeSource | None = None
    reader: OutgoingReader | PipeSource | None = None
    sink: Sink | None = None
    destination: Destination = -1
    sha256: bool = False
    answered: bool = False
    accepted: bool = False
    pieces: list[tuple[int, bytes | memoryview]] = field(default_factory=list)
    finished: tuple[int, bytes] = (0, b"")
    whole: bool = False
    finishing: bool = False
    held: set[str] = field(default_factory=set)
    detached: bool = False
    task: asyncio.Task[None] | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    shown: float = 0.0
    outcome: FileDone | FileFailed | None = None
    writing: asyncio.Task[None] | None = None
    before: int = 0
    over: asyncio.Future[FileDone | FileFailed] = field(default_factory=_future)

    @property
    def number(self) -> int:
        """What it is called here; no other transfer of the session is called so."""
        return self.before + self.key

    @property
    def idle(self) -> bool:
        """How it ends is known, or its line is gone; its task, if it has one, may still have to notice."""
        return self.outcome is not None or self.detached

    @property
    def resumable(self) -> bool:
        """Whether the receiver has something to go on from; a sender can only suppose so."""
        if self.direction == "in":
            return isinstance(self.sink, Incoming) and self.sink.proved > 0
        return self.accepted and self.offer.end is not None

    async def changed(self) -> None:
        """Wait until something changed; at once when nothing more will happen here."""
        if not self.idle:
            self.wake.clear()
            await self.wake.wait()

    async def until(self, work: asyncio.Task[Any], vain: Callable[[], bool] = lambda: False) -> bool:
        """Wait for some work, or for the end; whether the work is done. A pipe takes as long as it likes.

        Args:
            work: What is waited for.
            vain: Asked at every change: whether nobody wants the work any more.
        """
        while True:
            self.wake.clear()  # before the look: a change between that and the wait must end the wait
            if work.done() or self.idle or vain():
                return work.done()
            changed = asyncio.create_task(self.wake.wait())
            await asyncio.wait({work, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()

    async def written(self) -> None:
        """Wait until the sink has what it was given, or for the end. Raises TransferIncomplete or OSError."""
        if self.writing is not None and await self.until(self.writing):
            done, self.writing = self.writing, None
            done.result()

    def open_reader(self) -> OutgoingReader | PipeSource:
        """What is sent, ready to be read."""
        if self.reader is None:
            if self.source is None:
                raise Misuse(f"transfer {self.key} is not this side's")
            self.reader = OutgoingReader(self.source) if isinstance(self.source, OutgoingFile) else self.source
        return self.reader

    def open_sink(self, destination: Destination, owner: str) -> Sink:
        """Make the place it goes to, once. Blocking. Raises TransferIncomplete."""
        if self.sink is None:
            if isinstance(destination, int):
                self.sink = PipeSink(destination, self.offer, sha256=self.sha256)
            else:
                self.sink = Incoming(destination, owner, self.offer, sha256=self.sha256)
        return self.sink

    def interrupt(self) -> None:
        """Whoever waits for a pipe need not wait any longer."""
        if isinstance(self.source, PipeSource):
            self.source.close()
        if isinstance(self.sink, PipeSink):
            self.sink.release(keep=False)

    def release(self, *, keep: bool) -> None:
        """Close what is open; an unfinished incoming file is kept for another time, or disappears. Blocking."""
        if self.reader is not None:
            self.reader.close()
        if self.sink is not None:
            self.sink.release(keep=keep)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A block that is being read: from where, for chunks of which size; and how it is told that nobody wants it."""

    position: int
    room: int
    reading: asyncio.Task[bytes]
    unwanted: threading.Event


class Sending:
    """The sender's task of one transfer.

    Args:
        line: The line it was offered on.
        transfer: What is sent.
        paths: Ways beside the line, the last one first choice; looked at before each chunk.
    """

    def __init__(self, line: Line, transfer: Transfer, paths: Sequence[BulkPath]) -> None:
        self._line = line
        self._transfer = transfer
        self._paths = paths
        self._reader = transfer.open_reader()

    async def run(self) -> None:
        """Send until the peer has everything, or somebody ends it. Raises TransferIncomplete or ConnectionLost."""
        transfer = self._transfer
        ahead: _Ahead | None = None
        try:
            while room := await self._room():
                position = self._line.chunk_position(transfer.key)
                if ahead is None or (ahead.position, ahead.room) != (position, room):
                    await self._dropped(ahead)
                    ahead = self._read(position, room)
                there = await transfer.until(ahead.reading, partial(self._elsewhere, position, room))
                if transfer.idle:
                    return
                if not there or self._line.chunk_position(transfer.key) != position:
                    continue  # to be sent again, which a silent pipe must not hold up; or the peer has it by now
                block = ahead.reading.result()
                following = position + len(block)
                ahead = self._read(following, room) if block and not self._ends_at(following) else None
                await self._send(position, room, block)
        finally:
            await self._dropped(ahead)

    async def _send(self, position: int, room: int, block: bytes) -> None:
        """Chunks of one block, until it is through or the line wants others."""
        transfer, line, reader = self._transfer, self._line, self._reader
        view = memoryview(block)
        for start in range(0, len(block), room):
            piece = view[start : start + room]
            wanted = await self._room()
            last_of_pipe = isinstance(reader, PipeSource) and wanted == room and reader.ends_at(position + len(block))
            if transfer.idle or line.chunk_position(transfer.key) != position + start:
                return
            if len(piece) != wanted and not last_of_pipe:
                return
            self._put(piece)
        at_end = isinstance(reader, PipeSource) and reader.ends_at(line.chunk_position(transfer.key))
        if isinstance(reader, PipeSource) and at_end and not transfer.whole:
            transfer.whole = True
            line.finish_stream(transfer.key, reader.root())

    def _put(self, data: memoryview) -> None:
        key = self._transfer.key
        if self._paths:
            path = self._paths[-1]
            path.send(key, self._line.count_chunk(key, data, path.chunk_size), data)
        else:
            self._line.send_chunk(key, bytes(data))

    async def _room(self) -> int:
        """Octets of the next chunk, once there is room for it; 0 when nothing more is to be done here."""
        while not self._transfer.idle:
            if room := self._room_now():
                return room
            await self._transfer.changed()
        return 0

    def _room_now(self) -> int:
        key, path = self._transfer.key, self._paths[-1] if self._paths else None
        if path is None:
            return self._line.chunk_room(key)
        return self._line.chunk_room(key, path.chunk_size) if path.may_send else 0

    def _elsewhere(self, position: int, room: int) -> bool:
        """Whether the line wants something else next than chunks of that size from there."""
        return (self._line.chunk_position(self._transfer.key), self._room_now()) != (position, room)

    def _ends_at(self, offset: int) -> bool:
        reader = self._reader
        return reader.ends_at(offset) if isinstance(reader, PipeSource) else offset == self._transfer.offer.end

    def _read(self, position: int, room: int) -> _Ahead:
        reader, end, unwanted = self._reader, self._transfer.offer.end, threading.Event()
        chunks = max(1, _READ_SIZE // room)
        if isinstance(reader, PipeSource):
            reading = asyncio.to_thread(reader.read, position, room * chunks, room, unwanted)
        else:
            size = room * max(_READ_CHUNKS, chunks)
            reading = asyncio.to_thread(reader.read, position, size if end is None else min(size, end - position))
        return _Ahead(position, room, asyncio.create_task(reading), unwanted)

    async def _dropped(self, ahead: _Ahead | None) -> None:
        """Let a block go that nobody wants. A file's thread is waited for, so that it can be closed; not a pipe's."""
        if ahead is not None:
            ahead.unwanted.set()  # there are few threads, and each way that comes or goes may leave one at the pipe
            ahead.reading.add_done_callback(lambda task: task.cancelled() or task.exception())
            if not isinstance(self._reader, PipeSource):
                await asyncio.wait({ahead.reading})


class Receiving:
    """The receiver's task of one transfer.

    Args:
        line: The line it came in on.
        transfer: What comes.
        advance: Told how many octets of content are written.
    """

    def __init__(self, line: Line, transfer: Transfer, advance: Callable[[Transfer, int], None]) -> None:
        self._line = line
        self._transfer = transfer
        self._advance = advance

    async def run(self, sink: Sink) -> Path | None:
        """Take everything in and judge it; where it lies then. Raises TransferIncomplete or ConnectionLost."""
        transfer = self._transfer
        transfer.accepted = True
        self._line.accept_file(transfer.key, sink.received)
        while transfer.pieces or not transfer.whole:
            if not transfer.pieces:
                await transfer.changed()
            pieces, transfer.pieces = transfer.pieces, []
            await self._put(sink, pieces)
            if transfer.idle:
                return None
            self._line.acknowledge_written(transfer.key, sink.received)
            self._advance(transfer, sink.received)
        if transfer.idle:
            return None
        transfer.finishing = True
        return await asyncio.to_thread(sink.finish, *transfer.finished)

    async def _put(self, sink: Sink, pieces: list[tuple[int, bytes | memoryview]]) -> None:
        """Write on a thread. A disk is waited for; a pipe that nobody reads holds up no end, and no other line."""
        transfer = self._transfer
        if isinstance(sink, PipeSink):
            transfer.writing = asyncio.create_task(asyncio.to_thread(_write, sink, pieces))
            transfer.writing.add_done_callback(lambda task: task.cancelled() or task.exception())
            await transfer.written()
        else:
            await asyncio.to_thread(_write, sink, pieces)


def _write(sink: Sink, pieces: list[tuple[int, bytes | memoryview]]) -> None:
    if pieces:  # the last word of a stream may come alone
        sink.write(pieces[0][0], *(data for _, data in pieces))
