# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from hardwire.net.rtc import rtt
from hardwire.net.rtc.rtt import RttEstimator


def test_smoothing_is_that_of_the_rfc():
    estimator = RttEstimator()
    assert not estimator.is_known
    assert estimator.timeout() == estimator.probe_timeout(alone=True) == rtt.INITIAL_TIMEOUT
    estimator.sample(0.8, 0.0)
    assert (estimator.smoothed, estimator.variance) == (0.8, 0.4)
    estimator.sample(0.4, 1.0)
    assert math.isclose(estimator.variance, 0.75 * 0.4 + 0.25 * 0.4)
    assert math.isclose(estimator.smoothed, 0.875 * 0.8 + 0.125 * 0.4)
    assert math.isclose(estimator.timeout(), estimator.smoothed + 4 * estimator.variance)


def test_timeouts_have_a_floor_a_ceiling_and_a_back_off():
    estimator = RttEstimator()
    estimator.sample(0.001, 0.0)
    assert estimator.timeout() == rtt.LEAST_TIMEOUT
    waits = []
    for _ in range(8):
        estimator.back_off()
        waits.append(estimator.timeout())
    assert waits[:2] == [2 * rtt.LEAST_TIMEOUT, 4 * rtt.LEAST_TIMEOUT]
    assert waits[-1] == rtt.MOST_TIMEOUT
    estimator.progressed()
    assert estimator.timeout() == rtt.LEAST_TIMEOUT


def test_a_lone_packet_is_given_the_time_that_a_peer_may_keep_its_sack():
    estimator = RttEstimator()
    estimator.sample(0.05, 0.0)
    assert estimator.probe_timeout(alone=False) == 0.1
    assert estimator.probe_timeout(alone=True) == pytest.approx(0.1 + rtt.PEER_DELAY)


def test_the_floor_is_that_of_the_last_minutes():
    estimator = RttEstimator()
    estimator.sample(0.02, 0.0)
    for second in range(1, 100):
        estimator.sample(0.05, float(second))
    assert estimator.floor == 0.02
    for second in range(100, 400):
        estimator.sample(0.05, float(second))
    assert estimator.floor == 0.05


def test_queueing_is_what_even_the_quickest_packet_of_a_round_waited():
    estimator = RttEstimator()
    assert estimator.queueing() == 0
    assert math.isinf(estimator.end_round())
    estimator.sample(0.02, 0.0)
    assert estimator.end_round() == 0.02
    estimator.sample(0.09, 0.1)
    estimator.sample(0.05, 0.2)
    assert math.isclose(estimator.queueing(), 0.03)
    assert estimator.end_round() == 0.05
    assert math.isclose(estimator.queueing(), 0.03)
    estimator.reset()
    assert not estimator.is_known
