# SPDX-License-Identifier: Apache-2.0
"""How much may be on its way: a congestion window in octets, growing as CUBIC's (RFC 9438).

Slow start until the round trips get longer (as in RFC 9406) or something is lost, then CUBIC, never slower than the
Reno of the same loss rate. A loss takes 30 % of the window when packets were queueing somewhere: that is congestion,
and the others on that link slow down as well. When the quickest packets of the round still took the bare time of the
path, the loss was most likely a bad link, and slowing down would help nobody: then the window gives a tenth, and
grows back like Reno's. A timeout starts again from one packet in both cases.

The window only grows while it is what limits the sender (RFC 9260 §7.2.1), and shrinks while nothing is sent.
"""

import math
from typing import Final

from hardwire.net.rtc.rtt import RttEstimator

INITIAL_PACKETS: Final = 10
LEAST_PACKETS: Final = 4
MOST: Final = 4 * 1024 * 1024
"""Octets: 80 MB/s at a round trip of 50 ms."""
CONGESTED: Final = 0.7
UNCONGESTED: Final = 0.9
_CUBIC: Final = 0.4
_RENO: Final = 3 * (1 - CONGESTED) / (1 + CONGESTED)
_LEAST_QUEUE: Final = 0.002
_QUEUE_SHARE: Final = 1 / 10
_RISE_SHARE: Final = 1 / 8
_LEAST_RISE: Final = 0.004
_MOST_RISE: Final = 0.016
_STEEPEST: Final = 1.5


class CongestionWindow:
    """Octets that may be out, for one path.

    Args:
        packet: Octets of data in a full packet.
        rtt: Of the same path; read, never written.
    """

    __slots__ = ("_began", "_origin", "_peak", "_reno", "_rise", "_round_least", "_rtt", "packet", "size", "threshold")

    def __init__(self, packet: int, rtt: RttEstimator) -> None:
        self.packet = packet
        self._rtt = rtt
        self.reset()

    def reset(self) -> None:
        """Another path: begin again."""
        self.size: float = INITIAL_PACKETS * self.packet
        self.threshold = math.inf
        self._peak = 0.0
        self._began: float | None = None
        self._origin = 0.0
        self._reno = 0.0
        self._rise = _RENO
        self._round_least = math.inf

    @property
    def in_slow_start(self) -> bool:
        """It doubles every round."""
        return self.size < self.threshold

    def acknowledged(self, octets: int, now: float) -> None:
        """So much arrived, and the window was what limited us."""
        if self.in_slow_start:
            self.size = min(self.size + octets, MOST)
            return
        if self._began is None:
            self._began, self._peak = now, max(self._peak, self.size)
            self._origin = self._reno = self.size
        self._reno += self._rise * self.packet * octets / self.size
        # Where the cubic will be in one round trip (RFC 9438 §4.2).
        after = now + self._rtt.smoothed - self._began
        packets = self._peak / self.packet
        shift = math.cbrt((self._peak - self._origin) / self.packet / _CUBIC)
        target = self.packet * (_CUBIC * (after - shift) ** 3 + packets)
        target = min(max(target, self.size), _STEEPEST * self.size)
        self.size = min(max(self.size + (target - self.size) * octets / self.size, self._reno), MOST)

    def round_ended(self, *, limited: bool) -> None:
        """All that was out when the last round ended is acknowledged: are the round trips getting longer?

        Args:
            limited: The window was what held the sender back. What is sent now and then says nothing of queues: peers
                keep the acknowledgement of a lone packet for a while.
        """
        least = self._rtt.end_round()
        if not limited or math.isinf(least):
            self._round_least = math.inf
            return
        rise = min(max(self._round_least * _RISE_SHARE, _LEAST_RISE), _MOST_RISE)
        if self.in_slow_start and least >= self._round_least + rise:
            self.threshold = self.size
            self._began = None
        self._round_least = least

    def lost(self) -> None:
        """Something that was sent since the last call is lost; called once a round trip at most."""
        queueing = self._rtt.queueing() > max(_LEAST_QUEUE, self._rtt.floor * _QUEUE_SHARE)
        # The next loss is judged by what comes from now on: while a hole is open no round ends.
        self._rtt.end_round()
        share, self._rise = (CONGESTED, _RENO) if queueing else (UNCONGESTED, 1.0)
        # A window below the last peak: somebody else wants room (fast convergence, RFC 9438 §4.7).
        self._peak = self.size * (1 + share) / 2 if queueing and self.size < self._peak else self.size
        self.size = self.threshold = max(self.size * share, LEAST_PACKETS * self.packet)
        self._began = None

    def timed_out(self) -> None:
        """Nothing came back for long: begin with one packet.

        What the path carried is known from the first of several in a row only (RFC 5681 §3.1).
        """
        if self.size > self.packet:
            self._peak = self.size
            self.threshold = max(self.size * CONGESTED, LEAST_PACKETS * self.packet)
        self.size = float(self.packet)
        self._rise = _RENO
        self._began = None

    def rested(self, periods: float) -> None:
        """Nothing was sent for so many timeouts: half the window for each, but never less than at the beginning."""
        self.threshold = max(self.threshold, 0.75 * self.size)
        self.size = max(self.size * 0.5**periods, min(self.size, INITIAL_PACKETS * self.packet))
        self._began = None
