# SPDX-License-Identifier: Apache-2.0
"""Between the handshake and the open line: lists of revoked certificates are shown and judged (protocol.md §14.9).

Each side shows the lists that it holds about the organisations in play, judges what the other one showed, and says
when it is ready. The line opens when both are. There is no channel before that and so nothing of an application can
come through: a peer that was revoked yesterday learns nothing and says nothing, even if this side hears of it only now.

The machine has the usual verbs. Its one question is :class:`ListsShown`: judge, then :meth:`Settlement.accept` or drop
the line. What is judged is not known here; a list is octets. Frames are those of the record layer, under other keys.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hardwire.channel.ratchet import CONTROL, SECRET_SIZE, Epoch
from hardwire.channel.records import PAYLOAD_MAX, Record, RecordLayer
from hardwire.errors import HardwireError, LineTimeout, Misuse, PeerError, RecordRefused, WireError
from hardwire.handshake.events import HandshakeDone
from hardwire.handshake.schedule import expand_label
from hardwire.wire import Reader, Writer

LISTS_MAX: Final = 4
"""Lists that a side may show."""
OCTETS_MAX: Final = 1 << 20
"""Octets of all of them together."""
TIME: Final = 60.0
"""Seconds for the whole of it, transfer and judgement."""


class SettleKind(IntEnum):
    """Kinds of frames, all on channel 0; no other is in order here."""

    LISTS = 0x81
    PART = 0x82
    READY = 0x83


@dataclass(frozen=True, slots=True)
class ListsShown:
    """The peer has shown all it has, 0 to 4 lists. Judge it, then ``accept``, or drop the connection."""

    lists: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settled:
    """Both sides are ready: the line opens now."""


@dataclass(frozen=True, slots=True)
class SettleFailed:
    """It is over. Tell the person ``error``; tell the peer nothing: just drop the connection."""

    error: HardwireError


SettleEvent = ListsShown | Settled | SettleFailed


class Settlement:
    """One side of it; the frames of :meth:`data_to_send` go out at once.

    Args:
        done: The proof that both sides are who they say.
        lists: What to show: at most 4, together at most 1 MiB, none of them empty.
        now: Monotonic seconds.

    Raises:
        Misuse: More or larger lists.
    """

    def __init__(self, done: HandshakeDone, lists: tuple[bytes, ...], *, now: float) -> None:
        if not fits(lists):
            raise Misuse(f"{len(lists)} lists, or lists of that size, are not shown to a peer")
        epoch = Epoch(0, expand_label(done.exporter, b"settle", b"", SECRET_SIZE))
        self._records = RecordLayer(done.role, epoch)
        self._events: deque[SettleEvent] = deque()
        self._queue: deque[bytes] = deque()
        self._deadline = now + TIME
        self._over = False
        self._sizes: tuple[int, ...] | None = None
        self._parts: list[bytes] = []
        self._missing = 0
        self._asked = self._accepted = self._peer_ready = False
        head = Writer().u8(len(lists))
        for one in lists:
            head.u32(len(one))
        self._send(SettleKind.LISTS, head.getvalue())
        octets = b"".join(lists)
        for at in range(0, len(octets), PAYLOAD_MAX):
            self._send(SettleKind.PART, octets[at : at + PAYLOAD_MAX])

    def receive_data(self, data: bytes, now: float) -> None:
        """Take one message that came in on channel 0. Never raises for what the peer does."""
        if self._over:
            return
        if now >= self._deadline:
            self.handle_timeout(now)
            return
        try:
            self._take(self._records.open(CONTROL, data))
        except PeerError as error:
            self.fail(error)

    def next_event(self) -> SettleEvent | None:
        """What happened next, in order; None when there is nothing more."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> bytes | None:
        """A frame for channel 0; None when there is nothing more."""
        return self._queue.popleft() if self._queue else None

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` is due, in monotonic seconds; None when it is over."""
        return None if self._over else self._deadline

    def handle_timeout(self, now: float) -> None:
        """Give up when the time has come; calling early does no harm."""
        if not self._over and now >= self._deadline:
            judging = self._asked and not self._accepted
            words = "the judgement took too long" if judging else "your peer did not settle what is revoked in time"
            self.fail(LineTimeout(words, code="settle-timeout"))

    def accept(self, now: float) -> None:
        """The judgement is in, and the line may open. Nothing when it is over.

        Raises:
            Misuse: Before :class:`ListsShown`, or twice.
        """
        if self._over:
            return
        if not self._asked or self._accepted:
            raise Misuse("there is nothing to judge yet, or it was judged already")
        if now >= self._deadline:
            self.handle_timeout(now)
            return
        self._accepted = True
        self._send(SettleKind.READY)
        self._settle()

    def fail(self, error: HardwireError) -> None:
        """Give up because of ``error``. Nothing when it is over."""
        if not self._over:
            self._queue.clear()
            self._end(SettleFailed(error))

    def _take(self, record: Record) -> None:
        try:
            kind = SettleKind(record.kind)
        except ValueError as error:
            raise RecordRefused(
                f"a record of kind 0x{record.kind:02x} before the line is open", code="settle-order"
            ) from error
        if kind is SettleKind.LISTS and self._sizes is None:
            self._sizes = _decode_sizes(record.payload)
            self._missing = sum(self._sizes)
        elif kind is SettleKind.PART and self._missing:
            if len(record.payload) != min(self._missing, PAYLOAD_MAX):
                raise RecordRefused("a part of a list that is not as long as it has to be", code="settle-size")
            self._parts.append(record.payload)
            self._missing -= len(record.payload)
        elif kind is SettleKind.READY and self._asked and not self._peer_ready:
            Reader(record.payload, "ready").end()
            self._peer_ready = True
        else:
            raise RecordRefused(f"{kind.name.lower()} out of its order", code="settle-order")
        if self._sizes is not None and not self._missing and not self._asked:
            self._show(self._sizes)
        self._settle()

    def _show(self, sizes: tuple[int, ...]) -> None:
        self._asked = True
        octets, lists, at = b"".join(self._parts), [], 0
        self._parts.clear()
        for size in sizes:
            lists.append(octets[at : at + size])
            at += size
        self._events.append(ListsShown(tuple(lists)))

    def _settle(self) -> None:
        if self._accepted and self._peer_ready:
            self._end(Settled())

    def _send(self, kind: SettleKind, payload: bytes = b"") -> None:
        self._queue.append(self._records.seal(CONTROL, kind, payload))

    def _end(self, event: SettleEvent) -> None:
        self._over = True
        self._records.erase()
        self._events.append(event)


def fits(lists: tuple[bytes, ...]) -> bool:
    """Whether these may be shown: at most 4, none empty, together at most 1 MiB."""
    return len(lists) <= LISTS_MAX and all(lists) and sum(map(len, lists)) <= OCTETS_MAX


def _decode_sizes(payload: bytes) -> tuple[int, ...]:
    reader = Reader(payload, "lists of revoked certificates")
    count = reader.u8()
    if count > LISTS_MAX:
        raise WireError(f"{count} lists of revoked certificates, at most {LISTS_MAX} are taken", code="settle-size")
    sizes = tuple(reader.u32() for _ in range(count))
    reader.end()
    if not all(sizes) or sum(sizes) > OCTETS_MAX:
        raise WireError("a list of revoked certificates that is empty, or lists that are too large", code="settle-size")
    return sizes
