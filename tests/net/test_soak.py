# SPDX-License-Identifier: Apache-2.0
"""What becomes of lines that live long, and of many at once; each in a process of its own, all at the same time.

The whole day takes ten minutes: ``python -m support.linesoak``, with ``tests`` on the path.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from support.linesoak import FASTER, MOVES

TESTS = Path(__file__).parents[1]
SECONDS = 40
LINES = 50
MB = 1_000_000


async def program(*words: str) -> dict:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 150)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return json.loads(said)


async def test_a_long_line_and_many_idle_ones():
    soaked, idle, raw = await asyncio.gather(
        program("support.linesoak", "--seconds", str(SECONDS)),
        program("support.idlelines", "ours", str(LINES), "12"),
        program("support.idlelines", "raw", str(LINES), "1"),
    )
    assert soaked["broke"] == []
    for end in (soaked["a"], soaked["b"]):
        assert end["moves"] == MOVES
        assert end["epoch"] > SECONDS * FASTER / 60 / 2
        assert end["heard"] > 500
        assert end["saved"] > 5
        # One each way may have been under way when the line was closed.
        assert len(end["failed"]) <= 2
        assert set(end["failed"]) <= {"the line was closed before the file was through"}
    assert soaked["end"]["tasks"] <= soaked["warm"]["tasks"] + 10
    assert soaked["end"]["sockets"] <= soaked["warm"]["sockets"] + 4
    assert soaked["end"]["memory"] < soaked["warm"]["memory"] + 15 * MB
    assert (soaked["after"]["tasks"], soaked["after"]["sockets"]) == (1, soaked["before"]["sockets"])

    assert idle["alive"] == raw["alive"] == LINES
    # Both ends are here.
    assert idle["each"] < raw["each"] + 1 * MB
