# SPDX-License-Identifier: Apache-2.0
"""What is out: which fragments the peer has, and which of the others are lost (RFC 9260 §6.2.1, §7.2.4; RFC 8985).

Losses are found by time, as RACK does for TCP: a fragment is lost when one that was sent clearly later has arrived.
"Clearly" is no time at all until the path has been seen to reorder, and a part of the round trip after that. A
fragment that was sent again and is lost again is found in the same way.

The walk over what a SACK newly reports is the only loop over packets; it sees each packet once, whatever a peer
writes into its SACKs.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from hardwire.net.rtc.congestion import CongestionWindow
from hardwire.net.rtc.fragments import ARRIVED, FLYING, GIVEN_UP, LOST, Fragment, Sack, SackRefused
from hardwire.net.rtc.inbound import TSN_HALF, TSN_MASK
from hardwire.net.rtc.intervals import Intervals
from hardwire.net.rtc.pmtu import BASE
from hardwire.net.rtc.rtt import RttEstimator
from hardwire.net.rtc.sctpwire import COMMON_SIZE, DATA_HEADER

_DUPLICATES_FOR_LOSS: Final = 3
_REORDER_SHARE: Final = 1 / 4
_MOST_REORDER: Final = 4
_SHORTEST_WAIT: Final = 0.001
_PASSES: Final = BASE - COMMON_SIZE - DATA_HEADER
GAPS_FOR_A_FRAGMENT: Final = 64
MOST_GAP_CREDIT: Final = 65_536


class Flight:
    """The fragments that are out; :class:`~hardwire.net.rtc.outbound.Outbound` puts them in.

    Attributes:
        rtt: Of the path.
        window: Congestion window of the path.
        payload: Octets of data in a full packet.
        peer_window: Octets that the peer has room for.
        flight: Octets that are out and neither acknowledged nor lost.
        cumulative: Everything through this number is acknowledged.
        number: Of the last fragment that was cut.
        lost: Numbers of fragments to be sent again, in order; some of them may have arrived by now.
        given_up: Everything through this number is acknowledged or given up, if anything ever was given up.
        timeouts: One after the other, without anything acknowledged in between.
        copies_lost: Packets that only a path wider than the least carries, sent again and lost again, without one of
            that size arriving that was sent later.
        cut_in_vain: Copies of the first fragment that is missing which left larger than a full packet, so that a router
            had to cut them, without one of that size arriving in between.
    """

    def __init__(self, initial: int, *, payload: int, peer_window: int) -> None:
        self.rtt = RttEstimator()
        self.window = CongestionWindow(payload, self.rtt)
        self.payload = payload
        self.peer_window = peer_window
        self.flight = 0
        self.cumulative = 0
        self.number = 0
        self.timeouts = 0
        self.copies_lost = self.cut_in_vain = 0
        self._wide_at = 0.0  # when the latest was sent that arrived and that only such a path carries
        self._before = (initial - 1) & TSN_MASK
        self._sent: dict[int, Fragment] = {}
        self._arrived = Intervals()
        self.lost: deque[int] = deque()
        self._resent: deque[tuple[float, int]] = deque()
        self._gap_credit = 4096
        self._judged = 1
        # The latest that arrived of all that was sent: when it was sent, and its number.
        self._newest = (0.0, 0)
        self._newest_rtt = 0.0
        self._highest = 0
        self._recovery = 0
        self._reduced_at = 0.0
        self._shrunk_at = 0.0
        self._round = 0
        self._reorder = 0
        self._held_back = False
        self._exempt = False
        self._progress = 0.0
        self._probed = False
        self._judge_at = math.inf
        self.given_up = 0
        self._gives_up = False
        self._given_up_streams: dict[int, tuple[int, int]] = {}

    def tsn(self, number: int) -> int:
        """A number as it is on the wire."""
        return (self._before + number) & TSN_MASK

    def affords(self, gaps: int) -> bool:
        """Whether so many gap blocks shall be looked at: each fragment that is sent pays for some, no more are read.

        Blocks are advice: a SACK that is read without them delays nothing for good (RFC 9260 §6.2.1).
        """
        if gaps > self._gap_credit:
            return False
        self._gap_credit -= gaps
        return True

    def acknowledged(self, sack: Sack, now: float) -> None:
        """Take what a SACK says.

        Raises:
            SackRefused: It names something that was never sent, or gaps that are none.
        """
        ahead = (sack.tsn - self._before - self.cumulative) & TSN_MASK
        if ahead >= TSN_HALF:
            return
        if self.cumulative + ahead > self.number:
            raise SackRefused("an acknowledgement of data that was never sent")
        in_flight = self.flight
        limited = self._held_back or in_flight >= self.window.size
        octets = self._through(self.cumulative + ahead, now) if ahead else 0
        if sack.gaps:
            octets += self._beyond(sack.gaps, now)
        self.peer_window = sack.window
        if octets:
            self.rtt.progressed()
            self._probed = False
            self.timeouts = 0
            if self.cumulative >= self._round:
                self._round = self.number
                self.window.round_ended(limited=limited)
            if limited and self._may_grow():
                # No more than was out: what was taken for lost, and was there, made no room.
                self.window.acknowledged(min(octets, in_flight), now)
        if sack.duplicates and self._recovery:
            self._reorder = min(self._reorder + 1, _MOST_REORDER)
        if self._arrived.starts or self._resent:
            self._judge(now)
        if self._gives_up:
            self._advance_given_up()

    def _may_grow(self) -> bool:
        """Not until something has arrived that was sent since the window shrank for a loss.

        To wait for everything that was out then would be the same after one loss. After a whole window of them it is
        thousands of packets, and they would go out a few in each round trip.
        """
        return self.cumulative >= self._recovery or self._newest[0] >= self._shrunk_at

    def _through(self, number: int, now: float) -> int:
        """Everything through this number is there: octets of it that were not known to be."""
        octets, sent = 0, self._sent
        latest: Fragment | None = None
        highest = self._highest
        for each in range(self.cumulative + 1, number + 1):
            fragment = sent.pop(each)
            if fragment.state == FLYING:
                self.flight -= fragment.size
                octets += fragment.size
                if latest is None or fragment.sent_at >= latest.sent_at:
                    latest = fragment
                if each < highest and fragment.count == 1:
                    self._reordered()
            elif fragment.state == LOST:
                octets += fragment.size
                fragment.state = ARRIVED
                self._reordered()
        if latest is not None:
            self._arrival(latest, now)
        self.cumulative = number
        self.cut_in_vain = 0
        self._judged = max(self._judged, number + 1)
        self._highest = max(self._highest, number)
        self._progress = now
        if self._arrived.starts:
            self._arrived.drop_through(number)
        return octets

    def _beyond(self, gaps: Iterable[tuple[int, int]], now: float) -> int:
        """Gap blocks: octets that they report for the first time."""
        octets, least = 0, 1
        for first, last in gaps:
            if not least < first <= last or self.cumulative + last > self.number:
                raise SackRefused("an acknowledgement of data that was never sent")
            least = last
            for low, high in self._arrived.add(self.cumulative + first, self.cumulative + last):
                octets += sum(self._has_arrived(each, now) for each in range(low, high + 1))
        return octets

    def _has_arrived(self, number: int, now: float) -> int:
        fragment = self._sent.get(number)
        if fragment is None or fragment.state == GIVEN_UP:
            return 0
        if fragment.state == FLYING:
            self.flight -= fragment.size
            if number < self._highest and fragment.count == 1:
                self._reordered()
            self._arrival(fragment, now)
        fragment.state = ARRIVED
        self._highest = max(self._highest, number)
        return fragment.size

    def _reordered(self) -> None:
        """The path changes the order of packets: from now on some time is left for the late ones."""
        self._reorder = max(self._reorder, 1)

    def _arrival(self, fragment: Fragment, now: float) -> None:
        """Of something that was sent once, the round trip is known (Karn); what was sent again is a guess."""
        if fragment.place + fragment.size > _PASSES:
            self.copies_lost = 0
            self._wide_at = max(self._wide_at, fragment.sent_at)
            if fragment.size > self.payload:
                self.cut_in_vain = 0
        took = now - fragment.sent_at
        if fragment.count == 1:
            self.rtt.sample(took, now)
        elif took < self.rtt.floor:
            return
        self._newest_rtt = took
        self._newest = max(self._newest, (fragment.sent_at, fragment.number))

    # ------------------------------------------------------------------ what is lost

    def _judge(self, now: float) -> None:
        """Which fragments are lost by now, and when to ask again about those that are just late."""
        patience = 0.0
        if self._reorder:
            patience = min(self._reorder * _REORDER_SHARE * self.rtt.smoothed, self.rtt.smoothed) + _SHORTEST_WAIT
        elif self._highest - self.cumulative <= _DUPLICATES_FOR_LOSS and not self._resent:
            patience = _REORDER_SHARE * self.rtt.smoothed + _SHORTEST_WAIT
        self._judge_at = math.inf
        lost = self._judge_first(now, patience) + self._judge_resent(now, patience)
        if lost:
            self._has_lost(lost, now)

    def _judge_first(self, now: float, patience: float) -> list[Fragment]:
        """Of those that were sent once: they left in the order of their numbers, and are looked at in that order."""
        lost: list[Fragment] = []
        while self._judged < self._highest:
            fragment = self._sent.get(self._judged)
            if fragment is not None and fragment.state == FLYING and fragment.count == 1:
                due = fragment.sent_at + self._newest_rtt + patience
                if patience and due > now:
                    self._judge_at = due
                    break
                if not patience and fragment.sent_at > self._newest[0]:
                    # No time will tell more of it: a timer that is due already would fire for ever.
                    break
                lost.append(fragment)
            self._judged += 1
        return lost

    def _judge_resent(self, now: float, patience: float) -> list[Fragment]:
        """Of those that were sent again, in the order in which they were."""
        lost: list[Fragment] = []
        while self._resent:
            entry = self._resent[0]
            fragment = self._sent.get(entry[1])
            if fragment is not None and fragment.state == FLYING and fragment.sent_at == entry[0]:
                if entry >= self._newest:
                    break
                due = entry[0] + self._newest_rtt + patience
                if due > now:
                    self._judge_at = min(self._judge_at, due)
                    break
                lost.append(fragment)
            self._resent.popleft()
        return lost

    def _has_lost(self, lost: list[Fragment], now: float) -> None:
        for fragment in lost:
            fragment.state = LOST
            self.flight -= fragment.size
            self.lost.append(fragment.number)
            # The chunk with which a packet became larger than what passes everywhere stands for all of it.
            is_wide = fragment.place - DATA_HEADER <= _PASSES < fragment.place + fragment.size
            self.copies_lost += is_wide and fragment.count > 1 and fragment.sent_at > self._wide_at
        # Once in a round trip: what was out before the window shrank says nothing new about it. What was sent again
        # since then does, or a peer that takes no copy would be sent a whole window of them each time.
        if any(one.number > self._recovery or (one.count > 1 and one.sent_at >= self._reduced_at) for one in lost):
            self.window.lost()
            self._recovery = self.number
            self._reduced_at = self._shrunk_at = now
            self._exempt = True

    def _advance_given_up(self) -> None:
        self.given_up = max(self.given_up, self.cumulative)
        while (fragment := self._sent.get(self.given_up + 1)) is not None and fragment.state == GIVEN_UP:
            self.given_up += 1
            if not fragment.message.unordered:
                self._given_up_streams[fragment.message.stream] = (fragment.message.sequence, self.given_up)
        if self._given_up_streams:
            self._given_up_streams = {
                stream: (place, number)
                for stream, (place, number) in self._given_up_streams.items()
                if number > self.cumulative
            }
