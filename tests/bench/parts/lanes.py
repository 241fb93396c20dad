# SPDX-License-Identifier: Apache-2.0
"""A file over a direct lane, beside TLS 1.3, scp and magic-wormhole: what ``bench lane`` measures."""

from bench import lane
from bench.plan import Plan
from bench.rows import Bar, Row

TITLE = "one file over a direct lane, from disk to disk"


async def measure(plan: Plan) -> dict:
    found = await lane.measure(plan.file, plan.rounds, only_tls=plan.only_tls)
    words = (reason.partition(": ") for reason in found["missing"])
    missing = {name: why for name, _, why in words}
    if plan.only_tls:
        missing |= {lane.TITLES[name]: "not in a quick run" for name in ("scp", "wormhole")}
    return {**found, "missing": missing}


def rows(found: dict) -> list[Row]:
    rates = found["mb_per_s"]
    told = [Row(f"{lane.TITLES[name]}", rate, "MB/s") for name, rate in rates.items() if name != "ours"]
    told += [
        Row(f"hardwire: × {lane.TITLES[name]}", rates["ours"], "MB/s", found["ratio"][name], Bar(bar))
        for name, bar in lane.BARS.items()
        if name in rates
    ]
    told.append(Row("hardwire: went by the lane", 100 * found["direct_share"], "%"))
    told.append(Row("hardwire: processor time, both ends", found["cpu_ns_per_octet"], "ms/MB"))
    return told
