# SPDX-License-Identifier: Apache-2.0
from hardwire.channel.lane.events import LaneAgreed
from hardwire.channel.lane.keys import LaneKeys
from hardwire.handshake import Role


def test_keys_stay_out_of_logs():
    shown = repr(LaneAgreed(1, 40_000, LaneKeys(Role.INITIATOR, b"s" * 32)))
    assert shown == "LaneAgreed(number=1, port=40000)"
