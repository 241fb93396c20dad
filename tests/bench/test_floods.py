# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says it does; how fast this machine is today is not this test's business."""

import argparse
import math

from bench import floods
from bench.frame import machine
from support.attacks import split


async def test_floods_are_measured_and_told(monkeypatch):
    few = {name: floods.FLOODS[name] for name in ("HEARTBEAT, tiny", "SACK of gaps", "a message over the limit")}
    monkeypatch.setattr(floods, "FLOODS", few)
    monkeypatch.setattr(floods, "HONEST", {})
    monkeypatch.setattr(floods, "DATAGRAMS", {floods.LONE: floods.DATAGRAMS[floods.LONE]})
    strangers = dict(list(floods.STRANGERS.items())[-1:])
    monkeypatch.setattr(floods, "STRANGERS", strangers)
    monkeypatch.setattr(floods, "AIORTC_OCTETS", 50_000)
    report = await floods.run(argparse.Namespace(mb=0.3, only=""))
    assert list(report["floods"]) == [*few, floods.LONE, *strangers]
    for one in report["floods"].values():
        assert all(value is None or (math.isfinite(value) and value >= 0) for value in one.values())
    assert report["floods"]["a message over the limit"]["ended_after_kb"] is not None
    assert report["floods"]["HEARTBEAT, tiny"]["aiortc_s_per_100_mb"] > 0
    words = floods.table({**report, "machine": machine()})
    assert "ended within" in words
    assert "HEARTBEAT, tiny" in words


def test_a_train_has_one_size_and_maybe_a_shorter_end():
    sizes = (100, 100, 60, 100, 120, 120)
    records = memoryview(b"".join(b"\x17\xfe\xfd" + bytes(8) + size.to_bytes(2) + bytes(size) for size in sizes))
    assert [(len(train), segment) for train, segment in split(records)] == [(299, 113), (113, 113), (266, 133)]
