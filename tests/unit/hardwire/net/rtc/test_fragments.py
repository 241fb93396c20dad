# SPDX-License-Identifier: Apache-2.0
import math

from hardwire.net.rtc.fragments import FLYING, Fragment, Message, Sack


def test_a_message_is_reliable_and_ordered_unless_told_otherwise():
    message = Message(0, 1, 53, b"data")
    assert (message.unordered, message.expires, message.retransmissions) == (False, math.inf, math.inf)
    # Two messages of the same words are two messages.
    assert message != Message(0, 1, 53, b"data")
    assert len({message, Message(0, 1, 53, b"data")}) == 2


def test_a_fragment_knows_its_size_and_has_not_been_sent():
    fragment = Fragment(7, 3, Message(0, 1, 53, b"data"), b"dat")
    assert (fragment.size, fragment.count, fragment.state) == (3, 0, FLYING)
    assert Sack(1, 2).gaps == ()
