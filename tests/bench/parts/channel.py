# SPDX-License-Identifier: Apache-2.0
"""Bulk over loopback: plain aiortc, the native stacks, the data channel alone and the whole line, both ends alike.

Every round opens a fresh pair of each, one after the other, and the next round goes through them the other way round.
Native ends send what they call 1200 octets: libdatachannel as large as aiortc's packets, libwebrtc as it comes (1191 octets of
SCTP). Processor time is of both ends together; beside it AES-128-GCM alone, which nothing that encrypts can do without.
"""

import os
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.frame import MESSAGE, Pair, python, running, say, whole_messages
from bench.plan import Plan
from bench.rows import Bar, Row
from support.nativepeers import STACKS, native

TITLE = "over loopback, both ends alike"
VARIANTS = {
    "raw": "raw aiortc",
    "fast_1200": "data channel, 1200",
    "ours_1200": "line, 1200",
    "fast_8k": "data channel, 8 KB",
    "ours_8k": "line, 8 KB",
    "fast": "data channel, path's size",
    "ours": "line, path's size",
}
BARS = {"fast_1200": 6.0, "ours_1200": 6.0, "fast_8k": 15.0, "ours_8k": 15.0}
AGAINST_NATIVE = ("fast_1200", "ours_1200")
RECORD = 16 * 1024
SETTLE = 20 * MESSAGE


@asynccontextmanager
async def opened(command: list[str], other: list[str] | None = None):
    """An open pair of ends: both started by one command, or by one each."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hardwire-bench-"))
        ends = [await stack.enter_async_context(running(one, directory)) for one in (command, other or command)]
        pair = Pair(*ends)
        await pair.open()
        yield pair
        await pair.close()


async def timed(pair: Pair, seconds: float, *, up: bool = True) -> dict[str, float]:
    """A transfer that takes about so long, when the path has been measured by a short one."""
    warm = await pair.move(SETTLE, up=up)
    return await pair.move(whole_messages(1e6 * warm["mb_per_s"] * seconds, 20), up=up)


async def measure(plan: Plan) -> dict:
    commands = {variant: python("bench.ends", variant) for variant in VARIANTS}
    missing = {}
    for stack, (name, _) in STACKS.items():
        command, problem = native(stack)
        if command:
            commands[stack] = command
        else:
            missing[name] = problem
    rounds = []
    for number in range(plan.rounds):
        figures: dict[str, dict[str, float]] = {}
        for variant in list(commands)[:: 1 if number % 2 == 0 else -1]:
            async with opened(commands[variant]) as pair:
                figures[variant] = await timed(pair, plan.seconds)
        rounds.append(figures)
        say(f"loopback: round {number + 1} of {plan.rounds}")
    return {**summary(rounds), "aes_gcm_cpu_ms_per_mb": round(aes_gcm(), 4), "missing": missing, "samples": rounds}


def summary(rounds: list[dict[str, dict[str, float]]]) -> dict:
    """Medians of each variant, and of its ratios to the references within the rounds."""

    def ratio(variant: str, reference: str) -> float:
        found = (one[variant]["mb_per_s"] / one[reference]["mb_per_s"] for one in rounds)
        return round(statistics.median(found), 3)

    present = rounds[0]
    references = [name for name in ("raw", *STACKS) if name in present]
    return {
        "figures": {
            variant: {
                name: round(statistics.median(one[variant][name] for one in rounds), 4) for name in present[variant]
            }
            for variant in present
        },
        "ratios": {variant: {reference: ratio(variant, reference) for reference in references} for variant in present},
    }


def aes_gcm(octets: int = 64_000_000) -> float:
    """Milliseconds of processor time that AES-128-GCM takes to seal and to open a megabyte, in records of 16 KiB."""
    cipher, nonce, plain = AESGCM(os.urandom(16)), os.urandom(12), os.urandom(RECORD)
    sealed = cipher.encrypt(nonce, plain, None)
    began = time.process_time()
    for _ in range(octets // RECORD):
        cipher.encrypt(nonce, plain, None)
        cipher.decrypt(nonce, sealed, None)
    return 1e9 * (time.process_time() - began) / octets


def rows(found: dict) -> list[Row]:
    figures, ratios = found["figures"], found["ratios"]
    names = {**VARIANTS, **{stack: name for stack, (name, _) in STACKS.items()}}
    told = []
    for variant, one in figures.items():
        words = names[variant] if variant == "raw" else f"{names[variant]}: × raw aiortc"
        bar = Bar(BARS[variant]) if variant in BARS else None
        told.append(Row(words, one["mb_per_s"], "MB/s", ratios[variant]["raw"] if variant != "raw" else None, bar))
    for stack, (name, _) in STACKS.items():
        if stack in figures:
            told += [
                Row(
                    f"{names[one]}: × {name}, both ends", figures[one]["mb_per_s"], "MB/s", ratios[one][stack], Bar(1.0)
                )
                for one in AGAINST_NATIVE
                if one in figures
            ]
    limit = found["aes_gcm_cpu_ms_per_mb"]
    told.append(Row("processor time, AES-128-GCM alone, sealed and opened", limit, "ms/MB"))
    for variant, one in figures.items():
        words = f"processor time, both ends, {names[variant]}"
        told.append(Row(f"{words}: × AES-GCM", one["cpu_ms_per_mb"], "ms/MB", one["cpu_ms_per_mb"] / limit))
    return told
