# SPDX-License-Identifier: Apache-2.0
import itertools
import math

from hardwire.net.rtc.fragments import Message, Sack
from hardwire.net.rtc.inbound import FIRST, LAST, UNORDERED
from hardwire.net.rtc.outbound import MOST_OUT, Outbound
from hardwire.net.rtc.rtt import PEER_DELAY

PAYLOAD = 1000
WINDOW = 1_000_000


def half(peer_window=WINDOW):
    out = Outbound(1, payload=PAYLOAD, peer_window=peer_window)
    out.rtt.sample(0.05, 0.0)
    return out


def take(out, now=1.0):
    taken = []
    while (fragment := out.next(now)) is not None:
        taken.append(fragment)
    return taken


def test_messages_are_cut_and_marked():
    out = half()
    out.put(Message(0, 4, 53, bytes(range(250)) * 10))
    out.put(Message(1, 0, 53, b"short", unordered=True))
    first, second, third, fourth = take(out)
    assert [one.flags for one in (first, second, third, fourth)] == [FIRST, 0, LAST, FIRST | LAST | UNORDERED]
    assert first.data + second.data + third.data == bytes(range(250)) * 10
    assert [one.number for one in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert (out.queued, out.next_tsn, out.flight) == (0, 5, 2505)


def test_a_larger_packet_is_used_from_the_next_fragment_on():
    out = half()
    out.put(Message(0, 0, 53, bytes(4000)))
    sizes = [out.next(1.0).size]
    out.payload = 2000
    assert sizes + [one.size for one in take(out)] == [1000, 2000, 1000]


def test_a_message_is_not_cut_to_fill_a_packet():
    out = half()
    out.put(Message(0, 0, 53, bytes(300)))
    assert out.next(1.0, 200) is None
    assert not out.is_held_back
    assert out.next(1.0, 300).size == 300


def test_the_congestion_window_holds_back_and_grows_only_then():
    out = half()
    out.put(Message(0, 0, 53, bytes(50_000)))
    assert len(take(out)) == 10
    assert out.is_held_back
    before = out.window.size
    out.acknowledged(Sack(10, WINDOW), 1.05)
    assert out.window.size == 2 * before
    rest = take(out, 1.05)
    out.acknowledged(Sack(30, WINDOW), 1.1)
    rest += take(out, 1.1)
    assert not out.is_held_back
    size = out.window.size
    out.acknowledged(Sack(50, WINDOW), 1.15)
    assert len(rest) == 40
    assert out.window.size == size


def test_the_peers_window_is_kept_and_a_window_of_zero_is_asked():
    out = half(peer_window=2500)
    out.put(Message(0, 0, 53, bytes(5000)))
    assert len(take(out)) == 2
    assert not out.is_held_back
    out.acknowledged(Sack(2, 0), 1.05)
    assert [one.number for one in take(out, 1.05)] == [3]
    waits = []
    now = 1.05
    for _ in range(4):
        now = out.deadline()
        waits.append(now)
        out.expired(now)
        assert [one.number for one in take(out, now)] == [3]
    gaps = [second - first for first, second in itertools.pairwise(waits)]
    assert gaps == sorted(gaps)
    # The window itself has not shrunk: nothing was lost, the peer had no room.
    assert out.window.size >= 10 * PAYLOAD
    out.acknowledged(Sack(3, WINDOW), now + 0.01)
    assert [one.number for one in take(out, now + 0.01)] == [4, 5]


def test_no_more_is_out_than_a_receiver_of_ours_keeps_in_mind():
    out = half(peer_window=10**9)
    out.window.size = 1e9
    out.put(Message(0, 0, 53, bytes(PAYLOAD * (MOST_OUT + 5))))
    assert len(take(out)) == MOST_OUT


def test_silence_is_broken_by_one_more_packet_and_only_then_by_the_timeout():
    out = half()
    out.put(Message(0, 0, 53, bytes(3000)))
    take(out)
    assert out.deadline() == 1.0 + out.rtt.probe_timeout(alone=False)
    out.expired(out.deadline())
    assert [one.number for one in take(out, 1.11)] == [3]
    assert out.window.size == 10 * PAYLOAD
    assert out.deadline() == 1.0 + out.rtt.timeout()
    out.expired(out.deadline())
    assert out.timeouts == 1
    assert [one.number for one in take(out, 1.3)] == [1]
    assert out.window.size == PAYLOAD


def test_the_probe_is_new_data_when_there_is_some():
    out = half()
    out.put(Message(0, 0, 53, bytes(12_000)))
    assert len(take(out)) == 10
    out.expired(out.deadline())
    assert [one.number for one in take(out, 1.11)] == [11]


def test_a_peer_that_takes_back_what_it_reported_gets_it_again():
    out = half()
    out.put(Message(0, 0, 53, bytes(4000)))
    take(out)
    out.acknowledged(Sack(0, WINDOW, [(2, 4)]), 1.05)
    assert [one.number for one in take(out, 1.05)] == [1]
    out.window.size = WINDOW
    for _ in range(4):
        now = out.deadline()
        out.expired(now)
        out.window.size = WINDOW
        numbers = [one.number for one in take(out, now)]
    assert numbers == [1, 2, 3, 4]


def test_rest_takes_a_part_of_the_window():
    out = half()
    out.window.size = 100 * PAYLOAD
    out.put(Message(0, 0, 53, b"x"))
    take(out)
    out.acknowledged(Sack(1, WINDOW), 1.05)
    out.put(Message(0, 1, 53, b"x"))
    take(out, 30.0)
    assert out.window.size == 10 * PAYLOAD


def test_another_path_begins_anew_and_sends_again_what_was_out():
    out = half()
    out.window.size = 100 * PAYLOAD
    out.put(Message(0, 0, 53, bytes(5000)))
    take(out)
    out.restart_path(1.02)
    assert not out.rtt.is_known
    assert out.window.size == 10 * PAYLOAD
    assert [one.number for one in take(out, 1.02)] == [1, 2, 3, 4, 5]


def test_a_message_that_outlived_its_time_is_given_up_whole():
    out = half()
    out.window.size = 2 * PAYLOAD
    out.put(Message(3, 7, 53, bytes(5000), expires=1.2))
    out.put(Message(3, 8, 53, bytes(10)))
    assert len(take(out)) == 2
    assert out.forward() is None
    now = 1.0
    while out.forward() is None:
        now = out.deadline()
        out.expired(now)
        sent = take(out, now)
    # Three fragments were sent (one of them to break the silence), and one more number stands for the rest.
    assert out.forward() == (4, [(3, 7)])
    assert [one.number for one in sent + take(out, now)] == [5]
    out.acknowledged(Sack(5, WINDOW), now + 0.05)
    assert out.forward() is None
    assert out.is_empty


def test_a_message_whose_turn_comes_too_late_is_never_sent():
    out = half()
    out.put(Message(3, 0, 53, b"late", expires=0.5))
    out.put(Message(3, 1, 53, b"not late", unordered=True, expires=math.inf))
    assert [one.data for one in take(out)] == [b"not late"]


def test_a_message_with_no_retransmissions_is_sent_once():
    out = half()
    out.put(Message(3, 0, 53, bytes(500), retransmissions=0))
    out.put(Message(0, 0, 53, bytes(5000)))
    take(out)
    out.acknowledged(Sack(0, WINDOW, [(2, 6)]), 1.05)
    assert take(out, 1.05) == []
    assert out.forward() == (1, [(3, 0)])


def test_nothing_out_needs_no_time():
    out = half()
    assert out.deadline() == math.inf
    out.expired(5.0)
    assert out.is_empty


def test_no_deadline_is_left_behind_that_would_fire_for_ever():
    """The last packet was asked about, and its first copy arrived: younger ones than the newest arrival are no loss yet."""
    out = half()
    for _ in range(4):
        out.put(Message(0, 0, 53, bytes(900)))
    take(out, now=1.0)
    out.acknowledged(Sack(out.tsn(4), WINDOW), 1.05)
    for at in (1.06, 1.07, 1.08, 1.09, 1.1):
        out.put(Message(0, 0, 53, bytes(900)))
        take(out, now=at)
    probe = out.deadline()
    out.expired(probe)
    assert [one.number for one in take(out, now=probe)] == [9]
    now = probe + 0.001
    out.acknowledged(Sack(out.tsn(4), WINDOW, [(5, 5)]), now)
    assert out.flight == 4 * 900
    for _ in range(3):
        assert out.deadline() > now
        now = out.deadline()
        out.expired(now)
        take(out, now)
    # Those that are missing are found all the same: by the timeout at the latest.
    assert out.timeouts or not out.flight


def lose_a_window(out, packets):
    """So many are out, and the path falls silent: the time at which that is noticed."""
    out.window.size = packets * PAYLOAD
    out.put(Message(0, 0, 53, bytes(2 * packets * PAYLOAD)))
    assert len(take(out)) == packets
    now = out.deadline()
    while not out.timeouts:
        out.expired(now)
        take(out, now)
        now = out.deadline()
    return now


def rounds_until_all_is_there(out, packets, now):
    """How many round trips a path without losses needs from here."""
    rounds = 0
    while out.cumulative < packets:
        out.acknowledged(Sack(out.cumulative + sum(one.state == 0 for one in out._sent.values()), WINDOW), now)
        now += 0.05
        take(out, now)
        rounds += 1
    return rounds


def test_a_window_that_is_lost_whole_is_sent_again_in_slow_start():
    out = half()
    now = lose_a_window(out, 500)
    assert out.window.size == PAYLOAD
    assert rounds_until_all_is_there(out, 500, now) <= 12


def test_the_next_timeout_in_a_row_says_nothing_more_of_what_the_path_carries():
    out = half()
    now = lose_a_window(out, 500)
    threshold = out.window.threshold
    while out.timeouts < 3:
        out.expired(now)
        take(out, now)
        now = out.deadline()
    assert out.window.threshold == threshold
    assert rounds_until_all_is_there(out, 500, now) <= 12


def test_another_path_is_filled_in_slow_start_with_what_was_lost_on_the_last():
    out = half()
    out.window.size = 500 * PAYLOAD
    out.put(Message(0, 0, 53, bytes(500 * PAYLOAD)))
    assert len(take(out)) == 500
    out.restart_path(2.0)
    assert len(take(out, 2.0)) == 10
    assert rounds_until_all_is_there(out, 500, 2.05) <= 8


def test_what_was_there_all_the_time_does_not_widen_the_window_at_one_stroke():
    """Only the acknowledgements were lost: the first one says everything."""
    out = half()
    now = lose_a_window(out, 500)
    out.acknowledged(Sack(500, WINDOW), now)
    assert out.window.size == 2 * PAYLOAD


def test_after_a_loss_the_window_grows_again_when_something_later_arrived():
    out = half()
    out.window.size = 20 * PAYLOAD
    out.put(Message(0, 0, 53, bytes(100 * PAYLOAD)))
    assert len(take(out)) == 20
    out.acknowledged(Sack(0, WINDOW, [(2, 2), (4, 10)]), 1.05)
    size = out.window.size
    assert [one.number for one in take(out, 1.05)][:2] == [1, 3]
    out.acknowledged(Sack(0, WINDOW, [(2, 2), (4, 12)]), 1.06)
    take(out, 1.06)
    assert out.window.size == size
    out.acknowledged(Sack(2, WINDOW, [(2, 10)]), 1.1)
    assert out.cumulative < out._recovery
    assert out.window.size > size


def test_a_lone_packet_whose_sack_is_kept_for_a_while_is_no_loss():
    """200 ms are allowed (RFC 9260 §6.2), and the timeout of a quick path is hardly more."""
    out = half()
    for _ in range(20):
        out.rtt.sample(0.05, 0.0)
    size = out.window.size
    for turn in range(5):
        out.put(Message(0, turn, 53, b"now and then"))
        assert len(take(out, 1.0 + turn)) == 1
        assert out.deadline() > 1.0 + turn + 0.05 + PEER_DELAY
        out.acknowledged(Sack(turn + 1, WINDOW), 1.0 + turn + 0.05 + PEER_DELAY)
    assert (out.timeouts, out.window.size, out.window.in_slow_start) == (0, size, True)
