# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench certs``: what a verdict on a certificate costs, next to ``cryptography`` alone, in one run.

The typical chain is three P-256 certificates (device, issuing authority, root) with two revocation lists. Ours is all of
it from octets: the gate, the profile, both path engines, both lists; the root was read before, as a program does at
its start. ``cryptography`` alone loads the same three certificates and verifies the path. A round times one and then the
other; the next begins with the other. Figures are medians, the ratio is the median of the ratios *within* each round.

The hostile inputs are the largest chains that are legal in every bound, and a list with 10 000 entries.

A measurement is no test: the exit code is 0 whatever the figures say.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

from cryptography import x509
from cryptography.x509 import verification

from bench.frame import machine
from hardwire.certs import (
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    Trust,
    open_gate,
    read_crl,
    trust_anchor,
    verify_chain,
)
from support import certchains as org
from support import certhostile
from support.certparts import NOW
from support.revocations import Crl, entry, reason, root_crl

BARS = {"chain": 25.0, "hostile": 100.0, "list": 250.0}
"""A ratio; milliseconds; milliseconds."""
REQUIRE = RevocationRules(RevocationMode.REQUIRE)
ENTRIES = 10_000


def milliseconds(work: Callable[[], object], times: int) -> float:
    """The quickest of a few goes: what else the machine does is not the code's doing."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1000)
    return min(found)


def ours(crls: tuple[bytes, ...]) -> Callable[[], object]:
    chain, root = org.chain()
    trust, material = Trust((trust_anchor(root),), revocation=REQUIRE), RevocationMaterial(crls)
    return lambda: verify_chain(chain, trust, at=NOW, material=material)


def alone() -> Callable[[], object]:
    chain, root = org.chain()

    def work() -> None:
        leaf, between, top = (x509.load_der_x509_certificate(one) for one in (*chain, root))
        authorities = verification.ExtensionPolicy.webpki_defaults_ca()
        leaves = verification.ExtensionPolicy.permit_all()
        builder = verification.PolicyBuilder().store(verification.Store([top])).time(NOW)
        builder = builder.extension_policies(ca_policy=authorities, ee_policy=leaves)
        builder.build_client_verifier().verify(leaf, [between])

    return work


def measure_chain(rounds: int) -> dict:
    sides = {"ours": ours((Crl().der(), root_crl().der())), "alone": alone()}
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for work in sides.values():
        work()
    for number in range(rounds):
        for side in sorted(sides, reverse=bool(number % 2)):
            figures[side].append(milliseconds(sides[side], 1))
    ratios = [mine / theirs for mine, theirs in zip(figures["ours"], figures["alone"], strict=True)]
    return {
        **{side: statistics.median(found) for side, found in figures.items()},
        "ratio": statistics.median(ratios),
        "rounds": rounds,
    }


def measure_hostile(times: int) -> dict[str, float]:
    found = {}
    for name, make in certhostile.CASES.items():
        chain, root = make()
        trust = Trust((trust_anchor(root),))
        found[name] = milliseconds(lambda chain=chain, trust=trust: verify_chain(chain, trust, at=NOW), times)
    return found


def measure_list(times: int) -> dict[str, float]:
    entries = tuple(entry((1 << 150) + one, reason(1)) for one in range(ENTRIES))
    octets = Crl(entries=entries).der()
    issuer = open_gate(org.middle().der())

    def work() -> None:
        found = read_crl(octets)
        found.check_signature(issuer)
        found.find(5)

    return {
        "octets": len(octets),
        "read and checked": milliseconds(work, times),
        "with the chain": milliseconds(ours((octets, root_crl().der())), times),
    }


def table(report: dict) -> str:
    chain, bars = report["chain"], report["bars"]
    lines = [
        f"{'chain of 3, 2 lists':<26}{chain['ours']:>9.2f} ms",
        f"{'cryptography alone':<26}{chain['alone']:>9.2f} ms   ratio {chain['ratio']:.1f}{_mark(chain['ratio'], bars['chain'])}",
    ]
    lines += [
        f"{'hostile: ' + name:<26}{ms:>9.2f} ms{_mark(ms, bars['hostile'])}" for name, ms in report["hostile"].items()
    ]
    for name in ("read and checked", "with the chain"):
        ms = report["list"][name]
        lines.append(f"{f'{ENTRIES} entries, {name}'[:26]:<26}{ms:>9.2f} ms{_mark(ms, bars['list'])}")
    facts = report["machine"]
    lines += [
        "",
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start, Python {facts['python']}",
    ]
    return "\n".join(lines)


def _mark(value: float, bar: float) -> str:
    return f"   ≤ {bar:.0f}" if value <= bar else f"   ABOVE {bar:.0f}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bash hsm/up.sh bench certs", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--quick", action="store_true", help="few rounds; good enough to see that it works")
    options = parser.parse_args(arguments)
    rounds, times = (5, 2) if options.quick else (300, 7)
    report = {
        "ok": True,
        "chain": measure_chain(rounds),
        "hostile": measure_hostile(times),
        "list": measure_list(times),
        "bars": BARS,
        "machine": machine(),
    }
    report["reached"] = {
        "chain": report["chain"]["ratio"] <= BARS["chain"],
        "hostile": max(report["hostile"].values()) <= BARS["hostile"],
        "list": report["list"]["with the chain"] <= BARS["list"],
    }
    print(table(report), file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
