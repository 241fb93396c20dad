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


def test_a_hole_leads_back_to_the_base_and_then_to_what_passes():
    path = PathMtu(SIZES)
    path.fell_into_hole(0.0)
    assert path.deadline == math.inf
    path.begin(0.0)
    search(path, carries=20_000)
    assert path.size == SIZES[0]
    path.fell_into_hole(100.0)
    assert path.size == BASE
    assert path.deadline == 100.0 + pmtu.HOLE_TIME
    search(path, carries=9000, now=100.0 + pmtu.HOLE_TIME)
    assert path.size == SIZES[1]
    # Each time it takes twice as long: a path may carry probes and nothing else.
    for wait in (30.0, 60.0, 120.0, 240.0, 480.0, pmtu.RAISE_TIME, pmtu.RAISE_TIME):
        path.fell_into_hole(1000.0)
        assert path.deadline == 1000.0 + wait
        search(path, carries=9000, now=path.deadline)
        assert path.size == SIZES[1]
    path.begin(5000.0)
    search(path, carries=9000, now=5000.0)
    path.fell_into_hole(6000.0)
    assert path.deadline == 6000.0 + pmtu.HOLE_TIME


def test_a_probe_that_had_no_room_is_no_try():
    path = PathMtu(SIZES)
    path.begin(0.0)
    now = path.deadline
    for _ in range(10 * TRIES):
        assert path.probe(now) == SIZES[0]
        path.put_off(now)
        assert path.is_put_off
        assert path.probe(now) is None
        now = path.deadline
    path.hurry(now - 0.5)
    assert path.probe(now - 0.5) == SIZES[0]
    assert not path.is_put_off
    path.answered(SIZES[0], now)
    assert path.size == SIZES[0]


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
