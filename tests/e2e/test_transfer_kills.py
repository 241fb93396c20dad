# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of either side at random points of a directory transfer: it goes on each time, and is right in the end.

``HARDWIRE_KILLS=100x500`` is a hundred kills and a directory of 500 MB; without it, ten and 100 MB. One side is
killed, and the other then killed as well or asked to end, so that nobody's patience is waited for. When a directory is
through before all kills are spent, the next one begins.
"""

import os
import random
import signal
import time

import pytest

from hardwire.app.files import SIDE_DIRECTORY
from support.trees import a_tree, portrait

KILLS, MEGABYTES = (int(number) for number in os.environ.get("HARDWIRE_KILLS", "10x100").split("x"))
AT_RISK = 10_000_000
"""Octets that a kill may cost: a window on its way, a leaf that was not complete, what was told since the last event."""


class Round:
    """Two programs, from the code to the kill."""

    def __init__(self, alice, bob, stage, inbox):
        self.host = stage(alice.json("send", "album", "--loopback", "--unverified"))
        self.guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified"))
        stage.codes(self.host, self.guest)
        self.started = self.guest.expect("file-started", timeout=60)["done"]

    def moves(self) -> None:
        """Wait until something of it is written; over a fast way all of it is, soon after."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if any(event["event"] in {"file-progress", "file-done"} for event in self.guest.seen):
                return
            time.sleep(0.002)

    def reached(self) -> int:
        return max([self.started, *(event["done"] for event in self.guest.seen if event["event"] == "file-progress")])

    def end(self, rng: random.Random) -> None:
        """Kill one, then kill or stop the other; neither is there any more when this returns."""
        first, second = rng.sample([self.host, self.guest], 2)
        first.kill()
        if rng.random() < 0.5:
            second.signal(signal.SIGTERM)
            second.finished()
        second.kill()


@pytest.mark.device("softhsm", "swtpm")
@pytest.mark.timeout(120 + 20 * KILLS + MEGABYTES)
def test_killed_at_random_points(alice, bob, stage, inbox):
    rng = random.Random(int(os.environ.get("HARDWIRE_SEED", "9")))
    top = a_tree(alice.home / "album", octets=MEGABYTES * 1_000_000, files=200)
    wanted = portrait(top)
    before, whole, resumed = 0, 0, 0
    for _ in range(KILLS):
        run = Round(alice, bob, stage, inbox)
        assert run.started >= before - AT_RISK, "what was there is there"
        resumed += run.started > 0
        if rng.random() < 0.7:
            run.moves()
        time.sleep(rng.choice([0.0, 0.0, 0.02, 0.1, rng.uniform(0, 2)]))
        before = run.reached()
        run.end(rng)
        before = max(before, run.reached())
        names = {path.name for path in inbox.iterdir()} - {SIDE_DIRECTORY}
        if names:
            assert names == {"album"}
            assert portrait(inbox / "album") == wanted
            (inbox / "album").rename(inbox.parent / f"{inbox.name}-{whole}")
            whole, before = whole + 1, 0
    last = Round(alice, bob, stage, inbox)
    assert (last.host.finished(60 + MEGABYTES), last.guest.finished()) == (0, 0)
    assert [path.name for path in inbox.iterdir()] == ["album"]
    assert portrait(inbox / "album") == wanted
    print(f"{KILLS} kills, {MEGABYTES} MB: taken up {resumed} times, whole {whole + 1} times")
    assert resumed
