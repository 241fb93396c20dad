# SPDX-License-Identifier: Apache-2.0
from hardwire.errors import ConnectionLost
from hardwire.net.inbox import MAX_WAITING, Inbox


class Target:
    def __init__(self):
        self.got = []

    def message(self, channel, data):
        self.got.append((channel, data))

    def writable(self):
        self.got.append("writable")

    def closed(self, error):
        self.got.append(error)


def test_what_came_early_is_handed_over_in_order():
    inbox, target = Inbox(), Target()
    inbox.writable()
    inbox.message(0, b"1")
    inbox.message(1, b"file")
    inbox.message(0, b"2")
    inbox.attach(target, (0,))
    inbox.message(0, b"3")
    inbox.writable()
    assert target.got == [(0, b"1"), (0, b"2"), (0, b"3"), "writable"]
    line = Target()
    inbox.attach(line, (0, 1))
    assert line.got == [(1, b"file")]


def test_a_target_that_hands_on_while_it_is_handed_to():
    inbox, line = Inbox(), Target()

    class Handshake(Target):
        def message(self, channel, data):
            super().message(channel, data)
            inbox.attach(line, (0, 1))

    handshake = Handshake()
    for data in (b"last of the handshake", b"first frame", b"second frame"):
        inbox.message(0, data)
    inbox.attach(handshake, (0,))
    assert handshake.got == [(0, b"last of the handshake")]
    assert line.got == [(0, b"first frame"), (0, b"second frame")]


def test_an_end_is_told_to_whoever_comes_later():
    inbox, first, second = Inbox(), Target(), Target()
    error = ConnectionLost("gone")
    inbox.attach(first, (0,))
    inbox.closed(error)
    inbox.attach(second, (0, 1))
    assert first.got == second.got == [error]


def test_waiting_is_bounded():
    inbox, target = Inbox(), Target()
    for number in range(100):
        inbox.message(0, bytes([number]))
    inbox.attach(target, (0,))
    assert target.got == [(0, bytes([number])) for number in range(MAX_WAITING)]
