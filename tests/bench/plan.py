# SPDX-License-Identifier: Apache-2.0
"""How much a run of ``bench transport`` measures."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
INSTALLED = Path(sys.prefix) / "share" / "bench-peers"
"""Where ``hsm/up.sh`` puts what peers/package-lock.json names."""
STACKS = {"ndc": ("node-datachannel", "node-datachannel"), "wrtc": ("wrtc", "@roamhq/wrtc")}
"""Of each native stack: its name in a report, and the package that has it."""


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
    orders: tuple[str, ...] = ("line first", "TCP first", "at once")


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


def native(stack: str) -> tuple[list[str], str]:
    """(the command that starts such an end, or nothing; why it cannot be had)."""
    node = shutil.which("node")
    if node is None:
        return [], "node is not installed"
    package = STACKS[stack][1]
    if not (INSTALLED / "node_modules" / package).is_dir():
        return (
            [],
            f"{package} is not installed: `bash hsm/up.sh bench transport` does it, where the npm registry answers",
        )
    tried = subprocess.run(
        [node, "-e", f"require({json.dumps(package)}); process.exit(0)"],
        cwd=INSTALLED,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if tried.returncode:
        words = [line for line in tried.stderr.splitlines() if "Error" in line] or ["it does not say why"]
        return [], f"{package} cannot be loaded: {words[0].strip()}"
    return [node, str(PEERS / "node.mjs"), str(INSTALLED), stack], ""
