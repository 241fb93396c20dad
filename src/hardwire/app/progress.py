# SPDX-License-Identifier: Apache-2.0
"""How fast, and how long still: the arithmetic of a progress line."""

from collections import deque
from typing import Final

_WINDOW: Final = 3.0
"""Seconds over which the rate is averaged: long enough to be calm, short enough to follow the network."""


class Meter:
    """Rate and remaining time of one transfer.

    Args:
        size: Octets in all.
        now: Monotonic seconds at the start.
        done: Octets that were here before: they took no time, and make no rate.
    """

    def __init__(self, size: int, now: float, done: int = 0) -> None:
        self.size = size
        self.done = done
        self._start = now
        self._marks: deque[tuple[float, int]] = deque([(now, done)])

    def advance(self, done: int, now: float) -> None:
        """``done`` octets are through at ``now``."""
        self.done = done
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] <= now - _WINDOW:  # noqa: PLR2004 (a rate needs two marks)
            self._marks.popleft()

    @property
    def rate(self) -> float:
        """Octets a second over the last few seconds; 0 before anything moved."""
        (then, before), (now, done) = self._marks[0], self._marks[-1]
        return (done - before) / (now - then) if now > then else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds still to go, or None while nothing moves."""
        rate = self.rate
        return (self.size - self.done) / rate if rate > 0 else None

    def elapsed(self, now: float) -> float:
        """Seconds since the start."""
        return now - self._start
