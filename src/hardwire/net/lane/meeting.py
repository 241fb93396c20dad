# SPDX-License-Identifier: Apache-2.0
"""Two sides find one connection for a lane: both listen, both dial, the initiator chooses (docs/protocol.md §14.8).

::

    dial, or accept ──► greeting (64 octets each way) ──► initiator: the first takes it, TAKEN goes out
                              │                           responder: the first on which TAKEN comes in
                              └ not the peer: closed without a word

Nothing is decided by who was faster where: the initiator sends TAKEN on exactly one connection, and the responder
believes no other. Every other connection is closed when :func:`meet` returns, however it returns.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from hardwire.channel.lane import (
    GREETING_SIZE,
    NONCE_SIZE,
    ConnectionKeys,
    LaneKeys,
    LaneKind,
    LaneOpener,
    LaneSealer,
)
from hardwire.errors import NetworkFailed, RecordRefused
from hardwire.handshake import Entropy, Role
from hardwire.net.lane.door import Door
from hardwire.net.lane.path import LanePath

MEETING_TIMEOUT: Final = 5.0
GREETING_TIMEOUT: Final = 2.0
UNPROVEN_MAX: Final = 4
"""Accepted connections that may be at their greeting at a time."""


@dataclass(frozen=True, slots=True)
class Met:
    """The connection that both sides agree on. Non-blocking; whoever takes it closes it."""

    connection: socket.socket
    sealer: LaneSealer
    opener: LaneOpener


class Meeting:
    """One attempt to make one lane.

    Args:
        keys: Of the lane; erased when :meth:`run` returns.
        path: Between which addresses.
        door: This side's, or None when it does not listen; closed when :meth:`run` returns.
        port: Where the peer listens, or 0.
        entropy: For the greetings.
    """

    def __init__(self, keys: LaneKeys, path: LanePath, door: Door | None, port: int, entropy: Entropy) -> None:
        self._keys = keys
        self._path = path
        self._door = door
        self._port = port
        self._entropy = entropy
        self._met: asyncio.Future[Met] = asyncio.get_running_loop().create_future()
        self._taken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[socket.socket] = set()
        self._unproven: deque[tuple[socket.socket, asyncio.Task[None]]] = deque()

    async def run(self, within: float = MEETING_TIMEOUT) -> Met:
        """Meet the peer.

        Raises:
            NetworkFailed: ``no-lane``: it did not come within that many seconds.
        """
        keep = False
        try:
            if self._door is not None:
                self._start(partial(self._answer_door, self._door))
            if self._port:
                self._start(self._dial)
            async with asyncio.timeout(within):
                met = await asyncio.shield(self._met)
            keep = True
        except TimeoutError:
            raise NetworkFailed("no direct connection to the peer was found", code="no-lane") from None
        else:
            return met
        finally:
            await self._clean_up(keep=keep)

    # ------------------------------------------------------------------ both ways to a connection

    async def _dial(self) -> None:
        family = socket.AF_INET if self._path.peer.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the IP version
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(0.0)
        self._open.add(connection)
        connection.bind((str(self._path.own), 0))  # from where the peer expects it, whatever else this machine has
        await asyncio.get_running_loop().sock_connect(connection, (str(self._path.peer), self._port))
        await self._greet(connection, dialled=True)

    async def _answer_door(self, door: Door) -> None:
        while True:
            connection = await door.accept()
            self._open.add(connection)
            self._unproven = deque(one for one in self._unproven if one[0] in self._open)
            if len(self._unproven) >= UNPROVEN_MAX:
                oldest, task = self._unproven.popleft()
                task.cancel()
                self._close(oldest)
            self._unproven.append((connection, self._start(partial(self._greet, connection, dialled=False))))

    # ------------------------------------------------------------------ on a connection

    async def _greet(self, connection: socket.socket, *, dialled: bool) -> None:
        """Prove each other, and settle on this connection or leave it."""
        try:
            async with asyncio.timeout(GREETING_TIMEOUT):
                keys = await (self._greet_first(connection) if dialled else self._greet_back(connection))
            # It has proved itself: no stranger may push it out any more.
            self._unproven = deque(one for one in self._unproven if one[0] is not connection)
            await (self._take if self._keys.role is Role.INITIATOR else self._be_taken)(connection, keys)
        finally:
            if not self._handed_over(connection):
                self._close(connection)

    async def _greet_first(self, connection: socket.socket) -> ConnectionKeys:
        nonce = self._entropy.octets(NONCE_SIZE)
        await asyncio.get_running_loop().sock_sendall(connection, self._keys.hello(nonce))
        return self._keys.complete(nonce, await _exactly(connection, GREETING_SIZE))

    async def _greet_back(self, connection: socket.socket) -> ConnectionKeys:
        hello = await _exactly(connection, GREETING_SIZE)
        reply, keys = self._keys.answer(hello, self._entropy.octets(NONCE_SIZE))
        await asyncio.get_running_loop().sock_sendall(connection, reply)
        return keys

    async def _take(self, connection: socket.socket, keys: ConnectionKeys) -> None:
        if self._taken:
            raise NetworkFailed("another connection was taken", code="no-lane")
        # Chosen before the first octet leaves: whatever becomes of it, no other connection is taken.
        self._taken = True
        sealer = LaneSealer(keys.outgoing)
        await asyncio.get_running_loop().sock_sendall(connection, sealer.seal(LaneKind.TAKEN))
        self._met.set_result(Met(connection, sealer, LaneOpener(keys.incoming)))

    async def _be_taken(self, connection: socket.socket, keys: ConnectionKeys) -> None:
        opener = LaneOpener(keys.incoming)
        while (record := opener.receive(await _exactly(connection, opener.wants))) is None:
            pass
        if record.kind is not LaneKind.TAKEN or record.payload.nbytes:
            raise RecordRefused("the first frame on a lane is another one", code="lane-frame")
        if self._taken:
            raise NetworkFailed("another connection was taken", code="no-lane")
        self._taken = True
        self._met.set_result(Met(connection, LaneSealer(keys.outgoing), opener))

    # ------------------------------------------------------------------ its tasks

    def _start(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(_quietly(work), name="hardwire lane meeting")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _handed_over(self, connection: socket.socket) -> bool:
        return self._met.done() and not self._met.cancelled() and self._met.result().connection is connection

    def _close(self, connection: socket.socket) -> None:
        self._open.discard(connection)
        connection.close()

    async def _clean_up(self, *, keep: bool) -> None:
        if not keep:
            self._met.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            keep = False  # nobody takes it any more
            raise
        finally:
            for connection in list(self._open):
                if not (keep and self._handed_over(connection)):
                    self._close(connection)
            if self._door is not None:
                self._door.close()
            self._keys.erase()


async def _quietly(work: Callable[[], Awaitable[None]]) -> None:
    """A connection that fails is one connection less; what it was is nobody's business."""
    with contextlib.suppress(OSError, RecordRefused, NetworkFailed, TimeoutError):
        await work()  # made only now: of a task that is cancelled before it began, no coroutine is left unawaited


async def _exactly(connection: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    buffer = bytearray(size)
    with memoryview(buffer) as view:
        have = 0
        while have < size:
            got = await loop.sock_recv_into(connection, view[have:])
            if not got:
                raise NetworkFailed("the connection ended", code="no-lane")
            have += got
    return bytes(buffer)
