# SPDX-License-Identifier: Apache-2.0
"""Directories to send, and what is the same about two of them."""

import os
import random
import stat
from pathlib import Path

MIB = 1 << 20


def a_tree(top: Path, *, seed: int = 1, files: int = 12, octets: int = 3 * MIB) -> Path:
    """A directory with small, empty and large files, of about that many octets, some modes and some times."""
    rng = random.Random(seed)
    top.mkdir(parents=True)
    (top / "deep" / "er").mkdir(parents=True)
    (top / "nothing in it").mkdir()
    shares = [rng.random() ** 4 for _ in range(files)]
    for number, share in enumerate(shares):
        where = (top, top / "deep", top / "deep" / "er")[number % 3]
        path = where / f"file {number}"
        path.write_bytes(rng.randbytes(round(octets * share / sum(shares))))
        path.chmod((0o644, 0o755, 0o400)[number % 3])
        os.utime(path, ns=(0, 1_600_000_000_000_000_000 + 1_000_000_000 * number))
    (top / ".hidden").write_text("dot")
    (top / "empty").touch()
    os.utime(top / "deep", ns=(0, 1_500_000_000_000_000_000))
    return top


def portrait(top: Path) -> dict[str, tuple[str, int, int, bytes]]:
    """What must be the same at both ends: kind, permissions, time, contents, by relative path."""
    found = {}
    for path in [top, *sorted(top.rglob("*"))]:
        info = path.lstat()
        what = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        kind = stat.filemode(info.st_mode)[0]
        found[str(path.relative_to(top))] = (kind, info.st_mode & 0o777, info.st_mtime_ns, what)
    return found
