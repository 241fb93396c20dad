# SPDX-License-Identifier: Apache-2.0
"""How fast, and how long still: the arithmetic of a progress line."""

from collections import deque
from typing import Final

_WINDOW: Final = 3.0
"""Seconds over which the rate is averaged: long enough to be calm, short enough to follow the network."""
_SETTLED: Final = 1.0
"""Seconds of movement before anybody is told how long it will still take: the first octets come slowly."""


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
        self._held_at: float | None = None
        self._held_for = 0.0
        self._marks: deque[tuple[float, int]] = deque([(now, done)])

    def advance(self, done: int, now: float) -> None:
        """``done`` octets are through at ``now``."""
        self.done, now = done, self._moving(now)
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
        """Seconds still to go; None while nothing moves, and in the first second, which says too little."""
        rate = self.rate if self._marks[-1][0] - self._marks[0][0] >= _SETTLED else 0.0
        return (self.size - self.done) / rate if rate > 0 else None

    def elapsed(self, now: float) -> float:
        """Seconds since the start, but for those in which it was held."""
        return self._moving(now) - self._start

    def hold(self, now: float) -> None:
        """It is paused: the time until it goes on makes no rate. Nothing when it is paused already."""
        if self._held_at is None:
            self._held_at = now

    def go_on(self, now: float) -> None:
        """It moves again; nothing when it does."""
        if self._held_at is not None:
            self._held_for += now - self._held_at
            self._held_at = None

    def _moving(self, now: float) -> float:
        """A clock that stands still while it is held, whatever still arrives then."""
        return (now if self._held_at is None else self._held_at) - self._held_for
