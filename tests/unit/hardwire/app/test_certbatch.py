# SPDX-License-Identifier: Apache-2.0
import base64
import contextlib
import io
import json
import signal
import time

import pytest

from hardwire.app import certbatch
from support import certchains as org
from support.certparts import NOW
from support.revocations import Crl, root_crl

CHAIN, ROOT = org.chain()


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


CASE = {
    "id": "a", "chain": [_text(one) for one in CHAIN], "roots": [_text(ROOT)], "at": int(NOW.timestamp()),
    "crls": [], "ocsp": [], "profile": "device", "hostname": None,
}  # fmt: skip


def _verdict(**changes: object) -> dict:
    return certbatch.verdict(json.dumps({**CASE, **changes}).encode())


def _run(*lines: bytes) -> list[dict]:
    found: list[str] = []
    certbatch.run(io.BytesIO(b"".join(lines)), found.append)
    assert not any("\n" in line for line in found)
    return [json.loads(line) for line in found]


def test_a_case() -> None:
    found = _verdict()
    assert set(found) == {"id", "ok", "code", "reason", "ms"}
    assert (found["id"], found["ok"], found["code"], found["reason"]) == ("a", True, "ok", "")
    assert isinstance(found["ms"], float)


def test_verdicts_come_in_order_and_nothing_stops_them() -> None:
    case = json.dumps(CASE).encode()
    found = _run(case + b"\n", b"\n", b"{\n", b"[]\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b'{"id": 7}\n', case)
    assert [one["code"] for one in found] == ["ok", "case", "case", "case", "case", "case", "ok"]
    assert [one["id"] for one in found] == ["a", None, None, None, None, 7, "a"]


def test_a_line_that_is_too_long_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    case = json.dumps(CASE).encode() + b"\n"
    monkeypatch.setattr(certbatch, "MAX_LINE", len(case))
    found = _run(b"x" * (5 * len(case)) + b"\n", case, b"y" * (2 * len(case)))
    assert [one["code"] for one in found] == ["case", "ok", "case"]


@pytest.mark.parametrize(
    "changes",
    [
        {"chain": "x"}, {"chain": [1]}, {"chain": ["*"]}, {"chain": ["\u00e9"]}, {"roots": None}, {"crls": [""] * 129},
        {"ocsp": {}}, {"at": None}, {"at": "1"}, {"at": True}, {"at": 1e300}, {"at": float("inf")}, {"at": float("nan")}, {"at": 10**400},
        {"at": -(10**15)}, {"profile": "tls"}, {"profile": []}, {"hostname": 5},
    ],
)  # fmt: skip
def test_what_is_no_case(changes: dict) -> None:
    found = _verdict(**changes)
    assert (found["id"], found["ok"], found["code"]) == ("a", False, "case")
    assert found["reason"]


def test_refusals_have_their_code() -> None:
    assert _verdict(at=0)["code"] == "cert-not-yet-valid"
    assert _verdict(at=1782907200.5)["ok"] is True
    assert _verdict(chain=[])["code"] == "cert-chain"
    assert _verdict(chain=["MAA="])["code"] == "cert-shape"
    assert _verdict(profile="path")["ok"] is True
    assert _verdict(profile="path", hostname="h.example")["code"] == "cert-path"


def test_lists_that_are_brought_have_to_say_something_about_everybody() -> None:
    both = [_text(Crl().der()), _text(root_crl().der())]
    assert _verdict(crls=both)["ok"] is True
    assert _verdict(crls=both[:1])["code"] == "cert-revocation-unknown"
    assert _verdict(ocsp=["MAA="])["ok"] is False


def test_what_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: object) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    before = signal.getsignal(signal.SIGALRM)
    with monkeypatch.context() as patch:
        patch.setattr(certbatch, "check", slow)
        patch.setattr(certbatch, "LIMIT", 0.05)
        found = _verdict()
    assert (found["id"], found["ok"], found["code"]) == ("a", False, "too-slow")
    assert signal.getsignal(signal.SIGALRM) is before
    assert _verdict()["ok"] is True


def test_a_bug_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(certbatch, "check", fail)
    assert (_verdict()["code"], _verdict()["reason"]) == ("bug", "unexpected ZeroDivisionError: oh")
