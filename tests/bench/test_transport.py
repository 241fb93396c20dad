# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says it does; how fast this machine is today is not this test's business."""

import argparse
import math

from bench import transport
from support.udpproxy import Bottleneck, Conditions


async def test_variants_are_measured_over_loopback_and_over_a_bad_path(monkeypatch):
    few = {"raw": "raw aiortc", "fast_1200": "data channel, 1200"}
    monkeypatch.setattr(transport, "LOOPBACK", few)
    monkeypatch.setattr(transport, "LOSSES", {0.01: 1.5})
    report = await transport.run(argparse.Namespace(seconds=0.05, rounds=1))
    assert set(report["loopback"]) == set(report["lossy"]["0.01"]) == set(few)
    for part in (report["loopback"], report["lossy"]["0.01"]):
        for figures in part.values():
            assert all(math.isfinite(value) and value >= 0 for value in figures.values())
            assert figures["mb_per_s"] > 0
        assert part["raw"]["ratio"] == 1.0
    assert 0 < report["sharing"]["share"] < 1
    words = transport.table(report)
    assert "1.0% loss" in words
    assert "bar 6" in words


async def test_a_bottleneck_delays_drops_and_queues():
    import asyncio

    loop = asyncio.get_running_loop()
    arrived = []
    way = Bottleneck(Conditions(delay=0.02, rate=1e6, queue=5000))
    began = loop.time()
    for number in range(20):
        way.put(1000, lambda number=number: arrived.append((number, loop.time() - began)))
    await asyncio.sleep(0.1)
    assert way.passed == len(arrived) < 20
    assert way.passed + way.dropped == 20
    assert [number for number, _ in arrived] == list(range(len(arrived)))
    assert all(at >= 0.02 for _, at in arrived)
    lossy = Bottleneck(Conditions(loss=0.3))
    assert 200 < sum(lossy.put(1, lambda: None) for _ in range(400)) < 360
    await asyncio.sleep(0.01)
