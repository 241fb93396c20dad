# SPDX-License-Identifier: Apache-2.0
"""Which networks a line crosses, and docs/transport.md says the same: about 20 s for all of it, beside each other."""

import asyncio
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def matrix() -> str:
    rootless = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    process = await asyncio.create_subprocess_exec(
        *("unshare", *rootless, "--net", sys.executable, "-m", "support.natlab"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return told.decode().strip()


async def test_the_document_says_what_was_found():
    found = await matrix()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines() if line]
    pairs = [row for row in rows if len(row) == 5][2:]
    assert len(pairs) == 16
    for offerer, answerer, alone, stun, turn in pairs:
        assert "public" not in {offerer, answerer} or alone != "no"
        assert turn != "no"
        assert (stun == "no") == (
            "symmetric" in {offerer, answerer} and {offerer, answerer} <= {"restricted", "symmetric"}
        )
    document = (ROOT / "docs" / "transport.md").read_text()
    section = re.search(r"^## Which networks a line crosses$(.*?)(?=^## )", document, re.MULTILINE | re.DOTALL)[1]
    told = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    assert told == re.sub(r"\n+", "\n", found)
