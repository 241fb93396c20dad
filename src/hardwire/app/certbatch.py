# SPDX-License-Identifier: Apache-2.0
"""Cases for the certificate check, one a line (NDJSON), and their verdicts in the same order.

A case is ``{"id", "chain", "roots", "at", "crls", "ocsp", "profile", "hostname"}``: certificates, lists and answers are
base64 of DER, the leaf first; ``at`` is seconds since 1970; ``profile`` is ``"device"`` or ``"path"``. A verdict is
``{"id", "ok", "code", "reason", "ms"}``.

Each line is on its own: what is no case gets a verdict that says so, with the code ``case``. A verdict takes less than
half a second: sizes and counts are bounded before anything is read, and a clock stops whatever takes longer anyway.
When a case brings lists or answers, it has to be known that nothing in its path was revoked (``require``).
"""

import base64
import binascii
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import IO, Any, Final

from hardwire.app.certcheck import CheckInput, CheckOutcome, Profile, check
from hardwire.certs import RevocationMaterial, RevocationMode, RevocationRules, load_engines

MAX_LINE: Final = 4 << 20
"""Octets of a line."""
LIMIT: Final = 0.45
"""Seconds for a case."""
_AGAIN: Final = 0.02
_MAX_ITEMS: Final = 128
_FIELDS: Final = ("chain", "roots", "crls", "ocsp")


class _NoCaseError(Exception):
    """A line that is no case; its text says why."""


class _TooSlow(BaseException):
    """Nobody's ``except Exception`` stops it."""


def run(source: IO[bytes], emit: Callable[[str], None]) -> None:
    """Read cases until the end of ``source``, and emit one verdict for each, as a line without its end."""
    load_engines()  # takes a moment, which is no case's doing
    for line in _lines(source):
        emit(json.dumps(verdict(line)))


def verdict(line: bytes | None) -> dict[str, object]:
    """The verdict on one line; None stands for one that was too long."""
    begun = time.perf_counter()
    name: object = None
    try:
        with _limit(LIMIT):
            case = _case(line)
            name = case.get("id")
            found = _found(check(_given(case)))
    except _NoCaseError as problem:
        found = _no("case", str(problem))
    except _TooSlow:
        found = _no("too-slow", f"this takes longer than {LIMIT} s, and was stopped")
    except Exception as problem:  # noqa: BLE001 (one case must not end the others)
        found = _no("bug", f"unexpected {type(problem).__name__}: {problem}")
    return {"id": name, **found, "ms": round((time.perf_counter() - begun) * 1000, 3)}


def _no(code: str, reason: str) -> dict[str, object]:
    return {"ok": False, "code": code, "reason": reason}


def _found(outcome: CheckOutcome) -> dict[str, object]:
    if outcome.refusal is None:
        return {"ok": True, "code": "ok", "reason": ""}
    return _no(outcome.refusal.code, outcome.refusal.message)


def _lines(source: IO[bytes]) -> Iterator[bytes | None]:
    while line := source.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            if line.strip():
                yield line
            continue
        while line and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE)
        yield None


def _case(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise _NoCaseError(f"the line is longer than {MAX_LINE} octets")
    try:
        case = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise _NoCaseError(f"the line is not JSON: {problem}") from None
    if not isinstance(case, dict):
        raise _NoCaseError("the line is not a JSON object")
    return case


def _given(case: dict[str, Any]) -> CheckInput:
    chain, roots, crls, ocsp = (_octets(case.get(field, []), field) for field in _FIELDS)
    hostname = case.get("hostname")
    if hostname is not None and not isinstance(hostname, str):
        raise _NoCaseError("hostname is not a text")
    try:
        profile = Profile(case.get("profile", "device"))
    except ValueError:
        raise _NoCaseError("profile is neither device nor path") from None
    mode = RevocationMode.REQUIRE if crls or ocsp else RevocationMode.OFF
    return CheckInput(
        chain, roots, _moment(case.get("at")), RevocationRules(mode), RevocationMaterial(crls, ocsp),
        profile=profile, hostname=hostname,
    )  # fmt: skip


def _octets(values: object, field: str) -> tuple[bytes, ...]:
    if not isinstance(values, list) or len(values) > _MAX_ITEMS or not all(isinstance(one, str) for one in values):
        raise _NoCaseError(f"{field} is not a list of at most {_MAX_ITEMS} texts")
    try:
        return tuple(base64.b64decode(one, validate=True) for one in values)
    except (binascii.Error, ValueError):
        raise _NoCaseError(f"{field} holds something that is not base64") from None


def _moment(at: object) -> datetime:
    if isinstance(at, bool) or not isinstance(at, int | float) or at != at:  # noqa: PLR0124 - what is not a number is not itself
        raise _NoCaseError("at is not a number of seconds")
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        raise _NoCaseError("at is beyond the calendar") from None


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Stop what is inside after this time; only in the main thread, where a program's signals arrive."""
    armed = [True]

    def stop(_number: int, _frame: FrameType | None) -> None:
        if armed[0]:
            raise _TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    # Again and again: a library may catch the first one where it cleans up.
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        armed[0] = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
