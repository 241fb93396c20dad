# SPDX-License-Identifier: Apache-2.0
"""docs/device-traps.md names tests: each of them is there."""

import re

from support.budgets import ROOT

TEXT = (ROOT / "docs" / "device-traps.md").read_text(encoding="utf-8")
NAMES = re.findall(r"`(c:|(?:u:)?[\w/]+\.py::)(test_\w+)`", TEXT)


def file_of(place: str) -> str:
    if place == "c:":
        return "tests/devices/test_conformance.py"
    path = place.removesuffix("::")
    return f"tests/unit/hwkeys/{path.removeprefix('u:')}" if path.startswith("u:") else f"tests/devices/{path}"


def test_every_test_that_is_named_is_there():
    assert len(NAMES) > 50
    missing = [
        f"{file_of(place)}::{name}"
        for place, name in NAMES
        if not re.search(
            rf"^(?:async )?def {name}\(", (ROOT / file_of(place)).read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert missing == []


def test_every_trap_is_watched_or_says_why_not():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| trap")]
    assert len(rows) > 30
    for row in rows:
        _, trap, watched, _ = row.split(" | ") if row.count(" | ") == 3 else ("", *row.strip("| ").split(" | ", 1), "")
        assert trap
        assert "::" in watched or "c:" in watched or "nothing to test" in watched, row
