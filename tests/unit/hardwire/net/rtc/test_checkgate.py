# SPDX-License-Identifier: Apache-2.0
"""Which STUN messages come through; those of honest agents are made by aioice."""

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc.checkgate import MOST, MOST_KNOWN, MOST_REPEATS, MOST_STUN, RATE, CheckGate

PASSWORD = "a password of twenty-two"


def check(password: str | None = PASSWORD, kind=stun.Class.REQUEST, **attributes) -> bytes:
    message = stun.Message(stun.Method.BINDING, kind)
    message.attributes["USERNAME"] = "one:other"
    message.attributes["PRIORITY"] = 17
    message.attributes.update(attributes)
    if password is not None:
        message.add_message_integrity(password.encode())
    return bytes(message)


def admits(data: bytes, awaited=(), now: float = 0.0) -> bool:
    return CheckGate(PASSWORD).admits(data, awaited, now)


def test_a_check_under_the_right_password_comes_through():
    assert admits(check())
    assert admits(check(**{"ICE-CONTROLLING": 5, "USE-CANDIDATE": None}))


def test_one_without_it_does_not():
    assert not admits(check("another password"))
    assert not admits(check(None))
    assert not admits(check(kind=stun.Class.INDICATION))
    message = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
    message.add_message_integrity(PASSWORD.encode())
    assert not admits(bytes(message))


def test_each_octet_that_is_changed_counts():
    whole = check()
    for place in range(len(whole) - 4):  # the last four are the fingerprint, which aioice looks at
        changed = bytearray(whole)
        changed[place] ^= 1
        assert not admits(bytes(changed)), place
    assert not admits(whole[:-1])
    assert not admits(whole + b"\x00")
    assert not admits(check(SOFTWARE="x" * MOST_STUN))


@pytest.mark.parametrize("kind", [stun.Class.RESPONSE, stun.Class.ERROR])
def test_an_answer_comes_through_if_it_is_awaited(kind):
    answer = bytes(stun.Message(stun.Method.BINDING, kind))
    assert admits(answer, {answer[8:20]: "a transaction"})
    assert not admits(answer, {bytes(12): "another one"})


@given(st.binary(max_size=700))
def test_any_octets_have_an_answer(data):
    assert not admits(data)
    assert not admits(b"\x00\x01" + data)


def test_who_has_the_password_sends_as_many_as_an_agent_in_a_hurry():
    gate = CheckGate(PASSWORD)
    came = sum(gate.admits(check(), (), 7.0) for _ in range(1000))
    assert came == MOST
    came = sum(gate.admits(check(), (), 7.0 + number / 1000) for number in range(1000))
    assert came == pytest.approx(RATE, abs=1)
    # An agent in a hurry sends one in 20 ms, for as long as it likes.
    assert all(gate.admits(check(), (), 9.0 + number / 50) for number in range(1000))


def test_who_has_seen_a_check_cannot_use_up_what_the_peer_may_send():
    gate, seen = CheckGate(PASSWORD), check()
    assert sum(gate.admits(seen, (), 0.0) for _ in range(10_000)) == MOST_REPEATS
    assert gate.admits(check(), (), 0.0)


def test_what_is_known_is_bounded():
    gate = CheckGate(PASSWORD)
    for number in range(3 * MOST_KNOWN):
        assert gate.admits(check(), (), number / RATE)
    assert len(gate._known) <= MOST_KNOWN
