# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench line``: what a protected line costs, next to plain aiortc, in one run on this machine.

Two processes for each variant, over loopback. A round opens a fresh line of each variant, times round trips in short
bursts by turns, moves the same number of octets each way, and closes; the next round goes through the variants in the
opposite order. All figures are medians over the rounds, and a ratio is the median of the ratios *within* each round,
because what else the machine does changes from one minute to the next. A ratio above 1 means that hardwire is better,
also for times.

A measurement is no test: the exit code is 0 whatever the figures say, and 1 only when nothing could be measured.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack

from bench.frame import Pair, Peer, finish, machine_words, parser_for, python, running, say, whole_messages

VARIANTS = {"raw": "raw aiortc", "raw_uvloop": "raw, uvloop", "ours": "hardwire"}
BAR = 0.9
WARM_UP_OCTETS = 2_000_000
PINGS = 1000
BURSTS = 10
# Of each figure: its name in a row of the table, its unit, whether more is better, whether the bar applies.
FIGURES = {
    "up_mb_per_s": ("offerer sends", "MB/s", True, True),
    "down_mb_per_s": ("answerer sends", "MB/s", True, True),
    "rtt_p50_us": ("round trip, p50", "µs", False, True),
    "rtt_p99_us": ("round trip, p99", "µs", False, False),
    "open_ms": ("channel open", "ms", False, False),
    "handshake_ms": ("HBI/1 handshake", "ms", False, False),
    "file_mb_per_s": ("file, disk to disk", "MB/s", True, False),
}


class LinePair(Pair):
    """Offerer and answerer of one variant, and what was measured of them in this round."""

    def __init__(self, variant: str, offerer: Peer, answerer: Peer) -> None:
        super().__init__(offerer, answerer)
        self.variant = variant
        self._figures: dict[str, float] = {}
        self._times: list[float] = []

    async def open(self) -> dict:
        """A fresh line, and a fresh round."""
        self._figures, self._times = await super().open(), []
        return self._figures

    async def ping(self, seconds: float) -> None:
        """Some more round trips."""
        self._times += (await self.offerer.ask("ping", count=PINGS, seconds=seconds))["times"]

    async def finish(self, size: int) -> dict[str, float]:
        """Bulk, and the end of the line: every figure of the round."""
        times = sorted(self._times)
        figures = {
            **self._figures,
            "rtt_p50_us": 1e6 * statistics.median(times),
            "rtt_p99_us": 1e6 * times[len(times) * 99 // 100],
            "up_mb_per_s": (await self.move(size))["mb_per_s"],
            "down_mb_per_s": (await self.move(size, up=False))["mb_per_s"],
        }
        if self.variant == "ours":
            figures["file_mb_per_s"] = await self._file(size)
        await self.close()
        return figures

    async def _file(self, size: int) -> float:
        await self.answerer.ask("expect_file")
        sent = await self.offerer.ask("send_file", size=size)
        if sent["sha256"] != (await self.answerer.ask("received_file"))["sha256"]:
            raise RuntimeError("another file arrived than was sent")
        return sent["mb_per_s"]


async def play(pairs: list[LinePair], size: int, seconds: float) -> dict[str, dict[str, float]]:
    """One round: the figures of each variant."""
    for pair in pairs:
        await pair.open()
    for _ in range(BURSTS):
        for pair in pairs:
            await pair.ping(0.4 * seconds / BURSTS)
    return {pair.variant: await pair.finish(size) for pair in pairs}


async def measure(seconds: float, rounds: int, budget: float) -> tuple[int, list[dict[str, dict[str, float]]]]:
    """Octets moved each way in a round, and what each whole round measured: figures by variant.

    Raises:
        TimeoutError: Not one round was through in time.
    """
    stop = asyncio.get_running_loop().time() + budget
    done: list[dict[str, dict[str, float]]] = []
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hardwire-bench-"))
        pairs = []
        for variant in VARIANTS:
            command = python("bench.ends", variant)
            ends = [await stack.enter_async_context(running(command, directory)) for _ in range(2)]
            pairs.append(LinePair(variant, *ends))
        try:
            async with asyncio.timeout_at(stop):
                warm = await play(pairs, WARM_UP_OCTETS, 0.5 * seconds)
                rate = statistics.mean((warm["raw"]["up_mb_per_s"], warm["raw"]["down_mb_per_s"]))
                size = whole_messages(1e6 * rate * seconds)
                while len(done) < rounds:
                    done.append(await play(pairs if len(done) % 2 == 0 else pairs[::-1], size, seconds))
                    say(f"round {len(done)} of {rounds}")
        except TimeoutError:
            if not done:
                raise
    return size, done


def medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {figure: round(statistics.median(one[figure] for one in samples), 3) for figure in samples[0]}


def ratios(base: list[dict[str, float]], ours: list[dict[str, float]]) -> dict[str, float]:
    """Median over the rounds of how many times better ours is."""
    return {
        figure: round(
            statistics.median(
                own[figure] / other[figure] if FIGURES[figure][2] else other[figure] / own[figure]
                for own, other in zip(ours, base, strict=True)
            ),
            3,
        )
        for figure in base[0]
    }


def table(report: dict) -> str:
    lines = [f"{'':26}" + "".join(f"{name:>14}" for name in VARIANTS.values()) + f"{'ratio':>10}{'to uvloop':>11}"]
    for figure, (name, unit, _, barred) in FIGURES.items():
        values = [report[variant].get(figure) for variant in VARIANTS]
        shown = "".join(f"{'–' if value is None else f'{value:.2f}':>14}" for value in values)
        found = [report["ratio"][base].get(figure) for base in ("raw", "raw_uvloop")]
        times = "".join(
            f"{'' if ratio is None else f'{ratio:.2f}×':>{10 + place}}" for place, ratio in enumerate(found)
        )
        mark = "" if not barred else f"   ≥ {BAR}" if found[0] >= BAR else f"   BELOW {BAR}"
        lines.append(f"{name:<20}{unit:<6}{shown}{times}{mark}")
    moved, facts = f"{report['octets'] / 1e6:.1f} MB", report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    lines += [
        "",
        f"medians of {report['rounds']} rounds: {moved} each way in messages of 64 KiB, two processes, loopback",
        "ratios within a round: above 1 hardwire is better; the bar is against aiortc as it comes, on asyncio's own loop",
        machine_words(facts),
        versions,
    ]
    return "\n".join(lines)


def run(options: argparse.Namespace) -> dict:
    size, done = asyncio.run(measure(options.seconds, options.rounds, options.budget))
    samples = {variant: [figures[variant] for figures in done] for variant in VARIANTS}
    report = {variant: medians(samples[variant]) for variant in VARIANTS}
    compared = {base: ratios(samples[base], samples["ours"]) for base in ("raw", "raw_uvloop")}
    return {
        "ok": True,
        **report,
        "ratio": {**compared, "bar": BAR, "reached": all(compared["raw"][name] >= BAR for name in barred())},
        "rounds": len(done),
        "octets": size,
        "samples": samples,
    }


def barred() -> list[str]:
    return [figure for figure, (*_, bar) in FIGURES.items() if bar]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = parser_for("line", __doc__, "less than 15 s; good enough to see that it works")
    parser.add_argument("--seconds", type=float, help="of bulk in each direction and round (default 1)")
    parser.add_argument("--rounds", type=int, help="at most so many, when the time allows (default 5)")
    options = parser.parse_args(arguments)
    # Whoever asks for more gets it: the bound is there for those who ask for nothing.
    asked = 25.0 * (options.rounds or 0) * (options.seconds or 0)
    options.budget = max(asked, 13.0 if options.quick else 55.0)
    options.seconds = options.seconds or (0.2 if options.quick else 1.0)
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    return 1 if finish(options, lambda: run(options), table) is None else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
