# SPDX-License-Identifier: Apache-2.0
"""When and how a line changes its keys (protocol.md §14).

::

    initiator                                                    responder
      INIT e+1, kem_pk   ── channel 0, epoch e ──────────────►   waits until every channel from the initiator is in e
                         ◄── channel 0, epoch e, its last there  ACK e+1, kem_ct      (channel 0 continues in e+1)
      FIN                ── every channel, first in e+1 ─────►   now the initiator has the keys, and so:
                         ◄── other channels, first in e+1 ────   FIN

The channels are independent streams: what is sent first on one may arrive after what is sent later on another. So the
responder stays in the old epoch on its other channels until a frame of the new one proves that the initiator has the
keys; otherwise a chunk could overtake the ACK and arrive unreadable. And nobody starts or answers a rekey while a
channel from the peer is still behind, so there are never more than two epochs at a time. FIN on each channel makes a
silent channel move too: the old keys do not wait for its next chunk.

Keepalives, dummies and the rekey itself count as frames but not as traffic: an idle line changes keys every quarter of
an hour, not every minute.
"""

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

from hardwire.channel.limits import Limits
from hardwire.channel.messages import Kind, RekeyAck, RekeyInit
from hardwire.channel.ratchet import BULK, CHANNELS, CONTROL, Epoch
from hardwire.channel.records import Record, RecordLayer
from hardwire.errors import LineTimeout, RecordRefused
from hardwire.handshake.events import Role
from hardwire.handshake.kem import Entropy, Kem, KemKeyPair

NOT_TRAFFIC: Final = frozenset(
    {Kind.KEEPALIVE, Kind.DUMMY, Kind.REKEY_INIT, Kind.REKEY_ACK, Kind.REKEY_FIN, Kind.REKEY_REQUEST}
)


class Meter:
    """What one epoch has carried, both directions together.

    Args:
        limits: Triggers and stops.
        now: Monotonic seconds.
        factor: Multiple of the triggers at which a rekey is due to this side.

    Attributes:
        due_at: When a rekey is due by time alone; ``-inf`` when the epoch has carried enough already.
    """

    __slots__ = ("_factor", "_limits", "_started", "_stop_at", "due_at", "frames", "octets")

    def __init__(self, limits: Limits, now: float, factor: float = 1.0) -> None:
        self._limits = limits
        self._factor = factor
        self._started = now
        self._stop_at = inf
        self.due_at = now + factor * limits.rekey_idle
        self.frames = 0
        self.octets = 0

    def count(self, kind: int, size: int, now: float) -> bool:
        """One frame of ``size`` octets, sent or received; whether :attr:`due_at` may be another one now."""
        self.frames += 1
        self.octets += size
        limits, factor = self._limits, self._factor
        first = self._stop_at == inf and kind not in NOT_TRAFFIC
        full = self.frames >= factor * limits.rekey_frames or self.octets >= factor * limits.rekey_octets
        if first:
            self._stop_at = now + limits.stop_seconds
            self.due_at = self._started + factor * limits.rekey_seconds
        if full:
            self.due_at = -inf
        return first or full

    def pause_end(self) -> float:
        """Until when requests are not followed."""
        return self._started + self._limits.rekey_pause

    def check(self, now: float) -> None:
        """Stop a line whose keys have served too long.

        Raises:
            RecordRefused: ``rekey-overdue``.
        """
        limits = self._limits
        if now >= self._stop_at or self.frames > limits.stop_frames or self.octets > limits.stop_octets:
            raise RecordRefused("the keys of this line should have been changed long ago", code="rekey-overdue")


class Phase(Enum):
    """Where a rekey is."""

    STEADY = "steady"
    INIT_SENT = "init sent"
    INIT_HELD = "init held"
    ACK_SENT = "ack sent"


class Rekey:
    """The rekey of one line, for either role.

    Args:
        role: This side's role; only the initiator starts.
        epoch: The epoch the record layer was made with.
        records: The record layer it moves.
        kem: X-Wing, or a recorded one in tests.
        entropy: Randomness for the KEM.
        limits: Triggers and stops.
        now: Monotonic seconds.
        send: Seals and queues one frame: channel, kind, payload.
        advanced: Told the number of a new epoch once both sides have its keys.

    Attributes:
        meter: Of the epoch in use.
        due_at: When :meth:`tick` has something to do next. It is asked for with every frame, and so worked out only
            when something that it depends on has changed.
    """

    def __init__(
        self,
        role: Role,
        epoch: Epoch,
        records: RecordLayer,
        *,
        kem: Kem,
        entropy: Entropy,
        limits: Limits,
        now: float,
        send: Callable[[int, int, bytes], None],
        advanced: Callable[[int], None],
    ) -> None:
        self._role = role
        self._epoch = epoch
        self._records = records
        self._kem = kem
        self._entropy = entropy
        self._limits = limits
        self._send = send
        self._advanced = advanced
        self._phase = Phase.STEADY
        self._deadline = inf
        self._pair: KemKeyPair | None = None
        self._held: RekeyInit | None = None
        self._wanted_at = inf
        self._old: dict[int, float] = {}
        self.due_at = inf
        self._factor = 1.0 if role is Role.INITIATOR else limits.request_factor
        self.meter = Meter(limits, now, self._factor)
        self._plan()

    def count(self, kind: int, size: int, now: float) -> None:
        """One frame of ``size`` octets, sent or received."""
        if self.meter.count(kind, size, now):
            self._plan()

    def request(self, now: float) -> None:
        """Change the keys soon, whatever the triggers say."""
        if self._role is Role.RESPONDER:
            self._send(CONTROL, Kind.REKEY_REQUEST, b"")
            return
        self._wanted_at = now
        self._plan()
        self.tick(now)

    def tick(self, now: float) -> None:
        """Do what is due: drop old keys, start or ask for a rekey. Nothing before :attr:`due_at`.

        Raises:
            LineTimeout: ``rekey-timeout``, when the peer leaves a rekey unfinished.
        """
        if now < self.due_at:
            return
        if now >= self._deadline:
            raise LineTimeout("the peer did not finish a change of keys", code="rekey-timeout")
        for channel in [channel for channel, until in self._old.items() if now >= until]:
            self._leave(channel)
        self._answer_held(now)
        if now >= self._next_start():
            self._start(now)
        self._plan()

    def arrived(self, channel: int, record: Record, now: float) -> None:
        """Note an opened frame of any kind, before its payload is looked at.

        Raises:
            RecordRefused: ``rekey-order``, when a channel opens an epoch with anything but FIN, or sends FIN elsewhere.
        """
        # The responder's channel 0 has no FIN: its ACK is the last frame of the old epoch there, so it never "moves".
        if record.moved is not (record.kind == Kind.REKEY_FIN):
            raise RecordRefused("a channel changed its epoch out of turn", code="rekey-order")
        if record.moved:
            self._on_moved(channel, now)
            self._plan()
        elif channel in self._old:
            self._old[channel] = now + self._limits.old_epoch_seconds
            self._plan()

    def on_init(self, init: RekeyInit, now: float) -> None:
        """INIT from the initiator. Raises RecordRefused or HandshakeRefused."""
        if self._role is Role.INITIATOR or self._phase is not Phase.STEADY or init.number != self._epoch.number + 1:
            raise RecordRefused("a change of keys was begun out of turn", code="rekey-order")
        self._phase, self._held = Phase.INIT_HELD, init
        self._answer_held(now)
        self._plan()

    def on_ack(self, ack: RekeyAck, now: float) -> None:
        """ACK from the responder. Raises RecordRefused or HandshakeRefused."""
        pair = self._pair
        if pair is None or ack.number != self._epoch.number + 1:
            raise RecordRefused("a change of keys was answered out of turn", code="rekey-order")
        shared = pair.decapsulate(ack.ciphertext)
        self._epoch = self._epoch.following(shared, pair.public, ack.ciphertext)
        self._phase, self._deadline, self._pair = Phase.STEADY, inf, None
        self._records.expect(self._epoch)
        self._records.enter(CONTROL)
        self._watch_old(now)
        for channel in CHANNELS:
            self._open_channel(channel)
        self._begin_epoch(now)
        self._plan()

    def on_request(self, now: float) -> None:
        """The responder asks for a rekey. Raises RecordRefused."""
        if self._role is Role.RESPONDER:
            raise RecordRefused("the initiator asked for what only it can begin", code="rekey-order")
        # Not at once in a young epoch: a peer that asks without end does not get keys without end.
        self._wanted_at = self.meter.pause_end()
        self._plan()
        self.tick(now)

    def erase(self) -> None:
        """Forget the epoch and the key pair."""
        self._epoch.erase()
        self._pair = None
        self._held = None

    def _plan(self) -> None:
        """Work out :attr:`due_at` anew: something that it depends on has changed."""
        if self._held is not None and not self._records.behind:
            self.due_at = -inf
        else:
            self.due_at = min(self._deadline, self._next_start(), *self._old.values())

    def _next_start(self) -> float:
        """When this side begins, or asks for, a rekey; never while one is under way or a channel is behind."""
        if self._phase is not Phase.STEADY or self._records.behind:
            return inf
        if self._role is Role.INITIATOR:
            return min(self.meter.due_at, self._wanted_at)
        return self.meter.due_at if self._wanted_at == inf else inf

    def _start(self, now: float) -> None:
        if self._role is Role.RESPONDER:
            self._wanted_at = now  # once an epoch
            self._send(CONTROL, Kind.REKEY_REQUEST, b"")
            return
        self._phase, self._deadline = Phase.INIT_SENT, now + self._limits.rekey_answer
        self._pair = self._kem.generate(self._entropy)
        self._send(CONTROL, Kind.REKEY_INIT, RekeyInit(self._epoch.number + 1, self._pair.public).encode())

    def _answer_held(self, now: float) -> None:
        init = self._held
        if init is None or self._records.behind:
            return
        shared, ciphertext = self._kem.encapsulate(init.public, self._entropy)
        self._send(CONTROL, Kind.REKEY_ACK, RekeyAck(init.number, ciphertext).encode())
        self._epoch = self._epoch.following(shared, init.public, ciphertext)
        self._phase, self._deadline, self._held = Phase.ACK_SENT, now + self._limits.rekey_answer, None
        self._records.expect(self._epoch)
        self._records.advance(CONTROL, self._epoch)

    def _on_moved(self, channel: int, now: float) -> None:
        self._old.pop(channel, None)
        if self._phase is Phase.ACK_SENT:
            # The initiator has the new keys: nothing sent with them can arrive unreadable any more.
            self._phase, self._deadline = Phase.STEADY, inf
            self._watch_old(now)
            self._open_channel(BULK)
            self._begin_epoch(now)

    def _open_channel(self, channel: int) -> None:
        self._records.advance(channel, self._epoch)
        self._send(channel, Kind.REKEY_FIN, b"")

    def _begin_epoch(self, now: float) -> None:
        self.meter = Meter(self._limits, now, self._factor)
        self._wanted_at = inf
        self._advanced(self._epoch.number)

    def _watch_old(self, now: float) -> None:
        self._old = dict.fromkeys(self._records.behind, now + self._limits.old_epoch_seconds)

    def _leave(self, channel: int) -> None:
        del self._old[channel]
        self._records.drop_old(channel)
