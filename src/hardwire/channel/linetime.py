# SPDX-License-Identifier: Apache-2.0
"""The time of a line: it stands still while there is no path (protocol.md §14.10).

A line that lost its path for an hour, because a laptop slept, must not find on its return that a change of keys is an
hour overdue: neither side could have done anything about it. So what is due is counted in the time of the line. Its
greatest age is not: that is a matter of the real clock, which the driver keeps running through sleep.
"""


class LineTime:
    """Converts between the driver's monotonic seconds (*real*) and those of the line."""

    __slots__ = ("_paused_at", "_skipped")

    def __init__(self) -> None:
        self._skipped = 0.0
        self._paused_at: float | None = None

    @property
    def paused(self) -> bool:
        """It stands still."""
        return self._paused_at is not None

    def at(self, real: float) -> float:
        """The time of the line at ``real``."""
        return (real if self._paused_at is None else self._paused_at) - self._skipped

    def real(self, line: float) -> float:
        """When it is ``line`` o'clock, if it is not paused meanwhile."""
        return line + self._skipped

    def pause(self, real: float) -> None:
        """Stop the clock. Nothing when it stands."""
        if self._paused_at is None:
            self._paused_at = real

    def resume(self, real: float) -> None:
        """Let it go on where it stopped. Nothing when it goes."""
        if self._paused_at is not None:
            self._skipped += max(0.0, real - self._paused_at)
            self._paused_at = None
