# SPDX-License-Identifier: Apache-2.0
from hardwire.channel.linetime import LineTime


def test_it_goes_with_the_real_clock_until_it_is_paused():
    time = LineTime()
    assert (time.at(5.0), time.real(5.0), time.paused) == (5.0, 5.0, False)
    time.resume(6.0)
    assert time.at(7.0) == 7.0


def test_it_stands_still_and_goes_on():
    time = LineTime()
    time.pause(10.0)
    time.pause(11.0)
    assert time.paused
    assert time.at(3600.0) == 10.0
    time.resume(3610.0)
    time.resume(4000.0)
    assert not time.paused
    assert time.at(3611.0) == 11.0
    assert time.real(11.0) == 3611.0


def test_a_clock_that_went_back_takes_nothing_away():
    time = LineTime()
    time.pause(10.0)
    time.resume(9.0)
    assert time.at(9.0) == 9.0
