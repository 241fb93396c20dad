# SPDX-License-Identifier: Apache-2.0
"""Files over one line: the pure transfer machine below, the disk here, progress for the face.

A sender reads a piece only when the line has room for it, and the receiver widens the window only for what it has
written, so that neither side holds more than a window in memory, whatever the size of the file.

Each transfer that touches the disk has one task, and each touch runs on a worker thread: reserving a gigabyte on a
memory stick, or waiting until it is written, takes longer than a peer waits for a sign of life. Whoever ends a
transfer only says so; its task gives the files back and *then* tells the face, so that a transfer which is said to
have failed has left nothing behind.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from hardwire.app.entropy import monotonic
from hardwire.app.events import Event, FileDone, FileFailed, FileOffer, FileProgress
from hardwire.app.files import IncomingFile, OutgoingFile, OutgoingReader, check_name
from hardwire.app.progress import Meter
from hardwire.app.text import printable
from hardwire.channel import StopReason
from hardwire.channel import events as line_events
from hardwire.errors import ConnectionLost, HardwireError, TransferIncomplete, UsageError
from hardwire.net import Line

_PROGRESS_EVERY: Final = 0.25
"""Seconds between two progress events of one transfer."""
_READ_AHEAD: Final = 16
"""Chunks that are read from the disk at a time: a megabyte."""

_STOPPED: Final = {
    StopReason.PERSON: "the peer said no",
    StopReason.NO_SPACE: "the peer has no room for it",
    StopReason.BAD_NAME: "the peer refused its name",
    StopReason.BUSY: "the peer has too many transfers already",
    StopReason.FILE_CHANGED: "the file changed at the peer while it was sent",
    StopReason.FAILED: "it failed at the peer",
}
_REASONS: Final = {
    "cancelled": StopReason.PERSON,
    "declined": StopReason.PERSON,
    "disk-full": StopReason.NO_SPACE,
    "bad-name": StopReason.BAD_NAME,
    "file-changed": StopReason.FILE_CHANGED,
}
"""What the peer is told, by the code of what happened here; anything else "failed"."""


def _future() -> asyncio.Future[FileDone | FileFailed]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Transfer:
    key: int
    direction: Literal["in", "out"]
    name: str
    size: int
    sha256: bytes
    meter: Meter
    offered: OutgoingFile | None = None
    reader: OutgoingReader | None = None
    file: IncomingFile | None = None
    answered: bool = False
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    whole: bool = False
    finishing: bool = False
    task: asyncio.Task[None] | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    shown: float = 0.0
    outcome: FileDone | FileFailed | None = None
    over: asyncio.Future[FileDone | FileFailed] = field(default_factory=_future)

    @property
    def ended(self) -> bool:
        """How it ends is known; its task, if it has one, may still have to notice."""
        return self.outcome is not None

    async def changed(self) -> None:
        """Wait until something changed; at once when the transfer has ended."""
        if not self.ended:
            self.wake.clear()
            await self.wake.wait()

    def release(self) -> None:
        """Close what is open; an unfinished incoming file disappears. Blocking."""
        if self.reader is not None:
            self.reader.close()
        if self.file is not None:
            self.file.discard()


class Transfers:
    """All transfers of one line, both ways.

    Args:
        line: The open line.
        emit: Where events for the face go.

    Attributes:
        offered: Set whenever the peer offers a file; whoever waits for it clears it.
    """

    def __init__(self, line: Line, emit: Callable[[Event], None]) -> None:
        self._line = line
        self._emit = emit
        self._active: dict[int, _Transfer] = {}
        self._outcomes: dict[int, asyncio.Future[FileDone | FileFailed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.offered = asyncio.Event()

    @property
    def outgoing(self) -> tuple[int, ...]:
        """Own offers that have not ended."""
        return tuple(key for key, one in self._active.items() if one.direction == "out")

    @property
    def waiting(self) -> tuple[int, ...]:
        """Offers of the peer that nobody has answered."""
        return tuple(key for key, one in self._active.items() if one.direction == "in" and not one.answered)

    def offer(self, file: OutgoingFile) -> int:
        """Offer a file; it goes out when the peer accepts. Returns the transfer's number on this line.

        Raises:
            LocalError: ``too-many-transfers``.
            ConnectionLost: The line is over.
        """
        key = self._line.offer_file(file.name, file.size, file.sha256)
        meter = Meter(file.size, monotonic())
        transfer = _Transfer(key, "out", file.name, file.size, file.sha256, meter, offered=file)
        self._active[key] = transfer
        self._outcomes[key] = transfer.over
        return key

    async def outcome(self, key: int) -> FileDone | FileFailed:
        """How an own offer, or an offer of the peer that is under way, ends; waits for it.

        Raises:
            UsageError: No such transfer.
        """
        over = self._outcomes.get(key)
        if over is None and key in self._active:
            over = self._active[key].over
        if over is None:
            raise UsageError(f"there is no transfer {key}")
        return await asyncio.shield(over)

    def accept(self, key: int, directory: Path) -> None:
        """Take an offered file into ``directory``. When the disk will not take it, FileFailed follows.

        Raises:
            UsageError: No such offer.
        """
        transfer = self._offered(key)
        transfer.answered = True
        self._start(transfer, self._receive(transfer, directory))

    def describe(self, key: int) -> tuple[str, int]:
        """(name as the peer gave it, size) of an offer that waits for an answer.

        Raises:
            UsageError: No such offer.
        """
        transfer = self._offered(key)
        return transfer.name, transfer.size

    def decline(self, key: int) -> None:
        """Do not take an offered file.

        Raises:
            UsageError: No such offer.
        """
        self._stop(self._offered(key), TransferIncomplete("declined here", code="declined", hint=""))

    def cancel(self, key: int | None = None) -> None:
        """Stop one transfer, or all; what had arrived is removed. A file that is whole is kept.

        Raises:
            UsageError: No such transfer.
        """
        if key is not None and key not in self._active:
            raise UsageError(f"there is no transfer {key}")
        for one in [self._active[key]] if key is not None else list(self._active.values()):
            self._stop(one, TransferIncomplete("stopped here", code="cancelled", hint=""))

    def abandon(self, problem: HardwireError) -> None:
        """The line is gone: every transfer fails. :meth:`settled` waits until nothing half-written is left."""
        for transfer in list(self._active.values()):
            self._fail(transfer, problem)

    async def settled(self) -> None:
        """Wait until the disk has let go of what was ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def handle(self, event: object) -> bool:
        """Take one event of the line; False when it is not about files."""
        match event:
            case line_events.FileOffered():
                self._on_offer(event)
            case line_events.FileAccepted(id=key):
                self._on_accepted(self._active.get(key))
            case line_events.FileWindow(id=key):
                self._wake(self._active.get(key))
            case line_events.FileProgress(id=key, written=written):
                self._advance(self._active.get(key), written)
            case line_events.FileChunk(id=key, offset=offset, data=data):
                self._on_chunk(self._active.get(key), offset, data)
            case line_events.FileDone(id=key):
                self._wake(self._active.get(key), whole=True)
            case line_events.FileComplete(id=key, ok=ok):
                self._on_complete(self._active.get(key), ok=ok)
            case line_events.FileDeclined(id=key, reason=reason):
                self._on_stopped(self._active.get(key), reason, "declined")
            case line_events.FileCancelled(id=key, reason=reason):
                self._on_stopped(self._active.get(key), reason, "cancelled")
            case _:
                return False
        return True

    # What the line tells.

    def _on_offer(self, event: line_events.FileOffered) -> None:
        try:
            check_name(event.name)
        except TransferIncomplete as problem:
            self._tell(self._line.decline_file, event.id, StopReason.BAD_NAME)
            self._emit(_failed(event.id, printable(event.name), "in", problem))
            return
        meter = Meter(event.size, monotonic())
        self._active[event.id] = _Transfer(event.id, "in", event.name, event.size, event.sha256, meter)
        self._emit(FileOffer(event.id, event.name, event.size, event.sha256.hex()))
        self.offered.set()

    def _on_accepted(self, transfer: _Transfer | None) -> None:
        if transfer is not None and transfer.offered is not None and transfer.task is None:
            self._start(transfer, self._send(transfer, transfer.offered))

    def _on_chunk(self, transfer: _Transfer | None, offset: int, data: bytes) -> None:
        if transfer is not None:
            transfer.pieces.append((offset, data))
            transfer.wake.set()

    def _wake(self, transfer: _Transfer | None, *, whole: bool = False) -> None:
        if transfer is not None:
            transfer.whole = transfer.whole or whole
            transfer.wake.set()

    def _on_complete(self, transfer: _Transfer | None, *, ok: bool) -> None:
        if transfer is None:
            return
        if ok:
            self._finish(transfer, None)
        else:
            reason = "the peer says that the hash is not the one that was offered"
            self._fail(transfer, TransferIncomplete(reason, code="hash-mismatch"))

    def _on_stopped(self, transfer: _Transfer | None, reason: StopReason, code: str) -> None:
        if transfer is not None:
            words = "the peer stopped it" if (code, reason) == ("cancelled", StopReason.PERSON) else _STOPPED[reason]
            self._fail(transfer, TransferIncomplete(words, code=code, hint="ask your peer"))

    # The two tasks.

    async def _send(self, transfer: _Transfer, offered: OutgoingFile) -> None:
        transfer.meter = Meter(transfer.size, monotonic())
        transfer.reader = reader = await asyncio.to_thread(OutgoingReader, offered)
        sent = 0
        while sent < transfer.size and (room := await self._room(transfer)):
            block = await asyncio.to_thread(reader.read, min(room * _READ_AHEAD, transfer.size - sent))
            for start in range(0, len(block), room):
                if not await self._room(transfer):
                    return
                self._line.send_chunk(transfer.key, block[start : start + room])
            sent += len(block)

    async def _room(self, transfer: _Transfer) -> int:
        """Octets of the next chunk, once there is room for it; 0 when the transfer has ended."""
        while not transfer.ended:
            if room := self._line.chunk_room(transfer.key):
                return room
            await transfer.changed()
        return 0

    async def _receive(self, transfer: _Transfer, directory: Path) -> None:
        name, size, sha256 = transfer.name, transfer.size, transfer.sha256
        file = await asyncio.to_thread(IncomingFile.create, directory, name, size, sha256)
        transfer.file = file
        transfer.meter = Meter(size, monotonic())
        self._tell(self._line.accept_file, transfer.key)
        while transfer.pieces or not transfer.whole:
            if not transfer.pieces:
                await transfer.changed()
            pieces, transfer.pieces = transfer.pieces, []
            await asyncio.to_thread(_write, file, pieces)
            if transfer.ended:
                return
            self._tell(self._line.acknowledge_written, transfer.key, file.received)
            self._advance(transfer, file.received)
        if transfer.ended:
            return
        # From here on the file is whole: whatever else happens to the line, it is not thrown away.
        transfer.finishing = True
        try:
            path = await asyncio.to_thread(file.finish)
        except TransferIncomplete:
            transfer.finishing = False
            self._tell(self._line.confirm_file, transfer.key, ok=False)
            raise
        self._finish(transfer, path)
        self._tell(self._line.confirm_file, transfer.key, ok=True)

    def _start(self, transfer: _Transfer, work: Awaitable[None]) -> None:
        transfer.task = asyncio.create_task(self._drive(transfer, work), name=f"hardwire file {transfer.key}")
        self._tasks.add(transfer.task)
        transfer.task.add_done_callback(self._tasks.discard)

    async def _drive(self, transfer: _Transfer, work: Awaitable[None]) -> None:
        try:
            await work
        except ConnectionLost:
            pass  # the line's last event is on its way, and says why
        except TransferIncomplete as problem:
            self._stop(transfer, problem)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            self._stop(transfer, TransferIncomplete(f"{printable(transfer.name)}: {reason}", code="disk"))
        finally:
            with contextlib.suppress(OSError):  # a disk that went away takes the side file along
                await asyncio.to_thread(transfer.release)
            transfer.task = None
            self._announce(transfer)

    # How transfers end.

    def _advance(self, transfer: _Transfer | None, done: int) -> None:
        if transfer is None:
            return
        now = monotonic()
        transfer.meter.advance(done, now)
        if now - transfer.shown >= _PROGRESS_EVERY:
            transfer.shown = now
            name, direction, size, meter = transfer.name, transfer.direction, transfer.size, transfer.meter
            self._emit(FileProgress(transfer.key, name, direction, done, size, meter.rate, meter.eta))

    def _finish(self, transfer: _Transfer, path: Path | None) -> None:
        elapsed = transfer.meter.elapsed(monotonic())
        name, direction, size, sha256 = transfer.name, transfer.direction, transfer.size, transfer.sha256.hex()
        self._end(transfer, FileDone(transfer.key, name, direction, size, sha256, elapsed, path))

    def _stop(self, transfer: _Transfer, problem: TransferIncomplete) -> None:
        if transfer.finishing or transfer.ended:
            return
        early = transfer.direction == "in" and transfer.file is None
        verb = self._line.decline_file if early else self._line.cancel_file
        self._tell(verb, transfer.key, _REASONS.get(problem.code, StopReason.FAILED))
        self._fail(transfer, problem)

    def _fail(self, transfer: _Transfer, problem: HardwireError) -> None:
        if not transfer.finishing:
            self._end(transfer, _failed(transfer.key, transfer.name, transfer.direction, problem))

    def _end(self, transfer: _Transfer, outcome: FileDone | FileFailed) -> None:
        if not transfer.ended:
            transfer.outcome = outcome
            transfer.pieces.clear()
            transfer.wake.set()
            del self._active[transfer.key]
            self._announce(transfer)

    def _announce(self, transfer: _Transfer) -> None:
        """Once it has ended and let go of the disk."""
        if transfer.outcome is not None and transfer.task is None:
            transfer.over.set_result(transfer.outcome)
            self._emit(transfer.outcome)

    def _tell(self, verb: Callable[..., None], *arguments: object, **named: object) -> None:
        """Say something to the peer, unless the line or the transfer ended while the event of that waits its turn."""
        with contextlib.suppress(ConnectionLost, TransferIncomplete):
            verb(*arguments, **named)

    def _offered(self, key: int) -> _Transfer:
        if key not in self.waiting:
            raise UsageError(f"there is no file {key} to answer for", hint="offers are numbered as they come in")
        return self._active[key]


def _write(file: IncomingFile, pieces: list[tuple[int, bytes]]) -> None:
    for offset, data in pieces:
        file.write(offset, data)


def _failed(key: int, name: str, direction: str, problem: HardwireError) -> FileFailed:
    return FileFailed(key, name, direction, problem.code, problem.message, problem.hint)
