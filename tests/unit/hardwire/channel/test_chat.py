# SPDX-License-Identifier: Apache-2.0
from math import inf

import pytest

from hardwire.channel import messages
from hardwire.channel.chat import CHAT_IDS_KEPT, Chats
from hardwire.channel.events import ChatDelivered, ChatReceived
from hardwire.channel.limits import Limits
from hardwire.channel.messages import Kind, encode_chat
from hardwire.errors import LocalError, Misuse, WireError


def number(count):
    return count.to_bytes(16)


class Bench:
    def __init__(self, limits=Limits(ack_delay=0.5)):  # noqa: B008 (frozen)
        self.sent = []
        self.events = []
        self.chats = Chats(
            limits, send=lambda kind, payload: self.sent.append((kind, payload)), emit=self.events.append
        )

    def hear(self, count, now):
        self.chats.on_chat(encode_chat(number(count), "hello"), now)


def test_acknowledgements_wait_a_moment_and_travel_together():
    bench = Bench()
    assert bench.chats.due_at == inf
    bench.hear(1, 10.0)
    bench.hear(2, 10.3)
    assert bench.chats.due_at == 10.5
    bench.chats.tick(10.49)
    assert bench.sent == []
    bench.chats.tick(10.5)
    assert bench.sent == [(Kind.ACK, number(1) + number(2))]
    assert bench.chats.due_at == inf
    bench.chats.flush()
    assert len(bench.sent) == 1


def test_no_more_than_the_smallest_frame_holds():
    bench = Bench()
    for count in range(messages.ACKS_MAX + 1):
        bench.hear(count, 1.0)
    assert bench.sent == [(Kind.ACK, b"".join(number(count) for count in range(messages.ACKS_MAX)))]
    assert bench.chats.due_at == 1.5


def test_a_repeated_message_is_shown_once_and_acknowledged_twice():
    bench = Bench(Limits(ack_delay=0.0))
    for _ in range(2):
        bench.hear(7, 1.0)
        bench.chats.tick(1.0)
    assert bench.events == [ChatReceived(number(7), "hello")]
    assert bench.sent == [(Kind.ACK, number(7))] * 2


def test_ids_are_not_kept_for_ever():
    bench = Bench()
    for count in range(CHAT_IDS_KEPT + 1):
        bench.hear(count, 1.0)
    shown = len(bench.events)
    bench.hear(0, 2.0)
    bench.hear(CHAT_IDS_KEPT, 2.0)
    assert len(bench.events) == shown + 1


def test_what_was_said_waits_until_it_is_acknowledged():
    bench = Bench(Limits(chats=2))
    bench.chats.say(number(1), "a")
    with pytest.raises(Misuse):
        bench.chats.say(number(1), "a")
    bench.chats.say(number(2), "b")
    with pytest.raises(LocalError) as caught:
        bench.chats.say(number(3), "c")
    assert caught.value.code == "chat-backlog"
    assert bench.chats.unacknowledged == ((number(1), "a"), (number(2), "b"))
    bench.chats.on_acks(number(2) + number(1))
    assert bench.events == [ChatDelivered(number(2)), ChatDelivered(number(1))]
    assert bench.chats.unacknowledged == ()


@pytest.mark.parametrize("payload", [number(9), number(1) * 2, b"", bytes(15), bytes(16 * 16)])
def test_acknowledgements_of_nothing(payload):
    bench = Bench()
    bench.chats.say(number(1), "a")
    with pytest.raises(WireError):
        bench.chats.on_acks(payload)
