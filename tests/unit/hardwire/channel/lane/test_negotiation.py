# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.lane.events import LaneAgreed, LaneEnded, LaneOffered, LaneWanted
from hardwire.channel.lane.messages import LaneAnswer, LaneAsk, LaneEnd, LaneOffer
from hardwire.channel.lane.negotiation import Lanes
from hardwire.errors import Misuse, RecordRefused, WireError
from hardwire.handshake import Role
from hardwire.handshake.kem import XWing
from support.channelpair import CountedEntropy

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names
ZERO_KEY = bytes([0xFF]) * 1216


class Pair:
    """Two ends, with what they sent and said."""

    def __init__(self):
        self.sent = {I: [], R: []}
        self.said = {I: [], R: []}
        self.ends = {
            role: Lanes(
                role,
                bytes(32),
                kem=XWing(),
                entropy=CountedEntropy(role.value),
                emit=self.said[role].append,
                send=self.sent[role].append,
            )
            for role in Role
        }
        self.i, self.r = self.ends[I], self.ends[R]

    def deliver(self, role):
        """Everything that this role sent."""
        sent, self.sent[role][:] = list(self.sent[role]), []
        for payload in sent:
            self.ends[R if role is I else I].on_message(payload)
        return len(sent)

    def take(self, role):
        said, self.said[role][:] = list(self.said[role]), []
        return said

    def agree(self):
        """The next lane, up to both events."""
        number = self.i.offer(40_001)
        self.deliver(I)
        self.r.answer(number, 40_002)
        self.deliver(R)
        return self.take(I)[-1], self.take(R)[-1]


def refused(end, message):
    with pytest.raises(WireError) as caught:
        end.on_message(message.encode())
    return caught.value.code


def test_a_lane_is_agreed_under_the_same_keys():
    pair = Pair()
    assert pair.i.offer(40_001) == 1
    pair.deliver(I)
    assert pair.take(R) == [LaneOffered(1, 40_001)]
    pair.r.answer(1, 0)
    pair.deliver(R)
    (here,), (there,) = pair.take(I), pair.take(R)
    assert (here.number, here.port, there.number, there.port) == (1, 0, 1, 40_001)
    assert (here.keys.role, there.keys.role) == (I, R)
    there.keys.answer(here.keys.hello(bytes(32)), bytes(32))


def test_each_lane_has_keys_of_its_own():
    pair = Pair()
    first, _ = pair.agree()
    pair.i.end(1)
    pair.deliver(I)
    assert pair.take(R) == [LaneEnded(1)]
    second, there = pair.agree()
    assert second.number == 2
    hello = second.keys.hello(bytes(32))
    there.keys.answer(hello, bytes(32))
    with pytest.raises(Misuse):
        first.keys.hello(bytes(32))  # gone with its lane


def test_the_responder_asks_until_there_is_one():
    pair = Pair()
    assert pair.r.want()
    assert pair.sent[R] == [LaneAsk().encode()]
    pair.deliver(R)
    assert pair.take(I) == [LaneWanted()]
    assert pair.r.want()
    pair.deliver(R)
    assert pair.take(I) == []  # a flood of wishes is one wish
    pair.i.decline()
    assert pair.r.want()  # it has not been told
    pair.deliver(R)
    assert pair.take(I) == [LaneWanted()]
    pair.agree()
    assert not pair.r.want()
    assert not pair.i.want()
    assert (pair.sent[R], pair.take(I)) == ([], [])  # there is one


def test_a_wish_that_was_declined_may_come_again():
    pair = Pair()
    pair.i.want()
    assert pair.take(I) == [LaneWanted()]
    pair.i.want()
    assert pair.take(I) == []
    pair.i.decline()
    pair.i.want()
    assert pair.take(I) == [LaneWanted()]


def test_the_responder_refuses():
    pair = Pair()
    pair.i.offer(0)
    pair.deliver(I)
    pair.r.end(1)
    pair.r.end(1)
    assert pair.sent[R] == [LaneEnd(1).encode()]
    pair.deliver(R)
    assert pair.take(I) == [LaneEnded(1)]
    pair.r.answer(1, 0)
    assert pair.sent[R] == []
    assert refused(pair.i, LaneAnswer(1, 0, bytes(1120))) == "lane"
    assert pair.agree()[0].number == 2


def test_both_end_it_at_a_time():
    pair = Pair()
    pair.agree()
    pair.i.end(1)
    pair.r.end(1)
    assert pair.i.offer(0) == 2  # before the other's end is here
    pair.deliver(R)
    pair.deliver(I)
    assert pair.take(I) == []
    assert pair.take(R) == [LaneOffered(2, 0)]


def test_an_answer_that_comes_late_is_dropped_once():
    pair = Pair()
    pair.i.offer(0)
    pair.deliver(I)
    pair.r.answer(1, 0)
    pair.i.end(1)
    late = pair.sent[R][0]
    pair.deliver(R)
    assert pair.take(I) == []
    with pytest.raises(WireError):
        pair.i.on_message(late)
    pair.deliver(I)
    pair.take(R)
    pair.i.offer(0)
    pair.deliver(I)
    pair.r.answer(2, 0)
    pair.i.end(2)
    pair.i.offer(0)
    pair.deliver(R)  # the answer to lane 2, while 3 is offered
    pair.deliver(I)
    pair.take(R)
    pair.r.answer(3, 0)
    pair.deliver(R)
    assert [event.number for event in pair.take(I)] == [3]


def test_what_is_ended_before_the_answer_is_not_answered():
    pair = Pair()
    pair.i.offer(0)
    pair.i.end(1)
    pair.deliver(I)
    assert pair.take(R) == [LaneOffered(1, 0), LaneEnded(1)]
    pair.r.answer(1, 0)
    assert pair.sent[R] == []


def test_messages_from_the_wrong_side_or_out_of_order():
    pair = Pair()
    assert refused(pair.r, LaneAsk()) == "lane"
    assert refused(pair.i, LaneOffer(1, 0, bytes(1216))) == "lane"
    assert refused(pair.r, LaneOffer(2, 0, bytes(1216))) == "lane"
    assert refused(pair.r, LaneAnswer(1, 0, bytes(1120))) == "lane"
    assert refused(pair.i, LaneAnswer(1, 0, bytes(1120))) == "lane"
    for end in (pair.i, pair.r):
        assert refused(end, LaneEnd(0)) == "lane"
        assert refused(end, LaneEnd(1)) == "lane"
    pair.i.offer(0)
    pair.deliver(I)
    assert refused(pair.r, LaneOffer(2, 0, bytes(1216))) == "lane"
    pair.r.answer(1, 0)
    pair.deliver(R)
    assert refused(pair.i, LaneAnswer(1, 0, bytes(1120))) == "lane"
    assert refused(pair.r, LaneOffer(2, 0, bytes(1216))) == "lane"


def test_keys_that_are_none():
    pair = Pair()
    pair.r.on_message(LaneOffer(1, 0, ZERO_KEY).encode())
    with pytest.raises(RecordRefused) as caught:
        pair.r.answer(1, 0)
    assert caught.value.code == "lane-kem"
    pair = Pair()
    pair.i.offer(0)
    with pytest.raises(RecordRefused) as caught:
        pair.i.on_message(LaneAnswer(1, 0, bytes(1120)).encode())
    assert caught.value.code == "lane-kem"


def test_what_a_caller_may_not_do():
    pair = Pair()
    with pytest.raises(Misuse):
        pair.r.offer(0)
    with pytest.raises(Misuse):
        pair.i.offer(80)
    assert pair.sent[I] == []
    pair.i.offer(0)
    with pytest.raises(Misuse):
        pair.i.offer(0)
    pair.deliver(I)
    with pytest.raises(Misuse):
        pair.r.answer(1, 80)
    with pytest.raises(Misuse, match="no lane was offered"):
        pair.r.answer(1, 0)


def test_the_end_of_the_line_is_the_end_of_its_lanes():
    pair = Pair()
    here, there = pair.agree()
    for end, agreed in ((pair.i, here), (pair.r, there)):
        end.erase()
        assert end._root == b""
        with pytest.raises(Misuse):
            agreed.keys.hello(bytes(32))
    assert isinstance(here, LaneAgreed)
