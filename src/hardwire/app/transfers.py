# SPDX-License-Identifier: Apache-2.0
"""Files over one line: the pure transfer machine below, the disk here, progress for the face.

A sender reads a chunk only when the line has room for it, and the receiver widens the window only for what it has
written, so that neither side holds more than a window in memory, whatever the size of the file.
"""

import asyncio
import contextlib
from collections.abc import Callable
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
from hardwire.errors import HardwireError, TransferIncomplete, UsageError
from hardwire.net import Line

_PROGRESS_EVERY: Final = 0.25
"""Seconds between two progress events of one transfer."""

_STOPPED: Final = {
    StopReason.PERSON: "the peer said no",
    StopReason.NO_SPACE: "the peer has no room for it",
    StopReason.BAD_NAME: "the peer refused its name",
    StopReason.BUSY: "the peer has too many transfers already",
    StopReason.FILE_CHANGED: "the file changed at the peer while it was sent",
    StopReason.FAILED: "it failed at the peer",
}


def _future() -> asyncio.Future[FileDone | FileFailed]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Transfer:
    direction: Literal["in", "out"]
    name: str
    size: int
    sha256: bytes
    meter: Meter
    offered: OutgoingFile | None = None
    reader: OutgoingReader | None = None
    file: IncomingFile | None = None
    sent: int = 0
    shown: float = 0.0
    over: asyncio.Future[FileDone | FileFailed] = field(default_factory=_future)

    def release(self) -> None:
        """Close what is open; an unfinished incoming file disappears."""
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
        self.offered = asyncio.Event()

    @property
    def outgoing(self) -> tuple[int, ...]:
        """Own offers that have not ended."""
        return tuple(key for key, one in self._active.items() if one.direction == "out")

    @property
    def waiting(self) -> tuple[int, ...]:
        """Offers of the peer that nobody has answered."""
        return tuple(key for key, one in self._active.items() if one.direction == "in" and one.file is None)

    def offer(self, file: OutgoingFile) -> int:
        """Offer a file; it goes out when the peer accepts. Returns the transfer's number on this line."""
        key = self._line.offer_file(file.name, file.size, file.sha256)
        meter = Meter(file.size, monotonic())
        self._active[key] = _Transfer("out", file.name, file.size, file.sha256, meter, offered=file)
        return key

    async def outcome(self, key: int) -> FileDone | FileFailed:
        """How a transfer that is under way ends; waits for it.

        Raises:
            UsageError: No such transfer.
        """
        if key not in self._active:
            raise UsageError(f"there is no transfer {key}")
        return await asyncio.shield(self._active[key].over)

    def accept(self, key: int, directory: Path) -> None:
        """Take an offered file into ``directory``.

        Raises:
            UsageError: No such offer.
            TransferIncomplete: The disk will not take it; the peer is told that it was declined.
        """
        transfer = self._offered(key)
        try:
            # The number makes the side file's name unique on this line, the process's entropy between lines.
            transfer.file = IncomingFile.create(directory, transfer.name, transfer.size, transfer.sha256)
        except TransferIncomplete as problem:
            full = problem.code == "disk-full"
            self._line.decline_file(key, StopReason.NO_SPACE if full else StopReason.FAILED)
            self._fail(key, problem)
            raise
        transfer.meter = Meter(transfer.size, monotonic())
        self._line.accept_file(key)

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
        self._offered(key)
        self._line.decline_file(key, StopReason.PERSON)
        self._fail(key, TransferIncomplete("declined here", code="declined", hint=""))

    def cancel(self, key: int | None = None) -> None:
        """Stop one transfer, or all; what had arrived is removed.

        Raises:
            UsageError: No such transfer.
        """
        if key is not None and key not in self._active:
            raise UsageError(f"there is no transfer {key}")
        for one in [key] if key is not None else list(self._active):
            self._stop(one, TransferIncomplete("stopped here", code="cancelled"), StopReason.PERSON)

    def abandon(self, problem: HardwireError) -> None:
        """The line is gone: every transfer fails, and nothing half-written stays."""
        for key in list(self._active):
            self._fail(key, problem)

    def handle(self, event: object) -> bool:
        """Take one event of the line; False when it is not about files."""
        match event:
            case line_events.FileOffered():
                self._on_offer(event)
            case line_events.FileAccepted(id=key):
                self._on_accepted(key)
            case line_events.FileWindow(id=key):
                self._pump(key)
            case line_events.FileProgress(id=key, written=written):
                self._advance(key, written)
            case line_events.FileChunk(id=key, offset=offset, data=data):
                self._on_chunk(key, offset, data)
            case line_events.FileDone(id=key):
                self._on_done(key)
            case line_events.FileComplete(id=key, ok=ok):
                self._on_complete(key, ok=ok)
            case line_events.FileDeclined(id=key, reason=reason):
                self._fail(key, TransferIncomplete(_STOPPED[reason], code="declined", hint="ask your peer"))
            case line_events.FileCancelled(id=key, reason=reason):
                self._fail(key, TransferIncomplete(_STOPPED[reason], code="cancelled", hint="ask your peer"))
            case _:
                return False
        return True

    def _offered(self, key: int) -> _Transfer:
        if key not in self.waiting:
            raise UsageError(f"there is no file {key} to answer for", hint="offers are numbered as they come in")
        return self._active[key]

    def _on_offer(self, event: line_events.FileOffered) -> None:
        try:
            check_name(event.name)
        except TransferIncomplete as problem:
            self._line.decline_file(event.id, StopReason.BAD_NAME)
            self._emit(_failed(event.id, printable(event.name), "in", problem))
            return
        meter = Meter(event.size, monotonic())
        self._active[event.id] = _Transfer("in", event.name, event.size, event.sha256, meter)
        self._emit(FileOffer(event.id, event.name, event.size, event.sha256.hex()))
        self.offered.set()

    def _on_accepted(self, key: int) -> None:
        transfer = self._active.get(key)
        if transfer is None or transfer.offered is None:
            return
        try:
            transfer.reader = OutgoingReader(transfer.offered)
        except TransferIncomplete as problem:
            self._stop(key, problem, StopReason.FILE_CHANGED)
            return
        transfer.meter = Meter(transfer.size, monotonic())
        self._pump(key)

    def _pump(self, key: int) -> None:
        """Send while the line has room; the next FileWindow goes on."""
        transfer = self._active.get(key)
        if transfer is None or transfer.reader is None:
            return
        try:
            while transfer.sent < transfer.size and (room := self._line.chunk_room(key)):
                data = transfer.reader.read(min(room, transfer.size - transfer.sent))
                self._line.send_chunk(key, data)
                transfer.sent += len(data)
        except TransferIncomplete as problem:
            self._stop(key, problem, StopReason.FILE_CHANGED)

    def _on_chunk(self, key: int, offset: int, data: bytes) -> None:
        transfer = self._active.get(key)
        if transfer is None or transfer.file is None:
            return
        try:
            transfer.file.write(offset, data)
        except TransferIncomplete as problem:
            full = problem.code == "disk-full"
            self._stop(key, problem, StopReason.NO_SPACE if full else StopReason.FAILED)
            return
        self._line.acknowledge_written(key, transfer.file.received)
        self._advance(key, transfer.file.received)

    def _on_done(self, key: int) -> None:
        transfer = self._active.get(key)
        if transfer is None or transfer.file is None:
            return
        try:
            path = transfer.file.finish()
        except TransferIncomplete as problem:
            self._line.confirm_file(key, ok=False)
            self._fail(key, problem)
            return
        self._line.confirm_file(key, ok=True)
        self._finish(key, path)

    def _on_complete(self, key: int, *, ok: bool) -> None:
        if ok:
            self._finish(key, None)
        else:
            reason = "the peer says that the hash is not the one that was offered"
            self._fail(key, TransferIncomplete(reason, code="hash-mismatch"))

    def _advance(self, key: int, done: int) -> None:
        transfer = self._active.get(key)
        if transfer is None:
            return
        now = monotonic()
        transfer.meter.advance(done, now)
        if now - transfer.shown >= _PROGRESS_EVERY:
            transfer.shown = now
            meter = transfer.meter
            self._emit(FileProgress(key, transfer.name, transfer.direction, done, transfer.size, meter.rate, meter.eta))

    def _finish(self, key: int, path: Path | None) -> None:
        transfer = self._active.pop(key, None)
        if transfer is None:
            return
        elapsed = transfer.meter.elapsed(monotonic())
        name, direction, size, sha256 = transfer.name, transfer.direction, transfer.size, transfer.sha256.hex()
        self._end(transfer, FileDone(key, name, direction, size, sha256, elapsed, path))

    def _stop(self, key: int, problem: TransferIncomplete, reason: StopReason) -> None:
        with contextlib.suppress(HardwireError):  # the line may have ended under us; the file still has to go
            self._line.cancel_file(key, reason)
        self._fail(key, problem)

    def _fail(self, key: int, problem: HardwireError) -> None:
        transfer = self._active.pop(key, None)
        if transfer is not None:
            self._end(transfer, _failed(key, transfer.name, transfer.direction, problem))

    def _end(self, transfer: _Transfer, outcome: FileDone | FileFailed) -> None:
        transfer.release()
        transfer.over.set_result(outcome)
        self._emit(outcome)


def _failed(key: int, name: str, direction: str, problem: HardwireError) -> FileFailed:
    return FileFailed(key, name, direction, problem.code, problem.message, problem.hint)
