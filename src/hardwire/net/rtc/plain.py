# SPDX-License-Identifier: Apache-2.0
"""A line on aiortc's own transports, for a release of it that our faster ones do not know (docs/adr/0014).

Nothing private of aiortc's SCTP is needed here: two data channels that were agreed beforehand, as any application
would use them. So of the limits in :mod:`hardwire.net.rtc.sctp` only those are kept that are visible from outside: no
other channel, no text, no message that is too long, no datagram that aiortc would not read whole, and not more octets
without any message than an honest peer ever has under way. What a peer can still do is to cost some seconds of work
before the line ends. It is slower, asks for a sign of life only if aiortc still has the words for it, and moves to
another path only when packets are sent again.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable
from typing import Any, Final

import aiortc.rtcsctptransport
from aiortc import (
    InvalidStateError,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsTransport,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from aiortc.rtcdtlstransport import State

from hardwire.net.rtc.dtls import LineCertificate, LineRules
from hardwire.net.rtc.ice import LineConnection
from hardwire.net.rtc.sctp import LOW_WATER, MAX_MESSAGE, SCTP_PORT, STREAMS

MOST_UNREAD: Final = 3 * 1024 * 1024
"""Octets without a message: aiortc's window of 1 MiB, with what is sent again, and its acknowledgements."""
_LEAST_PACKET: Final = 64
"""Octets of a packet with the shortest message in it: about those of its acknowledgement."""
_POLL: Final = 0.02


class PlainDtls(LineRules, RTCDtlsTransport):
    """aiortc's DTLS transport under the rules of a line."""

    def __init__(
        self,
        transport: RTCIceTransport,
        connection: LineConnection,
        certificate: LineCertificate,
        *,
        server: bool,
        on_closed: Callable[[], None],
    ) -> None:
        super().__init__(transport, [certificate])
        self._obey(connection, server=server, on_closed=on_closed)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        if state is State.CONNECTED:
            # From here on it is data, and not the handshake any more. What bounds it is for the association to say.
            self.connection.most_unread = math.inf

    def _setup_srtp(self) -> None:
        """No SRTP keys, as in the faster one."""


class PlainSctp:
    """aiortc's SCTP transport behind the same few names as :class:`~hardwire.net.rtc.sctp.LineSctp`."""

    def __init__(
        self,
        dtls: PlainDtls,
        *,
        on_message: Callable[[int, bytes], None],
        on_writable: Callable[[], None],
        on_state: Callable[[], None],
    ) -> None:
        self.refusal: str | None = None
        self._dtls = dtls
        self._on_message = on_message
        self._on_state = on_state
        self._handed_in = 0
        self._asking: set[asyncio.Future[None]] = set()
        self._sctp = RTCSctpTransport(dtls, SCTP_PORT)
        self._sctp.on("datachannel", lambda channel: self._refuse(f"a channel of its own ({channel.id})"))
        self._channels = [self._channel(number, on_writable) for number in STREAMS]
        dtls.connection.most_unread = MOST_UNREAD
        dtls.connection.on_flood = self._flood

    def _channel(self, number: int, on_writable: Callable[[], None]) -> RTCDataChannel:
        parameters = RTCDataChannelParameters(label=str(number), negotiated=True, id=number)
        channel = RTCDataChannel(self._sctp, parameters)
        channel.bufferedAmountLowThreshold = LOW_WATER
        channel.on("message", lambda data: self._message(number, data))
        channel.on("bufferedamountlow", on_writable)
        channel.on("open", self._changed)
        channel.on("close", self._on_state)
        return channel

    @property
    def is_open(self) -> bool:
        """Messages can be sent."""
        return all(channel.readyState == "open" for channel in self._channels)

    @property
    def buffered(self) -> int:
        """Octets handed in and not yet cut into packets."""
        return sum(channel.bufferedAmount for channel in self._channels)

    @property
    def packets_heard(self) -> int:
        """Datagrams of the peer."""
        return self._dtls.connection.datagrams_heard

    @property
    def acknowledged(self) -> int:
        """Something that moves while the path is alive."""
        return self.packets_heard

    @property
    def cut_in_vain(self) -> int:
        """Nothing: aiortc has one size of packets, and it passes everywhere."""
        return 0

    @property
    def is_empty(self) -> bool:
        """Nothing waits here; whether the peer has it all is known only if aiortc still says so."""
        return self.is_open and not self.buffered and not getattr(self._sctp, "_sent_queue", None)

    async def open(self) -> None:
        """Begin the association; :attr:`is_open` turns true later."""
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=MAX_MESSAGE), SCTP_PORT)

    async def stop(self) -> None:
        """End it."""
        await self._sctp.stop()

    def send(self, stream: int, data: bytes) -> None:
        """Queue one message.

        Raises:
            ConnectionError: The association is not open.
        """
        self._handed_in += max(len(data), _LEAST_PACKET)
        try:
            self._channels[stream].send(data)
        except InvalidStateError as error:
            raise ConnectionError("the association is not open") from error

    async def emptied(self) -> None:
        """Wait until nothing waits, or the association closed."""
        while self.is_open and not self.is_empty:  # noqa: ASYNC110  (aiortc tells nobody)
            await asyncio.sleep(_POLL)

    def probe(self) -> None:
        """Ask for a sign of life, if aiortc still has a HEARTBEAT; the peer's own are answered in any case."""
        with contextlib.suppress(AttributeError, TypeError):
            chunk = aiortc.rtcsctptransport.HeartbeatChunk()
            chunk.params.append((1, b"hardwire"))
            asking = asyncio.ensure_future(self._sctp._send_chunk(chunk))  # noqa: SLF001
            self._asking.add(asking)
            asking.add_done_callback(self._asked)

    def path_changed(self) -> None:
        """Aiortc sends again what was lost when its timer says so."""

    def _asked(self, asking: asyncio.Future[None]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()

    def _changed(self) -> None:
        if self.is_open:
            self._on_state()

    def _message(self, number: int, data: Any) -> None:
        self._dtls.connection.unread = 0
        if self.refusal is not None:
            return
        if not isinstance(data, bytes) or not 0 < len(data) <= MAX_MESSAGE:
            self._refuse(f"a message of {len(data)} {'octets' if isinstance(data, bytes) else 'letters'}")
            return
        self._on_message(number, data)

    def _flood(self) -> None:
        """Much came and no message: harmless only if it was acknowledgements of what we sent, which is more octets."""
        if self._handed_in < MOST_UNREAD:
            self._refuse("more data than the window allows")
        self._handed_in = 0
        self._dtls.connection.unread = 0

    def _refuse(self, reason: str) -> None:
        if self.refusal is None:
            self.refusal = reason
            ending = asyncio.ensure_future(self._sctp.stop())
            self._asking.add(ending)
            ending.add_done_callback(self._asked)
