# SPDX-License-Identifier: Apache-2.0
"""The part of an ICE agent that datagrams pass: from sockets to aioice or DTLS, and from DTLS to the path in use.

What does not come from an address that proved the invite's password is dropped unread, and so is what cannot be read:
the sockets are open to everybody for as long as a person carries a code. Before DTLS is connected its datagrams wait in
aioice's queue, a few of them; after that they go to a sink, in trains as the sockets got them.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import aioice
from aioice.ice import StunProtocol

from hardwire.net.rtc.checkgate import CheckGate
from hardwire.net.rtc.datagrams import all_records, is_framed, is_readable
from hardwire.net.rtc.fastdtls import DatagramSink
from hardwire.net.rtc.ports import HostProtocol
from hardwire.net.rtc.udp import Departure

_MAX_QUEUED: Final = 8192
_MAX_QUEUED_EARLY: Final = 64
MOST_EARLY: Final = 256 * 1024
"""Octets for the handshake of DTLS: a few kilobytes, sent some times."""
_STUN_FIRST_OCTET: Final = 3
_COMPONENT: Final = 1
_SILENCE: Final = 4.0
"""Seconds: a peer that is there is heard every two (:mod:`hardwire.net.rtc.watch`)."""


class DatagramAgent(aioice.Connection):
    """aioice's agent with a way for datagrams beside its queue; the arguments are aioice's.

    Attributes:
        datagrams_heard: For DTLS, while they take the queue.
        unread: Octets of them since somebody last set it to 0; above ``most_unread`` they are dropped.
        on_flood: Told when that happens; without it they are just dropped.
    """

    def __init__(self, *, ice_controlling: bool, local_username: str, local_password: str) -> None:
        super().__init__(ice_controlling=ice_controlling, local_username=local_username, local_password=local_password)
        self._last_source: tuple[str, int] | None = None
        self._heard_at = -math.inf
        self._sink: DatagramSink | None = None
        self._draining = False
        self._replaced = False
        self._gate = CheckGate(local_password)
        self.datagrams_heard = 0
        self.unread = 0
        self.most_unread: float = MOST_EARLY
        self.on_flood: Callable[[], None] | None = None

    def take_over(self, previous: Self) -> None:
        """Carry on what ``previous`` carried, when this agent has a path: what both receive arrives in one queue.

        ``previous`` still hears the peer until it is closed, and its end is nobody's news any more.
        """
        early, self._queue = self._queue, previous._queue
        while not early.empty():
            self._queue.put_nowait(early.get_nowait())
        self._sink = previous._sink
        self.most_unread, self.on_flood = previous.most_unread, previous.on_flood
        previous._replaced = True

    def attach(self, sink: DatagramSink | None) -> None:
        """Where datagrams of the peer go from now on; without a sink they wait in aioice's queue."""
        self._sink = sink
        if sink is None:
            return
        ends: list[tuple[bytes, int] | None] = []
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if item is None:
                ends.append(item)
            else:
                sink.single(item[0])
        for item in ends:
            self._queue.put_nowait(item)
        self._drain_soon()

    @property
    def is_blocked(self) -> bool:
        """The socket towards the peer has no room."""
        pair = self._nominated.get(_COMPONENT)
        return pair is not None and isinstance(pair.protocol, HostProtocol) and pair.protocol.port.is_blocked

    def send_records(self, data: memoryview, sizes: Sequence[int]) -> None:
        """Datagrams that lie one after the other in ``data``. Without a path they are lost, as on any network."""
        pair = self._nominated.get(_COMPONENT)
        if pair is None:
            return
        if isinstance(pair.protocol, HostProtocol):
            pair.protocol.port.send_train(data, sizes, pair.remote_addr)
            return
        at = 0
        for size in sizes:
            self._relay(pair, data[at : at + size])
            at += size

    def send_probe(self, data: memoryview) -> Departure:
        """One datagram, now or never. Through a relay no larger sizes are tried."""
        pair = self._nominated.get(_COMPONENT)
        if pair is None:
            return Departure.NOT_NOW
        if isinstance(pair.protocol, HostProtocol):
            return pair.protocol.port.send_whole(data, pair.remote_addr)
        return Departure.TOO_LARGE

    def send_in_pieces(self, data: memoryview) -> None:
        """One datagram that routers may cut.

        What was cut for a direct path that is gone has no other way: a relay gets it as it is, and whether it comes out
        of it in pieces is the relay's matter.
        """
        pair = self._nominated.get(_COMPONENT)
        if pair is None:
            return
        if isinstance(pair.protocol, HostProtocol):
            pair.protocol.port.send_in_pieces(data, pair.remote_addr)
        else:
            self._relay(pair, data)

    @staticmethod
    def _relay(pair: aioice.ice.CandidatePair, data: memoryview) -> None:
        # Transports of relays differ in what they make of a connection that was just closed.
        with contextlib.suppress(RuntimeError, OSError):
            pair.protocol.transport.sendto(bytes(data), pair.remote_addr)

    def train_received(self, protocol: StunProtocol, data: memoryview, segment: int, source: tuple[str, int]) -> None:
        """What one of our sockets got in one call."""
        sink = self._sink
        if sink is not None and (source == self._last_source or self._is_peer(source)) and all_records(data, segment):
            self._last_source, self._heard_at = source, time.monotonic()
            sink.train(data, segment)
            return
        for at in range(0, len(data), segment):
            self._datagram(protocol, bytes(data[at : at + segment]), source)

    def linger(self) -> None:
        """Read the socket towards the peer less often (:meth:`.udp.UdpPort.linger`)."""
        pair = self._nominated.get(_COMPONENT)
        if pair is not None and isinstance(pair.protocol, HostProtocol):
            pair.protocol.port.linger()

    def drained(self) -> None:
        """The socket is empty for now."""
        if self._sink is not None:
            self._sink.drained()

    def unblocked(self) -> None:
        """The socket has room again."""
        if self._sink is not None:
            self._sink.unblocked()

    def _drain_soon(self) -> None:
        """Datagrams that come one by one: answer when the loop has handed on those that are there."""
        if not self._draining:
            self._draining = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._draining = False
        self.drained()

    def data_received(self, data: bytes, component: int) -> None:
        """A datagram for DTLS. aiortc reads its first octet unasked, and ends the line when there is none."""
        if self._sink is not None:
            if is_framed(data):
                self._sink.single(data)
                self._drain_soon()
            return
        room = _MAX_QUEUED if self._nominated else _MAX_QUEUED_EARLY
        self.unread += len(data)
        if self.unread > self.most_unread:
            if self.on_flood is not None:
                self.on_flood()
        elif is_readable(data) and self._queue.qsize() < room:
            self.datagrams_heard += 1
            super().data_received(data, component)

    def _datagram(self, protocol: StunProtocol, data: bytes, addr: tuple[Any, ...]) -> None:
        """Everything that any host on the network sends to one of our sockets."""
        source = (addr[0], addr[1])
        if data and data[0] <= _STUN_FIRST_OCTET:  # RFC 7983
            if not self._gate.admits(data, protocol.transactions, asyncio.get_running_loop().time()):
                return
            try:
                StunProtocol.datagram_received(protocol, data, source)
            except Exception:  # noqa: BLE001  (struct.error, KeyError and others, for what a stranger sent)
                return
        elif source == self._last_source or self._is_peer(source):
            self._last_source, self._heard_at = source, time.monotonic()
            self.data_received(data, _COMPONENT)

    def _hears_peer(self) -> bool:
        """There is a path, and something came over it a moment ago."""
        return bool(self._nominated) and time.monotonic() - self._heard_at < _SILENCE

    def _is_peer(self, source: tuple[str, int]) -> bool:
        """The code names that address, or a check with the right password came from it."""
        return any((one._network_host, one.port) == source for one in self._remote_candidates)  # noqa: SLF001
