# SPDX-License-Identifier: Apache-2.0
"""Writes transfers.json beside itself: manifests, hash lists, roots, offers (docs/protocol.md §14.7, §14.11).

Written from the document and not from the code that it tests. Octet n of a content is n modulo 251.
"""

import hashlib
import json
from pathlib import Path

FILE, DIRECTORY, STREAM = 1, 2, 3
LEAF = 1 << 20


def content(size: int) -> bytes:
    """What is sent."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def entry(kind: int, mode: int, mtime: int, size: int, path: str) -> bytes:
    """§14.11."""
    name = path.encode()
    head = bytes([kind]) + mode.to_bytes(2) + mtime.to_bytes(8) + size.to_bytes(8)
    return head + len(name).to_bytes(2) + name


def transfer(name: str, kind: int, counts: tuple[int, int], manifest: bytes, size: int) -> dict[str, object]:
    """One vector: everything that follows from a manifest and a content."""
    data = content(size)
    leaves = [hashlib.sha256(b"HBI1 leaf" + data[start : start + LEAF]).digest() for start in range(0, size, LEAF)]
    bound = hashlib.sha256(b"HBI1 manifest" + manifest).digest()
    root = hashlib.sha256(b"HBI1 root" + bytes([kind]) + bound + b"".join(leaves) + size.to_bytes(8)).digest()
    told = (size.to_bytes(8), root) if kind != STREAM else (bytes(8), b"\x55" * 32)
    files, directories = counts
    offer = b"\x01" + (1).to_bytes(4) + bytes([kind]) + told[0] + files.to_bytes(4) + directories.to_bytes(4)
    offer += len(manifest).to_bytes(4) + told[1] + bytes([len(name.encode())]) + name.encode()
    finish = b"\x08" + (1).to_bytes(4) + size.to_bytes(8) + root if kind == STREAM else b""
    return {
        "name": name, "kind": kind, "size": size, "manifest": manifest.hex(), "list": b"".join(leaves).hex(),
        "root": root.hex(), "offer": offer.hex(), "finish": finish.hex(),
    }  # fmt: skip


def main() -> None:
    """A file, an empty file, a directory and a stream."""
    time = 1_700_000_000_123_456_789
    tree = (
        entry(DIRECTORY, 0o755, time, 0, ""),
        entry(FILE, 0o644, time, 300_000, "a file"),
        entry(DIRECTORY, 0o700, 0, 0, "deep"),
        entry(FILE, 0o600, time, LEAF, "deep/é"),
        entry(FILE, 0o755, time, 0, "deep.txt"),
    )
    vectors = [
        transfer("report.pdf", FILE, (1, 0), entry(FILE, 0o644, time, 2 * LEAF + 1, ""), 2 * LEAF + 1),
        transfer("nothing", FILE, (1, 0), entry(FILE, 0o400, 0, 0, ""), 0),
        transfer("photos", DIRECTORY, (3, 1), b"".join(tree), 300_000 + LEAF),
        transfer("backup.tar", STREAM, (1, 0), b"", LEAF + 5),
    ]
    Path(__file__).with_name("transfers.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
