# SPDX-License-Identifier: Apache-2.0
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc import inbound as inbound_module
from hardwire.net.rtc.inbound import FIRST, LAST, MAX_DUPLICATES, MOST_FRAGMENTS, UNORDERED, Inbound, InboundRefused

WINDOW, MOST = 100_000, 65_536


def half(initial=1):
    return Inbound(initial, window=WINDOW, most=MOST)


def cut(messages, initial=1, size=3):
    """DATA chunks: flags, TSN, kind, octets."""
    chunks, tsn, places = [], initial, {}
    for stream, data, unordered in messages:
        place = 0 if unordered else places.get(stream, 0)
        if not unordered:
            places[stream] = place + 1
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        for number, part in enumerate(parts):
            flags = (FIRST if number == 0 else 0) | (LAST if number == len(parts) - 1 else 0)
            chunks.append((flags | (UNORDERED if unordered else 0), tsn, (stream, place, 53), part))
            tsn = (tsn + 1) & 0xFFFFFFFF
    return chunks


def take(half, chunks):
    got = []
    for chunk in chunks:
        got += half.take(*chunk) or []
    return [(one.stream, one.data) for one in got]


MESSAGES = st.lists(st.tuples(st.integers(0, 2), st.binary(min_size=1, max_size=20), st.booleans()), max_size=12)


@given(MESSAGES, st.randoms(use_true_random=False), st.sampled_from([1, 0xFFFFFFF0, 0x7FFFFFFA]))
def test_whatever_the_order_each_message_comes_once_and_in_its_turn(messages, chance, initial):
    chunks = cut(messages, initial)
    mixed = chunks + [chunk for chunk in chunks if chance.random() < 0.3]
    chance.shuffle(mixed)
    one = half(initial)
    got = take(one, mixed)
    for stream in range(3):
        ordered = [data for number, data, unordered in messages if number == stream and not unordered]
        anyhow = sorted(data for number, data, unordered in messages if number == stream and unordered)
        here = [data for number, data in got if number == stream]
        left = list(here)
        for data in ordered:
            assert data in left
        assert sorted(here) == sorted(ordered + anyhow)
        places = iter(here)
        assert all(any(data == other for other in places) for data in ordered)
    assert one.cumulative == len(chunks)
    assert one.tsn == (initial + len(chunks) - 1) & 0xFFFFFFFF
    assert (one.held, one.pieces, list(one.beyond)) == (0, 0, [])
    assert not one._by_first
    assert not one._by_last
    assert one.room == WINDOW


def test_what_is_missing_is_listed_and_what_comes_again_is_counted():
    one = half()
    chunks = cut([(0, bytes(30), False)])
    take(one, [chunks[0], chunks[2], chunks[3], chunks[6]])
    assert one.cumulative == 1
    assert list(one.beyond) == [(3, 4), (7, 7)]
    assert one.take(*chunks[0]) is None
    assert one.take(*chunks[3]) is None
    assert one.duplicates == [1, 4]
    for _ in range(200):
        one.take(*chunks[0])
    assert len(one.duplicates) == MAX_DUPLICATES


@pytest.mark.parametrize("other", [(1, 0, 53), (0, 1, 53), (0, 0, 51)])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_fragments_of_different_messages_do_not_join(other, order):
    chunks = [(FIRST, 1, (0, 0, 53), b"a"), (LAST, 2, other, b"b")]
    one = half()
    with pytest.raises(InboundRefused, match="different messages"):
        take(one, [chunks[place] for place in order])


def test_a_message_that_is_too_long_is_refused_before_it_is_whole():
    one = half()
    with pytest.raises(InboundRefused, match="65536 octets"):
        take(one, [(FIRST if number == 0 else 0, 1 + number, (0, 0, 53), bytes(1000)) for number in range(70)])
    assert one.held <= MOST + 1000
    with pytest.raises(InboundRefused):
        half().take(FIRST | LAST, 1, (0, 0, 53), bytes(MOST + 1))


def test_crumbs_are_refused_by_their_number():
    one = half()
    crumbs = [(FIRST if number == 0 else 0, 1 + number, (0, 0, 53), b"x") for number in range(MOST_FRAGMENTS + 2)]
    with pytest.raises(InboundRefused):
        take(one, crumbs)


def test_a_message_before_its_turn_with_nothing_missing_is_refused():
    one = half()
    with pytest.raises(InboundRefused, match="out of its turn"):
        one.take(FIRST | LAST, 1, (0, 5, 53), b"x")


def test_a_peer_that_ignores_the_window_is_forgotten_but_for_the_next_in_order():
    one = half()
    for number in range(2, 400):
        one.take(FIRST | LAST, number, (0, number - 1, 53), bytes(1000))
    assert one.held <= 2 * WINDOW
    assert one.room == 0
    highest = list(one.beyond)[-1][1]
    assert one.take(FIRST | LAST, 399, (0, 398, 53), b"x") is None
    assert list(one.beyond)[-1][1] == highest
    assert len(one.take(FIRST | LAST, 1, (0, 0, 53), b"x")) == highest


def test_the_number_of_pieces_is_bounded(monkeypatch):
    monkeypatch.setattr(inbound_module, "MOST_PIECES", 10)
    one = half()
    for number in range(2, 100, 2):
        one.take(FIRST | LAST, number, (0, number, 53), b"x")
    assert one.pieces == 10


def test_what_can_never_be_whole_is_not_kept():
    one = half()
    take(one, [(FIRST, 1, (0, 0, 53), b"no end"), (FIRST | LAST, 2, (0, 0, 53), b"whole")])
    assert one.pieces == 0
    # No beginning, in order.
    take(one, [(UNORDERED, 3, (0, 1, 53), b"middle"), (LAST | UNORDERED, 4, (0, 1, 53), b"end")])
    assert one.pieces == 0
    # The next message is here before this one could have ended, and an end without anything before it.
    take(
        one,
        [
            (FIRST | UNORDERED, 7, (0, 3, 53), b"next"),
            (FIRST | UNORDERED, 5, (0, 2, 53), b"a"),
            (UNORDERED, 6, (0, 2, 53), b"b"),
        ],
    )
    assert one.pieces == 1
    take(one, [(UNORDERED, 9, (0, 4, 53), b"orphan"), (LAST | UNORDERED, 8, (0, 3, 53), b"...")])
    assert one.pieces == 0


def test_a_fragment_costs_the_same_whatever_came_before():
    class Counted(dict):
        steps = 0

        def __getitem__(self, key):
            Counted.steps += 1
            return super().__getitem__(key)

        def get(self, key, default=None):
            Counted.steps += 1
            return super().get(key, default)

        def __iter__(self):
            raise AssertionError("a walk over what is held")

    one = half()
    one._by_first, one._by_last = Counted(), Counted()
    numbers = list(range(2, 2000))
    random.Random(1).shuffle(numbers)
    for number in numbers:
        one.take(0, number, (0, 0, 53), b"x")
    assert Counted.steps <= 4 * len(numbers)


def test_a_peer_gives_up_what_it_could_not_send():
    one = half()
    take(one, [(FIRST | LAST, 3, (0, 2, 53), b"third"), (FIRST, 5, (1, 0, 53), b"goes "), (FIRST, 2, (0, 1, 53), b"x")])
    assert one.skip(0, []) == []
    done = one.skip(2, [(0, 1)])
    assert [message.data for message in done] == [b"third"]
    assert one.cumulative == 3
    assert one.pieces == 1
    # Told again, and backwards: nothing changes.
    assert one.skip(2, [(0, 0)]) == []
    assert one.streams[0].next == 3
    assert take(one, [(FIRST | LAST, 4, (0, 3, 53), b"fourth")]) == [(0, b"fourth")]
    assert take(one, [(LAST, 6, (1, 0, 53), b"on")]) == [(1, b"goes on")]


def test_giving_up_far_ahead_costs_no_walk_through_the_places_between():
    one = half()
    take(one, [(FIRST | LAST, 2, (0, 9000, 53), b"early")])
    done = one.skip(1, [(0, 20_000)] * 500)
    assert [message.data for message in done] == [b"early"]
    assert one.streams[0].next == 20_001


class Unwalked(dict):
    """A dictionary that nobody may walk through."""

    def __iter__(self):
        raise AssertionError("walked through everything that is held")

    values = items = keys = __iter__


def test_giving_up_costs_what_it_passes_and_not_what_is_held():
    """Three hundred streams fit a FORWARD TSN, and a hundred and fifty of those a packet."""
    one = Inbound(1, window=WINDOW, most=MOST)
    for place in range(500):
        one.take(FIRST | LAST, place + 1000, (0, place + 1, 53), b"x")
        one.take(FIRST, 2 * place + 3000, (1, place, 53), b"y")
    one.streams[0].early = Unwalked(one.streams[0].early)
    one._by_first = Unwalked(one._by_first)
    for tsn in range(1, 300):
        assert one.skip(tsn, [(0, 0xFFFF)] * 20) == []
    assert (one.held, one.pieces) == (1000, 1000)
    done = one.skip(300, [(0, 3)])
    assert len(done) == 500
    assert one.skip(3001, []) == []
    assert one.held == 499


def test_places_that_are_passed_are_found_whichever_way_is_shorter():
    chance = random.Random(5)
    for jump in (0, 3, 40, 900, 20_000):
        one = Inbound(1, window=WINDOW, most=MOST)
        places = chance.sample(range(1, 1000), 50)
        for number, place in enumerate(places):
            one.take(FIRST | LAST, number + 2, (0, place, 53), place.to_bytes(2))
        done = [int.from_bytes(message.data) for message in one.skip(1, [(0, jump)])]
        turn = jump + 1
        expected = sorted(place for place in places if place <= jump)
        while turn in places:
            expected.append(turn)
            turn += 1
        assert done == expected
