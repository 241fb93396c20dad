# SPDX-License-Identifier: Apache-2.0
"""Checks paths.json from the text of docs/protocol.md §14.10 alone: straight on, with none of the package's code."""

import hashlib
import json
from pathlib import Path
from typing import Any

from vectors.check_lane import xl

VECTORS = Path(__file__).with_name("paths.json")


def verify(vector: dict[str, Any]) -> int:
    """How many credentials were compared; AssertionError at the first that differs."""
    exporter = bytes.fromhex(vector["exporter"])
    for entry in vector["credentials"]:
        letter = entry["role"][0]
        context = hashlib.sha256(entry["generation"].to_bytes(4, "big")).digest()
        assert xl(exporter, f"path {letter} ufrag", context, 6).hex() == entry["ufrag"]
        assert xl(exporter, f"path {letter} password", context, 18).hex() == entry["password"]
    path = vector["path"]
    candidates = "04c0000207c350" + "0620010db8000000000000000000000007c351"
    assert path["candidates"] == candidates
    assert path["payload"] == path["generation"].to_bytes(4, "big").hex() + candidates
    return len(vector["credentials"])


def load() -> dict[str, Any]:
    """The vectors on disk."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
