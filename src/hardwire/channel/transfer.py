# SPDX-License-Identifier: Apache-2.0
"""Files: offer, consent, a stream of chunks under a window, a verdict (protocol.md §14.7).

::

    sender     OFFERED ──ACCEPT──► MOVING ──last chunk──► WHOLE ──CONFIRM──► ended
    receiver   OFFERED ──accept──► MOVING ──last chunk──► WHOLE ──confirm──► ended
               DECLINE ends the first state, CANCEL from either side any of them; PAUSE holds the chunks, nothing else

A transfer is one stream of octets: manifest, hash list, content. The machine counts it and looks at nothing in it; what
it is worth is judged by ``preface.py`` and ``tree.py``. The receiver says where the stream begins (``start``), because
it may have the rest since an earlier line.

Control travels on channel 0 and chunks on ways of their own (``bulk.py``), so they may overtake each other; three rules
keep that harmless. A number is never used twice, so whatever comes late for a transfer that has ended is known to be
late and dropped. The octets such a transfer was still allowed to carry stay counted: a peer may finish sending what it
had credit for, and not an octet more. And octets that come again, because a way broke and another goes on, are dropped
as long as no more than eight windows of them come without a chunk that is all new.
"""

from collections.abc import Callable
from typing import Final

from hardwire.channel.events import (
    Event,
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDeclined,
    FileDone,
    FileFinished,
    FileOffered,
    FilePaused,
    FileProgress,
    FileWindow,
)
from hardwire.channel.filecontrol import (
    FILE_SIZE_MAX,
    TRANSFER_MAX,
    FileAccept,
    FileCancel,
    FileConfirm,
    FileControl,
    FileDecline,
    FileFinish,
    FileOffer,
    FilePause,
    FileWritten,
    Offer,
    StopReason,
)
from hardwire.channel.flow import Incoming, Outgoing, State, wrong
from hardwire.channel.limits import Limits
from hardwire.channel.messages import CHUNK_SIZE, Chunk
from hardwire.channel.ratchet import PEER_OF
from hardwire.errors import LocalError, Misuse, TransferIncomplete
from hardwire.handshake.events import Role

_FIRST_NUMBER: Final = {Role.INITIATOR: 1, Role.RESPONDER: 2}


class Transfers:
    """Every transfer of one line, both directions.

    Args:
        role: This side's role; it decides which numbers are this side's.
        limits: ``window`` and ``transfers`` of them.
        emit: Takes an event for the driver.
        send: Takes a control message for the peer.
    """

    def __init__(
        self, role: Role, limits: Limits, *, emit: Callable[[Event], None], send: Callable[[FileControl], None]
    ) -> None:
        self._limits = limits
        self._emit = emit
        self._send = send
        self._outgoing: dict[int, Outgoing] = {}
        self._incoming: dict[int, Incoming] = {}
        self._next_outgoing = _FIRST_NUMBER[role]
        self._next_incoming = _FIRST_NUMBER[PEER_OF[role]]
        self._stale_credit = 0

    # The sender's verbs.

    def offer(self, offer: Offer) -> int:
        """Offer a transfer; its number.

        Raises:
            LocalError: ``too-many-transfers``.
        """
        if len(self._outgoing) >= self._limits.transfers or self._next_outgoing > TRANSFER_MAX:
            raise LocalError(
                f"{len(self._outgoing)} files are on their way already",
                code="too-many-transfers",
                hint="wait until one of them is through",
            )
        number = self._next_outgoing
        self._send(FileOffer(number, offer))
        self._outgoing[number] = Outgoing(offer.end)
        self._next_outgoing += 2
        return number

    def room(self, transfer: int, chunk_size: int = CHUNK_SIZE, *, queue_full: bool = False) -> int:
        """Octets of the next chunk that may be sent now; 0 while there is no room, and when nothing is left."""
        out = self._outgoing.get(transfer)
        if out is None or not out.accepted:
            return 0
        size = out.due(out.sent, chunk_size)
        if not size or queue_full or out.held or out.stopped or out.sent + size > out.written + out.window:
            out.starved = True
            return 0
        return size

    def sending(
        self, transfer: int, data: bytes | memoryview, chunk_size: int = CHUNK_SIZE, *, queue_full: bool = False
    ) -> int:
        """Count a chunk as sent; its offset in the stream.

        Raises:
            TransferIncomplete: ``transfer-over``, when the transfer has ended.
            Misuse: when ``data`` has not exactly the octets of :meth:`room`; the last of a stream may have less.
        """
        out = self._own(transfer)
        room = self.room(transfer, chunk_size, queue_full=queue_full)
        last_of_stream = out.end is None and 0 < len(data) < room
        if not room or (len(data) != room and not last_of_stream):
            raise Misuse(f"the next chunk of transfer {transfer} has {room} octets, not {len(data)}")
        offset = out.sent
        out.go_to(offset + len(data))
        return offset

    def finish(self, transfer: int, root: bytes) -> None:
        """A stream is at its end. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        out = self._own(transfer)
        if out.end is not None or not out.accepted:
            raise Misuse(f"transfer {transfer} is no stream that could end here")
        out.end = out.sent
        self._send(FileFinish(transfer, out.end, root))
        out.go_to(out.sent)

    def position(self, transfer: int) -> int:
        """Where in the stream the next chunk begins; 0 for a transfer that has ended."""
        out = self._outgoing.get(transfer)
        return 0 if out is None else out.sent

    def rewind(self, transfer: int) -> None:
        """Another way is taken: what is not acknowledged is sent again. Nothing before ACCEPT and after the end."""
        out = self._outgoing.get(transfer)
        if out is not None and out.accepted:
            out.go_to(out.written)
            self._feed(transfer, out)

    def wake(self) -> None:
        """There is room in a queue again: tell every transfer that waited for it."""
        for transfer, out in self._outgoing.items():
            self._feed(transfer, out)

    # The receiver's verbs.

    def accept(self, transfer: int, start: int = 0) -> None:
        """Take an offered transfer, of which ``start`` octets are here. Raises TransferIncomplete or Misuse."""
        into = self._theirs(transfer, State.OFFERED)
        if start < 0 or (into.end is not None and start > into.end):
            raise Misuse(f"transfer {transfer} has no {start} octets")
        into.state, into.window = State.MOVING, self._limits.window
        into.received = into.written = into.told = start
        self._send(FileAccept(transfer, into.window, start))
        self._finish_if_whole(transfer, into)

    def decline(self, transfer: int, reason: StopReason) -> None:
        """Refuse an offered file; nothing happens when it has ended meanwhile."""
        if transfer in self._incoming:
            self._theirs(transfer, State.OFFERED)
            self._send(FileDecline(transfer, reason))
            del self._incoming[transfer]

    def written(self, transfer: int, offset: int) -> None:
        """The first ``offset`` octets are on disk. Raises Misuse when they never came; nothing when it has ended."""
        into = self._incoming.get(transfer)
        if into is None:
            return
        if not into.written <= offset <= into.received:
            raise Misuse(f"transfer {transfer} has received {into.received} octets, {offset} cannot be written")
        into.written = offset
        self._tell(transfer, into)

    def confirm(self, transfer: int, *, ok: bool) -> None:
        """Tell the sender whether the hash was right. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        self._theirs(transfer, State.WHOLE)
        self._send(FileConfirm(transfer, ok))
        self._forget(transfer)

    # Either side's.

    def pause(self, transfer: int, *, on: bool) -> None:
        """Hold a transfer, or let it go on; nothing when it has ended or is so already. Raises Misuse before ACCEPT."""
        one = self._outgoing.get(transfer) or self._incoming.get(transfer)
        if one is None or one.held == on:
            return
        if not one.accepted:
            raise Misuse(f"transfer {transfer} is not under way yet")
        one.held = on
        self._send(FilePause(transfer, on))
        if isinstance(one, Outgoing):
            self._feed(transfer, one)
        elif not on and isinstance(one, Incoming):
            self._tell(transfer, one)

    def cancel(self, transfer: int, reason: StopReason) -> None:
        """Give a transfer up; nothing happens when it has ended meanwhile."""
        if self._forget(transfer):
            self._send(FileCancel(transfer, reason))

    # What the peer says.

    def on_control(self, control: FileControl) -> None:
        """One file control message. Raises WireError when no honest peer sends it here."""
        if isinstance(control, FileOffer):
            self._on_offer(control)
        elif isinstance(control, FileCancel):
            self._on_cancel(control)
        elif isinstance(control, FilePause):
            self._on_pause(control)
        elif isinstance(control, FileFinish):
            self._on_finish(control)
        elif not self._mine(control.id):
            raise wrong(control.id, "an answer to an offer that this side never made")
        elif out := self._outgoing.get(control.id):
            self._on_answer(control, out)

    def on_chunk(self, chunk: Chunk, chunk_size: int = CHUNK_SIZE) -> None:
        """One chunk of a way with that chunk size. Raises WireError when it was not due, or is beyond the window."""
        into = self._incoming.get(chunk.id)
        if into is None:
            self._on_stale(chunk)
            return
        offset = into.received
        if data := into.take(chunk, chunk_size):
            self._emit(FileChunk(chunk.id, offset, data))
            self._finish_if_whole(chunk.id, into)

    def _on_offer(self, offer: FileOffer) -> None:
        if offer.id != self._next_incoming:
            raise wrong(offer.id, f"an offer where number {self._next_incoming} was due")
        if len(self._incoming) >= self._limits.transfers:
            raise wrong(offer.id, "more offers than are allowed at a time")
        self._next_incoming += 2
        self._incoming[offer.id] = Incoming(offer.offer.end)
        self._emit(FileOffered(offer.id, offer.offer))

    def _on_cancel(self, cancel: FileCancel) -> None:
        self._expect_known(cancel.id)
        if self._forget(cancel.id):
            self._emit(FileCancelled(cancel.id, cancel.reason))

    def _on_pause(self, pause: FilePause) -> None:
        self._expect_known(pause.id)
        out, into = self._outgoing.get(pause.id), self._incoming.get(pause.id)
        one = out or into
        if one is None:
            return
        if not one.accepted:
            raise wrong(pause.id, "a pause of what has not begun")
        if out is not None:
            out.stopped = pause.on
            self._feed(pause.id, out)
        self._emit(FilePaused(pause.id, pause.on))

    def _on_finish(self, finish: FileFinish) -> None:
        if not self._known(finish.id):
            raise wrong(finish.id, "the end of a stream that was never offered")
        into = self._incoming.get(finish.id)
        if into is None:
            return
        into.finish(finish)
        self._emit(FileFinished(finish.id, finish.size, finish.root))
        self._finish_if_whole(finish.id, into)

    def _on_answer(self, control: FileAccept | FileDecline | FileWritten | FileConfirm, out: Outgoing) -> None:
        if isinstance(control, FileAccept) and out.state is State.OFFERED:
            if control.start > (FILE_SIZE_MAX if out.end is None else out.end):
                raise wrong(control.id, f"that it has {control.start} octets of {out.end}")
            out.window, out.written = control.window, control.start
            out.go_to(control.start)
            self._emit(FileAccepted(control.id, control.start))
        elif isinstance(control, FileDecline) and out.state is State.OFFERED:
            del self._outgoing[control.id]
            self._emit(FileDeclined(control.id, control.reason))
        elif isinstance(control, FileWritten) and out.acknowledge(control.written):
            self._emit(FileProgress(control.id, control.written))
            self._feed(control.id, out)
        elif isinstance(control, FileConfirm) and out.accepted and out.highest == out.end:
            del self._outgoing[control.id]
            self._emit(FileComplete(control.id, control.ok))
        else:
            raise wrong(control.id, f"{type(control).__name__} in state {out.state.value}")

    def _on_stale(self, chunk: Chunk) -> None:
        if not self._known(chunk.id):
            raise wrong(chunk.id, "a chunk of what was never offered")
        self._stale_credit -= len(chunk.data)
        if not chunk.data or self._stale_credit < 0:
            raise wrong(chunk.id, "more of an ended transfer than its window allowed")

    def _feed(self, transfer: int, out: Outgoing) -> None:
        if out.starved and self.room(transfer):
            out.starved = False
            self._emit(FileWindow(transfer))

    def _finish_if_whole(self, transfer: int, into: Incoming) -> None:
        if into.received == into.end:
            into.state = State.WHOLE
            self._emit(FileDone(transfer))

    def _tell(self, transfer: int, into: Incoming) -> None:
        if into.news():
            into.told = into.written
            self._send(FileWritten(transfer, into.told))

    def _forget(self, transfer: int) -> bool:
        into = self._incoming.pop(transfer, None)
        if into is not None:
            # What it had credit for, and what a broken way may make it send again.
            self._stale_credit += into.credit + into.window
            return True
        return self._outgoing.pop(transfer, None) is not None

    def _expect_known(self, transfer: int) -> None:
        if not self._mine(transfer) and not self._known(transfer):
            raise wrong(transfer, "a word about what never began")

    def _mine(self, transfer: int) -> bool:
        """Whether this side offered a transfer of that number, ended or not."""
        return 0 < transfer < self._next_outgoing and transfer % 2 == self._next_outgoing % 2

    def _known(self, transfer: int) -> bool:
        """Whether the peer offered a transfer of that number, ended or not."""
        return 0 < transfer < self._next_incoming and transfer % 2 == self._next_incoming % 2

    def _own(self, transfer: int) -> Outgoing:
        out = self._outgoing.get(transfer)
        if out is None:
            raise self._gone(transfer)
        return out

    def _theirs(self, transfer: int, state: State) -> Incoming:
        into = self._incoming.get(transfer)
        if into is None:
            raise self._gone(transfer)
        if into.state is not state:
            raise Misuse(f"transfer {transfer} is {into.state.value}, not {state.value}")
        return into

    def _gone(self, transfer: int) -> LocalError:
        if self._mine(transfer) or self._known(transfer):
            return TransferIncomplete(f"transfer {transfer} has ended", code="transfer-over")
        return Misuse(f"there is no transfer {transfer}")
