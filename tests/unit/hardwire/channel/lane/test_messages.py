# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.lane.messages import LaneAnswer, LaneAsk, LaneEnd, LaneOffer, decode_lane, require_port
from hardwire.errors import Misuse, WireError

OFFER = LaneOffer(1, 40_000, bytes(range(64)) * 19)
ANSWER = LaneAnswer(0xFFFF_FFFF, 0, bytes(1120))


@pytest.mark.parametrize("message", [LaneAsk(), OFFER, ANSWER, LaneEnd(2)], ids=lambda one: type(one).__name__)
def test_there_and_back_and_not_an_octet_more_or_less(message):
    payload = message.encode()
    assert decode_lane(payload) == message
    with pytest.raises(WireError):
        decode_lane(payload + b"\0")
    with pytest.raises(WireError):
        decode_lane(payload[:-1])


@pytest.mark.parametrize("op", [0, 5, 0xFF])
def test_an_operation_outside_the_list(op):
    with pytest.raises(WireError, match="not in the list"):
        decode_lane(bytes([op]))


@pytest.mark.parametrize("port", [1, 22, 80, 1023])
def test_no_lane_to_a_port_of_privilege(port):
    payload = bytearray(OFFER.encode())
    payload[5:7] = port.to_bytes(2)
    with pytest.raises(WireError, match="port"):
        decode_lane(bytes(payload))
    with pytest.raises(Misuse):
        require_port(port)


@pytest.mark.parametrize("port", [0, 1024, 65_535])
def test_ports_that_may_be_named(port):
    payload = bytearray(ANSWER.encode())
    payload[5:7] = port.to_bytes(2)
    assert decode_lane(bytes(payload)).port == port
    assert require_port(port) == port


def test_a_port_that_is_none():
    with pytest.raises(Misuse):
        require_port(65_536)
