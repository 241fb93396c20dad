# SPDX-License-Identifier: Apache-2.0
"""What a peer may put on somebody's screen by offers that it takes back, and by pauses.

Each is an event, and costs the peer a few octets. So a peer has a number of lines at once and one a second after that;
what is beyond waits, and is shown when its turn comes. An offer that is taken back while it waits is not shown, nor a
pause that ends: they are counted. Whoever offers files that arrive gets each line back, and so never has too few.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from hardwire.app.entropy import monotonic
from hardwire.app.events import (
    Event,
    FileDone,
    FileFailed,
    FileMoved,
    FileOffer,
    FilePaused,
    FileProgress,
    FileStarted,
    LineClosed,
    PeerFlood,
    Reconnected,
)

BURST: Final = 60
"""Lines at once; honest peers have sixteen offers in the air at most."""
EVERY: Final = 1.0
"""Seconds until there is one more."""
TELL_EVERY: Final = 10.0
"""Seconds between two words about what was left out."""


class Floods:
    """Passes events on, in order for each file.

    Args:
        show: Shows one event.
        now: Monotonic seconds.
    """

    def __init__(self, show: Callable[[Event], None], now: Callable[[], float] = monotonic) -> None:
        self._show = show
        self._now = now
        self._room = float(BURST)
        self._counted_at = self._told_at = now()
        self._waiting: dict[int, list[Event]] = {}
        self._seen: set[int] = set()
        self._left_out = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self, event: Event) -> None:
        """Show one event, now or later."""
        match event:
            case FileOffer(id=key):
                self._pay_or_wait(key, event)
            case FilePaused(id=key, by="peer"):
                self._forget_pause(key)
                self._pay_or_wait(key, event)
            case FileFailed(id=key):
                self._failed(key, event)
            case FileDone(id=key):
                self._room += 1.0
                self.release(key)
                self._seen.discard(key)
                self._show(event)
            case FileMoved(id=key, was=was) if was in self._waiting:
                self._waiting[key] = [*self._waiting.pop(was), event]
            case FileStarted(id=key) | FilePaused(id=key) if key in self._waiting:
                self._waiting[key].append(event)
            case FileProgress(id=key) if key in self._waiting:
                pass  # there will be others
            case _:
                if isinstance(event, LineClosed | Reconnected):
                    self._release_all()
                self._show(event)

    def release(self, key: int) -> None:
        """Show what waits about that file: somebody is asked about it, or it has arrived."""
        for event in self._waiting.pop(key, ()):
            self._seen.add(key)
            self._show(event)

    def _pay_or_wait(self, key: int, event: Event) -> None:
        if not self._waiting and self._pay():
            self._seen.add(key)
            self._show(event)
        else:
            self._waiting.setdefault(key, []).append(event)
            self._look_later()

    def _forget_pause(self, key: int) -> None:
        """Of several that wait only the last one says how it is."""
        events = self._waiting.get(key, [])
        kept = [one for one in events if not (isinstance(one, FilePaused) and one.by == "peer")]
        self._left_out += len(events) - len(kept)
        if kept:
            self._waiting[key] = kept
        elif events:
            del self._waiting[key]

    def _failed(self, key: int, event: FileFailed) -> None:
        waited = self._waiting.pop(key, [])
        if key in self._seen or event.direction == "out":
            self._seen.discard(key)
            self._left_out += len(waited)
            self._show(event)
        elif not waited and self._pay():  # it was refused for its name, and never an offer
            self._show(event)
        else:
            self._left_out += len(waited) + 1
            self._look_later()

    def _pay(self) -> bool:
        now = self._now()
        self._room = min(float(BURST), self._room + (now - self._counted_at) / EVERY)
        self._counted_at = now
        if self._room < 1.0:
            return False
        self._room -= 1.0
        return True

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self.look)

    def look(self) -> None:
        """Show what has waited long enough; once a second, while there is something."""
        self._timer = None
        while self._waiting and self._pay():
            self.release(next(iter(self._waiting)))
        if self._left_out and self._now() - self._told_at >= TELL_EVERY:
            self._tell()
        if self._waiting or self._left_out:
            self._look_later()

    def _tell(self) -> None:
        count, self._left_out, self._told_at = self._left_out, 0, self._now()
        self._show(PeerFlood(count))

    def _release_all(self) -> None:
        for key in list(self._waiting):
            self.release(key)
        self._seen.clear()
        if self._left_out:
            self._tell()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
