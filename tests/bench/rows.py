# SPDX-License-Identifier: Apache-2.0
"""What a report says: rows of a measure, its value, its ratio to a reference, and the bar that applies."""

import math
from dataclasses import asdict, dataclass

WIDTH = 72


@dataclass(frozen=True)
class Bar:
    """Between which values the ratio (or, where there is none, the value) should be; both ends belong to it."""

    least: float = -math.inf
    most: float = math.inf

    def __str__(self) -> str:
        if self.least == -math.inf:
            return f"≤ {self.most:g}"
        return f"≥ {self.least:g}" if self.most == math.inf else f"{self.least:g}–{self.most:g}"

    def met(self, found: float) -> bool:
        """NaN meets nothing."""
        return self.least <= found <= self.most


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Args:
        measure: What was measured, in words.
        value: How much of ``unit`` it is.
        ratio: To the reference that ``measure`` names; the bar is for this one, if it is there.
        bar: What the issue of it asks for.
    """

    measure: str
    value: float
    unit: str
    ratio: float | None = None
    bar: Bar | None = None

    @property
    def met(self) -> bool | None:
        """None: there is no bar."""
        if self.bar is None:
            return None
        return self.bar.met(self.value if self.ratio is None else self.ratio)

    def told(self) -> dict:
        """For JSON."""
        return {**asdict(self), "bar": None if self.bar is None else str(self.bar), "met": self.met}

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}×"
        verdict = "" if self.bar is None else f"{self.bar!s:>9}  {'yes' if self.met else 'NO'}"
        return f"{self.measure:<{WIDTH}}{number(self.value):>9} {self.unit:<9}{ratio:>9}  {verdict}".rstrip()


def number(value: float) -> str:
    """Three digits or a little more: nobody measures more here."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def heading(title: str) -> str:
    """The line above the rows of a part."""
    return f"{title:<{WIDTH}}{'value':>9} {'':<9}{'ratio':>9}  {'bar':>9}  met"
