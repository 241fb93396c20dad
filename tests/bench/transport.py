# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench transport``: how fast and how steadily data moves, beside what else there is, in one run.

Beside raw aiortc, the native WebRTC stacks (node-datachannel, @roamhq/wrtc, Chromium), TCP, TLS 1.3, scp and magic-wormhole,
all on this machine; each end is a process of its own. The parts are the modules of bench/parts, which say how they measure.
Figures are medians over the rounds, and a ratio is the median of the ratios within each round.

A measurement is no test: the exit code is 0 whatever the figures say, and 1 only when nothing could be measured; with
``--strict`` also when a bar is missed. What a machine does not have is left out and said.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import replace

from bench.frame import finish, machine_words, parser_for, say
from bench.parts import channel, delay, lanes, memory, mixed, paths, sharing
from bench.plan import QUICK, Plan
from bench.rows import Row, heading

PARTS = {
    "channel": channel,
    "mixed": mixed,
    "delay": delay,
    "paths": paths,
    "sharing": sharing,
    "lane": lanes,
    "memory": memory,
}


async def run(plan: Plan, parts: list[str]) -> dict:
    """The report, without what is about the machine.

    Raises:
        RuntimeError: Not one part could be measured.
    """
    found: dict[str, dict] = {}
    rows: dict[str, list[Row]] = {}
    missing: dict[str, str] = {}
    took: dict[str, float] = {}
    for name in parts:
        say(f"{name}: {PARTS[name].TITLE}")
        began = time.monotonic()
        try:
            found[name] = await PARTS[name].measure(plan)
            rows[name] = PARTS[name].rows(found[name])
            missing |= found[name].pop("missing")
        except (RuntimeError, TimeoutError, OSError) as problem:
            missing[name] = str(problem) or type(problem).__name__
            say(f"{name} could not be measured: {missing[name]}")
        took[name] = round(time.monotonic() - began, 1)
    if not rows:
        raise RuntimeError("; ".join(f"{name}: {why}" for name, why in missing.items()))
    told = [{"part": name, **row.told(), "words": str(row)} for name in rows for row in rows[name]]
    return {
        "ok": True,
        "rows": told,
        "bars": [
            {"measure": f"{one['part']}: {one['measure']}", "bar": one["bar"], "met": one["met"]}
            for one in told
            if one["bar"] is not None
        ],
        "missing": missing,
        "parts": found,
        "took": took,
        "plan": vars(plan),
    }


def table(report: dict) -> str:
    lines, part = [], ""
    for one in report["rows"]:
        if one["part"] != part:
            part = one["part"]
            lines += ["", heading(PARTS[part].TITLE)]
        lines.append(one["words"])
    met = sum(bar["met"] for bar in report["bars"])
    plan = report["plan"]
    lines += ["", f"{met} of {len(report['bars'])} bars are met"]
    lines += [f"missed: {bar['measure']} {bar['bar']}" for bar in report["bars"] if not bar["met"]]
    lines += [f"not measured: {name}: {why}" for name, why in report["missing"].items()]
    lines.append(
        f"medians of {plan['rounds']} rounds, ratios within a round; {plan['seconds']:g} s of bulk a figure, files of"
        f" {plan['file'] / 1e6:.0f} MB, memory watched over {plan['long'] / 1e9:g} GB"
    )
    lines.append("took " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in report["took"].items()))
    facts = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return "\n".join([*lines[1:], machine_words(facts), versions])


def parse(arguments: list[str]) -> tuple[argparse.Namespace, Plan]:
    parser = parser_for("transport", __doc__, "less than a minute and a half; good enough to see that it works")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)} (default: all)"
    )
    parser.add_argument("--seconds", type=float, help="of bulk for each figure (default 1)")
    parser.add_argument("--rounds", type=int, help="default 3")
    parser.add_argument("--full", action="store_true", help="a lane's file of 2 GB (default 500 MB)")
    parser.add_argument("--long", action="store_true", help="watch the memory over 10 GB (default 1 GB); takes minutes")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless every bar was measured and is met")
    options = parser.parse_args(arguments)
    plan = QUICK if options.quick else Plan()
    changes: dict = {name: getattr(options, name) for name in ("seconds", "rounds") if getattr(options, name)}
    if options.full:
        changes["file"] = 2_000_000_000
    if options.long:
        changes["long"] = 10_000_000_000
    return options, replace(plan, **changes)


def main(arguments: list[str]) -> int:
    options, plan = parse(arguments)
    report = finish(options, lambda: asyncio.run(run(plan, options.only or list(PARTS))), table)
    if report is None:
        return 1
    missed = report["missing"] or not all(bar["met"] for bar in report["bars"])
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
