# SPDX-License-Identifier: Apache-2.0
import math

from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc import pmtu
from hardwire.net.rtc.pmtu import BASE, SIZES, TRIES, PathMtu


def search(path, carries, now=0.0, refuses=10**9, most=200):
    """Probe until nothing more is to be tried soon; how many went into the network."""
    sent = 0
    for _ in range(most):
        if path.deadline > now + 60:
            break
        now = max(now, path.deadline)
        while (size := path.probe(now)) is not None:
            if size > refuses:
                path.refused(now)
                continue
            sent += 1
            if size <= carries:
                path.answered(size, now + 0.05)
            break
    return sent, now


@given(st.integers(1000, 20_000), st.integers(1000, 20_000))
def test_the_largest_size_that_passes_is_found_and_no_other_is_ever_used(carries, refuses):
    path = PathMtu(SIZES)
    path.begin(0.0)
    sent, _ = search(path, carries, refuses=refuses)
    best = max([BASE, *(size for size in SIZES if size <= min(carries, refuses))])
    assert path.size == best
    assert sent <= TRIES * len(SIZES)


def test_what_this_machine_refuses_costs_no_time():
    path = PathMtu(SIZES)
    path.begin(0.0)
    sent, now = search(path, carries=1412, refuses=1500)
    assert (path.size, sent) == (1412, 1)
    assert now == pmtu.BEGIN_AFTER


def test_a_hole_leads_back_to_the_base_and_then_below_what_failed():
    path = PathMtu(SIZES)
    path.fell_into_hole(0.0)
    assert path.deadline == math.inf
    path.begin(0.0)
    search(path, carries=20_000)
    assert path.size == SIZES[0]
    path.fell_into_hole(100.0)
    assert path.size == BASE
    assert path.deadline == 100.0 + pmtu.HOLE_TIME
    search(path, carries=20_000, now=100.0 + pmtu.HOLE_TIME)
    assert path.size == SIZES[1]


def test_wider_sizes_are_tried_again_now_and_then():
    path = PathMtu(SIZES)
    path.begin(0.0)
    _, now = search(path, carries=1404)
    assert path.size == 1404
    assert now + 60 < path.deadline < now + 2 * pmtu.RAISE_TIME
    search(path, carries=9000, now=path.deadline)
    assert path.size == 8912


def test_another_path_begins_with_the_base():
    path = PathMtu(SIZES)
    path.begin(0.0)
    search(path, carries=20_000)
    assert path.deadline == math.inf
    path.begin(50.0)
    assert path.size == BASE
    assert path.deadline == 50.0 + pmtu.BEGIN_AFTER
    assert path.probe(50.0) is None


def test_answers_to_other_sizes_change_nothing():
    path = PathMtu(SIZES)
    path.begin(0.0)
    path.answered(1412, 1.0)
    for size in (BASE, 1312, 1412, 5000, 20_000):
        path.answered(size, 2.0)
    assert path.size == 1412
