# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says it does; how fast this machine is today is not this test's business."""

import asyncio
import json
import math
from dataclasses import replace

import pytest

from bench import markdown, transport
from bench.frame import Pair, python
from bench.parts import channel, delay, lanes, memory, mixed, paths, sharing
from bench.plan import QUICK
from bench.rows import Bar, Row
from support import nativepeers
from support.nativepeers import STACKS, native_or_skip
from support.udpproxy import Bottleneck, Conditions

TINY = replace(QUICK, seconds=0.05, file=4_000_000, long=8_000_000, lines=2, orders=("at once", "TCP before TCP"))


def judged(part, found: dict) -> dict[str, Row]:
    """The rows of a part, each of them a number."""
    told = {row.measure: row for row in part.rows(found)}
    assert told
    assert all(math.isfinite(row.value) and row.value >= 0 for row in told.values())
    assert all(row.met in (True, False) for row in told.values() if row.bar is not None)
    return told


async def test_bulk_is_measured_beside_aiortc_and_native_stacks(monkeypatch):
    few = {"raw": "raw aiortc", "fast_1200": "data channel, 1200", "ours_1200": "line, 1200"}
    monkeypatch.setattr(channel, "VARIANTS", few)
    found = await channel.measure(TINY)
    told = judged(channel, found)
    assert {"raw aiortc", "data channel, 1200: × raw aiortc", "line, 1200: × raw aiortc"} <= set(told)
    for stack, (name, _) in STACKS.items():
        there = f"data channel, 1200: × {name}, both ends" in told
        assert there == (stack in found["figures"]) == (name not in found["missing"])
    assert found["aes_gcm_cpu_ms_per_mb"] > 0
    assert found["ratios"]["raw"]["raw"] == 1.0


async def test_a_stack_that_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(nativepeers, "INSTALLED", tmp_path)
    assert "not installed" in nativepeers.native("ndc")[1]
    (tmp_path / "node_modules" / "node-datachannel").mkdir(parents=True)
    command, problem = nativepeers.native("ndc")
    assert not command
    assert "installed" in problem or "cannot be loaded" in problem


@pytest.mark.parametrize("stack", STACKS)
async def test_native_ends_do_what_ours_do(stack):
    command = native_or_skip(stack)
    async with channel.opened(command) as pair:
        for up in (True, False):
            await pair.prove(1_000_000, up=up)
        assert (await pair.move(1_000_000))["mb_per_s"] > 0
        assert (await pair.offerer.ask("ping", count=3, seconds=1))["times"]
    async with channel.opened(python("bench.ends", "raw"), command) as pair:
        for up in (True, False):
            await pair.prove(1_000_000, up=up)


async def test_another_hash_than_was_sent_is_an_error():
    class Liar:
        async def ask(self, verb: str, **_) -> dict:
            return {"sha256": verb}

    with pytest.raises(RuntimeError, match="something else arrived"):
        await Pair(Liar(), Liar()).prove(10)


async def test_ours_and_aiortc_meet_every_peer_that_there_is():
    found = await mixed.measure(replace(TINY, proof=1_000_000))
    told = judged(mixed, found)
    there = set(mixed.NAMES.values()) - set(found["missing"])
    assert "Chromium" in there
    assert {f"ours {way} {name}, hash right: × raw aiortc" for way in mixed.WAYS for name in there} <= set(told)


async def test_round_trips_are_measured_idle_and_busy(monkeypatch):
    monkeypatch.setattr(delay, "BURSTS", 2)
    told = judged(delay, await delay.measure(TINY))
    assert all(any(row.startswith(state) for row in told) for state in ("idle", "while a transfer runs"))


async def test_bad_paths_are_measured_with_their_longest_silence(monkeypatch):
    monkeypatch.setattr(paths, "LOSSES", {0.01: 1.5})
    found = await paths.measure(TINY)
    told = judged(paths, found)
    assert set(told) == {
        "1.0% loss, raw aiortc",
        "1.0% loss, data channel: × raw aiortc",
        "1.0% loss, data channel: longest stall",
    }
    assert found["losses"]["0.01"][0]["fast_1200"]["gap"] >= paths.ONE_WAY


async def test_shares_are_measured_between_lines_and_beside_tcp():
    found = await sharing.measure(TINY)
    assert not found["missing"]
    told = judged(sharing, found)
    assert len(told) == 5
    assert all(0 < row.value < 100 for row in told.values())


async def test_a_machine_without_namespaces_says_so(monkeypatch):
    monkeypatch.setattr(sharing, "python", lambda *_: ["sh", "-c", "echo no such thing >&2; exit 1"])
    assert await sharing.beside_tcp(0.1, ()) == {"error": "no such thing"}


async def test_memory_is_watched_and_idle_lines_are_weighed():
    told = judged(memory, await memory.measure(TINY))
    assert told["idle lines that are still there"].value == 2
    assert sum("change of either end" in measure for measure in told) == 2


async def test_the_lane_is_part_of_the_same_report(monkeypatch):
    monkeypatch.setattr(transport, "PARTS", {"lane": lanes})
    report = await transport.run(TINY, ["lane"])
    assert [bar["measure"] for bar in report["bars"]] == ["lane: hardwire: × TLS 1.3, blocking, no hash"]
    assert report["missing"] == {"scp": "not in a quick run", "magic-wormhole": "not in a quick run"}
    report["machine"] = {"cpu": "one", "cores": 2, "load": 0.0, "python": "3", "versions": {"hardwire": "0"}}
    shown = transport.table(report)
    assert "of 1 bars are met" in shown
    assert "not measured: scp: not in a quick run" in shown


class Broken:
    TITLE = "what cannot be"

    @staticmethod
    async def measure(_):
        raise RuntimeError("there is none")


class Fixed:
    TITLE = "what is"

    @staticmethod
    async def measure(_):
        return {"missing": {}}

    @staticmethod
    def rows(_):
        return [Row("met", 2.0, "x", 1.0, Bar(1.0)), Row("missed", 9.0, "x", bar=Bar(most=8)), Row("told", 1.0, "x")]


@pytest.mark.parametrize("strict, code", [([], 0), (["--strict"], 1)])
def test_a_missed_bar_is_told_and_fails_only_who_asks_for_it(monkeypatch, capsys, strict, code):
    monkeypatch.setattr(transport, "PARTS", {"fixed": Fixed, "broken": Broken})
    assert transport.main([*strict, "--only", "fixed", "broken"]) == code
    shown = capsys.readouterr().out
    assert "1 of 2 bars are met" in shown
    assert "missed: fixed: missed ≤ 8" in shown
    assert "not measured: broken: there is none" in shown


def test_a_report_takes_the_place_of_the_figures_before(monkeypatch, capsys):
    monkeypatch.setattr(transport, "PARTS", {"fixed": Fixed})
    monkeypatch.setattr(markdown, "PARTS", {"fixed": Fixed})
    assert transport.main(["--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    once = markdown.replaced(f"one\n{markdown.BEGIN}the old one\n{markdown.END}two\n", report)
    assert once.startswith("one\n")
    assert once.endswith("two\n")
    assert "the old one" not in once
    assert "| missed | 9 x |  | ≤ 8 | no |" in once
    assert "| told | 1 x |  |  |  |" in once
    assert markdown.replaced(once, report) == once
    document = markdown.DOCUMENT.read_text(encoding="utf-8")
    assert document.count(markdown.BEGIN) == document.count(markdown.END) == 1


def test_nothing_measured_is_the_one_failure(monkeypatch, capsys):
    monkeypatch.setattr(transport, "PARTS", {"broken": Broken})
    assert transport.main(["--json"]) == 1
    assert '"ok": false' in capsys.readouterr().out


def test_a_bar_belongs_to_the_ratio_when_there_is_one():
    assert Row("a", 5.0, "x", 0.9, Bar(1.0)).met is False
    assert Row("a", 25.0, "%", bar=Bar(25, 75)).met is True
    assert Row("a", math.nan, "%", bar=Bar(25, 75)).met is False
    assert Row("a", 5.0, "x").met is None
    assert [str(Bar(1.0)), str(Bar(most=8)), str(Bar(25, 75))] == ["≥ 1", "≤ 8", "25–75"]


async def test_a_bottleneck_delays_drops_and_queues():
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
