# SPDX-License-Identifier: Apache-2.0
"""How long a round trip takes, and how long to wait for one (RFC 6298, RFC 9260 §6.3).

The least round trip of the last minutes stands for the bare path; what a round takes beyond it is time spent in
somebody's queue (which may stand for long, hence minutes). Times are seconds of a clock that the caller reads.
"""

import math
from typing import Final

INITIAL_TIMEOUT: Final = 1.0
LEAST_TIMEOUT: Final = 0.25
MOST_TIMEOUT: Final = 4.0
"""RFC 9260 suggests 60 s. A line that was silent for half a minute should be back within seconds of its path."""
LEAST_PROBE: Final = 0.03
PEER_DELAY: Final = 0.2
"""How long a peer may keep a SACK for a lone packet (RFC 9260 §6.2)."""
_ALPHA: Final = 1 / 8
_BETA: Final = 1 / 4
_MEMORY: Final = 120.0
_MOST_BACK_OFF: Final = 6


class RttEstimator:
    """Smoothed round trip time, its variance and its floor."""

    __slots__ = (
        "_back_off",
        "_floor",
        "_floor_before",
        "_floor_since",
        "_round",
        "_timeout",
        "latest",
        "smoothed",
        "variance",
    )

    def __init__(self) -> None:
        self.smoothed = 0.0
        self.variance = 0.0
        self.latest = 0.0
        self._floor = math.inf
        self._floor_before = math.inf
        self._floor_since = -math.inf
        self._round = math.inf
        self._back_off = 0
        self._timeout = INITIAL_TIMEOUT

    @property
    def is_known(self) -> bool:
        """There was a sample."""
        return self.smoothed > 0

    @property
    def floor(self) -> float:
        """The least round trip of the last 2 to 4 minutes."""
        return min(self._floor, self._floor_before)

    def sample(self, seconds: float, now: float) -> None:
        """Take a measurement of something that was sent once."""
        seconds = max(seconds, 1e-6)
        self.latest = seconds
        if self.smoothed:
            self.variance += _BETA * (abs(self.smoothed - seconds) - self.variance)
            self.smoothed += _ALPHA * (seconds - self.smoothed)
        else:
            self.smoothed, self.variance = seconds, seconds / 2
        if now - self._floor_since > _MEMORY:
            self._floor_before, self._floor, self._floor_since = self._floor, seconds, now
        self._floor = min(self._floor, seconds)
        self._round = min(self._round, seconds)
        self._work_out_timeout()

    def end_round(self) -> float:
        """The least sample since the last call; infinite when there was none."""
        least, self._round = self._round, math.inf
        return least

    def queueing(self) -> float:
        """Seconds that even the quickest packet of this round spent in queues."""
        least = self.latest if math.isinf(self._round) else self._round
        return max(0.0, least - self.floor) if self.is_known else 0.0

    def progressed(self) -> None:
        """Something was acknowledged: forget the back-off."""
        if self._back_off:
            self._back_off = 0
            self._work_out_timeout()

    def back_off(self) -> None:
        """A timeout: wait twice as long for the next one."""
        self._back_off = min(self._back_off + 1, _MOST_BACK_OFF)
        self._work_out_timeout()

    def timeout(self) -> float:
        """Seconds without any acknowledgement until everything is taken for lost."""
        return self._timeout

    def _work_out_timeout(self) -> None:
        base = max(LEAST_TIMEOUT, self.smoothed + 4 * self.variance) if self.smoothed else INITIAL_TIMEOUT
        self._timeout = min(base * (1 << self._back_off), MOST_TIMEOUT)

    def probe_timeout(self, *, alone: bool) -> float:
        """Seconds after the last packet until its loss is checked by another (RFC 8985 §7.2).

        Args:
            alone: One packet is out: the peer may keep its acknowledgement for a while.
        """
        if not self.smoothed:
            return INITIAL_TIMEOUT
        wait = min(max(2 * self.smoothed, LEAST_PROBE), self._timeout)
        return wait + PEER_DELAY if alone else wait

    def reset(self) -> None:
        """Another path: what was measured says nothing any more."""
        self.__init__()  # type: ignore[misc]
