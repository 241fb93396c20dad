# SPDX-License-Identifier: Apache-2.0
"""Checks announcements.json from the text of docs/protocol.md §14.12 alone, with none of the package's code."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vectors.check_lane import xl

VECTORS = Path(__file__).with_name("announcements.json")


def verify(vector: dict[str, Any]) -> int:
    """How many announcements were opened; AssertionError (or InvalidTag) at the first that differs."""
    exporter = bytes.fromhex(vector["exporter"])
    for entry in vector["announcements"]:
        context = hashlib.sha256(bytes([entry["sought"]])).digest()
        key = xl(exporter, f"announce {entry['role'][0]}", context, 32)
        assert key.hex() == entry["key"]
        octets = bytes.fromhex(entry["announcement"])
        assert len(octets) == 342
        plain = AESGCM(key).decrypt(octets[:12], octets[12:], b"")
        assert len(plain) == 314
        assert int.from_bytes(plain[:4], "big") == entry["number"]
        assert int.from_bytes(plain[4:8], "big") == entry["generation"]
        end = 10 + int.from_bytes(plain[8:10], "big")
        assert plain[10:end].hex() == entry["candidates"]
        assert not any(plain[end:])
    return len(vector["announcements"])


def load() -> dict[str, Any]:
    """The vectors on disk."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
