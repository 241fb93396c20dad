# SPDX-License-Identifier: Apache-2.0
"""A UDP socket on the event loop that moves many datagrams in one call.

asyncio's own datagram transport makes one system call, one ``bytes`` and one callback of each datagram. Linux can
do with one call for fifty of equal size: ``UDP_GRO`` glues those that come in a train, ``UDP_SEGMENT`` takes a
train apart on its way out. Where the kernel, the route or the system knows neither, the same datagrams go one by one.

Uses nothing of the loop but ``add_reader`` and ``add_writer``, so it works on every loop that has them. Datagrams that
the socket has no room for wait here; whoever sends asks :attr:`UdpPort.is_blocked` first and is told when there is
room again.
"""

import asyncio
import contextlib
import errno
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, Protocol

LINUX: Final = sys.platform == "linux"
SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
_READ: Final = 65_536
_ANCILLARY: Final = 64
_MOST_READS: Final = 64
_MOST_OCTETS: Final = 512 * 1024
"""System calls and octets in one turn of the loop, then the others have theirs."""
LINGER: Final = 0.001
"""Seconds; loops count in milliseconds."""
MOST_SEGMENTS: Final = 60
"""The kernel takes 64 (UDP_MAX_SEGMENTS), and 64 KiB with headers."""
MOST_TRAIN: Final = 65_000
_BUFFER: Final = 4 * 1024 * 1024
_MOST_WAITING: Final = 4096
_OF_THE_MOMENT: Final = frozenset({errno.EAGAIN, errno.EINTR, errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM})
"""Errors that say nothing about the next train."""
# Path MTU discovery (ip(7), ipv6(7)); the socket module has no names for them.
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_DISCOVER_OFF: Final = 0
_DISCOVER_PROBE: Final = 3

Address = tuple[Any, ...]


class Departure(Enum):
    """What became of a datagram that was to leave at once and whole."""

    LEFT = "left"
    TOO_LARGE = "too large"
    """This system sends none of that size to there."""
    NOT_NOW = "not now"
    """The socket has no room, or the network is away: it says nothing of the size."""


class Receiver(Protocol):
    """Who is told what came."""

    def received(self, data: memoryview, segment: int, source: Address) -> None:
        """Datagrams of ``segment`` octets each, the last one maybe shorter. The view is used again after the call."""

    def drained(self) -> None:
        """That was all for now."""

    def unblocked(self) -> None:
        """There is room to send again."""


class _Train(threading.local):
    """What is read into, one for all sockets of a thread: a line has four, and each turn hands on what it has read.

    Datagrams of equal size that were sent one by one are put together here, as the kernel does it with a train.

    Attributes:
        view: The buffer.
        begin: Where what is not handed on begins.
        end: Where it ends, and the next call reads into.
        segment: Octets of each datagram in between, but maybe the last.
        source: Of all of them.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(2 * _READ))
        self.begin = self.end = self.segment = 0
        self.source: Address = ()

    def takes(self, size: int, source: Address) -> bool:
        """A single datagram that was read behind the others belongs to them."""
        whole = self.end - self.begin
        return 0 < size <= self.segment and source == self.source and whole % self.segment == 0


_train = _Train()


class UdpPort(asyncio.DatagramTransport):
    """One bound socket.

    Args:
        bound: A non-blocking UDP socket; belongs to the port from now on.
        receiver: Who is told.
        on_closed: Called once, after the socket was closed.
    """

    def __init__(self, bound: socket.socket, receiver: Receiver, on_closed: Callable[[], None]) -> None:
        super().__init__({"socket": bound, "sockname": bound.getsockname()})
        self._socket = bound
        self._receiver = receiver
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._train = _train
        self._waiting: deque[tuple[bytes, Address, bool]] = deque()
        self._closing = False
        self._lingers = False
        self.segments_out = LINUX
        self.may_discover = False
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            bound.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._use_kernel_help()
        self._loop.add_reader(bound.fileno(), self._readable)

    @classmethod
    def bind(cls, host: str, receiver: Receiver, on_closed: Callable[[], None], port: int = 0) -> "UdpPort":
        """A port of this machine's address, by default at a free number.

        Raises:
            OSError: The address is not (or no longer) one of this machine's, or the number is taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)  # noqa: FBT003  (the socket module's own signature)
            bound.bind((host, port))
            return cls(bound, receiver, on_closed)
        except OSError:
            bound.close()
            raise

    @property
    def is_blocked(self) -> bool:
        """The socket has no room; :meth:`Receiver.unblocked` will tell when it has."""
        return bool(self._waiting)

    # ------------------------------------------------------------------ out

    def sendto(self, data: Any, addr: Any = None) -> None:
        """One datagram. What the network refuses is lost, as datagrams may be."""
        if not self._closing:
            self._send_one(data, addr)

    def _send_one(self, data: Any, addr: Any, *, pieces: bool = False) -> bool:
        """Whether the system took it; what has to wait is kept."""
        if self._waiting:
            self._wait(bytes(data), addr, pieces=pieces)
            return False
        try:
            self._put(data, addr, pieces=pieces)
        except (BlockingIOError, InterruptedError):
            self._wait(bytes(data), addr, pieces=pieces)
            return False
        except OSError:
            return False
        return True

    def send_train(self, data: memoryview, sizes: Sequence[int], addr: Address) -> None:
        """Datagrams that lie one after the other in ``data``."""
        if self._closing:
            return
        if len(sizes) == 1:
            self._send_one(data, addr)
            return
        at, place = 0, 0
        while place < len(sizes):
            size = sizes[place]
            many = train_length(sizes, place) if self.segments_out and not self._waiting else 1
            end = at + sum(sizes[place : place + many])
            refusal = self._send_segments(data[at:end], size, addr) if many > 1 else errno.EAGAIN
            if refusal:
                many, end = 1, at + size
                if self._send_one(data[at:end], addr) and refusal not in _OF_THE_MOMENT:
                    # Alone it goes: this kernel, this device or this route does no trains (EINVAL, EIO and others).
                    self.segments_out = False
            at, place = end, place + many

    def send_whole(self, data: memoryview, addr: Address) -> Departure:
        """One datagram, now or never; it arrives only where the path carries it whole."""
        if self._closing or self._waiting:
            return Departure.NOT_NOW
        try:
            self._socket.sendto(data, addr)
        except OSError as error:
            return Departure.TOO_LARGE if error.errno == errno.EMSGSIZE else Departure.NOT_NOW
        return Departure.LEFT

    def send_in_pieces(self, data: memoryview, addr: Address) -> None:
        """One datagram that routers may cut."""
        if not self._closing:
            self._send_one(data, addr, pieces=True)

    def _put(self, data: Any, addr: Address, *, pieces: bool) -> None:
        """Raises OSError."""
        if not pieces:
            self._socket.sendto(data, addr)
            return
        self._discover(_DISCOVER_OFF)
        try:
            self._socket.sendto(data, addr)
        finally:
            self._discover(_DISCOVER_PROBE)

    def _send_segments(self, data: memoryview, size: int, addr: Address) -> int:
        """The number of the error that it ended with; 0: sent."""
        try:
            self._socket.sendmsg([data], [(SOL_UDP, UDP_SEGMENT, size.to_bytes(2, sys.byteorder))], 0, addr)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def _wait(self, data: bytes, addr: Address, *, pieces: bool) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            return
        if not self._waiting:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._waiting.append((data, addr, pieces))

    def _writable(self) -> None:
        while self._waiting:
            data, addr, pieces = self._waiting[0]
            try:
                self._put(data, addr, pieces=pieces)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                pass
            self._waiting.popleft()
        self._loop.remove_writer(self._socket.fileno())
        self._receiver.unblocked()

    # ------------------------------------------------------------------ in

    def linger(self) -> None:
        """Datagrams come faster than it pays to look for each: leave the socket alone for :data:`LINGER`.

        To be called while they are handed on. What comes in the meantime waits in the socket, and is then read in one
        go. What is sent is not held up.
        """
        self._lingers = True

    def _look_again(self) -> None:
        if not self._closing:
            self._loop.add_reader(self._socket.fileno(), self._readable)
            self._readable()

    def _readable(self) -> None:
        octets, reads, train = 0, 0, self._train
        while octets < _MOST_OCTETS and reads < _MOST_READS and not self._closing:
            reads += 1
            try:
                size, ancillary, _, source = self._socket.recvmsg_into([train.view[train.end :]], _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                # What ICMP said about an earlier datagram; the next call reads on.
                continue
            if size:  # anybody can send an empty datagram, and nobody has a use for one
                octets += size
                self._couple(size, _segment(ancillary), source)
        self._hand_on()
        if not self._closing:
            self._receiver.drained()
        if self._lingers and not self._closing:
            self._lingers = False
            self._loop.remove_reader(self._socket.fileno())
            self._loop.call_later(LINGER, self._look_again)

    def _couple(self, size: int, segment: int, source: Address) -> None:
        """To the train with what was just read behind it, or hand that on and begin another one."""
        train = self._train
        if segment or not train.takes(size, source):
            begin = train.end
            self._hand_on()
            train.begin = train.end = begin
            train.segment, train.source = segment or size, source
        train.end += size
        if segment or len(train.view) - train.end < _READ:
            self._hand_on()

    def _hand_on(self) -> None:
        train = self._train
        begin, end = train.begin, train.end
        train.begin = train.end = 0
        if begin < end and not self._closing:
            self._receiver.received(train.view[begin:end], train.segment, train.source)

    # ------------------------------------------------------------------ the kernel's help, and the end

    def _use_kernel_help(self) -> None:
        if not LINUX:
            return
        with contextlib.suppress(OSError):
            self._socket.setsockopt(SOL_UDP, UDP_GRO, 1)
        self.may_discover = self._discover(_DISCOVER_PROBE)

    def _discover(self, value: int) -> bool:
        """Whether routers may cut datagrams of this socket; the kernel never does."""
        if not LINUX:
            return False
        six = self._socket.family == socket.AF_INET6
        level, option = (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER) if six else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
        try:
            self._socket.setsockopt(level, option, value)
        except OSError:
            return False
        return True

    def is_closing(self) -> bool:
        """Asked to close."""
        return self._closing

    def close(self) -> None:
        """Give the socket back; what still waits is dropped."""
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._socket.fileno())
        if self._waiting:
            self._loop.remove_writer(self._socket.fileno())
            self._waiting.clear()
        self._socket.close()
        self._loop.call_soon(self._on_closed)

    def abort(self) -> None:
        """Like :meth:`close`: there is nothing that would be waited for."""
        self.close()


def _segment(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """Octets of each datagram of a train that the kernel has glued; 0: it is a single one."""
    for level, kind, value in ancillary:
        if level == SOL_UDP and kind == UDP_GRO:
            return int.from_bytes(value[:4], sys.byteorder)
    return 0


def train_length(sizes: Sequence[int], place: int) -> int:
    """How many datagrams from ``place`` on one call can send: equal ones, and then maybe a shorter one."""
    size = sizes[place]
    most = min(len(sizes) - place, MOST_SEGMENTS, max(1, MOST_TRAIN // size))
    many = 1
    while many < most and sizes[place + many] == size:
        many += 1
    return many + 1 if many < most and sizes[place + many] < size else many
