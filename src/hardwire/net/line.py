# SPDX-License-Identifier: Apache-2.0
"""An open line: drives one :class:`~hardwire.channel.SecureChannel` over one link.

::

    async for event in line: ...        ends after LineClosed or LineFailed
    line.send_chat("hello")             verbs of the channel (:mod:`hardwire.net.verbs`)
    await line.close()                  flushes, says goodbye, gives everything back; 2 s with a dead peer

The channel is driven within the call that brought the octets: a message that comes in is opened, answered and its
event queued before the event loop turns. There is no task; one timer serves all of the channel's timeouts.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Self

from hardwire.channel import CHANNELS, CloseReason, LineClosed, LineFailed, PathTold, SecureChannel
from hardwire.channel import Event as ChannelEvent
from hardwire.errors import ConnectionLost, HardwireError, Misuse, PeerError, WireError
from hardwire.handshake import HandshakeDone
from hardwire.net.config import LineConfig
from hardwire.net.inbox import Inbox
from hardwire.net.lane.beside import Beside
from hardwire.net.lane.path import LanePath
from hardwire.net.paths import PathEvent, PathFound, PathKeeper
from hardwire.net.rtc import RtcLink
from hardwire.net.verbs import Verbs

MAX_EVENTS: Final = 20_000
HELD_UP: Final = 5.0
"""Seconds that this process did not run, if it comes back after more: the keepalives alone wake it every two."""

NOBODYS_WISH: Final = frozenset({"path-lost", "peer-silent", "rekey-timeout"})
"""How a line ends that nobody ended: what follows it is the next one (:mod:`hardwire.net.reline`)."""

Event = ChannelEvent | PathEvent


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the opening took, in milliseconds.

    Args:
        open_ms: From the answer taken (offerer) or the knocking begun (answerer, who waits for a person there) to both
            channels open.
        handshake_ms: From there to the end of HBI/1, with everybody's devices and people.
        asked_ms: The part of it that this side's device and person took.
    """

    open_ms: float
    handshake_ms: float
    asked_ms: float


class Line(Verbs):
    """Made by :mod:`hardwire.net.pending` when the handshake is done.

    Attributes:
        done: The proof: who the peer is, the short authentication string, secrets for the next meeting. What the
            record layer grew from is not in it any more.
        timings: Of the opening.
        beside: Direct lanes, and which way the octets of each transfer took.
    """

    timings: Timings

    def __init__(self, done: HandshakeDone, link: RtcLink, inbox: Inbox, config: LineConfig) -> None:
        self.done = done.spent()
        self._link = link
        self._clock = config.clock.monotonic
        self._opened_at = self._seen = self._clock()
        self._life = config.limits.life
        self._events: deque[Event] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._over = False
        self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._channel = SecureChannel(done, entropy=config.entropy, now=self._seen, limits=config.limits)
        self._paths = PathKeeper(
            self.done,
            link,
            self._channel.paths,
            config=config,
            now=self._now,
            tell=self._path_news,
            pump=self._pump,
        )
        self.beside = Beside(self._channel, self._direct_path, config.entropy, now=self._now, pump=self._pump)
        inbox.attach(self, CHANNELS)
        self._pump()
        if not self._over:
            link.roam(self._paths.credentials, self._paths)

    @property
    def age(self) -> float:
        """Seconds since the handshake, sleep included."""
        return self._clock() - self._opened_at

    @property
    def life_left(self) -> float:
        """Seconds to the greatest age, as this side counts it."""
        return self._life - self.age

    # ------------------------------------------------------------------ events

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._over:
                raise StopAsyncIteration
            if self._reader is not None and not self._reader.done():
                raise Misuse("somebody else is waiting for the next event of this line")
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._events.popleft()

    def _put(self, event: Event) -> None:
        self._events.append(event)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # ------------------------------------------------------------------ the way to the peer

    def change_path(self) -> None:
        """Move to another path although nothing is wrong with this one; ``PathFound`` says when it is done."""
        self._link.change_path()

    @property
    def path_is_lost(self) -> bool:
        """Nothing is heard of the peer: what is sent waits until another path is found."""
        return self._paths.lost_since is not None

    async def delivered(self) -> bool:
        """Whether the peer's machine gets all that was said within seconds. Raises ConnectionLost after the end.

        While a file leaves over the line it does not: what waits in front of what, and where, is not known up here, and
        a no costs another question. A yes too early would bring a transfer twice.
        """
        if self._over:
            raise ConnectionLost("the line is over", code="line-over")
        return await self._link.flush()

    # ------------------------------------------------------------------ ending

    async def close(self, reason: CloseReason = CloseReason.NORMAL) -> None:
        """Say goodbye and give everything back. Any number of times; the events still end with ``LineClosed``.

        Waits until the peer's machine has the goodbye and what was said before it: some milliseconds with a live
        peer, at most 2 s with a dead one. Chunks of a file that are still queued are not waited for.
        """
        if not self._over:
            self._channel.close(self._now(), reason)
            self._pump()
        await self._shut()

    async def abort(self, error: HardwireError) -> None:
        """End it without a word, because of ``error``, which becomes the line's last event."""
        if not self._over:
            self._channel.abort(error)
            self._pump()
        await self._shut()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    # ------------------------------------------------------------------ what the link tells

    def message(self, channel: int, data: bytes) -> None:
        """One frame of the peer."""
        if not self._over:
            now = self._paths.heard_at = self._now()
            self._channel.receive_data(channel, data, now)
            self._pump()

    def writable(self) -> None:
        """The link's queue is short again: more frames may be sealed."""
        self._pump()

    def closed(self, error: HardwireError) -> None:
        """The link ended; without a close frame that is a cut."""
        if not self._over:
            self._channel.abort(error)
            self._pump()

    def _path_news(self, event: PathEvent) -> None:
        """The path was lost: the time of the line stands still. Or it was found: what waited goes out."""
        if self._over:
            return
        (self._channel.time.pause if self.path_is_lost else self._channel.time.resume)(self._now())
        self._put(event)
        self._pump()
        if isinstance(event, PathFound):
            self.beside.moved()

    def _direct_path(self) -> LanePath | None:
        return None if self._over or self.path_is_lost else self._link.direct_path

    def _now(self) -> float:
        """The time; if this process did not run for a while, that while is none of the line's."""
        now = self._clock()
        if now - self._seen > HELD_UP and not self.path_is_lost:
            self._channel.time.pause(self._seen)
            self._channel.time.resume(now)
        self._seen = now
        return now

    # ------------------------------------------------------------------ the pump

    def _pump(self) -> None:
        """Events out, frames out, timer set. A verb called from within is served by the loop that is running."""
        if self._pumping:
            return
        self._pumping = True
        sent = False
        try:
            self._take_events()
            while self._send_frames():
                sent = True
                # A queue that got shorter is an event, too.
                if not self._take_events():
                    break
        finally:
            self._pumping = False
        if sent:
            # The frames are on their way: what is worked out now, neither the answer nor the next word waits for.
            self._channel.prepare()
        self._set_timer()

    def _take_events(self) -> bool:
        taken = False
        while not self._over and (event := self._channel.next_event()) is not None:
            taken = True
            if self.beside.take(event):
                continue
            if isinstance(event, PathTold):
                self._take_path_told(event)
                continue
            self._put(event)
            if isinstance(event, (LineClosed, LineFailed)):
                self._end(event)
            elif len(self._events) > MAX_EVENTS:
                self._channel.abort(PeerError("the peer sends faster than anybody here reads", code="flood"))
        return taken

    def _take_path_told(self, event: PathTold) -> None:
        try:
            self._paths.peer_told(event)
        except WireError as error:
            self._channel.abort(error)

    def _send_frames(self, *, all_of_them: bool = False) -> bool:
        sent = False
        while (all_of_them or self._link.may_send) and (frame := self._channel.data_to_send()) is not None:
            sent = True
            try:
                self._link.send(*frame)
            except ConnectionLost as error:
                self.closed(error)
                break
        return sent

    def _set_timer(self) -> None:
        """Deadlines move out with every frame: the timer is left to fire early, and then set anew."""
        deadline = None if self._over else self._channel.next_timeout()
        if deadline is not None and self._paths.gives_up_at is not None:
            deadline = min(deadline, self._paths.gives_up_at)
        if self._timer is not None and (deadline is None or deadline < self._timer_at):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and deadline is not None:
            self._timer_at = deadline
            delay = max(0.0, deadline - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        now = self._now()
        if self._paths.gives_up_at is not None and now >= self._paths.gives_up_at:
            self._channel.abort(self._paths.given_up())
        self._channel.handle_timeout(now)
        self._pump()

    def _end(self, ended: LineClosed | LineFailed) -> None:
        """The last event is there: let go of the link, in a task of our own."""
        self._over = True
        self._paths.end()
        self.beside.stop()
        if isinstance(ended, LineClosed):
            self._send_frames(all_of_them=True)
        if self._closing is None:
            self._closing = asyncio.create_task(self._give_back(ended), name="hardwire line close")

    async def _give_back(self, ended: LineClosed | LineFailed) -> None:
        if isinstance(ended, LineClosed):
            await self._link.flush()
        # A peer that slept meanwhile, and wakes to an ABORT, would not look for the next line.
        await self._link.close(silently=isinstance(ended, LineFailed) and ended.error.code in NOBODYS_WISH)
        await self.beside.settled()

    async def _shut(self) -> None:
        if self._closing is not None:
            await asyncio.shield(self._closing)
