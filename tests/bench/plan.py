# SPDX-License-Identifier: Apache-2.0
"""How much a run of ``bench transport`` measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes are octets.

    Args:
        seconds: Of bulk for each figure.
        rounds: How often; the figures are medians.
        file: Of the direct lane's part.
        only_tls: Compare the lane with nothing but TLS.
        long: Moved while memory is watched, over the data channel and over a lane.
        lines: That idle in one process.
        proof: Random octets moved and hashed between mixed ends, each way.
        orders: Of who is first at a bottleneck, a line or TCP.
    """

    seconds: float = 1.0
    rounds: int = 3
    file: int = 500_000_000
    only_tls: bool = False
    long: int = 1_000_000_000
    lines: int = 50
    proof: int = 20_000_000
    orders: tuple[str, ...] = ("line first", "TCP first", "at once", "TCP before TCP")


QUICK = Plan(
    seconds=0.2,
    rounds=1,
    file=32_000_000,
    only_tls=True,
    long=200_000_000,
    lines=10,
    proof=2_000_000,
    orders=("at once",),
)
