# SPDX-License-Identifier: Apache-2.0
"""Bulk between our transport and other people's WebRTC, each way, beside plain aiortc with the same peer.

Our end offers, over the SDP bridge (net/rtc/bridge.py), in packets of the size that it finds. Within a round plain aiortc and ours meet the
same kind of peer one after the other. Hashes are compared of random octets that are moved apart from what is timed;
Chromium hashes in any case, outside of the time that counts, and takes part in twice as many rounds. Two Chromiums show
what its processes can do with each other on this machine.
"""

import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.browser import PageEnd
from bench.frame import Pair, python, running, say
from bench.parts.channel import timed
from bench.plan import Plan
from bench.rows import Bar, Row
from support.chromium import Browser, BrowserError, chromium
from support.nativepeers import STACKS, native

TITLE = "with other people's WebRTC, each way"
KINDS = ("raw_alone", "bridge")
WAYS = {"to": True, "from": False}
BROWSER = "chromium"
NAMES = {**{stack: name for stack, (name, _) in STACKS.items()}, BROWSER: "Chromium"}
TWICE = Bar(2.0)


async def two_browsers(plan: Plan, first: Browser, second: Browser) -> float:
    """MB/s between two pages, each of a browser of its own."""
    pair = Pair(await PageEnd.made(first), await PageEnd.made(second))
    await pair.open()
    rate = (await timed(pair, plan.seconds))["mb_per_s"]
    await pair.close()
    return rate


@asynccontextmanager
async def met(kind: str, peer: str, browser: Browser | None) -> AsyncIterator[Pair]:
    """An open pair of one of our kinds and a peer."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hardwire-bench-"))
        one = await stack.enter_async_context(running(python("bench.ends", kind), directory))
        if browser is not None:
            other = await PageEnd.made(browser)
        else:
            other = await stack.enter_async_context(running(native(peer)[0], directory))
        pair = Pair(one, other)
        await pair.open()
        yield pair
        await pair.close()


async def measure(plan: Plan) -> dict:
    missing = {NAMES[stack]: problem for stack in STACKS if (problem := native(stack)[1])}
    rates: dict[str, list[dict[str, float]]] = {}
    browsers: list[float] = []
    for stack in STACKS:
        if NAMES[stack] not in missing:
            rates[stack] = [await _round(plan, stack, None) for _ in range(plan.rounds)]
            say(f"{NAMES[stack]} is done, hashes right")
    try:
        async with chromium() as browser, chromium() as another:
            rates[BROWSER] = []
            # Its processes share the processors with either end, and plain aiortc is three times as fast in one round as
            # in the next.
            for _ in range(2 * plan.rounds + 1):
                rates[BROWSER].append(await _round(plan, BROWSER, browser))
                browsers.append(await two_browsers(plan, browser, another))
            say("Chromium is done, hashes right")
    except (BrowserError, OSError, TimeoutError) as problem:
        missing[NAMES[BROWSER]] = str(problem) or "it does not answer"
    return {"samples": rates, "browsers": browsers, "missing": missing}


async def _round(plan: Plan, peer: str, browser: Browser | None) -> dict[str, float]:
    """MB/s by kind and way."""
    rates = {}
    for kind in KINDS:
        async with met(kind, peer, browser) as pair:
            for way, up in WAYS.items():
                rates[f"{kind} {way}"] = (await timed(pair, plan.seconds, up=up))["mb_per_s"]
                if kind == "bridge":
                    await pair.prove(plan.proof, up=up)
    return rates


def rows(found: dict) -> list[Row]:
    told = []
    for peer, rounds in found["samples"].items():
        for way in WAYS:
            raw, ours = ([one[f"{kind} {way}"] for one in rounds] for kind in KINDS)
            told.append(Row(f"raw aiortc {way} {NAMES[peer]}", statistics.median(raw), "MB/s"))
            ratio = statistics.median(own / other for own, other in zip(ours, raw, strict=True))
            words = f"ours {way} {NAMES[peer]}, hash right: × raw aiortc"
            told.append(Row(words, statistics.median(ours), "MB/s", ratio, TWICE))
    if found["browsers"]:
        told.append(Row("Chromium to Chromium", statistics.median(found["browsers"]), "MB/s"))
    return told
