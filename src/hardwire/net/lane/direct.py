# SPDX-License-Identifier: Apache-2.0
"""A lane that stands: two threads around one blocking socket, and the event loop only told of whole chunks.

::

    send(chunk) ─► queue ─► thread: seal, sendall            4 MiB wait at most; events.writable() when there is room
    events.chunk() ◄─ loop ◄─ thread: recv_into, open        4 chunks wait at most; then TCP tells the peer to wait

Sealing, opening and the system calls all run without the interpreter's lock, so the threads are worth their name: on
blocking sockets a chunk of 1 MiB costs two system calls and two AES calls. What is held does not grow with the file.

A lane ends in one of three ways, and says so once, through ``events.over``: the peer's END frame (no error), anything
else (an error: octets on their way are lost, and sent again over the line), or :meth:`DirectLane.close` (nothing said).
"""

import asyncio
import contextlib
import fcntl
import socket
import sys
import termios
import threading
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, Final, Protocol

from hardwire.channel.bulk import PATH_CHUNK_MAX
from hardwire.channel.lane import LaneKind, LaneRecord
from hardwire.channel.lane.frames import BUCKETS, CHUNK_HEAD, FRAMES_MAX
from hardwire.errors import ConnectionLost, HardwireError, RecordRefused
from hardwire.handshake.schedule import AEAD_TAG_SIZE
from hardwire.net.lane.meeting import Met

QUEUE: Final = 4 * PATH_CHUNK_MAX
"""Octets that wait to be sealed, beyond which ``may_send`` is false."""
WAITING_CHUNKS: Final = 4
"""Chunks that were opened and wait for the event loop."""
WORN_AFTER: Final = FRAMES_MAX - 2 * QUEUE // PATH_CHUNK_MAX - 8
"""Frames after which a lane is ended, so that what waits still fits in."""
CLOSE_TIMEOUT: Final = 1.0
SLICE: Final = 1 << 18
"""Octets that are given to the system at a time: as coarsely is seen how far a slow peer has got."""
KEPT: Final = 4 * QUEUE
"""Octets of a block larger than any that is made for chunks; twice as many may be free and kept."""
_DEAD_AFTER_MS: Final = 10_000
_PROBE_AFTER_S: Final = 5

_SO_NWRITE: Final = 0x1024
"""Of macOS's <sys/socket.h>: octets in the send buffer."""

_Chunk = tuple[int, int, bytes | memoryview]


class LaneEvents(Protocol):
    """Who is told what a lane does; on the event loop, never after ``close``."""

    def chunk(self, transfer: int, offset: int, data: memoryview) -> None:
        """One chunk of the peer's, authenticated."""

    def writable(self) -> None:
        """There is room again after ``may_send`` was false."""

    def over(self, error: HardwireError | None) -> None:
        """The lane ended: None when the peer said so, or it has carried all that one lane may."""


class DirectLane:
    """One way to the peer for chunks (a :class:`~hardwire.channel.bulk.BulkPath`).

    Args:
        met: The connection; it belongs to the lane from now on, also when there can be none.
        events: Who is told.

    Raises:
        RuntimeError: The system gives no thread.
    """

    name: Final = "direct"
    chunk_size: Final = PATH_CHUNK_MAX

    def __init__(self, met: Met, events: LaneEvents) -> None:
        self._connection = met.connection
        self._sealer = met.sealer
        self._opener = met.opener
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._over = self._goodbye = False
        self._queue: SimpleQueue[_Chunk | None] = SimpleQueue()
        self._queued = self._given = 0
        self._room = threading.Semaphore(WAITING_CHUNKS)
        self._running = 2
        self._stopped = asyncio.Event()
        self._sender_stopped = asyncio.Event()
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=f"hardwire lane {name}", daemon=True)
            for work, name in ((self._send_all, "send"), (self._receive_all, "receive"))
        ]
        try:
            self._begin()
        except BaseException:
            self._undo()
            raise

    # ------------------------------------------------------------------ what a BulkPath does

    @property
    def may_send(self) -> bool:
        """Whether one more chunk may be given to it now."""
        return not self._over and self._queued < QUEUE

    def send(self, transfer: int, offset: int, data: bytes | memoryview) -> None:
        """Send one chunk of at most 1 MiB; returns at once.

        When the lane is over it is dropped, as what waits in the queue is: whoever is told so sends it again.
        """
        if not self._over:
            self._queued += len(data)
            self._queue.put((transfer, offset, data))

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._queued

    def taken(self) -> tuple[int, bool]:
        """How many octets the peer's machine has, about, and whether others wait for it to take them."""
        waits = _unsent(self._connection)
        return self._given - waits, waits > 0 or not self.idle

    def close(self, *, clean: bool = False) -> Coroutine[Any, Any, None]:
        """Give everything back; any number of times, at most :data:`CLOSE_TIMEOUT` with ``clean``.

        Nothing is told any more from the call on, also before what it returns is awaited: a lane that was dropped must
        not end the one after it.

        Args:
            clean: Send what waits, and END; otherwise the peer sees the connection cut.
        """
        self._over = True
        return self._close(clean=clean)

    async def _close(self, *, clean: bool) -> None:
        self._goodbye = clean
        self._queue.put(None)
        if clean:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._sender_stopped.wait()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # wakes both threads
        self._room.release()
        await self._stopped.wait()
        for thread in self._threads:
            thread.join()  # each has said its last word

    # ------------------------------------------------------------------ the threads

    def _begin(self) -> None:
        _prepare(self._connection)
        _keep_freed_memory()
        for thread in self._threads:
            thread.start()

    def _undo(self) -> None:
        """It could not begin: nobody will close it."""
        self._over = True
        self._queue.put(None)  # the thread that sends may have begun, and waits for this
        self._sealer.erase()
        self._opener.erase()
        self._connection.close()

    def _guard(self, work: Callable[[], HardwireError | None]) -> None:
        error: HardwireError | None = _cut("an internal error")
        try:
            error = work()
        except HardwireError as refusal:
            error = refusal
        except OSError as problem:
            error = _cut((problem.strerror or str(problem)).lower())
        finally:  # whatever it is, and to be reported as well: a thread that ends untold would be waited for in vain
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                self._loop.call_soon_threadsafe(self._thread_ended, error, work == self._send_all)

    def _send_all(self) -> HardwireError | None:
        try:
            while (chunk := self._queue.get()) is not None:
                transfer, offset, data = chunk
                frame = self._sealer.seal(LaneKind.CHUNK, CHUNK_HEAD.pack(transfer, offset), data)
                for start in range(0, len(frame), SLICE):
                    part = frame[start : start + SLICE]
                    self._connection.sendall(part)
                    self._given += len(part)
                self._loop.call_soon_threadsafe(self._sent, len(data))
            if self._goodbye:
                self._connection.sendall(self._sealer.seal(LaneKind.END))
        finally:
            self._sealer.erase()
        return None

    def _receive_all(self) -> HardwireError | None:
        try:
            with memoryview(bytearray(BUCKETS[-1] + AEAD_TAG_SIZE)) as block:
                while (record := self._receive(block)) is not None and record.kind is not LaneKind.END:
                    self._room.acquire()
                    self._loop.call_soon_threadsafe(self._arrived, *record.chunk())
        finally:
            self._opener.erase()
        if record is None:
            return _cut("it ended without a goodbye")
        if record.payload.nbytes:
            raise RecordRefused("an end that says more", code="lane-frame")
        return None

    def _receive(self, block: memoryview) -> LaneRecord | None:
        """The next frame; None when the stream ends."""
        record = None
        while record is None:
            wanted, have = self._opener.wants, 0
            while have < wanted:
                got = self._connection.recv_into(block[have:wanted], wanted - have, socket.MSG_WAITALL)
                if not got:
                    return None
                have += got
            record = self._opener.receive(block[:wanted])
        return record

    # ------------------------------------------------------------------ back on the loop

    def _sent(self, size: int) -> None:
        was_full = self._queued >= QUEUE
        self._queued -= size
        if not self._over:
            if self._sealer.sealed >= WORN_AFTER:
                self._end(None)
            elif was_full and self._queued < QUEUE:
                self._events.writable()

    def _arrived(self, transfer: int, offset: int, data: memoryview) -> None:
        self._room.release()
        if not self._over:
            self._events.chunk(transfer, offset, data)

    def _thread_ended(self, error: HardwireError | None, was_sender: bool) -> None:  # noqa: FBT001 - a callback's argument
        self._running -= 1
        if was_sender:
            self._sender_stopped.set()
        if not self._running:
            self._connection.close()
            self._stopped.set()
        if not self._over:
            self._end(error)

    def _end(self, error: HardwireError | None) -> None:
        self._over = True
        self._events.over(error)


def _prepare(connection: socket.socket) -> None:
    connection.settimeout(None)
    # A peer that went away is noticed by the line first; these are for a connection that alone is dead.
    for level, name, value in (
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _PROBE_AFTER_S),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _PROBE_AFTER_S),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", _DEAD_AFTER_MS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):  # some systems refuse it once the peer is gone, which reading tells
                connection.setsockopt(level, option, value)


def _keep_freed_memory() -> None:
    """Have memory of chunks kept by the process once it is free, where the C library is glibc.

    Otherwise it goes back to the system chunk by chunk, and is cleared and mapped again for the next ones, a page at a
    time: a seventh of what a lane costs. What is worth keeping glibc judges by the largest block that was ever given
    back (mallopt(3), M_MMAP_THRESHOLD); this one is never touched.
    """
    bytes(KEPT)


def _unsent(connection: socket.socket) -> int:
    """Octets that the system holds until the peer's has them; 0 on a system that does not say."""
    with contextlib.suppress(OSError, ValueError):  # it is closed
        if sys.platform == "darwin":
            return connection.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    return 0


def _cut(reason: str) -> HardwireError:
    return ConnectionLost(f"the direct lane broke: {reason}", code="lane-cut")
