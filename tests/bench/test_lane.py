# SPDX-License-Identifier: Apache-2.0
"""The benchmark of lanes measures what it says it does; how fast this machine is today is not this test's business."""

import json
import math
import os
import subprocess
import sys

from support.budgets import ROOT


def test_a_file_over_a_lane_and_over_tls_are_measured_in_one_run() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "bench" / "lane.py", "--quick", "--json", "--megabytes", "16"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert set(report["mb_per_s"]) == {"ours", "tls"}
    assert all(math.isfinite(rate) and rate > 0 for rate in report["mb_per_s"].values())
    assert set(report["ratio"]) == {"tls", "bars", "reached"}
    assert report["octets"] == 16_000_000
    assert 0 < report["direct_share"] <= 1
    assert report["rounds"] == len(report["samples"]["ours"]) == 1
    assert "TLS 1.3" in done.stderr


def test_a_ratio_is_of_one_round_and_the_bars_are_compared_with_it() -> None:
    from bench import lane

    extra = [{"seconds": 1.0, "direct": 90, "cpu": 1e-7, "memory": 5}] * 3
    samples = {"ours": [100.0, 10.0, 30.0], "tls": [100.0, 40.0, 20.0], "scp": [50.0, 20.0, 60.0]}
    found = lane.report(samples, extra, ["wormhole: not there"], 100, on="memory")
    assert found["ratio"] == {"tls": 1.0, "scp": 0.5, "bars": lane.BARS, "reached": False}
    assert found["mb_per_s"] == {"ours": 30.0, "tls": 40.0, "scp": 50.0}
    assert (found["direct_share"], found["cpu_ns_per_octet"], found["peak_memory"]) == (0.9, 1.0, 5)
    found["machine"] = {"cpu": "one", "cores": 2, "load": 0.0, "python": "3"}
    shown = lane.table(found)
    assert "BELOW 1.0" in shown
    assert "not measured: wormhole: not there" in shown
