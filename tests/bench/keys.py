# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench keys``: what hwkeys costs, next to the bare binding, in one run on this machine.

For each device two processes that use the same keys: hwkeys, and python-pkcs11 or tpm2-pytss alone (see ``keyends``).
A round times each operation on one side and then on the other; the next round begins with the other side. Figures are
medians over all rounds, and a ratio is the median of the ratios *within* each round. A ratio below 1 means that hwkeys
is faster.

Open-sign-close takes the same safe steps on both sides: a second key of that name is looked for, the state of the PIN
is read before it is spent, the PIN is proved without a signature, the key's protections are read back.

A measurement is no test: the exit code is 0 whatever the figures say, and 1 only when nothing could be measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from bench.frame import machine
from bench.keyends import DATA, ECDSA
from support import softhsm, swtpm

TESTS = Path(__file__).resolve().parents[1]
SIDES = ("ours", "bare")
OPERATIONS = {"sign": "sign", "ecdh": "ECDH", "cycle": "open-sign-close"}
PACKAGES = ("hardwire", "cryptography", "python-pkcs11", "tpm2-pytss")


@dataclass(frozen=True, slots=True)
class Device:
    """What both sides are told, and how much of it is timed.

    Attributes:
        facts: For ``keyends``: kind, uris, keys, pin, and where the device is.
        env: For both processes.
        counts: Of each operation in a round.
        bar: The ratio that is the aim; None when there is none.
        makes: Whether the keys are made here first.
    """

    facts: dict
    env: dict[str, str]
    counts: tuple[int, int, int]
    bar: float | None
    makes: bool = True


@contextmanager
def a_softhsm() -> Iterator[Device]:
    with tempfile.TemporaryDirectory(prefix="hw-") as directory:
        hsm = softhsm.SoftHsm(Path(directory))
        token = hsm.create_token("bench")
        facts = {
            "kind": "pkcs11",
            "module": str(token.module),
            "serial": token.serial,
            "pin": token.pin,
            "uris": {role: token.uri(role) for role in ("sign", "agree")},
            "keys": {role: {"label": role} for role in ("sign", "agree")},
        }
        yield Device(facts, hsm.env, (60, 30, 10), 1.15)


@contextmanager
def a_swtpm() -> Iterator[Device]:
    with tempfile.TemporaryDirectory(prefix="hw-") as directory, swtpm.SwTpm(Path(directory)) as tpm:
        facts = {
            "kind": "tpm",
            "tcti": tpm.tcti,
            "pin": swtpm.PIN,
            "uris": {role: tpm.uri(role) for role in ("sign", "agree")},
            "keys": {role: f"{directory}/{role}.tss2" for role in ("sign", "agree")},
        }
        yield Device(facts, tpm.env, (5, 5, 3), 1.10)


@contextmanager
def a_card(module: str) -> Iterator[Device]:
    # Only here: what it needs is installed for the tests, not for every benchmark.
    from support.hwpiv import PivBench

    bench = PivBench(module)
    try:
        facts = {
            "kind": "pkcs11",
            "module": str(bench.module),
            "serial": bench.serial,
            "pin": bench.pin,
            "uris": {"sign": bench.uri("alice"), "agree": bench.uri("agree")},
            "keys": {"sign": {"id": "01"}, "agree": {"id": "03"}},
        }
        yield Device(facts, {**os.environ, **bench.env()}, (3, 3, 2), None, makes=False)
    finally:
        bench.card.pull()


DEVICES = {
    "softhsm": a_softhsm,
    "swtpm": a_swtpm,
    "piv-opensc": lambda: a_card("opensc"),
    "piv-ykcs11": lambda: a_card("ykcs11"),
}


class Side:
    """One process."""

    def __init__(self, name: str, device: Device) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.keyends", name],
            env={**device.env, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.last = b""
        self._tell(device.facts)

    def ask(self, verb: str, count: int = 1) -> list[float]:
        """Milliseconds of each; ``last`` is what the last one gave."""
        self._tell({"do": verb, "count": count})
        answer = json.loads(self._process.stdout.readline() or '{"error": "its process ended"}')
        if "error" in answer:
            raise RuntimeError(f"{self.name}, {verb}: {answer['error']}")
        self.last = bytes.fromhex(answer["last"])
        return [1000 * seconds for seconds in answer["times"]]

    def end(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _tell(self, words: dict) -> None:
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()


def measure(device: Device, rounds: int, seconds: float) -> dict:
    """Every figure of one device; at least one round, then as many as the time allows."""
    stop = time.monotonic() + seconds
    with ExitStack() as stack:
        sides = []
        for name in SIDES:
            sides.append(Side(name, device))
            stack.callback(sides[-1].end)
        if device.makes:
            sides[0].ask("make")
        _round(device, sides, warm=True)
        _compare(sides)
        done = []
        while not done or (len(done) < rounds and time.monotonic() < stop):
            done.append(_round(device, sides if len(done) % 2 == 0 else sides[::-1]))
    ratios = {
        operation: round(
            statistics.median(
                statistics.median(one["ours"][operation]) / statistics.median(one["bare"][operation]) for one in done
            ),
            3,
        )
        for operation in OPERATIONS
    }
    medians = {
        side: {
            operation: round(statistics.median(each for one in done for each in one[side][operation]), 4)
            for operation in OPERATIONS
        }
        for side in SIDES
    }
    reached = None if device.bar is None else {operation: ratio <= device.bar for operation, ratio in ratios.items()}
    return {**medians, "ratio": ratios, "bar": device.bar, "reached": reached, "rounds": len(done)}


def _compare(sides: list[Side]) -> None:
    """Both sides do the same work: the other's time would be worth nothing otherwise."""
    results: dict[str, list[bytes]] = {}
    for verb in ("open", "sign", "ecdh"):
        for side in sides:
            side.ask(verb)
            results.setdefault(verb, []).append(side.last)
    sides[0].ask("public")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sides[0].last)
    for side in sides:
        side.ask("close")
    try:
        for signature in results["sign"]:
            public.verify(signature, DATA, ECDSA)
    except InvalidSignature as error:
        raise RuntimeError("one side's signature is not the key's") from error
    if len(set(results["ecdh"])) != 1 or len(results["ecdh"][0]) != 32:
        raise RuntimeError("the two sides came to different secrets")


def _round(device: Device, sides: list[Side], *, warm: bool = False) -> dict[str, dict[str, list[float]]]:
    counts = dict(zip(OPERATIONS, (1, 1, 1) if warm else device.counts, strict=True))
    times: dict[str, dict[str, list[float]]] = {side.name: {} for side in sides}
    # A token's login is its process's: a cycle is only one when no other key is open.
    for side in sides:
        times[side.name]["cycle"] = side.ask("cycle", counts["cycle"])
    for side in sides:
        side.ask("open")
    for operation in ("sign", "ecdh"):
        for side in sides:
            times[side.name][operation] = side.ask(operation, counts[operation])
    for side in sides:
        side.ask("close")
    return times


def table(report: dict) -> str:
    lines = [f"{'median ms':<14}{'':18}{'hwkeys':>10}{'bare':>10}{'ratio':>9}"]
    for name, found in report["devices"].items():
        for operation, shown in OPERATIONS.items():
            ratio, bar = found["ratio"][operation], found["bar"]
            mark = "" if bar is None else f"   ≤ {bar:.2f}" if ratio <= bar else f"   ABOVE {bar:.2f}"
            ours, bare = (f"{found[side][operation]:>10.3f}" for side in SIDES)
            lines.append(f"{name:<14}{shown:<18}{ours}{bare}{ratio:>8.2f}×{mark}")
    lines += [f"{name:<14}left out: {why}" for name, why in report["left_out"].items()]
    facts = report["machine"]
    rounds = ", ".join(f"{name} {found['rounds']}" for name, found in report["devices"].items())
    lines += [
        "",
        f"rounds: {rounds}; ratios within a round: below 1 hwkeys is faster",
        "bare: python-pkcs11, logged in once; tpm2-pytss, the safe cycle (storage key, salted session, load, use, flush)",
        "open-sign-close: the same safe steps on both sides (one token and key, PIN state, PIN proved, protections read)",
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start, Python {facts['python']}",
        ", ".join(f"{name} {number}" for name, number in facts["versions"].items()),
    ]
    return "\n".join(lines)


def run(options: argparse.Namespace) -> dict:
    facts = {**machine(), "versions": {package: version(package) for package in PACKAGES}}
    devices, left_out = {}, {}
    for name in options.devices:
        try:
            with DEVICES[name]() as device:
                devices[name] = measure(device, options.rounds, options.seconds)
        except (RuntimeError, OSError) as problem:
            left_out[name] = " ".join(str(problem).split()) or type(problem).__name__
            print(f"{name} could not be measured: {left_out[name]}", file=sys.stderr)
        else:
            print(f"{name}: {devices[name]['rounds']} rounds", file=sys.stderr)
    return {"ok": bool(devices), "devices": devices, "left_out": left_out, "machine": facts}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bash hsm/up.sh bench keys", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--quick", action="store_true", help="few rounds; good enough to see that it works")
    parser.add_argument("--rounds", type=int, help="at most so many for each device (default 25)")
    parser.add_argument("--seconds", type=float, default=15.0, help="for each device, once it is warm (default 15)")
    parser.add_argument("--devices", nargs="+", choices=DEVICES, default=list(DEVICES), help="(default: all)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 25)
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    report = run(options)
    if report["ok"]:
        print(table(report), file=sys.stderr if options.json else sys.stdout)
    else:
        print("error: nothing was measured", file=sys.stderr)
    if options.json:
        print(json.dumps(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
