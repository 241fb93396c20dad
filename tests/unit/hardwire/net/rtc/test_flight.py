# SPDX-License-Identifier: Apache-2.0
"""What a SACK says, and what follows from it; the sending side around it is in test_outbound.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc.flight import GAPS_FOR_A_FRAGMENT
from hardwire.net.rtc.fragments import Message, Sack, SackRefused
from hardwire.net.rtc.outbound import Outbound

PAYLOAD = 1000
WINDOW = 1_000_000
RTT = 0.05


def sending(count, initial=1, payload=PAYLOAD):
    """``count`` fragments out at time 1, after a round trip that is known."""
    out = Outbound(initial, payload=payload, peer_window=WINDOW)
    out.rtt.sample(RTT, 0.0)
    out.window.size = WINDOW
    out.put(Message(0, 0, 53, bytes(count * payload)))
    sent = []
    while (fragment := out.next(1.0)) is not None:
        sent.append(fragment.number)
    assert sent == list(range(1, count + 1))
    return out


def resent(out, now):
    numbers = []
    while (fragment := out.next(now)) is not None:
        numbers.append(fragment.number)
    return numbers


def test_an_acknowledgement_of_everything():
    out = sending(10)
    assert out.flight == 10 * PAYLOAD
    out.acknowledged(Sack(10, WINDOW), 1.05)
    assert out.is_empty
    assert (out.flight, out.cumulative) == (0, 10)
    assert out.rtt.latest == pytest.approx(0.05)
    # An old one, overtaken on its way.
    out.acknowledged(Sack(3, 0), 1.06)
    assert out.peer_window == WINDOW


def test_numbers_wrap():
    out = sending(10, initial=0xFFFFFFFB)
    out.acknowledged(Sack(1, WINDOW, [(2, 3)]), 1.05)
    assert out.cumulative == 7
    out.acknowledged(Sack(4, WINDOW), 1.05)
    assert out.is_empty


@pytest.mark.parametrize(
    "sack",
    [
        Sack(11, WINDOW),
        Sack(4000, WINDOW),
        Sack(0, WINDOW, [(2, 11)]),
        Sack(5, WINDOW, [(2, 6)]),
        Sack(0, WINDOW, [(1, 2)]),
        Sack(0, WINDOW, [(0, 3)]),
        Sack(0, WINDOW, [(3, 2)]),
        Sack(0, WINDOW, [(2, 3), (3, 4)]),
        Sack(0, WINDOW, [(5, 6), (2, 3)]),
    ],
)
def test_what_was_never_sent_cannot_be_acknowledged(sack):
    with pytest.raises(SackRefused):
        sending(10).acknowledged(sack, 1.05)


def test_three_that_came_later_make_a_loss():
    out = sending(10)
    out.acknowledged(Sack(0, WINDOW, [(2, 3)]), 1.05)
    assert resent(out, 1.05) == []
    out.acknowledged(Sack(0, WINDOW, [(2, 4)]), 1.05)
    assert out.flight == 6 * PAYLOAD
    before = out.window.size
    assert resent(out, 1.05) == [1]
    assert before < WINDOW


def test_fewer_make_a_loss_after_a_moment():
    out = sending(3)
    out.acknowledged(Sack(0, WINDOW, [(2, 3)]), 1.05)
    assert resent(out, 1.05) == []
    assert 1.05 < out.deadline() < 1.05 + RTT
    out.expired(out.deadline())
    assert resent(out, 1.07) == [1]


def test_a_path_that_reorders_is_given_time():
    out = sending(10)
    out.acknowledged(Sack(0, WINDOW, [(2, 2)]), 1.05)
    out.acknowledged(Sack(2, WINDOW), 1.052)
    assert out._reorder == 1
    out.acknowledged(Sack(2, WINDOW, [(2, 8)]), 1.053)
    assert resent(out, 1.053) == []
    out.expired(out.deadline())
    assert resent(out, 1.1) == [3]
    # The peer got it twice: the wait was too short.
    out.acknowledged(Sack(10, WINDOW, duplicates=1), 1.11)
    assert out._reorder == 2


def test_a_packet_that_is_lost_twice_is_sent_three_times():
    out = sending(10)
    out.acknowledged(Sack(0, WINDOW, [(2, 8)]), 1.05)
    assert resent(out, 1.05) == [1]
    out.put(Message(0, 1, 53, bytes(3 * PAYLOAD)))
    assert resent(out, 1.06) == [11, 12, 13]
    out.acknowledged(Sack(0, WINDOW, [(2, 8), (11, 13)]), 1.12)
    assert 1 in resent(out, 1.2) or 1 in (out.expired(out.deadline()) or resent(out, 1.3))
    assert out._sent[1].count == 3


def test_the_window_shrinks_once_in_a_round_trip():
    out = sending(20)
    out.acknowledged(Sack(0, WINDOW, [(2, 6)]), 1.05)
    once = out.window.size
    out.acknowledged(Sack(0, WINDOW, [(2, 6), (8, 14)]), 1.051)
    assert out.window.size == once
    resent(out, 1.06)
    out.put(Message(0, 1, 53, bytes(8 * PAYLOAD)))
    resent(out, 1.06)
    out.acknowledged(Sack(20, WINDOW, [(2, 8)]), 1.11)
    out.expired(1.2)
    assert out.window.size < once


def test_a_report_costs_its_news_and_not_its_length(monkeypatch):
    """However often a peer tells it, each packet is looked at once."""
    out = sending(2000, payload=100)
    seen = []
    plain = out._has_arrived
    monkeypatch.setattr(out, "_has_arrived", lambda number, now: (seen.append(number), plain(number, now))[1])
    for turn in range(200):
        out.acknowledged(Sack(0, WINDOW, [(2 + turn % 3, 2000 - turn % 5)]), 1.05)
        out.acknowledged(Sack(0, WINDOW, [(place, place) for place in range(2 + turn % 2, 400, 2)]), 1.05)
    assert len(seen) == len(set(seen)) == 1999


def test_gap_blocks_are_paid_for_by_what_was_sent():
    out = sending(10)
    read = sum(out.affords(200) for _ in range(10_000))
    assert 0 < read <= (4096 + 10 * GAPS_FOR_A_FRAGMENT) // 200
    out.put(Message(0, 1, 53, bytes(20 * PAYLOAD)))
    resent(out, 1.1)
    assert out.affords(200)


@given(st.data())
def test_the_books_are_right_whatever_arrives(data):
    """Flight is what is out, neither reported nor lost; numbers are acknowledged once."""
    out = sending(40)
    there: set[int] = set()
    now = 1.0
    for _ in range(data.draw(st.integers(1, 12))):
        now += 0.01
        there |= set(data.draw(st.lists(st.integers(1, out.number), max_size=10)))
        through = next(number for number in range(1, out.number + 2) if number not in there) - 1
        beyond = sorted(number - through for number in there if number > through)
        gaps = []
        for place in beyond:
            if gaps and gaps[-1][1] == place - 1:
                gaps[-1] = (gaps[-1][0], place)
            else:
                gaps.append((place, place))
        out.acknowledged(Sack(through & 0xFFFFFFFF, WINDOW, gaps), now)
        resent(out, now)
        flying = [one for one in out._sent.values() if one.state == 0]
        assert out.flight == sum(one.size for one in flying) >= 0
        assert not {one.number for one in flying} & there
        assert out.cumulative == through
        if out.deadline() < now + 0.3:
            now = out.deadline()
            out.expired(now)
            resent(out, now)


def test_a_peer_that_takes_no_copy_is_not_sent_a_window_of_them_each_time():
    """Each round it reports one packet, the one that left last: everything before it is lost once more."""
    out = sending(500)
    now, copies = 1.0, 0
    for _ in range(200):
        now += RTT
        latest = max((one for one in out._sent.values() if one.state == 0), key=lambda one: (one.sent_at, one.number))
        out.acknowledged(Sack(0, WINDOW, [(latest.number, latest.number)]), now)
        copies += len(resent(out, now))
    # The window shrinks by a tenth each time: ten windows in all, and not one for each packet.
    assert 500 < copies < 10 * WINDOW / PAYLOAD


def test_a_large_packet_of_small_ones_that_is_lost_again_counts_once():
    out = Outbound(1, payload=1384, peer_window=WINDOW)
    out.rtt.sample(RTT, 0.0)

    def put(count):
        for _ in range(count):
            out.put(Message(0, 0, 53, bytes(100)))

    def packet(now):
        numbers, room = [], None
        while (fragment := out.next(now, room)) is not None:
            numbers.append(fragment.number)
            room = (1400 if room is None else room) - fragment.size - 16
        return numbers

    put(12)
    assert packet(1.0) == [*range(1, 13)]
    for turn in range(1, 4):
        put(1)
        assert packet(turn + 0.01) == [12 + turn]
        out.acknowledged(Sack(0, WINDOW, [(13, 12 + turn)]), turn + 0.06)
        out.expired(turn + 0.1)
        assert out.copies_lost == turn - 1
        assert packet(turn + 0.2) == [*range(1, 13)]
    out.acknowledged(Sack(15, WINDOW), 3.25)
    assert out.copies_lost == 0


@pytest.mark.parametrize("later, counted", [(1384, 0), (200, 9)])
def test_copies_that_are_lost_before_a_large_one_arrives_are_no_hole(later, counted):
    """A queue that overflows takes a whole burst of them; a path that became narrower takes whatever is large."""
    out = sending(10, payload=1384)
    out.acknowledged(Sack(0, WINDOW, [(10, 10)]), 1.05)
    out.expired(1.07)
    assert resent(out, 1.07) == [*range(1, 10)]
    out.put(Message(0, 1, 53, bytes(later)))
    assert resent(out, 1.08) == [11]
    out.acknowledged(Sack(0, WINDOW, [(10, 11)]), 1.13)
    out.expired(1.15)
    assert (len(out.lost), out.copies_lost) == (9, counted)


def test_copies_that_routers_have_to_cut_are_counted_until_one_arrives():
    out = sending(6, payload=8000)
    out.payload = PAYLOAD
    out.restart_path(2.0)
    copies = []
    now = 2.0
    for _ in range(12):
        resent(out, now)
        copies.append(out.cut_in_vain)
        now = out.deadline()
        out.expired(now)
    assert copies == sorted(copies)
    assert copies[-1] >= 4
    # One that was cut arrives behind the first: such packets pass here, some of them.
    out.window.size = WINDOW
    resent(out, now)
    out.acknowledged(Sack(0, WINDOW, [(2, 2)]), now + RTT)
    assert out.cut_in_vain == 0
    now = out.deadline()
    out.expired(now)
    resent(out, now)
    assert out.cut_in_vain == 1
    out.acknowledged(Sack(1, WINDOW), now + RTT)
    assert out.cut_in_vain == 0


def test_copies_of_what_fits_a_packet_are_none_that_are_cut():
    out = sending(3)
    for _ in range(6):
        now = out.deadline()
        out.expired(now)
        resent(out, now)
    assert out.timeouts > 1
    assert out.cut_in_vain == 0


def test_a_copy_that_fills_a_hole_tells_of_those_that_left_before_it():
    """What is acknowledged with it was reported long ago, and the copy is not the last of all."""
    out = sending(10)
    out.put(Message(0, 0, 53, bytes(PAYLOAD)))
    out.acknowledged(Sack(0, WINDOW, [(2, 9)]), 1.05)
    assert resent(out, 1.055) == [1, 11]
    out.acknowledged(Sack(0, WINDOW, [(2, 9), (11, 11)]), 1.106)
    assert out.next(1.11).number == 10
    assert out.next(1.12).number == 1
    out.acknowledged(Sack(9, WINDOW, [(2, 2)]), 1.171)
    assert resent(out, 1.171) == [10]
