# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: ends in processes of their own, two of them as a pair, the machine, and the frame of a run.

A measurement is no test: a run's exit code is 0 whatever the figures say, and 1 only when nothing could be measured.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROLES = ("offerer", "answerer")
MESSAGE = 64 * 1024
HOURS = 10_000.0
PACKAGES = ("hardwire", "aiortc", "aioice", "pyOpenSSL", "cryptography", "uvloop")


class Peer:
    """One end, in a process of its own; its ``pid`` is for those who look at its memory."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def ask(self, verb: str, **arguments: object) -> dict:
        """One command and its answer (bench/ends.py).

        Raises:
            RuntimeError: What went wrong there.
        """
        self._process.stdin.write(json.dumps({"do": verb, **arguments}).encode() + b"\n")
        line = await self._process.stdout.readline()
        answer = json.loads(line or b'{"error": "its process ended"}')
        if "error" in answer:
            raise RuntimeError(f"{verb}: {answer['error']}")
        return answer


def environment(**more: str) -> dict[str, str]:
    """Of the processes that run our own modules."""
    return {**os.environ, "PYTHONPATH": str(TESTS), **more}


@asynccontextmanager
async def running(command: Sequence[str], directory: str | Path | None = None) -> AsyncIterator[Peer]:
    """An end that this command starts; ``directory`` is for its temporary files."""
    given = environment() if directory is None else environment(TMPDIR=str(directory))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=given, limit=1 << 20
    )
    try:
        yield Peer(process)
    finally:
        # Its lines are closed, and its files lie in our directory: there is nothing that it would have to tidy up.
        if process.returncode is None:
            process.kill()
        await process.wait()


def python(*words: str) -> list[str]:
    """The command for one of our own modules."""
    return [sys.executable, "-m", *words]


class Pair:
    """Who offers and who answers, of one kind or of two."""

    def __init__(self, offerer: Peer, answerer: Peer) -> None:
        self.offerer = offerer
        self.answerer = answerer

    @property
    def both(self) -> tuple[Peer, Peer]:
        return self.offerer, self.answerer

    async def open(self) -> dict:
        """A fresh line: ``open_ms``, and what the offerer tells besides."""
        offer = self.seen_by_answerer(await self.offerer.ask("offer"))
        answer = self.seen_by_offerer(await self.answerer.ask("answer", **offer))
        opened, _ = await asyncio.gather(self.offerer.ask("accept", **answer), self.answerer.ask("opened"))
        return opened

    def seen_by_answerer(self, offer: dict) -> dict:
        """The offer as it arrives."""
        return offer

    def seen_by_offerer(self, answer: dict) -> dict:
        """The answer as it arrives."""
        return answer

    async def move(self, size: int, *, up: bool = True) -> dict[str, float]:
        """Octets from the offerer to the answerer, or back.

        ``mb_per_s``, from the first octet handed in to the last one taken out; ``cpu_ms_per_mb`` of both ends together,
        where they know; ``gap``, the longest time in seconds without a message, where the receiver knows.
        """
        sender, receiver = self.both if up else self.both[::-1]
        before = await self.cpu()
        # Whoever is told takes longer than it takes to begin: a clock of ours would do, but theirs are the same one.
        await receiver.ask("expect", size=size)
        began = (await sender.ask("send", size=size))["began"]
        told = await receiver.ask("received")
        figures = {"mb_per_s": size / (told["ended"] - began) / 1e6}
        if before is not None:
            figures["cpu_ms_per_mb"] = 1e9 * (await self.cpu() - before) / size
        if "gap" in told:
            figures["gap"] = told["gap"]
        return figures

    def pour(self, size: int) -> asyncio.Task:
        """Begin to send more than will be waited for; its ends can only be killed then."""
        return asyncio.create_task(self.offerer.ask("send", size=size, within=HOURS))

    async def prove(self, size: int, *, up: bool = True) -> None:
        """Move random octets, and compare the SHA-256 of what was sent and of what came.

        Raises:
            RuntimeError: It differs.
        """
        sender, receiver = self.both if up else self.both[::-1]
        await receiver.ask("expect", size=size, hashed=True)
        sent = await sender.ask("send", size=size, hashed=True)
        if sent["sha256"] != (await receiver.ask("received"))["sha256"]:
            raise RuntimeError("something else arrived than was sent")

    async def cpu(self) -> float | None:
        """Seconds of processor time of both ends so far, or None when one does not know."""
        told = [(await peer.ask("cpu")).get("seconds") for peer in self.both]
        return None if None in told else sum(told)

    async def close(self) -> None:
        await asyncio.gather(*(peer.ask("close") for peer in self.both))


async def arriving(pairs: Sequence[Pair], seconds: float) -> list[float]:
    """Octets a second at each answerer, all over the same time."""
    before = [await pair.answerer.ask("counted") for pair in pairs]
    await asyncio.sleep(seconds)
    after = [await pair.answerer.ask("counted") for pair in pairs]
    return [
        (end["octets"] - begin["octets"]) / (end["at"] - begin["at"]) for begin, end in zip(before, after, strict=True)
    ]


def whole_messages(octets: float, least: int = 1) -> int:
    """About so many octets, in messages of 64 KiB."""
    return max(least, round(octets / MESSAGE)) * MESSAGE


def machine() -> dict:
    """What the figures were measured on."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        facts = []
    model = next((fact.partition(":")[2].strip() for fact in facts if fact.startswith("model name")), "")
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {package: version(package) for package in PACKAGES},
    }


def machine_words(facts: dict) -> str:
    """The same in one line."""
    return f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start, Python {facts['python']}"


def parser_for(what: str, document: str, quick: str) -> argparse.ArgumentParser:
    """The options that every benchmark of transport has; the help is the first sentence of the module's document."""
    parser = argparse.ArgumentParser(prog=f"bash hsm/up.sh bench {what}", description=document.partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--quick", action="store_true", help=quick)
    return parser


def say(words: str) -> None:
    """A line of progress."""
    print(words, file=sys.stderr, flush=True)


def finish(options: argparse.Namespace, measure: Callable[[], dict], table: Callable[[dict], str]) -> dict | None:
    """Measure, print the table and maybe the JSON; None when nothing could be measured, which is told as well."""
    facts = machine()
    try:
        report = {**measure(), "machine": facts}
    except (RuntimeError, TimeoutError, OSError) as problem:
        reason = str(problem) or "time is up"
        say(f"error: nothing was measured: {reason}")
        if options.json:
            print(json.dumps({"ok": False, "error": reason, "machine": facts}))
        return None
    print(table(report), file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(report))
    return report
