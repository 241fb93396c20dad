# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench lane``: a file over a direct lane, beside TLS 1.3, scp and magic-wormhole, in one run.

Every round moves the same file from disk to disk with each of them, two processes on this machine; the next round goes
through them in the opposite order. Figures are medians over the rounds, a ratio is the median of the ratios within each
round. hardwire's time is everything: from the offer until the receiver has checked every hash, synced and confirmed,
with the first octets still over the data channel. What the others leave out is in ``lanerefs.py``.

A measurement is no test: the exit code is 0 whatever the figures say, and 1 only when nothing could be measured.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.frame import Pair, finish, machine_words, parser_for, python, running, say
from bench.laneends import digest_of
from bench.lanerefs import references

BARS = {"tls": 0.5, "scp": 1.0, "wormhole": 1.5}
TITLES = {"ours": "hardwire", "tls": "TLS 1.3, blocking, no hash", "scp": "scp", "wormhole": "magic-wormhole"}
SHARED_MEMORY = Path("/dev/shm")
PIECE = 1 << 20


@asynccontextmanager
async def ends(directory: Path):
    """Both ends of an open line, each in its process."""
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(running(python("bench.laneends"), directory)) for _ in range(2)]
        pair = Pair(*both)
        await pair.open()
        yield pair.both
        await pair.close()


async def ours(source: Path, directory: Path) -> dict[str, float]:
    """One file over one fresh line."""
    async with ends(directory) as (sender, receiver):
        await sender.ask("inspect", path=str(source))
        arrived = directory / "arrived"
        arrived.mkdir()
        taking = asyncio.create_task(receiver.ask("take_file", directory=str(arrived)))
        sent, taken = await sender.ask("send_file"), await taking
    if digest_of(Path(taken["path"])) != digest_of(source):
        raise RuntimeError("another file arrived than was sent")
    shutil.rmtree(arrived)
    return {
        "seconds": sent["seconds"],
        "direct": taken["direct"],
        "cpu": sent["cpu"] + taken["cpu"],
        "memory": max(sent["memory"], taken["memory"]),
    }


def roomy(octets: int) -> Path | None:
    """Memory that looks like a disk, if it holds four such files: what a disk can write is not what is measured."""
    there = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 4 * octets
    return SHARED_MEMORY if there else None


def warm(source: Path, target: Path) -> None:
    """Use once what a copy will take: memory that a host has to find first costs whoever is first several times as much."""
    shutil.copyfile(source, target)
    target.unlink()


async def measure(octets: int, rounds: int, *, only_tls: bool) -> dict:
    """The report, without what is about the machine."""
    space = roomy(octets)
    with tempfile.TemporaryDirectory(prefix="hardwire-bench-", dir=space) as here:
        directory = Path(here)
        source = directory / "file.bin"
        with source.open("wb") as file:
            for start in range(0, octets, PIECE):
                file.write(os.urandom(min(PIECE, octets - start)))
        warm(source, directory / "warm.bin")
        samples: dict[str, list[float]] = {}
        extra: list[dict[str, float]] = []
        with references(directory, only_tls=only_tls) as (found, missing):
            names = ["ours", *found]
            for number in range(rounds):
                for name in names if number % 2 == 0 else names[::-1]:
                    if name == "ours":
                        one = await ours(source, directory)
                        extra.append(one)
                        seconds = one["seconds"]
                    else:
                        target = directory / "copy.bin"
                        seconds = await asyncio.to_thread(found[name], source, target)
                        target.unlink()
                    samples.setdefault(name, []).append(octets / seconds / 1e6)
                say(f"lane: round {number + 1} of {rounds}")
    return report(samples, extra, missing, octets, on="memory" if space else "disk")


def report(
    samples: dict[str, list[float]], extra: list[dict[str, float]], missing: list[str], octets: int, *, on: str
) -> dict:
    ratio = {
        name: round(statistics.median(own / other for own, other in zip(samples["ours"], rates, strict=True)), 3)
        for name, rates in samples.items()
        if name != "ours"
    }
    return {
        "mb_per_s": {name: round(statistics.median(rates), 1) for name, rates in samples.items()},
        "ratio": {**ratio, "bars": BARS, "reached": all(ratio[name] >= BARS[name] for name in ratio)},
        "direct_share": round(statistics.median(one["direct"] for one in extra) / octets, 4),
        "cpu_ns_per_octet": round(statistics.median(one["cpu"] for one in extra) / octets * 1e9, 2),
        "peak_memory": round(max(one["memory"] for one in extra)),
        "missing": missing,
        "octets": octets,
        "files_in": on,
        "rounds": len(extra),
        "samples": samples,
    }


def table(found: dict) -> str:
    lines = []
    for name, rate in found["mb_per_s"].items():
        ratio = found["ratio"].get(name)
        mark = "" if ratio is None else f"{ratio:>8.2f}×   {'≥' if ratio >= BARS[name] else 'BELOW'} {BARS[name]}"
        lines.append(f"{TITLES[name]:<28}{rate:>8.0f} MB/s{mark}")
    lines += [
        "",
        f"medians of {found['rounds']} rounds of {found['octets'] / 1e6:.0f} MB, files in {found['files_in']}",
    ]
    lines.append(
        f"hardwire: {found['direct_share']:.1%} by the lane, {found['cpu_ns_per_octet']} ns of processor time an octet at"
        f" both ends together, {found['peak_memory'] / 1e6:.0f} MB of memory at most"
    )
    lines += [f"not measured: {reason}" for reason in found["missing"]]
    lines.append(machine_words(found["machine"]))
    return "\n".join(lines)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = parser_for("lane", __doc__, "a small file once, beside TLS only: does it work at all")
    parser.add_argument("--megabytes", type=int, help="of the file (default 2000)")
    parser.add_argument("--rounds", type=int, help="how often (default 3)")
    options = parser.parse_args(arguments)
    options.megabytes = options.megabytes or (32 if options.quick else 2000)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)

    def run() -> dict:
        octets = options.megabytes * 1_000_000
        return {"ok": True, **asyncio.run(measure(octets, options.rounds, only_tls=options.quick))}

    return 1 if finish(options, run, table) is None else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
