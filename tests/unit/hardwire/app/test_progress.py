# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.progress import Meter


def test_nothing_is_known_before_anything_moves():
    meter = Meter(100, 5.0)
    assert meter.rate == 0
    assert meter.eta is None
    meter.advance(0, 5.0)
    assert meter.eta is None


def test_rate_and_remaining_time():
    meter = Meter(1000, 0.0)
    meter.advance(100, 1.0)
    assert meter.rate == pytest.approx(100)
    assert meter.eta == pytest.approx(9)
    assert meter.elapsed(2.5) == 2.5


def test_what_was_here_before_makes_no_rate():
    meter = Meter(1000, 0.0, 500)
    assert (meter.done, meter.rate) == (500, 0)
    meter.advance(600, 1.0)
    assert meter.rate == pytest.approx(100)
    assert meter.eta == pytest.approx(4)


def test_the_rate_follows_the_last_seconds():
    meter = Meter(10**6, 0.0)
    for second in range(1, 11):
        meter.advance(1000 * second, second)
    for second in range(11, 21):
        meter.advance(10_000, second)
    assert meter.rate == 0
    assert meter.done == 10_000


def test_a_pause_makes_no_rate_and_no_time():
    meter = Meter(10_000, 0.0)
    for second in range(1, 4):
        meter.advance(1000 * second, float(second))
    meter.hold(3.0)
    meter.hold(4.0)
    meter.advance(3500, 5.0)  # what was on its way still arrives
    assert meter.rate > 0
    assert meter.elapsed(50.0) == 3.0
    meter.go_on(103.0)
    meter.go_on(104.0)
    meter.advance(4000, 104.0)
    assert meter.rate == 1000.0
    assert meter.eta == 6.0
    assert meter.elapsed(104.0) == 4.0


def test_how_long_it_takes_is_not_guessed_from_its_first_octets():
    meter = Meter(40_000_000, 0.0)
    meter.advance(60_000, 0.05)
    assert meter.rate > 0
    assert meter.eta is None
    meter.advance(20_000_000, 1.0)
    assert meter.eta == pytest.approx(1.0)
