# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says it does; how fast this machine is today is not this test's business."""

import json
import math
import os
import subprocess
import sys

from support.budgets import ROOT


def test_everything_is_measured_next_to_its_bar() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "bench" / "certs.py", "--quick", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["bars"] == {"chain": 25.0, "hostile": 100.0, "list": 250.0}
    assert set(report["hostile"]) == {"limits and names", "policies", "stuffed"}
    figures = [*report["chain"].values(), *report["hostile"].values(), *report["list"].values()]
    assert all(math.isfinite(one) and one > 0 for one in figures)
    assert report["reached"]["chain"] == (report["chain"]["ratio"] <= 25)
    assert report["list"]["octets"] > 400_000
    assert "cryptography alone" in done.stderr
