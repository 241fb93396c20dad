# SPDX-License-Identifier: Apache-2.0
"""The transfers of one line: which there are, how far each is, and how each ends.

Whoever ends a transfer only says so; its task gives the files back and *then* tells the face, so that a transfer which
is said to have failed has left nothing behind but what it says is kept. The verbs are in ``transfers.py``.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Final

from hardwire.app import events
from hardwire.app.entropy import monotonic
from hardwire.app.events import Event, FileDone, FileFailed
from hardwire.app.moving import Transfer
from hardwire.app.outgoing import OutgoingFile
from hardwire.app.pipes import PipeSource
from hardwire.app.progress import Meter
from hardwire.app.stops import failed, given_up, reason_for
from hardwire.app.text import printable
from hardwire.errors import ConnectionLost, HardwireError, TransferIncomplete
from hardwire.net import DirectLane, Line

_PROGRESS_EVERY: Final = 0.25
"""Seconds between two progress events of one transfer."""

OUTCOMES_KEPT: Final = 1000
"""Ends of transfers that can still be asked for; a line lives for a day, and its next ones for longer."""


class Underway:
    """What is known of the transfers of a line.

    Args:
        line: The open line.
        emit: Where events for the face go.
        before: Numbers up to this one were given on lines before.

    Attributes:
        last: The greatest number given so far. They go on from line to line: an answer that somebody typed for an
            offer of the last line must not meet one of this.
    """

    def __init__(self, line: Line, emit: Callable[[Event], None], before: int = 0) -> None:
        self.last = before
        self._before = before
        self._line = line
        self._emit = emit
        self._active: dict[int, Transfer] = {}
        self._consented: list[Transfer] = []
        self._outcomes: dict[int, asyncio.Future[FileDone | FileFailed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def settled(self) -> None:
        """Wait until the disk has let go of what was ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _add(self, transfer: Transfer) -> None:
        self._active[transfer.number] = transfer
        self._outcomes[transfer.number] = transfer.over
        self.last = max(self.last, transfer.number)

    def _start(self, transfer: Transfer, work: Callable[[], Awaitable[None]]) -> None:
        transfer.task = self._beside(self._drive(transfer, work), f"hardwire file {transfer.number}")

    def _beside(self, work: Coroutine[None, None, None], name: str = "hardwire verdict") -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _drive(self, transfer: Transfer, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except ConnectionLost:
            while not transfer.idle:  # the line's last event is on its way, and says why
                await transfer.changed()
        except TransferIncomplete as problem:
            self._stop(transfer, problem)
        except HardwireError as problem:  # a transfer that ended untold would be waited for in vain
            self._stop(transfer, TransferIncomplete(problem.message, code="failed"))
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            self._stop(transfer, TransferIncomplete(f"{printable(transfer.offer.name)}: {reason}", code="disk"))
        except Exception:  # a fault of ours, which the loop reports; nobody waits for this transfer
            self._stop(transfer, TransferIncomplete("an internal error", code="failed"))
            raise
        finally:
            transfer.task = None
            if not transfer.detached:
                with contextlib.suppress(OSError):  # a disk that went away takes the side file along
                    await asyncio.to_thread(transfer.release, keep=not given_up(getattr(transfer.outcome, "code", "")))
                await _explain(transfer)
                self._announce(transfer)

    # How far transfers are, and how they end.

    def _begin(self, transfer: Transfer, start: int) -> None:
        offer = transfer.offer
        done = max(0, start - offer.preface)
        transfer.meter = Meter(offer.size, monotonic(), done)
        self._emit(events.FileStarted(transfer.number, offer.name, transfer.direction, done, offer.size))

    def _advance(self, transfer: Transfer, position: int) -> None:
        now, meter, offer = monotonic(), transfer.meter, transfer.offer
        meter.advance(max(0, position - offer.preface), now)
        if now - transfer.shown >= _PROGRESS_EVERY:
            transfer.shown = now
            eta = meter.eta if offer.end is not None else None
            self._emit(
                events.FileProgress(
                    transfer.number, offer.name, transfer.direction, meter.done, offer.size, meter.rate, eta
                )
            )

    def _held(self, transfer: Transfer, by: str, *, on: bool) -> None:
        (transfer.held.add if on else transfer.held.discard)(by)
        (transfer.meter.hold if transfer.held else transfer.meter.go_on)(monotonic())
        self._emit(events.FilePaused(transfer.number, transfer.offer.name, by, on))

    def _finish(self, transfer: Transfer, path: Path | None = None) -> None:
        offer = transfer.offer
        size, root = (transfer.meter.done, b"") if offer.end is None else (offer.size, offer.root)
        if offer.end is None:
            size, root = transfer.finished if transfer.direction == "in" else (size, root)
            if isinstance(transfer.source, PipeSource):
                root = transfer.source.root()
        elapsed = transfer.meter.elapsed(monotonic())
        direct = min(size, self._line.beside.carried(transfer.key).get(DirectLane.name, 0))
        number, name, direction = transfer.number, offer.name, transfer.direction
        hashed = transfer.source if direction == "out" else transfer.sink
        sha256 = "" if hashed is None else hashed.sha256
        self._end(transfer, FileDone(number, name, direction, size, root.hex(), elapsed, path, direct, sha256))

    def _stop(self, transfer: Transfer, problem: TransferIncomplete) -> None:
        if transfer.finishing or transfer.outcome is not None:
            return
        early = transfer.direction == "in" and not transfer.accepted
        verb = self._line.decline_file if early else self._line.cancel_file
        self._tell(verb, transfer.key, reason_for(problem.code))
        self._fail(transfer, problem)

    def _fail(self, transfer: Transfer, problem: HardwireError) -> None:
        if not transfer.finishing:
            resumable = transfer.resumable and not given_up(problem.code)
            self._end(
                transfer, failed(transfer.number, transfer.offer.name, transfer.direction, problem, resumable=resumable)
            )

    def _end(self, transfer: Transfer, outcome: FileDone | FileFailed) -> None:
        if transfer.outcome is None:
            transfer.outcome = outcome
            transfer.pieces.clear()
            transfer.interrupt()
            transfer.wake.set()
            self._active.pop(transfer.number, None)
            self._consented = [one for one in self._consented if one is not transfer]
            if transfer.task is None and (transfer.sink is not None or transfer.reader is not None):
                self._start(transfer, _nothing)  # it waited for another line, and what is open has to be let go
            self._announce(transfer)

    def _announce(self, transfer: Transfer) -> None:
        """Once it has ended and let go of the disk."""
        if transfer.outcome is not None and transfer.task is None and not transfer.over.done():
            transfer.over.set_result(transfer.outcome)
            if transfer.direction == "in" and not transfer.answered:
                self._outcomes.pop(transfer.number, None)  # a peer may offer and cancel for as long as it likes
            self._forget_oldest()
            self._emit(transfer.outcome)

    def _forget_oldest(self) -> None:
        if len(self._outcomes) > OUTCOMES_KEPT:
            # One ends at a time, and this is called for each; at most sixteen that are under way are passed over.
            del self._outcomes[next(number for number, over in self._outcomes.items() if over.done())]

    def _tell(self, verb: Callable[..., None], *arguments: object, **named: object) -> None:
        """Say something to the peer, unless the line or the transfer ended while the event of that waits its turn."""
        with contextlib.suppress(ConnectionLost, TransferIncomplete):
            verb(*arguments, **named)


async def _explain(transfer: Transfer) -> None:
    """A peer says only that it failed. When the octets were wrong, that can be seen here."""
    told, source = transfer.outcome, transfer.source
    if isinstance(told, FileFailed) and told.code == "peer-failed" and isinstance(source, OutgoingFile):
        try:
            await asyncio.to_thread(source.check, transfer.meter.done)
        except TransferIncomplete as problem:
            transfer.outcome = failed(told.id, told.name, told.direction, problem)


async def _nothing() -> None:
    """Work for a transfer that has only to be let go of."""
