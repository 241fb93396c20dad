# SPDX-License-Identifier: Apache-2.0
"""The listening socket of one lane: on the own address of the path, for the seconds that it takes to meet.

Whoever else finds it gets nothing. A connection from another address is closed unread; one from the peer's address is
read for the 64 octets of a greeting, and not a single octet is sent before they prove to be right. A few such
connections are held at a time, the oldest goes for a new one, and all of them go when the lane stands.
"""

import asyncio
import contextlib
import socket
from typing import Final, Self

from hardwire.errors import NetworkFailed
from hardwire.net.lane.path import LanePath

BACKLOG: Final = 8
ACCEPTED_MAX: Final = 64
"""Connections that are accepted for one lane, whoever makes them; then the door is shut."""


class Door:
    """A socket that listens; close it.

    Args:
        path: Between which addresses.
        listener: Bound to the near one.
    """

    def __init__(self, path: LanePath, listener: socket.socket) -> None:
        self._path = path
        self._listener = listener
        self._accepted = 0
        self._waiting: asyncio.Future[None] | None = None

    @classmethod
    def open(cls, path: LanePath) -> Self | None:
        """Listen on a port of the system's choice; None when the system would not."""
        family = socket.AF_INET if path.own.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the IP version
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.settimeout(0.0)
            listener.bind((str(path.own), 0))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            return None
        return cls(path, listener)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    async def accept(self) -> socket.socket:
        """The next connection that may be the peer's; waits for it.

        Raises:
            NetworkFailed: ``no-lane``: the door had too many callers, and is shut.
        """
        while self._accepted < ACCEPTED_MAX:
            try:
                connection, source = self._listener.accept()
            except BlockingIOError:
                await self._called()
                continue
            self._accepted += 1
            if self._path.may_be_peer(source[0]):
                connection.settimeout(0.0)
                return connection
            connection.close()
        self.close()
        raise NetworkFailed("too many strangers called", code="no-lane")

    def close(self) -> None:
        """Listen no more; safe to call twice."""
        self._stop_waiting()
        with contextlib.suppress(OSError):
            self._listener.close()

    async def _called(self) -> None:
        """Somebody is at the door, or it was shut. A cancelled ``loop.sock_accept`` may lose what it has accepted."""
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        loop.add_reader(self._listener, self._stop_waiting)
        try:
            await waiting
        finally:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.get_loop().remove_reader(self._listener)
            if not waiting.done():
                waiting.set_result(None)
