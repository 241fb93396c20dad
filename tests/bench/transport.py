# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench transport``: how fast data moves, next to plain aiortc, in one run on this machine.

Two processes for each variant, messages of 64 KiB. Over loopback: plain aiortc; the data channel alone and the whole
line (every octet in a protected frame), each with packets of 1200 octets and of the size that the path carries.
Over a path of 50 ms with random losses (a proxy in this process): plain aiortc and the data channel.

All figures are medians over the rounds, and a ratio is the median of the ratios within each round to plain aiortc over
the same path; above 1 hardwire is better. Processor time is that of both ends together, which the other work of a busy
machine disturbs less than it does the clock. A measurement is no test: the exit code says only whether there is one.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager

from bench.line import MESSAGE, ROLES, Pair, Peer, machine, started
from support.udpproxy import Bottleneck, Conditions, Crossing

LOOPBACK = {
    "raw": "raw aiortc",
    "fast_1200": "data channel, 1200",
    "fast_8k": "data channel, 8 KB",
    "fast": "data channel, path's size",
    "ours_1200": "line, 1200",
    "ours_8k": "line, 8 KB",
}
BARS = {"fast_1200": 6.0, "ours_1200": 6.0, "fast_8k": 15.0, "ours_8k": 15.0}
LOSSES = {0.0: 3.0, 0.001: 2.0, 0.01: 1.5}
LOSSY = {"raw": "raw aiortc", "fast_1200": "data channel, 1200"}
ONE_WAY = 0.025
RATE = 25e6
CANDIDATE = re.compile(r"127\.0\.0\.1 (\d+) typ host")


class Measured(Pair):
    """A pair that may talk through a crossing, and that tells what it cost."""

    def __init__(self, variant: str, offerer: Peer, answerer: Peer, crossing: Crossing | None = None) -> None:
        super().__init__(variant, offerer, answerer)
        self._crossing = crossing

    async def open(self) -> None:
        offer = await self._offerer.ask("offer")
        answer = await self._answerer.ask("answer", **self._through(offer, "right"))
        opened = self._offerer.ask("accept", **self._through(answer, "left"))
        await asyncio.gather(opened, self._answerer.ask("opened"))

    async def move(self, size: int) -> dict[str, float]:
        """Rate and processor time of one transfer."""
        before = await self._cpu()
        rate = await self._bulk(self._offerer, self._answerer, size)
        return {"mb_per_s": rate, "cpu_ms_per_mb": 1e9 * (await self._cpu() - before) / size}

    async def close(self) -> None:
        await asyncio.gather(self._offerer.ask("close"), self._answerer.ask("close"))

    async def _cpu(self) -> float:
        return sum([(await peer.ask("cpu"))["seconds"] for peer in (self._offerer, self._answerer)])

    def _through(self, description: dict, side: str) -> dict:
        """The description of an end, with the crossing's address in the place of its own."""
        if self._crossing is None:
            return description
        self._crossing.expect("left" if side == "right" else "right", self._port(description))
        host, port = getattr(self._crossing, side)
        told = json.loads(description["text"])
        if "sdp" in told:
            told["sdp"] = CANDIDATE.sub(f"{host} {port} typ host", told["sdp"])
        else:
            told["candidates"] = [[host, port]]
        return {"text": json.dumps(told)}

    def _port(self, description: dict) -> tuple[str, int]:
        told = json.loads(description["text"])
        if "sdp" in told:
            return "127.0.0.1", int(CANDIDATE.search(told["sdp"]).group(1))
        return next((host, port) for host, port in told["candidates"] if host == "127.0.0.1")


@asynccontextmanager
async def measured(variant: str, crossing: Crossing | None = None):
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hardwire-bench-"))
        ends = [await stack.enter_async_context(started(variant, role, directory)) for role in ROLES]
        pair = Measured(variant, *ends, crossing)
        await pair.open()
        yield pair
        await pair.close()


async def over_loopback(seconds: float) -> dict[str, dict[str, float]]:
    """One round: each variant for about so long."""
    figures: dict[str, dict[str, float]] = {}
    for variant in LOOPBACK:
        async with measured(variant) as pair:
            await asyncio.sleep(0.3)
            size = 20 * MESSAGE
            warm = await pair.move(size)
            size = max(size, round(1e6 * warm["mb_per_s"] * seconds / MESSAGE) * MESSAGE)
            figures[variant] = await pair.move(size)
            times = (await pair._offerer.ask("ping", count=500, seconds=0.4 * seconds))["times"]
            figures[variant]["rtt_p50_us"] = 1e6 * statistics.median(times)
    return figures


async def over_losses(loss: float, seconds: float) -> dict[str, dict[str, float]]:
    """One round over a path that is 50 ms long."""
    figures: dict[str, dict[str, float]] = {}
    for variant in LOSSY:
        there = Bottleneck(Conditions(ONE_WAY, loss, RATE))
        crossing = Crossing(there, Bottleneck(Conditions(ONE_WAY, loss, RATE), seed=2))
        try:
            async with measured(variant, crossing) as pair:
                size = 4 * MESSAGE
                rate = (await pair.move(size))["mb_per_s"]
                size = max(size, round(1e6 * rate * seconds / MESSAGE) * MESSAGE)
                figures[variant] = await pair.move(size)
                figures[variant]["lost"] = there.dropped / max(1, there.dropped + there.passed)
        finally:
            crossing.close()
    return figures


async def share(seconds: float) -> dict[str, float]:
    """Two lines through one bottleneck: what part of both the first one gets."""
    ways = Bottleneck(Conditions(ONE_WAY, 0.0, 4e6, 200_000)), Bottleneck(Conditions(ONE_WAY))
    crossings = [Crossing(*ways) for _ in range(2)]
    try:
        async with measured("fast_1200", crossings[0]) as one, measured("fast_1200", crossings[1]) as other:
            size = round(4e6 * seconds / 2 / MESSAGE) * MESSAGE
            rates = [found["mb_per_s"] for found in await asyncio.gather(one.move(size), other.move(size))]
    finally:
        for crossing in crossings:
            crossing.close()
    return {"first_mb_per_s": rates[0], "second_mb_per_s": rates[1], "share": rates[0] / sum(rates)}


def summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Medians of each variant, and its ratio to plain aiortc."""
    told: dict[str, dict[str, float]] = {}
    for variant in rounds[0]:
        told[variant] = {
            name: round(statistics.median(one[variant][name] for one in rounds), 4) for name in rounds[0][variant]
        }
        told[variant]["ratio"] = round(
            statistics.median(one[variant]["mb_per_s"] / one["raw"]["mb_per_s"] for one in rounds), 3
        )
        told[variant]["cpu_ratio"] = round(
            statistics.median(one["raw"]["cpu_ms_per_mb"] / one[variant]["cpu_ms_per_mb"] for one in rounds), 3
        )
    return told


async def run(options: argparse.Namespace) -> dict:
    report: dict = {"ok": True, "machine": machine()}
    report["loopback"] = summary([await over_loopback(options.seconds) for _ in range(options.rounds)])
    print("loopback is done", file=sys.stderr)
    report["lossy"] = {}
    for loss in LOSSES:
        rounds = [await over_losses(loss, 4 * options.seconds) for _ in range(options.rounds)]
        report["lossy"][str(loss)] = summary(rounds)
        print(f"{loss:.1%} loss is done", file=sys.stderr)
    report["sharing"] = await share(6 * options.seconds)
    return report


def table(report: dict) -> str:
    lines = [f"{'over loopback':<28}{'MB/s':>8}{'ratio':>8}{'CPU ms/MB':>11}{'ratio':>8}{'rtt µs':>9}"]
    for variant, name in LOOPBACK.items():
        one = report["loopback"][variant]
        bar = f"   bar {BARS[variant]:.0f}" if variant in BARS else ""
        lines.append(
            f"{name:<28}{one['mb_per_s']:>8.1f}{one['ratio']:>7.1f}×{one['cpu_ms_per_mb']:>11.1f}"
            f"{one['cpu_ratio']:>7.1f}×{one['rtt_p50_us']:>9.0f}{bar}"
        )
    lines.append("")
    lines.append(f"{'50 ms round trip':<28}{'MB/s':>8}{'ratio':>8}{'lost':>11}")
    for loss, bar in LOSSES.items():
        for variant, name in LOSSY.items():
            one = report["lossy"][str(loss)][variant]
            told = f"   bar {bar:g}" if variant != "raw" else ""
            words = f"{loss:.1%} loss, {name}"
            lines.append(f"{words:<28}{one['mb_per_s']:>8.2f}{one['ratio']:>7.1f}×{one['lost']:>11.2%}{told}")
    shared = report["sharing"]
    lines += ["", f"two lines at one bottleneck of 4 MB/s: {shared['share']:.0%} and {1 - shared['share']:.0%}"]
    facts = report["machine"]
    lines += [f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start, Python {facts['python']}"]
    return "\n".join(lines)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bash hsm/up.sh bench transport", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--quick", action="store_true", help="about half a minute; good enough to see that it works")
    parser.add_argument("--seconds", type=float, help="of bulk for each figure (default 1)")
    parser.add_argument("--rounds", type=int, help="default 3")
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (0.2 if options.quick else 1.0)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        report = asyncio.run(run(options))
    except (RuntimeError, TimeoutError, OSError) as problem:
        reason = str(problem) or "time is up"
        print(f"error: nothing was measured: {reason}", file=sys.stderr)
        if options.json:
            print(json.dumps({"ok": False, "error": reason, "machine": machine()}))
        return 1
    print(table(report), file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
