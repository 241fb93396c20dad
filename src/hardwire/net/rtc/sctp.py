# SPDX-License-Identifier: Apache-2.0
"""SCTP under the line: aiortc's association, narrowed to what this protocol uses, with limits a peer cannot exceed.

The peer at this layer is not authenticated yet: whoever holds the invite can send anything. So everything that the
protocol never uses ends the association at the first octet of it:

* streams other than 0 and 1, unordered data, partial reliability, stream resets;
* strings, empty messages and channel-opening requests: both channels are agreed beforehand, so a data channel here
  is nothing more than an SCTP stream and the payload type "binary" (RFC 8831 §8);
* messages above 65 536 octets, more held-back data than the window that was advertised, acknowledgements of packets
  that were never sent.

Work for each octet and memory are bounded below, in :mod:`hardwire.net.rtc.inbound` and
:mod:`hardwire.net.rtc.outbound`, and the way data takes is that of :mod:`hardwire.net.rtc.fastsctp`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from aiortc import RTCSctpCapabilities, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_UNORDERED,
    WEBRTC_BINARY,
    Chunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    ReconfigChunk,
    ShutdownChunk,
)

from hardwire.net.rtc.dtls import LineDtls
from hardwire.net.rtc.fastdtls import run_now
from hardwire.net.rtc.fastsctp import FastSctp
from hardwire.net.rtc.fragments import Message
from hardwire.net.rtc.inbound import Arrived, InboundRefused

STREAMS: Final = (0, 1)
MAX_MESSAGE: Final = 65_536
SCTP_PORT: Final = 5000
HIGH_WATER: Final = 512 * 1024
LOW_WATER: Final = 128 * 1024

_WINDOW: Final = 4 * 1024 * 1024
_MAX_AHEAD: Final = 8192
"""Packets beyond the first that is missing; half of it is what a sender of ours has out."""
_PROBE: Final = (1, b"hardwire")


class LineSctp(FastSctp):
    """One association with two ordered, reliable streams.

    Args:
        dtls: The DTLS transport below, connected.
        on_message: Called with stream and message, synchronously, in order for each stream.
        on_writable: Called when the send queue fell below :data:`LOW_WATER`.
        on_state: Called when the association opened or closed; ask :attr:`is_open` and :attr:`refusal`.
    """

    def __init__(
        self,
        dtls: LineDtls,
        *,
        on_message: Callable[[int, bytes], None],
        on_writable: Callable[[], None],
        on_state: Callable[[], None],
    ) -> None:
        super().__init__(dtls, SCTP_PORT, window=_WINDOW, most=MAX_MESSAGE, reach=_MAX_AHEAD)
        self._on_message = on_message
        self._on_writable = on_writable
        self._on_state = on_state
        self._local_partial_reliability = False
        self._queues: tuple[deque[bytes], ...] = tuple(deque() for _ in STREAMS)
        self._queued_octets = 0
        self._above_low_water = False
        self._empty: asyncio.Future[None] | None = None

    @property
    def buffered(self) -> int:
        """Octets handed in and not yet cut into packets."""
        return self._queued_octets

    @property
    def acknowledged(self) -> int:
        """The last packet number that the peer acknowledged: when it moves, the path is alive."""
        return self._out.cumulative

    @property
    def cut_in_vain(self) -> int:
        """Copies of what is first missing that a router had to cut, and that did not arrive."""
        return self._out.cut_in_vain

    @property
    def is_empty(self) -> bool:
        """Open, and everything that was handed in is acknowledged."""
        return self.is_open and not self._queued_octets and self._out.is_empty

    async def open(self) -> None:
        """Begin the association; :attr:`is_open` turns true later."""
        await self.start(RTCSctpCapabilities(maxMessageSize=MAX_MESSAGE), SCTP_PORT)

    def send(self, stream: int, data: bytes) -> None:
        """Queue one message and send what the window allows, within this call; stream 0 overtakes stream 1.

        Raises:
            ConnectionError: The association is not open.
        """
        if not self.is_open:
            raise ConnectionError("the association is not open")
        self._queues[stream].append(data)
        self._queued_octets += len(data)
        self._above_low_water = self._above_low_water or self._queued_octets > LOW_WATER
        self.transmit()

    async def emptied(self) -> None:
        """Wait until the peer acknowledged everything, or the association closed."""
        if self.is_open and not self.is_empty:
            if self._empty is None or self._empty.done():
                self._empty = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._empty)  # others may wait for it as well

    def probe(self) -> None:
        """Ask for a sign of life (HEARTBEAT, RFC 9260 §8.3)."""
        chunk = HeartbeatChunk()
        chunk.params.append(_PROBE)
        run_now(self._send_chunk(chunk))

    # ------------------------------------------------------------------ receiving

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if isinstance(chunk, (ForwardTsnChunk, ReconfigChunk)):
            raise InboundRefused("an SCTP extension that this line does not have")
        if isinstance(chunk, ShutdownChunk):
            self._set_state(self.State.CLOSED)
        elif not (isinstance(chunk, InitChunk) and self.is_open):
            # An INIT that comes late cannot restart an open association.
            await super()._receive_chunk(chunk)

    def _check_data(self, stream: int, flags: int, protocol: int, size: int) -> None:
        if stream not in STREAMS or flags & SCTP_DATA_UNORDERED:
            raise InboundRefused(f"data outside the two channels (stream {stream})")
        if protocol != WEBRTC_BINARY or size <= 0:
            raise InboundRefused(f"a message that is not binary (payload type {protocol})")
        if self._in is None:
            raise InboundRefused("data before the association")

    def _deliver(self, message: Arrived) -> None:
        self._on_message(message.stream, message.data)

    # ------------------------------------------------------------------ sending

    def _holds_more(self) -> bool:
        return self._queued_octets > 0

    def _refill(self) -> bool:
        """Hand on the next message that waits: stream 0 overtakes stream 1."""
        if self._out.waiting or not self._queued_octets:
            return False
        stream = STREAMS[0] if self._queues[0] else STREAMS[1]
        data = self._queues[stream].popleft()
        self._queued_octets -= len(data)
        sequence = self._outbound_stream_seq.get(stream, 0)
        self._outbound_stream_seq[stream] = (sequence + 1) & 0xFFFF
        self._out.put(Message(stream, sequence, WEBRTC_BINARY, data))
        return True

    def batch_ended(self) -> None:
        """Answer what came, and tell who waits for the queue."""
        super().batch_ended()
        if self._above_low_water and self._queued_octets <= LOW_WATER:
            self._above_low_water = False
            self._on_writable()
        if self._empty is not None and not self._empty.done() and self.is_empty:
            self._empty.set_result(None)

    # ------------------------------------------------------------------ ending

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        changed = state != self._association_state
        super()._set_state(state)
        if state == self.State.CLOSED:
            for queue in self._queues:
                queue.clear()
            self._queued_octets = 0
            if self._empty is not None and not self._empty.done():
                self._empty.set_result(None)
        if changed and state in {self.State.ESTABLISHED, self.State.CLOSED}:
            self._on_state()
