# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel import FileChunk, LaneOffered, LaneWanted, LineFailed, SecureChannel
from hardwire.errors import ConnectionLost
from hardwire.handshake import Role
from hardwire.net.lane.beside import Beside
from hardwire.net.lane.ways import DATA_CHANNEL, WORTH_A_LANE
from support.channelpair import CountedEntropy, finished
from support.lanes import LOOPBACK
from support.lines import KernelEntropy


def made(role=Role.INITIATOR, path=LOOPBACK):
    channel = SecureChannel(finished(role), entropy=CountedEntropy(), now=0.0)
    pumped = []
    beside = Beside(channel, lambda: path, KernelEntropy(), now=lambda: 100.0, pump=lambda: pumped.append(1))
    return channel, beside, pumped


def frames(channel):
    count = 0
    while channel.data_to_send() is not None:
        count += 1
    return count


async def test_events_of_lanes_are_its_own_and_others_pass():
    channel, beside, pumped = made()
    assert not beside.take(FileChunk(1, 0, b"octets"))
    assert beside.carried(1) == {DATA_CHANNEL: 6}
    assert beside.take(LaneWanted())
    assert frames(channel) == 2  # the first keepalive, an offer
    assert pumped
    beside.stop()
    await beside.settled()


async def test_much_over_the_data_channel_calls_for_a_lane_and_little_does_not():
    _, beside, _ = made()
    beside.sent(1, WORTH_A_LANE, direct=True)
    beside.sent(1, WORTH_A_LANE - 1)
    assert beside._keeper._timer is None
    beside.sent(1, 1)
    assert beside._keeper._timer is not None
    assert beside.carried(1) == {"direct": WORTH_A_LANE, DATA_CHANNEL: WORTH_A_LANE}
    assert beside.lane is None
    beside.stop()
    await beside.settled()


async def test_consent_to_much_calls_for_a_lane_and_to_little_does_not():
    _, beside, _ = made()
    beside.expect(WORTH_A_LANE - 1)
    assert beside._keeper._timer is None
    beside.expect(WORTH_A_LANE)
    assert beside._keeper._timer is not None
    beside.stop()
    await beside.settled()


async def test_a_line_that_is_over_has_none():
    channel, beside, pumped = made(Role.RESPONDER)
    channel.abort(ConnectionLost("gone"))
    assert beside.take(LaneOffered(1, 40_000))
    with pytest.raises(ConnectionLost), beside.lanes():
        pass
    assert pumped
    beside.moved()
    beside.stop()
    await beside.settled()


def test_a_chunk_of_the_lane_that_is_not_due_ends_the_line():
    channel, beside, pumped = made()
    beside.receive_chunk(2, 0, memoryview(b"nobody offered that"), 1 << 20)
    assert pumped
    events = []
    while (event := channel.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], LineFailed)
    assert events[-1].error.code == "transfer"
