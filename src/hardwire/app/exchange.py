# SPDX-License-Identifier: Apache-2.0
"""What the line tells of transfers, and what is done about it: the moves of both ends, and the task of each.

**Another way.** See ``channel/bulk.py``: ``open_path``, ``path_writable``, ``close_path``.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from hardwire.app import events
from hardwire.app.entropy import monotonic
from hardwire.app.events import Event
from hardwire.app.files import check_name
from hardwire.app.moving import Destination, Receiving, Sending, Transfer
from hardwire.app.pipes import PipeSource
from hardwire.app.progress import Meter
from hardwire.app.stops import failed, words_for
from hardwire.app.text import printable
from hardwire.app.underway import Underway
from hardwire.app.unheard import Unheard
from hardwire.channel import BulkPath, StopReason
from hardwire.channel import events as line_events
from hardwire.errors import TransferIncomplete
from hardwire.net import Line


class Exchange(Underway):
    """The transfers of one line as the peer moves them; what a person does with them: ``transfers.py``.

    Args:
        line: The open line.
        emit: Where events for the face go.
        peer: Hex of the peer's device id.
        before: The last number of the lines before.

    Attributes:
        offered: Set whenever the peer offers a file; whoever waits for it clears it.
    """

    def __init__(self, line: Line, emit: Callable[[Event], None], peer: str, before: int = 0) -> None:
        super().__init__(line, emit, before)
        self._peer = peer
        self._unheard = Unheard(line, self._beside)
        self._paths: list[BulkPath] = []
        self.offered = asyncio.Event()

    def handle(self, event: object) -> bool:  # noqa: C901 (one case an event; the table is the point)
        """Take one event of the line; False when it is not about files."""
        one = self._active.get(self._before + getattr(event, "id", 0)) if type(event) in _ABOUT_FILES else None
        match event:
            case line_events.FileOffered():
                self._on_offer(event)
            case line_events.FileAccepted(start=start) if one:
                self._on_accepted(one, start)
            case line_events.FileWindow() if one:
                self._wake(one)
            case line_events.FileProgress(written=written) if one:
                self._on_progress(one, written)
            case line_events.FileChunk(offset=offset, data=data) if one:
                one.pieces.append((offset, data))
                self._wake(one)
            case line_events.FileFinished(size=size, root=root) if one:
                one.finished = (size, root)
            case line_events.FileDone(id=key):
                self._on_whole(one, key)
            case line_events.FilePaused(on=on) if one:
                self._held(one, "peer", on=on)
            case line_events.FileComplete(ok=ok) if one:
                self._on_complete(one, ok=ok)
            case line_events.FileDeclined(reason=reason) if one:
                self._fail(one, TransferIncomplete(words_for(reason), code="declined", hint="ask your peer"))
            case line_events.FileCancelled(reason=reason) if one:
                self._fail(one, _cancelled(reason))
            case _:
                return type(event) in _ABOUT_FILES
        return True

    # What the line tells.

    def _on_offer(self, event: line_events.FileOffered) -> None:
        offer, number = event.offer, self._before + event.id
        self.last = max(self.last, number)
        try:
            check_name(offer.name)
        except TransferIncomplete as problem:
            self._tell(self._line.decline_file, event.id, StopReason.BAD_NAME)
            self._emit(failed(number, printable(offer.name), "in", problem))
            return
        # The very same offer, and not only its root: somebody consented to the name and the size as well.
        if (known := next((one for one in self._consented if one.offer == offer), None)) is not None:
            self._consented = [one for one in self._consented if one is not known]
            was, known.key, known.before = known.number, event.id, self._before
            self._add(known)
            self._emit(events.FileMoved(number, was, offer.name, "in"))
            self._start(known, partial(self._receive, known, known.destination))
            return
        # After those under way: of two alike, the peer may know that one is through, and never that both are.
        if self._unheard.offered(event.id, offer):
            return
        self._add(new := Transfer(event.id, "in", offer, Meter(offer.size, monotonic()), before=self._before))
        self._emit(offer_event(new))
        self.offered.set()

    def _on_accepted(self, transfer: Transfer, start: int) -> None:
        transfer.accepted = True
        self._begin(transfer, start)
        self._start(transfer, partial(self._send, transfer))

    def _on_progress(self, transfer: Transfer, written: int) -> None:
        if isinstance(transfer.source, PipeSource):
            transfer.source.acknowledged = written
        self._advance(transfer, written)

    def _on_whole(self, transfer: Transfer | None, key: int) -> None:
        if transfer is None:
            self._unheard.whole(key)
        else:
            transfer.whole = True
            self._wake(transfer)

    def _on_complete(self, transfer: Transfer, *, ok: bool) -> None:
        if ok:
            self._finish(transfer)
        else:
            words = "the peer got other octets than were offered, or could not keep them"
            self._fail(transfer, TransferIncomplete(words, code="hash-mismatch"))

    def _wake(self, transfer: Transfer) -> None:
        transfer.wake.set()

    # The two tasks.

    async def _send(self, transfer: Transfer) -> None:
        await Sending(self._line, transfer, self._paths).run()

    async def _receive(self, transfer: Transfer, destination: Destination) -> None:
        self._line.beside.expect(transfer.offer.size)
        sink = await asyncio.to_thread(transfer.open_sink, destination, self._peer)
        await transfer.written()
        if transfer.idle:
            return
        self._begin(transfer, sink.received)
        try:
            path = await Receiving(self._line, transfer, self._advance).run(sink)
        except Exception:  # whatever it was: the peer waits for a verdict, and this side for an end
            if transfer.finishing:
                transfer.finishing = False
                self._tell(self._line.confirm_file, transfer.key, ok=False)
            raise
        if transfer.finishing:
            self._finish(transfer, path)
            self._unheard.confirm(transfer, transfer.key)

    # Other ways than the line.

    def open_path(self, path: BulkPath) -> None:
        """Chunks go over ``path`` from now on, beginning with what is not acknowledged."""
        self._paths.append(path)
        self._emit(events.WayChanged(path.name, open=True))
        self._take_other_way()

    def path_writable(self) -> None:
        """A path that could take no more has room again."""
        for transfer in self._active.values():
            self._wake(transfer)

    def close_path(self, path: BulkPath) -> None:
        """``path`` broke: what it was given and the peer has not acknowledged goes another way. Safe to call twice."""
        if path in self._paths:
            self._paths.remove(path)
            self._emit(events.WayChanged(path.name, open=False))
            self._take_other_way()

    def _take_other_way(self) -> None:
        for transfer in self._active.values():
            if transfer.direction == "out":
                self._tell(self._line.rewind_file, transfer.key)
                self._wake(transfer)


def offer_event(transfer: Transfer) -> events.FileOffer:
    """An offer of the peer, for the face."""
    offer = transfer.offer
    counts = offer.size, offer.files, offer.directories
    return events.FileOffer(transfer.number, offer.name, offer.kind.name.lower(), *counts, offer.root.hex())


def _cancelled(reason: StopReason) -> TransferIncomplete:
    if reason is StopReason.PERSON:
        return TransferIncomplete("the peer stopped it", code="cancelled", hint="ask your peer")
    codes = {StopReason.FILE_CHANGED: "file-changed", StopReason.NO_SPACE: "peer-full"}
    return TransferIncomplete(words_for(reason), code=codes.get(reason, "peer-failed"), hint="ask your peer")


_ABOUT_FILES: Final = frozenset(
    {
        line_events.FileOffered,
        line_events.FileAccepted,
        line_events.FileWindow,
        line_events.FileProgress,
        line_events.FileChunk,
        line_events.FileFinished,
        line_events.FileDone,
        line_events.FilePaused,
        line_events.FileComplete,
        line_events.FileDeclined,
        line_events.FileCancelled,
    }
)
