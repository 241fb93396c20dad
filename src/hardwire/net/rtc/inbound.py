# SPDX-License-Identifier: Apache-2.0
"""What arrives: which packet numbers are there, and which messages they make (RFC 9260 §6.2, §6.5, §6.9).

Fragments of a message have consecutive numbers, the first and the last of them are marked, and so a *run* of
fragments never reaches over either end of a message. A run knows its two edges; a new fragment joins the run that
ends before it, the one that begins after it, both or none. Nothing is ever searched or sorted for a fragment, in
whatever order a peer sends them, and joining moves the shorter run into the longer one. A run with both ends is a
message; ordered ones then wait for their turn in their stream.

Pure: octets come in, messages come out. An honest peer keeps the window that is advertised to it; what a peer sends
beyond twice that, or in more pieces than a sender of ours would ever have out, is left unacknowledged and forgotten.
The next packet in order is always taken: without it nothing that is held could ever be handed on.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hardwire.net.rtc.intervals import Intervals

LAST: Final = 1
FIRST: Final = 2
WHOLE: Final = FIRST | LAST
UNORDERED: Final = 4
TSN_MASK: Final = 0xFFFF_FFFF
TSN_HALF: Final = 1 << 31
SEQUENCE_MASK: Final = 0xFFFF
SEQUENCE_HALF: Final = 1 << 15
MOST_PIECES: Final = 16_384
"""Fragments and early messages that are held at most: a few megabytes of bookkeeping."""
MOST_FRAGMENTS: Final = 2048
"""Fragments of one message: with packets as small as IPv4 knows them, these are more than its octets allow."""
MAX_DUPLICATES: Final = 50


class Arrived(NamedTuple):
    """One whole message."""

    stream: int
    protocol: int
    data: bytes


class InboundRefused(Exception):
    """What arrived cannot be part of any message of an honest peer."""


@dataclass(slots=True)
class _Run:
    """Fragments with consecutive numbers of one message.

    Args:
        first: Number of the first of them.
        last: Number of the last of them.
        kind: Stream, place in the stream, protocol and order; the same for all of a message.
        begins: The first fragment of the message is here.
        ends: The last one is.
    """

    first: int
    last: int
    kind: tuple[int, int, int, int]
    begins: bool
    ends: bool
    size: int
    parts: deque[bytes]


@dataclass(slots=True)
class Stream:
    """The order within one stream: the place of the next message, and those that are early."""

    next: int = 0
    early: dict[int, Arrived] = field(default_factory=dict)


class Inbound:
    """The receiving half of an association.

    Args:
        initial: The peer's initial TSN.
        window: Octets that may be held while something is missing.
        most: Octets of a message.
        reach: Numbers that a packet may lie beyond the first that is missing; further ones are refused.

    Attributes:
        cumulative: Everything up to this number is there; counted from the peer's first packet as 1.
        held: Octets that are kept and not handed on yet.
        pieces: In how many fragments and early messages they are.
        streams: By number; one that is taken out begins anew.
        duplicates: TSNs that came again since the last SACK, at most 50 of them.
    """

    def __init__(self, initial: int, *, window: int, most: int, reach: int = TSN_HALF) -> None:
        self.streams: dict[int, Stream] = {}
        self.cumulative = 0
        self.held = 0
        self.pieces = 0
        self.duplicates: list[int] = []
        self.beyond = Intervals()
        self._origin = (initial - 1) & TSN_MASK
        self._window = window
        self._most = most
        self._reach = reach
        self._by_first: dict[int, _Run] = {}
        self._by_last: dict[int, _Run] = {}

    @property
    def tsn(self) -> int:
        """The cumulative number as it is on the wire."""
        return (self._origin + self.cumulative) & TSN_MASK

    @property
    def room(self) -> int:
        """Octets that the peer may send: the advertised window."""
        return max(0, self._window - self.held)

    def ahead(self, tsn: int) -> int:
        """How far a TSN lies beyond the cumulative one; 0 or less: it was there before."""
        distance = (tsn - self._origin - self.cumulative) & TSN_MASK
        return distance if distance < TSN_HALF else distance - TSN_MASK - 1

    def take(self, flags: int, tsn: int, kind: tuple[int, int, int], data: bytes) -> list[Arrived] | None:
        """One DATA chunk: the messages it completed, or ``None`` when it was there before or has no room.

        Args:
            flags: Of the chunk.
            tsn: Its number.
            kind: Stream, place in the stream, protocol.
            data: Its octets.

        Raises:
            InboundRefused: It contradicts its neighbours, lies beyond reach, or the message is longer than agreed.
        """
        distance = self.ahead(tsn)
        if distance > self._reach:
            raise InboundRefused("more data than the window allows")
        number = self.cumulative + distance
        if distance == 1:
            self.cumulative = number
            if self.beyond.starts:
                self._catch_up()
            elif not self._by_last and flags & WHOLE == WHOLE:
                # Nothing is held that it could meet: a small message on its own.
                self._check_size(len(data), 1)
                return self._completed((*kind, flags & UNORDERED), data, number)
            elif not flags:
                # The middle of a message, and nothing lies beyond that it could meet: most of what comes.
                left = self._by_last.get(number - 1)
                if left is not None and not left.ends and left.kind == (*kind, 0):
                    self._append(left, number, data, ends=False)
                    self._check_size(left.size, len(left.parts))
                    return []
        elif number <= self.cumulative or number in self.beyond:
            if len(self.duplicates) < MAX_DUPLICATES:
                self.duplicates.append(tsn)
            return None
        elif self.held + len(data) > 2 * self._window or self.pieces >= MOST_PIECES:
            return None
        else:
            self.beyond.add(number, number)
        return self._join(flags, number, (*kind, flags & UNORDERED), data)

    def skip(self, tsn: int, streams: list[tuple[int, int]]) -> list[Arrived]:
        """The peer gave up everything through ``tsn`` (FORWARD TSN, RFC 3758 §3.6): what can be handed on now.

        Args:
            tsn: The new cumulative number.
            streams: Stream and place of the last message that was given up in it.
        """
        distance = self.ahead(tsn)
        if distance <= 0:
            return []
        runs = [self._by_last.get(self.cumulative)]
        self.cumulative += distance
        for first, last in self.beyond:
            if first > self.cumulative + 1:
                break
            runs += [self._by_first.get(each) for each in range(first, last + 1)]
            self.cumulative = max(self.cumulative, last)
        self.beyond.drop_through(self.cumulative)
        for run in runs:
            # A message that goes on beyond is not given up: nothing of it is missing yet.
            if run is not None and not (run.begins and run.last >= self.cumulative):
                self._drop(run)
        done: list[Arrived] = []
        for number, sequence in streams:
            stream = self.streams.setdefault(number, Stream())
            steps = (sequence + 1 - stream.next) & SEQUENCE_MASK
            if steps < SEQUENCE_HALF:
                done += [self._release(stream.early.pop(place)) for place in _passed(stream, steps)]
                stream.next = (stream.next + steps) & SEQUENCE_MASK
            done += self._in_turn(stream)
        return done

    def _catch_up(self) -> None:
        first, last = self.beyond.first_run()
        if first <= self.cumulative + 1:
            self.cumulative = last
            self.beyond.drop_through(last)

    def _join(self, flags: int, number: int, kind: tuple[int, int, int, int], data: bytes) -> list[Arrived]:
        """Put a fragment to its neighbours, and take away what can never be whole any more."""
        begins, ends = bool(flags & FIRST), bool(flags & LAST)
        left = self._before(number, begins=begins)
        right = self._by_first.get(number + 1)
        if right is not None and right.begins and not ends:
            # The next message begins, and this one has no end.
            self._drop(left)
            return []
        if ends:
            if right is not None and not right.begins:
                self._drop(right)
            right = None
        if begins and ends:
            self._check_size(len(data), 1)
            return self._completed(kind, data, number)
        if left is None and not begins and number <= self.cumulative:
            return []
        run = self._extend(left, number, kind, data, begins=begins, ends=ends)
        if right is not None:
            self._merge(run, right)
        self._check_size(run.size, len(run.parts))
        return self._take_out(run) if run.begins and run.ends else []

    def _before(self, number: int, *, begins: bool) -> _Run | None:
        """The run that a fragment continues."""
        left = self._by_last.get(number - 1)
        if left is None or left.ends:
            return None
        if begins:
            self._drop(left)
            return None
        return left

    def _extend(
        self, left: _Run | None, number: int, kind: tuple[int, int, int, int], data: bytes, *, begins: bool, ends: bool
    ) -> _Run:
        if left is None:
            self.held += len(data)
            self.pieces += 1
            run = _Run(number, number, kind, begins, ends, len(data), deque((data,)))
            self._by_first[number] = self._by_last[number] = run
            return run
        if left.kind != kind:
            raise InboundRefused("fragments of different messages under consecutive numbers")
        self._append(left, number, data, ends=ends)
        return left

    def _append(self, run: _Run, number: int, data: bytes, *, ends: bool) -> None:
        self.held += len(data)
        self.pieces += 1
        del self._by_last[number - 1]
        self._by_last[number] = run
        run.last, run.ends = number, ends
        run.size += len(data)
        run.parts.append(data)

    def _check_size(self, size: int, parts: int) -> None:
        if size > self._most or parts > MOST_FRAGMENTS:
            raise InboundRefused(f"a message of more than {self._most} octets or {MOST_FRAGMENTS} fragments")

    def _drop(self, run: _Run | None) -> None:
        if run is None:
            return
        del self._by_first[run.first], self._by_last[run.last]
        self.held -= run.size
        self.pieces -= len(run.parts)

    def _merge(self, left: _Run, right: _Run) -> None:
        """Two runs that touch become one; the fewer parts move."""
        if left.kind != right.kind:
            raise InboundRefused("fragments of different messages under consecutive numbers")
        del self._by_last[left.last], self._by_first[right.first]
        if len(left.parts) < len(right.parts):
            right.parts.extendleft(reversed(left.parts))
            left.parts = right.parts
        else:
            left.parts.extend(right.parts)
        left.last, left.ends = right.last, right.ends
        left.size += right.size
        self._by_last[left.last] = left

    def _take_out(self, run: _Run) -> list[Arrived]:
        self._drop(run)
        return self._completed(run.kind, b"".join(run.parts), run.last)

    def _completed(self, kind: tuple[int, int, int, int], data: bytes, last: int) -> list[Arrived]:
        number, sequence, protocol, unordered = kind
        message = Arrived(number, protocol, data)
        if unordered:
            return [message]
        stream = self.streams.get(number)
        if stream is None:
            stream = self.streams[number] = Stream()
        if sequence != stream.next:
            if (sequence - stream.next) & SEQUENCE_MASK >= SEQUENCE_HALF or sequence in stream.early:
                return []
            if last <= self.cumulative:
                # Everything that was sent before it is here, and yet it is not its turn.
                raise InboundRefused(f"a message out of its turn in stream {number}")
            stream.early[sequence] = message
            self.held += len(data)
            self.pieces += 1
            return []
        stream.next = (sequence + 1) & SEQUENCE_MASK
        return [message, *self._in_turn(stream)] if stream.early else [message]

    def _in_turn(self, stream: Stream) -> list[Arrived]:
        done: list[Arrived] = []
        while (early := stream.early.pop(stream.next, None)) is not None:
            stream.next = (stream.next + 1) & SEQUENCE_MASK
            done.append(self._release(early))
        return done

    def _release(self, message: Arrived) -> Arrived:
        self.held -= len(message.data)
        self.pieces -= 1
        return message


def _passed(stream: Stream, steps: int) -> list[int]:
    """Places of early messages among the next ``steps``, in order.

    Whichever is less is looked through: a peer could name the same stream three hundred times in a packet.
    """
    if steps <= len(stream.early):
        return [place for step in range(steps) if (place := (stream.next + step) & SEQUENCE_MASK) in stream.early]
    ahead = sorted((place - stream.next) & SEQUENCE_MASK for place in stream.early)
    return [(stream.next + step) & SEQUENCE_MASK for step in ahead if step < steps]
