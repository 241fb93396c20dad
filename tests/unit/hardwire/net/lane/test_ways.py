# SPDX-License-Identifier: Apache-2.0
from hardwire.net.lane import ways as ways_module
from hardwire.net.lane.ways import DATA_CHANNEL, Ways


def test_octets_by_way_both_ways():
    ways = Ways()
    ways.sent(1, DATA_CHANNEL, 10)
    ways.sent(1, "direct", 5)
    ways.sent(1, "direct", 5)
    ways.arrived(2, 3)
    with ways.through("direct"):
        ways.arrived(2, 4)
    ways.arrived(2, 1)
    assert ways.of(1) == {DATA_CHANNEL: 10, "direct": 10}
    assert ways.of(2) == {DATA_CHANNEL: 4, "direct": 4}
    assert ways.of(3) == {}


def test_a_lane_is_worth_it_after_a_megabyte_over_the_line():
    ways = Ways()
    ways.sent(1, "direct", 1 << 30)
    ways.sent(2, DATA_CHANNEL, (1 << 20) - 1)
    assert not ways.worth_a_lane
    ways.sent(3, DATA_CHANNEL, 1)
    assert ways.worth_a_lane


def test_figures_of_long_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(ways_module, "TRANSFERS_KEPT", 2)
    ways = Ways()
    for transfer in (1, 3, 5):
        ways.sent(transfer, "direct", 1)
    assert [bool(ways.of(transfer)) for transfer in (1, 3, 5)] == [False, True, True]
