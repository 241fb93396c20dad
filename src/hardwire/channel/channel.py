# SPDX-License-Identifier: Apache-2.0
"""The open line: one pure machine over a finished handshake (protocol.md §14).

Octets, calls and the time go in; events and frames come out. After every call, take events with ``next_event`` and
frames with ``data_to_send`` until both give None, and call ``handle_timeout`` when ``next_timeout`` has come.

Nothing the peer sends raises here: it becomes an event, or the line dies. A dead line has erased its keys, says nothing
to the peer, ignores whatever comes in, and gave its reason in the one :class:`LineFailed`. Only this side's own calls
raise: :class:`~hardwire.errors.Misuse` for what is never right, ``ConnectionLost`` when the line is over already.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from hardwire.channel import messages
from hardwire.channel.chat import Chats
from hardwire.channel.events import (
    EpochAdvanced,
    Event,
    LineClosed,
    LineFailed,
    PeerConfirmed,
    PeerVerified,
)
from hardwire.channel.filecontrol import FileControl, decode_file_control
from hardwire.channel.fileverbs import FileVerbs
from hardwire.channel.lane import Lanes
from hardwire.channel.limits import DEFAULT_LIMITS, Limits
from hardwire.channel.linetime import LineTime
from hardwire.channel.messages import CRITICAL, CloseReason, Kind
from hardwire.channel.paths import Paths
from hardwire.channel.ratchet import BULK, CHANNELS, CONTROL, Epoch
from hardwire.channel.records import Record, RecordLayer
from hardwire.channel.rekey import Rekey
from hardwire.channel.transfer import Transfers
from hardwire.errors import (
    ConnectionLost,
    HandshakeRefused,
    HardwireError,
    LineTimeout,
    PeerError,
    RecordRefused,
)
from hardwire.handshake.events import HandshakeDone, Role
from hardwire.handshake.kem import Entropy, Kem, XWing

_ON_ANY_CHANNEL: Final = frozenset({Kind.DUMMY, Kind.REKEY_FIN})
_ON_BULK: Final = frozenset({Kind.CHUNK}) | _ON_ANY_CHANNEL


class SecureChannel(FileVerbs):
    """A line between two parties who proved themselves.

    Args:
        done: The proof that they did.
        entropy: Randomness for message ids and rekeys.
        now: Monotonic seconds, as in every verb.
        limits: The protocol's numbers, unless a test needs others.
        kem: X-Wing, unless a test needs a recorded one.

    Attributes:
        time: Pause it while there is no path, or when this process did not run: nothing is due meanwhile but the end of
            the line's life, and what is sent is sealed and waits. Frames that come in meanwhile are taken; whoever
            paused it knows when there is a path again.
    """

    def __init__(
        self,
        done: HandshakeDone,
        *,
        entropy: Entropy,
        now: float,
        limits: Limits = DEFAULT_LIMITS,
        kem: Kem | None = None,
    ) -> None:
        self._limits = limits
        self._entropy = entropy
        self._events: deque[Event] = deque()
        self._queues: dict[int, deque[bytes]] = {channel: deque() for channel in CHANNELS}
        self._bulk_octets = 0
        self._over = False
        self._peer_confirmed = False
        self._life_end = now + limits.life
        self._last_heard = now
        # The initiator speaks at once: its first frame confirms the contact secret at the responder.
        self._keepalive_at = now if done.role is Role.INITIATOR else now + limits.keepalive
        self.time = LineTime()
        self._now = now
        epoch = Epoch(0, done.epoch_secret)
        self._records = RecordLayer(done.role, epoch)
        kem = kem or XWing()
        self._rekey = Rekey(
            done.role,
            epoch,
            self._records,
            kem=kem,
            entropy=entropy,
            limits=limits,
            now=now,
            send=self._send,
            advanced=lambda number: self._events.append(EpochAdvanced(number)),
        )
        self._chats = Chats(limits, send=self._say, emit=self._events.append)
        self._transfers = Transfers(done.role, limits, emit=self._events.append, send=self._send_control)
        self._lanes = Lanes(
            done.role,
            done.epoch_secret,
            kem=kem,
            entropy=entropy,
            emit=self._events.append,
            send=partial(self._say, Kind.LANE),
        )
        self._paths = Paths(done.role, emit=self._events.append, send=self._say)
        self._handlers = self._handlers_by_kind()
        self._one_verb = _Verb(self._verb_done)

    def _handlers_by_kind(self) -> dict[int, Callable[[bytes], None]]:
        return {
            Kind.CHAT: lambda payload: self._chats.on_chat(payload, self._now),
            Kind.FILE: lambda payload: self._transfers.on_control(decode_file_control(payload)),
            Kind.CHUNK: lambda payload: self._transfers.on_chunk(messages.decode_chunk(payload)),
            Kind.ACK: self._chats.on_acks,
            Kind.KEEPALIVE: messages.decode_empty,
            Kind.DUMMY: messages.decode_empty,
            Kind.VERIFICATION: lambda payload: self._events.append(PeerVerified(messages.decode_verification(payload))),
            Kind.LANE: self._lanes.on_message,
            Kind.PATH: self._paths.on_path,
            Kind.NEXT: self._paths.on_next,
            Kind.CLOSE: lambda payload: self._finish(messages.decode_close(payload), by_peer=True),
            Kind.REKEY_INIT: lambda payload: self._rekey.on_init(messages.decode_rekey_init(payload), self._now),
            Kind.REKEY_ACK: lambda payload: self._rekey.on_ack(messages.decode_rekey_ack(payload), self._now),
            Kind.REKEY_FIN: messages.decode_empty,
            Kind.REKEY_REQUEST: self._on_request,
        }

    # The verbs every machine has.

    def receive_data(self, channel: int, data: bytes, now: float) -> None:
        """Take one message that came in on a data channel. Never raises for what the peer does."""
        if self._over:
            return
        self._now = now = self.time.at(now)
        try:
            record = self._records.open(channel, data)
            self._rekey.count(record.kind, len(data), now)
            self._rekey.meter.check(now)
            self._last_heard = now
            self._confirm_peer()
            self._rekey.arrived(channel, record, now)
            self._dispatch(channel, record)
            if not self._over:
                self._rekey.tick(now)
                self._chats.tick(now)
        except HandshakeRefused as error:
            # The KEM speaks as the handshake does; here it is a record that was refused.
            self._fail(RecordRefused(error.message, code="rekey-kem"))
        except (PeerError, LineTimeout) as error:
            self._fail(error)

    def next_event(self) -> Event | None:
        """What happened next, in order; None when there is nothing more."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> tuple[int, bytes] | None:
        """(channel, frame) to be sent as one message; channel 0 goes first. None when there is nothing more."""
        if self._queues[CONTROL]:
            return CONTROL, self._queues[CONTROL].popleft()
        if not self._queues[BULK]:
            return None
        frame = self._queues[BULK].popleft()
        was_full = self._queue_full
        self._bulk_octets -= len(frame)
        if was_full and not self._queue_full:
            self._transfers.wake()
        return BULK, frame

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` is due, in monotonic seconds; None when the line is over."""
        if self._over:
            return None
        if self.time.paused:
            return self._life_end
        silence_end = self._last_heard + self._limits.silence
        soonest = min(self._keepalive_at, silence_end, self._rekey.due_at, self._chats.due_at)
        return min(self._life_end, self.time.real(soonest))

    def handle_timeout(self, now: float) -> None:
        """Do what is due by ``now``; calling early or twice does no harm."""
        if self._over:
            return
        if now >= self._life_end:
            self.close(now, CloseReason.LIFE)
            return
        if self.time.paused:
            return
        self._now = now = self.time.at(now)
        if now >= self._last_heard + self._limits.silence:
            self._fail(ConnectionLost("connection lost: nothing was heard from the peer any more", code="peer-silent"))
            return
        try:
            self._rekey.tick(now)
            self._chats.tick(now)
            if now >= self._keepalive_at:
                self._send(CONTROL, Kind.KEEPALIVE)
        except (PeerError, LineTimeout) as error:
            self._fail(error)

    def prepare(self) -> None:
        """Do what the next short message would have to wait for; call it when everything has been sent."""
        self._records.prepare(CONTROL)

    # Talk.

    def send_chat(self, text: str, now: float, *, message_id: bytes | None = None) -> bytes:
        """Send a chat message of 1 to 16 000 octets of UTF-8.

        Args:
            text: What to say.
            now: Monotonic seconds.
            message_id: The id of a message that an earlier line did not deliver; a new one is drawn otherwise.

        Returns:
            The 16-octet id that :class:`ChatDelivered` will name.

        Raises:
            Misuse: for an empty or longer text, or an id that is on its way already.
            LocalError: ``chat-backlog``, when the peer acknowledges nothing.
        """
        with self._verb(now):
            return self._chats.say(message_id or self._entropy.octets(messages.CHAT_ID_SIZE), text)

    def send_verification(self, *, matched: bool, now: float) -> None:
        """Tell the peer what the person here said about the strings."""
        with self._verb(now):
            self._send(CONTROL, Kind.VERIFICATION, bytes([matched]))

    # Direct lanes: the verbs are those of lane/negotiation.py.

    @contextmanager
    def lanes(self, now: float) -> Iterator[Lanes]:
        """The direct lanes of this line, for one call: ``with channel.lanes(now) as lanes: lanes.want()``."""
        with self._verb(now):
            yield self._lanes

    # Paths and the next line: the verbs are those of paths.py.

    @contextmanager
    def paths(self, now: float) -> Iterator[Paths]:
        """What the peer is told about meeting again, for one call."""
        with self._verb(now):
            yield self._paths

    # The line itself.

    def request_rekey(self, now: float) -> None:
        """Change the keys soon; they change by themselves as well."""
        with self._verb(now):
            self._rekey.request(now)

    def close(self, now: float, reason: CloseReason = CloseReason.NORMAL) -> None:
        """End the line properly: flush ``data_to_send``, then close the connection. Nothing when it is over."""
        if self._over:
            return
        self._now = self.time.at(now)
        try:
            self._chats.flush()
            self._send(CONTROL, Kind.CLOSE, bytes([reason]))
        except PeerError as error:
            self._fail(error)
            return
        self._finish(reason, by_peer=False)

    def abort(self, error: HardwireError) -> None:
        """End the line at once, without a word to the peer. Nothing when it is over."""
        self._fail(error)

    def path_lost(self) -> None:
        """The connection is gone: an abrupt end, unless a close frame was sent or received before."""
        self._fail(ConnectionLost("connection lost: it ended without a goodbye"))

    @property
    def peer_confirmed(self) -> bool:
        """Whether a valid frame of the peer has arrived (protocol.md §13)."""
        return self._peer_confirmed

    @property
    def unacknowledged(self) -> tuple[tuple[bytes, str], ...]:
        """(id, text) of the chat messages the peer has not acknowledged, in order; also when the line is over."""
        return self._chats.unacknowledged

    # Inside.

    def _dispatch(self, channel: int, record: Record) -> None:
        kind = record.kind
        handler = self._handlers.get(kind)
        if handler is None:
            if kind >= CRITICAL:
                raise RecordRefused(f"a record of unknown kind 0x{kind:02x}", code="record-kind")
            return
        allowed = kind in _ON_BULK if channel == BULK else kind != Kind.CHUNK
        if not allowed:
            raise RecordRefused(f"{Kind(kind).name.lower()} does not belong on channel {channel}", code="record-kind")
        handler(record.payload)

    def _confirm_peer(self) -> None:
        if not self._peer_confirmed:
            self._peer_confirmed = True
            self._events.append(PeerConfirmed())

    def _on_request(self, payload: bytes) -> None:
        messages.decode_empty(payload)
        self._rekey.on_request(self._now)

    @property
    def _queue_full(self) -> bool:
        return self._bulk_octets >= self._limits.queue

    def _verb(self, now: float) -> "_Verb":
        """One call of this side's: refused when the line is over, and followed by the rekey it may have made due."""
        if self._over:
            raise ConnectionLost("the line is over", code="line-over")
        self._now = self.time.at(now)
        return self._one_verb

    def _verb_done(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self._rekey.tick(self._now)
        except (PeerError, LineTimeout) as late:
            error = late
        if isinstance(error, (PeerError, LineTimeout)):
            self._fail(error)
            raise ConnectionLost("the line is over", code="line-over") from error

    def _send(self, channel: int, kind: int, *parts: bytes) -> None:
        self._rekey.meter.check(self._now)
        frame = self._records.seal(channel, kind, *parts)
        self._rekey.count(kind, len(frame), self._now)
        self._queues[channel].append(frame)
        if channel == BULK:
            self._bulk_octets += len(frame)
        self._keepalive_at = self._now + self._limits.keepalive

    def _say(self, kind: int, payload: bytes) -> None:
        self._send(CONTROL, kind, payload)

    def _send_control(self, control: FileControl) -> None:
        self._say(Kind.FILE, control.encode())

    def _finish(self, reason: CloseReason, *, by_peer: bool) -> None:
        self._end(LineClosed(reason, by_peer), keep=() if by_peer else (CONTROL,))

    def _fail(self, error: HardwireError) -> None:
        if not self._over:
            self._end(LineFailed(error), keep=())

    def _end(self, event: Event, *, keep: tuple[int, ...]) -> None:
        """Erase the keys and what need not be sent any more; ``keep`` names the queues that are still flushed."""
        self._over = True
        self._records.erase()
        self._rekey.erase()
        self._lanes.erase()
        for channel in CHANNELS:
            if channel not in keep:
                self._queues[channel].clear()
        self._events.append(event)


class _Verb:
    """A generator would do, but takes longer than all the rest of a short call."""

    __slots__ = ("_done",)

    def __init__(self, done: Callable[[BaseException | None], None]) -> None:
        self._done = done

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._done(error)
