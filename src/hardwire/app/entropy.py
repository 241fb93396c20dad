# SPDX-License-Identifier: Apache-2.0
"""The system's randomness and clocks, handed to the pure core as values."""

import os
import time
from datetime import UTC, datetime


class SystemEntropy:
    """Randomness from the kernel (getrandom(2)); the default at the edge."""

    def octets(self, size: int) -> bytes:
        """``size`` fresh random octets."""
        return os.urandom(size)


def utc_now() -> datetime:
    """The wall clock, for certificates and invites."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only grow, for timers."""
    return time.monotonic()
