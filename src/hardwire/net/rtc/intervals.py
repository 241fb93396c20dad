# SPDX-License-Identifier: Apache-2.0
"""A set of whole numbers kept as its runs: what a SACK lists, at the end that sends it and at the end that reads it.

Numbers are unwrapped packet numbers: they only grow, and never jump back at 2^32. Both ends mostly add at the upper
edge, which costs nothing; anything else is a binary search. Nothing here walks over what is already in the set, so a
peer cannot make us count the same packets again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Intervals:
    """Disjoint runs of numbers, none touching another, in order.

    Attributes:
        starts: First number of each run; none when the set is empty.
    """

    __slots__ = ("_ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """First and last number of each run."""
        return zip(self.starts, self._ends, strict=True)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self.starts, number) - 1
        return place >= 0 and self._ends[place] >= number

    def first_run(self) -> tuple[int, int]:
        """The lowest run."""
        return self.starts[0], self._ends[0]

    def head(self, most: int) -> list[tuple[int, int]]:
        """The lowest runs."""
        return list(zip(self.starts[:most], self._ends[:most], strict=True))

    def add(self, first: int, last: int) -> list[tuple[int, int]]:
        """Put a run in; the runs within it that were not there before, in order."""
        starts, ends = self.starts, self._ends
        if not ends or first > ends[-1] + 1:
            starts.append(first)
            ends.append(last)
            return [(first, last)]
        place = bisect_right(starts, first) - 1
        if place >= 0 and last <= ends[place]:
            return []  # nothing new, as most of what a SACK lists
        # Every run that overlaps the new one or touches it.
        low = bisect_left(ends, first - 1)
        high = bisect_right(starts, last + 1)
        fresh: list[tuple[int, int]] = []
        at = first
        for place in range(low, high):
            if starts[place] > at:
                fresh.append((at, starts[place] - 1))
            at = max(at, ends[place] + 1)
        if at <= last:
            fresh.append((at, last))
        if low < high:
            first, last = min(first, starts[low]), max(last, ends[high - 1])
        starts[low:high], ends[low:high] = [first], [last]
        return fresh

    def drop_through(self, number: int) -> None:
        """Take out everything up to and with ``number``."""
        place = bisect_right(self._ends, number)
        del self.starts[:place], self._ends[:place]
        if self.starts and self.starts[0] <= number:
            self.starts[0] = number + 1

    def clear(self) -> None:
        """Take everything out."""
        self.starts.clear()
        self._ends.clear()
