# SPDX-License-Identifier: Apache-2.0
"""Keeps a direct lane beside a line while there is something to carry, and goes without whenever it must.

::

    wish() ─► LaneWanted ─► door, OFFER ─► LaneAgreed ─► meeting ─► DirectLane ─► user.open_path
                 (at R: ASK)   (ANSWER)                    └ nobody came: END, patience doubles
    it broke, wore out, had nothing to do, the peer ended it ─► user.close_path, END, and again at the next wish

Nothing waits for a lane: chunks go over the line until one stands, and again when it is gone. Every attempt is for
the path that the line uses at that moment; without a direct one the answer is no. Attempts are one at a time, at least
a second apart, and end after a few failures in a row: a firewall that says no once will say it again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from hardwire.channel.bulk import BulkPath
from hardwire.channel.lane import LaneAgreed, LaneEnded, LaneEvent, LaneOffered, Lanes, LaneWanted
from hardwire.errors import ConnectionLost, HardwireError, NetworkFailed
from hardwire.handshake import Entropy
from hardwire.net.lane.direct import DirectLane
from hardwire.net.lane.door import Door
from hardwire.net.lane.meeting import MEETING_TIMEOUT, Meeting
from hardwire.net.lane.path import LanePath

PAUSE: Final = 1.0
"""Seconds between two attempts, at least; doubled with each failure."""
FAILURES_MAX: Final = 6
LIFE: Final = 300.0
"""Seconds until a lane is replaced, well before the 10 minutes of the protocol."""
STOOD: Final = 30.0
"""Seconds: a lane that is over before is as good as none. Some ways let a greeting through, and no full packet."""
IDLE: Final = 30.0
"""Seconds without a chunk, after which it is given back."""
STALLED: Final = 15.0
"""Seconds in which the peer's machine took nothing of what waits: then a lane is dead, whatever TCP still hopes."""
LOOK: Final = 5.0
"""Seconds between two looks at a lane."""
ASK_AGAIN: Final = 15.0
"""Seconds until the responder, who has not been answered, asks for a lane again: a refusal is silent."""


class LaneUser(Protocol):
    """Who sends chunks: told which ways there are besides the line. See ``channel/bulk.py``."""

    def open_path(self, path: BulkPath) -> None:
        """Send over it from now on."""

    def path_writable(self) -> None:
        """There is room again."""

    def close_path(self, path: BulkPath) -> None:
        """It is gone: send what is not acknowledged over what is left."""


class LaneLine(Protocol):
    """What the keeper asks of the line it serves."""

    @property
    def direct_path(self) -> LanePath | None:
        """Both addresses of the path in use; None when there is no direct one, or none is wanted."""

    def lanes(self) -> AbstractContextManager[Lanes]:
        """The negotiation, for one call; what it made ready is sent afterwards. Raises ConnectionLost."""

    def receive_chunk(self, transfer: int, offset: int, data: memoryview, chunk_size: int) -> None:
        """A chunk of the peer's."""


class LaneKeeper:
    """The lanes of one line; told of every :data:`LaneEvent`.

    Args:
        line: The line.
        entropy: For greetings.
        now: Monotonic seconds.
    """

    def __init__(self, line: LaneLine, entropy: Entropy, now: Callable[[], float]) -> None:
        self._line = line
        self._entropy = entropy
        self._now = now
        self._user: LaneUser | None = None
        self._lane: DirectLane | None = None
        self._number = self._ended = 0
        self._door: Door | None = None
        self._path: LanePath | None = None
        self._meeting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._not_before = 0.0
        self._wished = False
        self._closed = False
        self._opened_at = self._carried_at = self._offered_at = -PAUSE
        self._ask_again = self._took_at = 0.0
        self._taken = 0

    def serve(self, user: LaneUser) -> None:
        """Tell that one of every lane from now on."""
        self._user = user

    @property
    def lane(self) -> DirectLane | None:
        """The lane that stands, if one does."""
        return self._lane

    def wish(self) -> None:
        """There is something to carry: make a lane if there can be one, at the right time."""
        self._wished = True
        if self._closed or self._lane is not None or self._timer is not None or self._meeting is not None:
            return
        if self._now() < self._ask_again:  # each chunk is a wish, so there will be others
            return
        if self._failures < FAILURES_MAX and self._line.direct_path is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, self._not_before - self._now()), self._ask)

    def handle(self, event: LaneEvent) -> None:
        """One event of the negotiation. Raises ConnectionLost when the line ended meanwhile."""
        match event:
            case LaneWanted():
                self._offer()
            case LaneOffered():
                self._answer(event)
            case LaneAgreed():
                self._meet(event)
            case LaneEnded():
                self._on_ended(event)

    def moved(self) -> None:
        """The line has another path: a lane follows it, and what stood in its way may not stand there any more."""
        self._failures = 0
        self._ask_again = 0.0
        if self._lane is not None and self._line.direct_path != self._path:
            self._opened_at -= STOOD  # it failed at nothing, however young it is
            self.over(None)
        elif self._wished:
            self.wish()

    def stop(self) -> None:
        """The line is over: its lane ends without a word. :meth:`settled` waits for it."""
        if not self._closed:
            self._closed = True
            self._cancel_timer()
            self._give_up()
            self._drop(clean=False)

    async def settled(self) -> None:
        """Wait until sockets, threads and tasks are gone."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # ------------------------------------------------------------------ making one

    def _ask(self) -> None:
        self._timer = None
        with self._line.lanes() as lanes:
            asked = lanes.want()
        if asked:
            self._ask_again = self._now() + ASK_AGAIN

    def _open_door(self) -> bool:
        """Whether a lane may be made now; then there is a path, and a door if the system gives one."""
        self._path = self._line.direct_path
        self._not_before = self._now() + PAUSE
        self._shut_door()
        if self._path is not None:
            self._door = Door.open(self._path)
        return self._path is not None

    def _offer(self) -> None:
        """At the initiator: either side wishes for a lane."""
        self._cancel_timer()
        self._wished = True
        if (early := self._not_before - self._now()) > 0:
            self._timer = asyncio.get_running_loop().call_later(early, self._offer)
            return
        ready = self._failures < FAILURES_MAX and self._open_door()
        with self._line.lanes() as lanes:
            if not ready:
                lanes.decline()
                return
            self._number = lanes.offer(self._port)
        self._timer = asyncio.get_running_loop().call_later(MEETING_TIMEOUT, self._unanswered, self._number)

    def _answer(self, offered: LaneOffered) -> None:
        """At the responder: the initiator decides when; a flood of offers is not taken part in."""
        self._number, self._ask_again = offered.number, 0.0
        flood = self._now() < self._offered_at + PAUSE / 2
        self._offered_at = self._now()
        ready = not flood and self._open_door() and (self._door is not None or offered.port != 0)
        with self._line.lanes() as lanes:
            if ready:
                lanes.answer(offered.number, self._port)
            else:
                lanes.end(offered.number)

    def _meet(self, agreed: LaneAgreed) -> None:
        if self._path is not None and agreed.number == self._number:
            self._cancel_timer()
            meeting = Meeting(agreed.keys, self._path, self._door, agreed.port, self._entropy)
            self._meeting = self._start(self._attempt(agreed.number, meeting))

    def _unanswered(self, number: int) -> None:
        self._timer = None
        self._shut_door()
        self._failed()
        self._say_end(number)
        self._again()

    async def _attempt(self, number: int, meeting: Meeting) -> None:
        try:
            self._lane = DirectLane(await meeting.run(), self)
        except NetworkFailed:
            self._missed(number)
            return
        except Exception:  # no thread or no memory for it; the loop reports that
            self._missed(number)
            raise
        self._meeting = None
        self._opened_at = self._carried_at = self._took_at = self._now()
        self._taken = 0
        self._watch()
        if self._user is not None:
            self._user.open_path(self._lane)

    def _missed(self, number: int) -> None:
        self._meeting = None
        self._failed()
        self._say_end(number)
        self._again()

    # ------------------------------------------------------------------ what the lane tells

    def chunk(self, transfer: int, offset: int, data: memoryview) -> None:
        """Pass on; octets of the peer's that are wrong end the line there."""
        self._carried_at = self._now()
        self._line.receive_chunk(transfer, offset, data, DirectLane.chunk_size)

    def writable(self) -> None:
        """Pass on."""
        self._carried_at = self._now()
        if self._user is not None:
            self._user.path_writable()

    def over(self, error: HardwireError | None) -> None:
        """It ended by itself: tell the peer, and try again when there is something to carry."""
        self._judge()
        self._drop(clean=error is None)
        self._say_end(self._number)
        self._again()

    # ------------------------------------------------------------------ the end of one

    def _on_ended(self, ended: LaneEnded) -> None:
        if ended.number != self._number or ended.number == self._ended:
            return  # this side was done with it before it heard
        if self._lane is None:
            self._failed()
        else:
            self._judge()
            if self._now() - self._carried_at >= IDLE / 2:
                self._wished = False  # given back because there was nothing to carry, and not broken
        self._cancel_timer()
        self._give_up()
        self._drop(clean=False)
        self._again()

    def _give_up(self) -> None:
        """Whatever attempt is under way."""
        self._shut_door()
        if self._meeting is not None:
            self._meeting.cancel()
            self._meeting = None

    def _drop(self, *, clean: bool) -> None:
        lane, self._lane = self._lane, None
        if lane is not None:
            self._cancel_timer()
            self._start(lane.close(clean=clean))
            if self._user is not None and not self._closed:
                self._user.close_path(lane)

    def _judge(self) -> None:
        """A lane that is over is a failure if it did not stand for long: the next one will do no better."""
        if self._now() - self._opened_at < STOOD:
            self._failed()
        else:
            self._failures = 0

    def _failed(self) -> None:
        self._not_before = self._now() + PAUSE * 2**self._failures
        self._failures = min(self._failures + 1, FAILURES_MAX)

    def _again(self) -> None:
        if self._wished:
            self._wished = False
            self.wish()

    def _watch(self) -> None:
        """Look from time to time whether the lane is old, idle or dead."""
        self._timer = None
        lane, now = self._lane, self._now()
        if lane is None:
            return
        if not lane.idle:
            self._carried_at = now
        taken, waits = lane.taken()
        if taken != self._taken or not waits:
            self._taken, self._took_at = taken, now
        elif now - self._took_at >= STALLED:
            self.over(ConnectionLost("the direct lane takes nothing any more", code="lane-stalled"))
            return
        idle = now - self._carried_at >= IDLE
        if idle or now - self._opened_at >= LIFE:
            self._wished = not idle
            self.over(None)
            return
        self._timer = asyncio.get_running_loop().call_later(LOOK, self._watch)

    def _say_end(self, number: int) -> None:
        self._ended = number
        if not self._closed:
            with self._line.lanes() as lanes:
                lanes.end(number)

    # ------------------------------------------------------------------ odds and ends

    @property
    def _port(self) -> int:
        return 0 if self._door is None else self._door.port

    def _shut_door(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="hardwire lane")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
