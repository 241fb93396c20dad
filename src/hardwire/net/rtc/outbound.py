# SPDX-License-Identifier: Apache-2.0
"""What is sent: messages cut into numbered fragments, what the peer has of them, what is lost (RFC 9260 §6, §7).

::

    outbound.put(message)                        waits here until the window has room
    while fragment := outbound.next(now, room):  what may leave now: lost fragments first, then new ones
        ...send it...
    outbound.acknowledged(sack, now)             what a SACK says; then ask for more
    outbound.deadline()                          when to call expired(now); then ask for more

What is lost is found by :mod:`hardwire.net.rtc.flight` from what the peer reports. The last packets of a burst have no
later ones that would tell, so after two round trips of silence one more packet goes out and draws an answer (tail
loss probe, RFC 8985 §7); only when that fails, too, the timeout takes everything for lost.

A message is cut when its turn comes, so that a larger packet size is used at once, and a fragment keeps its size for
life (its number is bound to its octets). Messages with limited lifetime are given up whole (RFC 3758).

Pure: the clock is a parameter, and what is sent is a return value.
"""

import math
from collections import deque
from typing import Final

from hardwire.net.rtc.flight import GAPS_FOR_A_FRAGMENT, MOST_GAP_CREDIT, Flight
from hardwire.net.rtc.fragments import ARRIVED, FLYING, GIVEN_UP, LOST, Fragment, Message
from hardwire.net.rtc.inbound import FIRST, LAST, TSN_MASK, UNORDERED
from hardwire.net.rtc.rtt import PEER_DELAY

MOST_OUT: Final = 4096
"""Fragments that may be out: what a receiver of ours keeps in mind."""


class Outbound(Flight):
    """The sending half of an association.

    Args:
        initial: This side's initial TSN.
        payload: Octets of data in a full packet; may be changed at any time.
        peer_window: Octets that the peer has room for.

    Attributes:
        waiting: Messages that are not wholly cut, in order.
        queued: Octets of them that are not cut.
    """

    def __init__(self, initial: int, *, payload: int, peer_window: int) -> None:
        super().__init__(initial, payload=payload, peer_window=peer_window)
        self.waiting: deque[Message] = deque()
        self.queued = 0
        self._last_sent = 0.0

    @property
    def next_tsn(self) -> int:
        """The TSN of the next new fragment."""
        return (self._before + self.number + 1) & TSN_MASK

    @property
    def is_empty(self) -> bool:
        """Everything that was put in is acknowledged."""
        return not self._sent and not self.waiting

    @property
    def is_held_back(self) -> bool:
        """The congestion window is what keeps more from leaving."""
        return self._held_back

    def put(self, message: Message) -> None:
        """One more message waits."""
        self.waiting.append(message)
        self.queued += len(message.data)

    # ------------------------------------------------------------------ what leaves

    def next(self, now: float, room: int | None = None) -> Fragment | None:
        """The next fragment to send, already counted as sent; ``None`` when there is none for now.

        Args:
            now: Seconds of the clock.
            room: Octets of data that fit beside what is already in the packet; a new message is not cut to fit.
        """
        self._held_back = False
        if not self.lost and not self.waiting:
            return None
        limit = self.window.size
        if self.lost and (fragment := self._next_lost(now, limit, room)) is not None:
            return fragment
        if self.lost and self._held_back:
            return None
        if not self.waiting:
            return None
        if self.flight >= limit and not self._exempt:
            self._held_back = True
            return None
        return self._next_new(now, room)

    def _next_lost(self, now: float, limit: float, room: int | None) -> Fragment | None:
        while self.lost:
            fragment = self._sent.get(self.lost[0])
            if fragment is None or fragment.state != LOST or self._outlived(fragment, now):
                self.lost.popleft()
                continue
            if room is not None and fragment.size > room:
                self._held_back = True
                return None
            if self.flight + fragment.size > limit and not self._exempt and self.flight:
                self._held_back = True
                return None
            self.lost.popleft()
            if fragment.number == self.cumulative + 1:
                self._progress = now
                self.cut_in_vain += fragment.size > self.payload
            self._resent.append((now, fragment.number))
            return self._leave(fragment, now, room)
        return None

    def _next_new(self, now: float, room: int | None) -> Fragment | None:
        message = self.waiting[0]
        if message.expires <= now:
            self.give_up(message)
            return self._next_new(now, room) if self.waiting else None
        cut = message.cut
        rest = len(message.data) - cut
        if room is not None and rest > room:
            return None
        size = min(self.payload, rest)
        if self.flight + size > self.peer_window and self.flight:
            # A window of zero is asked by the one fragment that is out (RFC 9260 §6.1 A).
            return None
        if self.number - self.cumulative >= MOST_OUT:
            return None
        self.number += 1
        flags = (UNORDERED if message.unordered else 0) | (0 if cut else FIRST) | (LAST if size == rest else 0)
        fragment = Fragment(self.number, flags, message, message.data[cut : cut + size])
        message.cut = cut + size
        self.queued -= size
        if size == rest:
            self.waiting.popleft()
        if not self._sent:
            if now - self._last_sent > self.rtt.timeout() and self._last_sent:
                self.window.rested((now - self._last_sent) / self.rtt.timeout())
            self._progress = now
        self._sent[self.number] = fragment
        return self._leave(fragment, now, room)

    def _leave(self, fragment: Fragment, now: float, room: int | None) -> Fragment:
        self._exempt = False
        self._gap_credit = min(self._gap_credit + GAPS_FOR_A_FRAGMENT, MOST_GAP_CREDIT)
        self.flight += fragment.size
        fragment.state = FLYING
        fragment.count += 1
        fragment.place = 0 if room is None else self.payload - room
        fragment.sent_at = self._last_sent = now
        return fragment

    # ------------------------------------------------------------------ time

    def deadline(self) -> float:
        """When :meth:`expired` is to be called; infinite while nothing is out."""
        if not self._sent:
            return math.inf
        return min(self._timeout_at(), self._probe_at(), self._judge_at)

    def _timeout_at(self) -> float:
        return self._progress + self.rtt.timeout() + (PEER_DELAY if self._is_alone() else 0.0)

    def _probe_at(self) -> float:
        if self._probed or not self.flight or self.lost:
            return math.inf
        return max(self._last_sent, self._progress) + self.rtt.probe_timeout(alone=self._is_alone())

    def _is_alone(self) -> bool:
        """One packet is out, and the peer may be keeping the acknowledgement."""
        return 0 < self.flight <= self.payload and not self.lost

    def expired(self, now: float) -> None:
        """The deadline passed: something may be lost."""
        if not self._sent:
            return
        if now >= self._judge_at:
            self._judge(now)
        if now >= self._timeout_at():
            self._time_out(now)
        elif now >= self._probe_at():
            self._probe()

    def _probe(self) -> None:
        """Two round trips of silence: one more packet, the last one if there is no new one."""
        self._probed = True
        self._exempt = True
        if self.waiting and self.flight + self.payload <= self.peer_window:
            return
        last = next((one for one in reversed(self._sent.values()) if one.state == FLYING), None)
        if last is not None:
            last.state = LOST
            self.flight -= last.size
            self.lost.append(last.number)

    def _time_out(self, now: float) -> None:
        """Nothing for a whole timeout: everything that was out is taken for lost.

        The second time that includes what a SACK had reported: a peer may have dropped it again (RFC 9260 §6.3.3).
        """
        if self.peer_window >= self.payload:
            self.window.timed_out()
        self.timeouts += 1
        self.rtt.back_off()
        self._all_lost(now, again=self.timeouts > 1)

    def _all_lost(self, now: float, *, again: bool) -> None:
        self._progress = now
        if again:
            self._arrived.clear()
        for fragment in self._sent.values():
            if fragment.state == FLYING or (again and fragment.state == ARRIVED):
                fragment.state = LOST
        self.lost = deque(number for number, one in self._sent.items() if one.state == LOST)
        self._resent.clear()
        self.flight = 0
        self._judged = self.number + 1
        self._recovery = self.number
        self._reduced_at = now
        self._shrunk_at = 0.0  # a window of one packet, or of a new path, grows with the first that arrives
        self._judge_at = math.inf
        self._exempt = True
        for message in {one.message for one in self._sent.values() if one.message.retransmissions < math.inf}:
            self._outlived_message(message, now)
        self._advance_given_up()

    def restart_path(self, now: float) -> None:
        """The path is another one: its times and its window are unknown, and what was out stayed on the old one."""
        self.rtt.reset()
        self.window.reset()
        self.timeouts = self.copies_lost = self.cut_in_vain = 0
        self._all_lost(now, again=False)

    # ------------------------------------------------------------------ what is given up (RFC 3758)

    def give_up(self, message: Message) -> None:
        """Send no more of it. What was cut off keeps its numbers, and one more stands for the rest."""
        message.given_up = self._gives_up = True
        for fragment in self._sent.values():
            if fragment.message is message:
                if fragment.state == FLYING:
                    self.flight -= fragment.size
                fragment.state = GIVEN_UP
        if message in self.waiting:
            self.waiting.remove(message)
            self.queued -= len(message.data) - message.cut
            if message.cut:
                self.number += 1
                rest = Fragment(self.number, LAST | (UNORDERED if message.unordered else 0), message, b"")
                rest.state = GIVEN_UP
                self._sent[self.number] = rest
        self._advance_given_up()

    def forward(self) -> tuple[int, list[tuple[int, int]]] | None:
        """TSN and streams of the FORWARD TSN that the peer needs, if it needs one."""
        if self.given_up <= self.cumulative:
            return None
        streams = [(stream, place) for stream, (place, _) in self._given_up_streams.items()]
        return self.tsn(self.given_up), streams

    def _outlived(self, fragment: Fragment, now: float) -> bool:
        message = fragment.message
        if message.expires <= now or fragment.count > message.retransmissions:
            self.give_up(message)
            return True
        return False

    def _outlived_message(self, message: Message, now: float) -> None:
        for fragment in list(self._sent.values()):
            if fragment.message is message and fragment.state == LOST and self._outlived(fragment, now):
                return
