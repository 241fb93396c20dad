# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from hardwire.channel.lane.keys import GREETING_SIZE, LaneKeys, lane_root, lane_secret
from hardwire.errors import Misuse, RecordRefused
from hardwire.handshake import Role

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names
SECRET = bytes(range(32))
NONCE_A, NONCE_B = b"a" * 32, b"b" * 32


def met(dialler, secret=SECRET, dialled=NONCE_A, listened=NONCE_B):
    """Both ends' keys after a greeting, the dialler's first."""
    listener = I if dialler is R else R
    hello = LaneKeys(dialler, secret).hello(dialled)
    reply, theirs = LaneKeys(listener, secret).answer(hello, listened)
    return LaneKeys(dialler, secret).complete(dialled, reply), theirs


@pytest.mark.parametrize("dialler", Role)
def test_both_ends_have_the_same_chains_the_other_way_round(dialler):
    here, there = met(dialler)
    assert here.outgoing.step() == there.incoming.step()
    assert here.incoming.step() == there.outgoing.step()
    assert here.outgoing.step() != here.incoming.step()


def test_every_connection_has_keys_of_its_own():
    connections = [
        met(dialler, secret, dialled, listened)[0]
        for dialler, secret, dialled, listened in itertools.product(
            Role, (SECRET, bytes(32)), (NONCE_A, b"c" * 32), (NONCE_B, b"d" * 32)
        )
    ]
    steps = {chain.step() for one in connections for chain in (one.outgoing, one.incoming)}
    assert len(steps) == 2 * len(connections)


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_changed_hello_is_a_strangers(place):
    hello = bytearray(LaneKeys(I, SECRET).hello(NONCE_A))
    hello[place] ^= 1
    with pytest.raises(RecordRefused) as caught:
        LaneKeys(R, SECRET).answer(bytes(hello), NONCE_B)
    assert caught.value.code == "lane-greeting"


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_changed_reply_is_a_strangers(place):
    hello = LaneKeys(I, SECRET).hello(NONCE_A)
    reply = bytearray(LaneKeys(R, SECRET).answer(hello, NONCE_B)[0])
    reply[place] ^= 1
    with pytest.raises(RecordRefused) as caught:
        LaneKeys(I, SECRET).complete(NONCE_A, bytes(reply))
    assert caught.value.code == "lane-greeting"


def test_greetings_do_not_work_backwards_or_twice():
    own = LaneKeys(I, SECRET)
    with pytest.raises(RecordRefused):
        own.answer(own.hello(NONCE_A), NONCE_B)  # this side's own hello, sent back
    reply, _ = LaneKeys(R, SECRET).answer(own.hello(NONCE_A), NONCE_B)
    with pytest.raises(RecordRefused):
        own.complete(NONCE_B, reply)  # the answer to another hello
    with pytest.raises(RecordRefused):
        own.complete(NONCE_A, LaneKeys(R, bytes(32)).answer(LaneKeys(I, bytes(32)).hello(NONCE_A), NONCE_B)[0])


def test_a_greeting_shows_nothing_that_stays():
    greetings = [LaneKeys(I, SECRET).hello(bytes([n]) * 32)[32:] for n in range(64)]
    assert len(set(greetings)) == 64
    assert all(len({one[place] for one in greetings}) > 40 for place in range(32))


def test_a_lane_grows_from_the_line_the_kem_and_its_number():
    root = lane_root(SECRET)
    made = lane_secret(root, b"s" * 32, 1, b"p" * 1216, b"c" * 1120)
    others = [
        lane_secret(lane_root(bytes(32)), b"s" * 32, 1, b"p" * 1216, b"c" * 1120),
        lane_secret(root, b"t" * 32, 1, b"p" * 1216, b"c" * 1120),
        lane_secret(root, b"s" * 32, 2, b"p" * 1216, b"c" * 1120),
        lane_secret(root, b"s" * 32, 1, b"q" * 1216, b"c" * 1120),
        lane_secret(root, b"s" * 32, 1, b"p" * 1216, b"d" * 1120),
    ]
    assert len({made, root, *others}) == 7


def test_what_is_erased_makes_nothing():
    keys = LaneKeys(I, SECRET)
    assert keys.role is I
    here, _ = met(I)
    here.erase()
    for chain in (here.outgoing, here.incoming):
        with pytest.raises(Misuse):
            chain.step()
    keys.erase()
    with pytest.raises(Misuse):
        keys.hello(NONCE_A)
    with pytest.raises(Misuse):
        keys.answer(bytes(GREETING_SIZE), NONCE_B)


def test_a_greeting_of_another_size_is_the_callers_fault():
    with pytest.raises(Misuse):
        LaneKeys(I, SECRET).answer(bytes(63), NONCE_B)
    with pytest.raises(Misuse):
        LaneKeys(I, SECRET).complete(NONCE_A, bytes(65))
