# SPDX-License-Identifier: Apache-2.0
"""Files: offer, consent, chunks under a window, a verdict (protocol.md §14).

::

    sender     OFFERED ──ACCEPT──► SENDING ──last chunk──► SENT ──CONFIRM──► ended
    receiver   OFFERED ──accept──► RECEIVING ─last chunk─► RECEIVED ─confirm─► ended
               DECLINE ends the first state, CANCEL from either side any of them

Control travels on channel 0 and chunks on channel 1, so they may overtake each other; two rules keep that harmless.
A number is never used twice, so whatever comes late for a transfer that has ended is known to be late and dropped.
And the octets such a transfer was still allowed to carry stay counted: a peer may finish sending what it had credit
for, and not an octet more.

Chunks are canonical: each has the full size but the last, so a given file is cut in one way only, and a window bounds
the number of chunks that wait in memory, not only their octets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from hardwire.channel.events import (
    Event,
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDeclined,
    FileDone,
    FileOffered,
    FileProgress,
    FileWindow,
)
from hardwire.channel.limits import Limits
from hardwire.channel.messages import (
    CHUNK_SIZE,
    TRANSFER_MAX,
    Chunk,
    FileAccept,
    FileCancel,
    FileConfirm,
    FileControl,
    FileDecline,
    FileOffer,
    FileWritten,
    StopReason,
)
from hardwire.channel.ratchet import PEER_OF
from hardwire.errors import LocalError, Misuse, TransferIncomplete, WireError
from hardwire.handshake.events import Role


class State(Enum):
    """Where a transfer is; one that has ended is no longer kept."""

    OFFERED = "offered"
    MOVING = "moving"
    WHOLE = "whole"


@dataclass(slots=True)
class _Outgoing:
    size: int
    state: State = State.OFFERED
    window: int = 0
    sent: int = 0
    written: int = 0
    starved: bool = False


@dataclass(slots=True)
class _Incoming:
    size: int
    state: State = State.OFFERED
    window: int = 0
    received: int = 0
    written: int = 0
    told: int = 0

    @property
    def credit(self) -> int:
        """Octets the peer may still send."""
        return min(self.size, self.told + self.window) - self.received


_FIRST_NUMBER = {Role.INITIATOR: 1, Role.RESPONDER: 2}


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
        self._outgoing: dict[int, _Outgoing] = {}
        self._incoming: dict[int, _Incoming] = {}
        self._next_outgoing = _FIRST_NUMBER[role]
        self._next_incoming = _FIRST_NUMBER[PEER_OF[role]]
        self._stale_credit = 0

    # The sender's verbs.

    def offer(self, name: str, size: int, sha256: bytes) -> int:
        """Offer a file; the number of the transfer.

        Raises:
            Misuse: for a name, size or hash that cannot be offered.
            LocalError: ``too-many-transfers``.
        """
        if len(self._outgoing) >= self._limits.transfers or self._next_outgoing > TRANSFER_MAX:
            raise LocalError(
                f"{len(self._outgoing)} files are on their way already",
                code="too-many-transfers",
                hint="wait until one of them is through",
            )
        offer = FileOffer(self._next_outgoing, size, sha256, name)
        self._send(offer)
        self._outgoing[offer.id] = _Outgoing(size)
        self._next_outgoing += 2
        return offer.id

    def room(self, transfer: int, *, queue_full: bool = False) -> int:
        """Octets of the next chunk that may be sent now; 0 while there is no room, and when nothing is left."""
        out = self._outgoing.get(transfer)
        if out is None or out.state is not State.MOVING:
            return 0
        size = min(CHUNK_SIZE, out.size - out.sent)
        if queue_full or out.sent + size > out.written + out.window:
            out.starved = True
            return 0
        return size

    def sending(self, transfer: int, data: bytes, *, queue_full: bool = False) -> int:
        """Count a chunk as sent; its offset in the file.

        Raises:
            TransferIncomplete: ``transfer-over``, when the transfer has ended.
            Misuse: when ``data`` has not exactly the octets that :meth:`room` gives.
        """
        out = self._own(transfer)
        room = self.room(transfer, queue_full=queue_full)
        if not room or len(data) != room:
            raise Misuse(f"the next chunk of transfer {transfer} has {room} octets, not {len(data)}")
        offset = out.sent
        out.sent += room
        if out.sent == out.size:
            out.state = State.WHOLE
        return offset

    def wake(self) -> None:
        """There is room in the queue again: tell every transfer that waited for it."""
        for transfer, out in self._outgoing.items():
            self._feed(transfer, out)

    # The receiver's verbs.

    def accept(self, transfer: int) -> None:
        """Take an offered file. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        into = self._theirs(transfer, State.OFFERED)
        into.state, into.window = State.MOVING, self._limits.window
        self._send(FileAccept(transfer, into.window))
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
        # A quarter of the window at a time: one small frame for many large ones, and never a stalled sender.
        if offset > into.told and (offset == into.size or offset - into.told >= into.window // 4):
            into.told = offset
            self._send(FileWritten(transfer, offset))

    def confirm(self, transfer: int, *, ok: bool) -> None:
        """Tell the sender whether the hash was right. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        self._theirs(transfer, State.WHOLE)
        self._send(FileConfirm(transfer, ok))
        del self._incoming[transfer]

    # Either side's.

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
        elif not self._mine(control.id):
            raise _wrong(control.id, "an answer to an offer that this side never made")
        elif out := self._outgoing.get(control.id):
            self._on_answer(control, out)

    def on_chunk(self, chunk: Chunk) -> None:
        """One chunk. Raises WireError when it is not the next one, or beyond the window."""
        into = self._incoming.get(chunk.id)
        if into is None:
            self._on_stale(chunk)
            return
        if into.state is not State.MOVING or chunk.offset != into.received:
            raise _wrong(chunk.id, f"a chunk at {chunk.offset} that was not due")
        if len(chunk.data) != min(CHUNK_SIZE, into.size - into.received):
            raise _wrong(chunk.id, f"a chunk of {len(chunk.data)} octets")
        if len(chunk.data) > into.credit:
            raise _wrong(chunk.id, "more than the window allows")
        into.received += len(chunk.data)
        self._emit(FileChunk(chunk.id, chunk.offset, chunk.data))
        self._finish_if_whole(chunk.id, into)

    def _on_offer(self, offer: FileOffer) -> None:
        if offer.id != self._next_incoming:
            raise _wrong(offer.id, f"an offer where number {self._next_incoming} was due")
        if len(self._incoming) >= self._limits.transfers:
            raise _wrong(offer.id, "more offers than are allowed at a time")
        self._next_incoming += 2
        self._incoming[offer.id] = _Incoming(offer.size)
        self._emit(FileOffered(offer.id, offer.name, offer.size, offer.sha256))

    def _on_cancel(self, cancel: FileCancel) -> None:
        if not self._mine(cancel.id) and not self._known(cancel.id):
            raise _wrong(cancel.id, "an end of what never began")
        if self._forget(cancel.id):
            self._emit(FileCancelled(cancel.id, cancel.reason))

    def _on_answer(self, control: FileAccept | FileDecline | FileWritten | FileConfirm, out: _Outgoing) -> None:
        if isinstance(control, FileAccept) and out.state is State.OFFERED:
            out.window = control.window
            out.state = State.MOVING if out.size else State.WHOLE
            self._emit(FileAccepted(control.id))
        elif isinstance(control, FileDecline) and out.state is State.OFFERED:
            del self._outgoing[control.id]
            self._emit(FileDeclined(control.id, control.reason))
        elif isinstance(control, FileWritten) and out.written < control.written <= out.sent:
            out.written = control.written
            self._emit(FileProgress(control.id, control.written))
            self._feed(control.id, out)
        elif isinstance(control, FileConfirm) and out.state is State.WHOLE:
            del self._outgoing[control.id]
            self._emit(FileComplete(control.id, control.ok))
        else:
            raise _wrong(control.id, f"{type(control).__name__} in state {out.state.value}")

    def _on_stale(self, chunk: Chunk) -> None:
        if not self._known(chunk.id):
            raise _wrong(chunk.id, "a chunk of what was never offered")
        self._stale_credit -= len(chunk.data)
        if not chunk.data or self._stale_credit < 0:
            raise _wrong(chunk.id, "more of an ended transfer than its window allowed")

    def _feed(self, transfer: int, out: _Outgoing) -> None:
        if out.starved and self.room(transfer):
            out.starved = False
            self._emit(FileWindow(transfer))

    def _finish_if_whole(self, transfer: int, into: _Incoming) -> None:
        if into.received == into.size:
            into.state = State.WHOLE
            self._emit(FileDone(transfer))

    def _forget(self, transfer: int) -> bool:
        into = self._incoming.pop(transfer, None)
        if into is not None:
            self._stale_credit += into.credit
            return True
        return self._outgoing.pop(transfer, None) is not None

    def _mine(self, transfer: int) -> bool:
        """Whether this side offered a transfer of that number, ended or not."""
        return 0 < transfer < self._next_outgoing and transfer % 2 == self._next_outgoing % 2

    def _known(self, transfer: int) -> bool:
        """Whether the peer offered a transfer of that number, ended or not."""
        return 0 < transfer < self._next_incoming and transfer % 2 == self._next_incoming % 2

    def _own(self, transfer: int) -> _Outgoing:
        out = self._outgoing.get(transfer)
        if out is None:
            raise self._gone(transfer)
        return out

    def _theirs(self, transfer: int, state: State) -> _Incoming:
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


def _wrong(transfer: int, what: str) -> WireError:
    return WireError(f"transfer {transfer}: the peer sent {what}", code="transfer")
