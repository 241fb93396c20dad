# SPDX-License-Identifier: Apache-2.0
"""Direct lanes: whatever octets come, what happens is an event or a refusal; what goes in comes out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardwire.channel.lane.frames import BUCKETS, LaneKind, LaneOpener, LaneSealer
from hardwire.channel.lane.keys import GREETING_SIZE, LaneKeys
from hardwire.channel.lane.messages import LaneAnswer, LaneAsk, LaneEnd, LaneOffer, decode_lane
from hardwire.channel.lane.negotiation import Lanes
from hardwire.channel.ratchet import Chain
from hardwire.errors import Misuse, RecordRefused, WireError
from hardwire.handshake import Role
from support.channelpair import CountedEntropy

SECRET = bytes(range(32))
PORTS = st.sampled_from([0, 1024, 65_535])
NUMBERS = st.integers(0, 4)
MESSAGES = st.one_of(
    st.just(LaneAsk()),
    st.builds(LaneOffer, NUMBERS, PORTS, st.just(bytes(1216))),
    st.builds(LaneAnswer, NUMBERS, PORTS, st.just(bytes(1120))),
    st.builds(LaneEnd, NUMBERS),
)


class FlatKem:
    """Answers at once, and the same: what is tested here is the order of messages."""

    public = bytes(1216)

    def generate(self, entropy):
        return self

    def encapsulate(self, public, entropy):
        return bytes(32), bytes(1120)

    def decapsulate(self, ciphertext):
        return bytes(32)


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=6))
def test_frames_come_out_as_they_went_in(payloads):
    sealer, opener = LaneSealer(Chain(SECRET)), LaneOpener(Chain(SECRET))
    for payload in payloads:
        frame = bytes(sealer.seal(LaneKind.CHUNK, payload))
        assert opener.receive(frame[: opener.wants]) is None
        record = opener.receive(frame[-opener.wants :])
        assert bytes(record.payload) == payload


@given(st.binary(max_size=600), st.integers(0, 17 + 256 + 15), st.integers(1, 255))
def test_any_octet_that_differs_is_refused_and_so_is_everything_after(payload, place, difference):
    frame = bytearray(LaneSealer(Chain(SECRET)).seal(LaneKind.CHUNK, payload[:200]))
    frame[place % len(frame)] ^= difference
    opener, position, refused = LaneOpener(Chain(SECRET)), 0, 0
    while position < len(frame):
        block = bytes(frame[position : position + opener.wants])
        position += len(block)
        try:
            assert opener.receive(block) is None
        except RecordRefused:
            refused += 1
            break
    assert refused == 1
    with pytest.raises(Misuse):
        opener.receive(bytes(opener.wants))


@given(st.binary(min_size=17, max_size=17))
def test_noise_is_no_head(block):
    with pytest.raises(RecordRefused) as caught:
        LaneOpener(Chain(SECRET)).receive(block)
    assert caught.value.code == "lane-forged"


@given(st.binary(min_size=GREETING_SIZE, max_size=GREETING_SIZE))
def test_noise_is_no_greeting(greeting):
    for ask in (lambda keys: keys.answer(greeting, bytes(32)), lambda keys: keys.complete(bytes(32), greeting)):
        with pytest.raises(RecordRefused) as caught:
            ask(LaneKeys(Role.INITIATOR, SECRET))
        assert caught.value.code == "lane-greeting"


@given(st.binary(max_size=1300))
def test_any_payload_is_a_message_or_refused(payload):
    try:
        message = decode_lane(payload)
    except WireError:
        return
    assert message.encode() == payload


@settings(max_examples=200)
@given(
    st.sampled_from(Role),
    st.lists(st.one_of(MESSAGES, st.sampled_from(["want", "offer", "answer", "end"])), max_size=12),
)
def test_any_order_of_messages_and_verbs(role, steps):
    said = []
    lanes = Lanes(
        role,
        SECRET,
        kem=FlatKem(),
        entropy=CountedEntropy(),
        emit=said.append,
        send=decode_lane,
    )
    number = 0
    for step in steps:
        try:
            if step == "want":
                lanes.want()
            elif step == "offer":
                number = lanes.offer(40_000)
            elif step == "answer":
                lanes.answer(number, 0)
            elif step == "end":
                lanes.end(number)
            else:
                lanes.on_message(step.encode())
                number = max(number, getattr(step, "number", 0))
        except Misuse:
            continue
        except (WireError, RecordRefused):
            break
    numbers = [event.number for event in said if hasattr(event, "keys")]
    assert numbers == sorted(set(numbers))  # no lane is agreed twice
    lanes.erase()


def test_every_bucket_is_larger_than_the_last():
    assert tuple(sorted(set(BUCKETS))) == BUCKETS
