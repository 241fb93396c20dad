# SPDX-License-Identifier: Apache-2.0
"""WebRTC stacks that nobody here wrote: where they are, and how an end of theirs is started (bench/peers/node.mjs).

``HARDWIRE_REQUIRE_PEERS=1`` (what a whole test run sets where there is node) makes a missing one a failure.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "bench" / "peers" / "node.mjs"
INSTALLED = Path(sys.prefix) / "share" / "bench-peers"
"""Where ``hsm/up.sh`` puts what peers/package-lock.json names."""
STACKS = {"ndc": ("node-datachannel", "node-datachannel"), "wrtc": ("wrtc", "@roamhq/wrtc")}
"""Of each native stack: its name in a report, and the package that has it."""


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
    return [node, str(PROGRAM), str(INSTALLED), stack], ""


def native_or_skip(stack: str) -> list[str]:
    """The command, for a test."""
    command, problem = native(stack)
    if not command and os.environ.get("HARDWIRE_REQUIRE_PEERS") == "1":
        pytest.fail(problem)
    if not command:
        pytest.skip(problem)
    return command
