# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from hardwire.net.rtc import congestion
from hardwire.net.rtc.congestion import CONGESTED, INITIAL_PACKETS, LEAST_PACKETS, MOST, UNCONGESTED, CongestionWindow
from hardwire.net.rtc.rtt import RttEstimator

PACKET = 1160


def window(rtt=0.05):
    estimator = RttEstimator()
    estimator.sample(rtt, 0.0)
    return CongestionWindow(PACKET, estimator), estimator


def grow(one, estimator, rounds, now=0.0, rtt=0.05):
    for _ in range(rounds):
        now += rtt
        estimator.sample(rtt, now)
        one.acknowledged(int(one.size), now)
        one.round_ended(limited=True)
    return now


def test_it_begins_with_ten_packets_and_doubles():
    one, estimator = window()
    assert one.size == INITIAL_PACKETS * PACKET
    grow(one, estimator, 3)
    assert one.size == 8 * INITIAL_PACKETS * PACKET
    grow(one, estimator, 20)
    assert one.size == MOST


def test_slow_start_ends_when_round_trips_get_longer():
    one, estimator = window()
    now = grow(one, estimator, 3)
    before = one.size
    grow(one, estimator, 1, now, rtt=0.08)
    assert not one.in_slow_start
    grow(one, estimator, 1, now, rtt=0.08)
    assert one.size < 2.5 * before


@pytest.mark.parametrize("late, share", [(0.0, UNCONGESTED), (0.03, CONGESTED)])
def test_a_loss_takes_more_where_packets_were_queueing(late, share):
    one, estimator = window()
    grow(one, estimator, 4)
    before = one.size
    estimator.sample(0.05 + late, 1.0)
    one.lost()
    assert one.size == share * before
    assert not one.in_slow_start


def test_a_loss_is_judged_by_round_trips_since_the_last_one():
    one, estimator = window()
    grow(one, estimator, 4)
    estimator.sample(0.05, 1.0)
    one.lost()
    before = one.size
    # No round ends while something is missing, and now there is a queue.
    estimator.sample(0.08, 1.1)
    one.lost()
    assert one.size == CONGESTED * before


def test_after_a_loss_it_comes_back_to_where_it_was_and_goes_on_beyond():
    one, estimator = window()
    now = grow(one, estimator, 5)
    peak = one.size
    estimator.sample(0.1, now)
    one.lost()
    sizes = []
    for _ in range(200):
        now = grow(one, estimator, 1, now)
        sizes.append(one.size)
    assert sizes == sorted(sizes)
    assert peak * CONGESTED < sizes[0] < peak
    assert sizes[-1] > peak
    # Flat around the old peak, and steep away from it: that is what makes it CUBIC.
    near = min(range(len(sizes)), key=lambda at: abs(sizes[at] - peak))
    assert sizes[near + 1] - sizes[near] < sizes[1] - sizes[0]
    assert sizes[near + 1] - sizes[near] < sizes[-1] - sizes[-2] or sizes[-1] == MOST


def test_a_second_loss_below_the_old_peak_makes_room_for_others():
    one, estimator = window()
    grow(one, estimator, 5)
    estimator.sample(0.1, 1.0)
    one.lost()
    first = one._peak
    one.lost()
    assert one._peak < one.size / CONGESTED < first


def test_a_timeout_begins_with_one_packet():
    one, estimator = window()
    grow(one, estimator, 5)
    before = one.size
    one.timed_out()
    assert one.size == PACKET
    assert one.threshold == CONGESTED * before


def test_it_never_falls_below_a_few_packets():
    one, _ = window()
    for _ in range(100):
        one.lost()
    assert one.size == LEAST_PACKETS * PACKET


def test_rest_takes_what_was_not_used_but_not_the_beginning():
    one, estimator = window()
    grow(one, estimator, 5)
    before = one.size
    one.rested(1)
    assert one.size == before / 2
    one.rested(50)
    assert one.size == INITIAL_PACKETS * PACKET
    one.reset()
    assert one.in_slow_start
    assert congestion.MOST == 4 * 1024 * 1024


def test_what_is_said_now_and_then_does_not_end_slow_start():
    """Round trips of lone packets hold the time that a peer keeps their acknowledgement."""
    estimator = RttEstimator()
    one = CongestionWindow(1000, estimator)
    for number, seconds in enumerate((0.05, 0.25, 0.05, 0.25)):
        estimator.sample(seconds, float(number))
        one.round_ended(limited=False)
    assert one.threshold == math.inf
    # Nor is it what the first full round is compared with.
    estimator.sample(0.2, 5.0)
    one.round_ended(limited=True)
    assert one.in_slow_start
