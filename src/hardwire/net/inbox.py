# SPDX-License-Identifier: Apache-2.0
"""Between a link and whoever handles its messages at the time: first the handshake, then the open line.

Messages that come while nobody has taken over, or on the file channel before there is a line, wait here, within
bounds; what does not fit is dropped, which the strict order of everything above turns into the end of the line.
"""

from collections import deque
from typing import Final

from hardwire.errors import HardwireError
from hardwire.net.rtc import LinkEvents

MAX_WAITING: Final = 16


class Inbox:
    """A :class:`~hardwire.net.rtc.LinkEvents` that passes on to another one.

    Attributes:
        heard: A message has come.
    """

    def __init__(self) -> None:
        self._target: LinkEvents | None = None
        self._channels: tuple[int, ...] = ()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._ended: HardwireError | None = None
        self.heard = False

    def attach(self, target: LinkEvents, channels: tuple[int, ...]) -> None:
        """Hand messages of ``channels`` to ``target`` from now on, first those that waited."""
        self._target = target
        self._channels = channels
        waiting, self._waiting = self._waiting, deque()
        for channel, data in waiting:
            # Through the front door: handling one message may attach the next target.
            self.message(channel, data)
        if self._ended is not None:
            target.closed(self._ended)

    def message(self, channel: int, data: bytes) -> None:
        """Pass one on, or keep it."""
        self.heard = True
        if self._target is not None and channel in self._channels:
            self._target.message(channel, data)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append((channel, data))

    def writable(self) -> None:
        """Pass on."""
        if self._target is not None:
            self._target.writable()

    def closed(self, error: HardwireError) -> None:
        """Pass on, also to whoever attaches later."""
        self._ended = error
        if self._target is not None:
            self._target.closed(error)
