# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says it does; how fast this machine is today is not this test's business."""

import json
import math
import os
import subprocess
import sys

from support.budgets import ROOT

BOTH = {"up_mb_per_s", "down_mb_per_s", "rtt_p50_us", "rtt_p99_us", "open_ms"}


def test_the_line_and_plain_aiortc_are_measured_in_one_run() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "bench" / "line.py", "--quick", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert set(report["raw"]) == set(report["raw_uvloop"]) == BOTH
    assert set(report["ours"]) == BOTH | {"handshake_ms", "file_mb_per_s"}
    for variant in ("raw", "raw_uvloop", "ours"):
        assert all(math.isfinite(value) and value > 0 for value in report[variant].values())
        assert len(report["samples"][variant]) == report["rounds"] >= 1
        assert report[variant]["rtt_p50_us"] <= report[variant]["rtt_p99_us"]
    for base in ("raw", "raw_uvloop"):
        assert set(report["ratio"][base]) == BOTH
        assert all(value > 0 for value in report["ratio"][base].values())
    assert isinstance(report["ratio"]["reached"], bool)
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["versions"]["aiortc"]
    # The table goes where it does not disturb whoever reads the JSON.
    assert "offerer sends" in done.stderr


def test_a_ratio_above_one_is_better_for_rates_and_for_times(monkeypatch) -> None:
    from bench import line

    base = [{"up_mb_per_s": 10.0, "rtt_p50_us": 100.0}] * 3
    ours = [{"up_mb_per_s": rate, "rtt_p50_us": 200.0} for rate in (20.0, 5.0, 30.0)]
    assert line.ratios(base, ours) == {"up_mb_per_s": 2.0, "rtt_p50_us": 0.5}
