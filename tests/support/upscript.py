# SPDX-License-Identifier: Apache-2.0
"""Runs ``hsm/up.sh`` or single functions of its parts, without letting it install anything."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.budgets import ROOT

PARTS = ("say", "places", "system", "python", "peers", "checks", "tokens", "shell")


def run_up(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the script itself with ``env`` on top of this process's environment."""
    command = ["bash", str(ROOT / "hsm" / "up.sh"), *arguments]
    return subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def script(words: str, root: Path = ROOT) -> str:
    """A bash program in which the parts of ``root`` are loaded; ``prepare`` takes the Python that runs the tests."""
    lines = [
        "set -Eeuo pipefail",
        'root=$1 venv=""; shift',
        *(f'source "$root/hsm/lib/{part}.sh"' for part in PARTS),
        "usage_error() { die 2 \"$1\" 'see: bash hsm/up.sh help'; }",
        words,
    ]
    if root == ROOT:
        lines.insert(-1, f"prepare() {{ venv={sys.prefix}; }}")
    return "\n".join(lines)


def run_part(
    words: str, *arguments: str, env: Mapping[str, str] | None = None, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run ``words`` in :func:`script`; ``arguments`` are ``$1`` and so on there."""
    return subprocess.run(
        ["bash", "-c", script(words, root), "-", str(root), *arguments],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
