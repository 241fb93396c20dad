# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.net.rtc.dribble import BULK, DENSE, FEW, WHILE, Dribble


def batches(count, *, came=1, left=1, pause=0.0, pieces=0, flight=0):
    """The verdict on the last of so many batches."""
    one, verdict = Dribble(), False
    for number in range(count):
        one.begin(7.0 + number * pause)
        one.came += came
        one.left += left
        verdict = one.end(pieces=pieces, flight=flight)
    return verdict


@pytest.mark.parametrize("more", [{"pieces": 1}, {"flight": BULK + 1}])
def test_many_small_batches_in_a_while_are_waited_for_if_more_must_come(more):
    assert batches(DENSE, **more)
    assert batches(DENSE, left=0, **more)
    assert batches(DENSE, came=0, **more)


@pytest.mark.parametrize(
    "what",
    [
        {},  # round trips
        {"flight": BULK},
        {"pieces": 1, "pause": WHILE * 1.01},  # too slow to be worth it
        {"pieces": 1, "came": FEW},  # a train
        {"flight": BULK + 1, "left": FEW},
    ],
)
def test_nothing_else_is_waited_for(what):
    assert not batches(DENSE, **what)


def test_the_first_few_packets_are_not_waited_for():
    assert not batches((DENSE - 1) // 2, pieces=1)
