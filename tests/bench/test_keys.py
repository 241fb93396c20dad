# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says it does; how fast this machine is today is not this test's business."""

import json
import math
import os
import subprocess
import sys

import pytest

from support.budgets import ROOT

OPERATIONS = {"sign", "ecdh", "cycle"}
BARS = {"softhsm": 1.15, "swtpm": 1.10, "piv-opensc": None, "piv-ykcs11": None}


def bench(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, ROOT / "tests" / "bench" / "keys.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_every_device_is_measured_next_to_the_bare_binding() -> None:
    done = bench("--quick", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["left_out"] == {}
    assert {name: found["bar"] for name, found in report["devices"].items()} == BARS
    for found in report["devices"].values():
        assert found["rounds"] == 2
        for figures in (found["ours"], found["bare"], found["ratio"]):
            assert set(figures) == OPERATIONS
            assert all(math.isfinite(value) and value > 0 for value in figures.values())
        if found["bar"] is None:
            assert found["reached"] is None
        else:
            assert found["reached"] == {name: ratio <= found["bar"] for name, ratio in found["ratio"].items()}
    assert report["machine"]["versions"]["python-pkcs11"]
    # The table goes where it does not disturb whoever reads the JSON.
    assert "open-sign-close" in done.stderr


def test_what_cannot_be_measured_is_left_out_with_its_reason(monkeypatch, capsys) -> None:
    from bench import keys

    def missing():
        raise FileNotFoundError("swtpm is not installed")

    monkeypatch.setitem(keys.DEVICES, "swtpm", missing)
    assert keys.main(["--json", "--devices", "swtpm"]) == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["ok"], report["left_out"]) == (False, {"swtpm": "swtpm is not installed"})
    assert "nothing was measured" in said.err


def test_the_two_sides_must_come_to_the_same() -> None:
    from bench import keys

    class Side:
        def __init__(self, secret: bytes) -> None:
            self._secret = secret

        def ask(self, verb: str) -> None:
            from cryptography.hazmat.primitives.asymmetric import ec

            from bench.keyends import DATA, ECDSA, POINT

            signed = ec.derive_private_key(0x5EED, ec.SECP256R1()).sign(DATA, ECDSA)
            self.last = {"sign": signed, "ecdh": self._secret, "public": POINT}.get(verb, b"")

    keys._compare([Side(bytes(32)), Side(bytes(32))])
    with pytest.raises(RuntimeError, match="different secrets"):
        keys._compare([Side(bytes(32)), Side(b"\1" * 32)])
