# SPDX-License-Identifier: Apache-2.0
import itertools

from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc.intervals import Intervals

RUN = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda run: (run[0], run[0] + run[1]))


@given(st.lists(st.one_of(RUN, st.integers(0, 70)), max_size=40))
def test_it_is_a_set_that_knows_its_runs(steps):
    runs, plain = Intervals(), set()
    for step in steps:
        if isinstance(step, int):
            runs.drop_through(step)
            plain = {number for number in plain if number > step}
        else:
            fresh = runs.add(*step)
            numbers = set(range(step[0], step[1] + 1))
            assert {number for low, high in fresh for number in range(low, high + 1)} == numbers - plain
            plain |= numbers
        found = list(runs)
        assert {number for low, high in found for number in range(low, high + 1)} == plain
        assert all(low <= high for low, high in found)
        # None touches another.
        assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(found))
        assert len(runs) == len(found)
        assert all((number in runs) == (number in plain) for number in range(75))
        assert runs.head(2) == found[:2]
    runs.clear()
    assert not runs


def test_the_upper_edge_and_the_first_run():
    runs = Intervals()
    for number in (3, 4, 7):
        assert runs.add(number, number) == [(number, number)]
    assert runs.first_run() == (3, 4)
    assert runs.add(1, 9) == [(1, 2), (5, 6), (8, 9)]
    assert list(runs) == [(1, 9)]
