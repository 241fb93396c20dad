# SPDX-License-Identifier: Apache-2.0
"""SCTP under the line: aiortc's association, narrowed to what this protocol uses, with limits a peer cannot exceed.

The peer at this layer is not authenticated yet: whoever holds the invite can send anything. So everything that the
protocol never uses ends the association at the first octet of it:

* streams other than 0 and 1, unordered data, partial reliability, stream resets;
* strings, empty messages and channel-opening requests: both channels are agreed beforehand, so a data channel here
  is nothing more than an SCTP stream and the payload type "binary" (RFC 8831 §8);
* messages above 65 536 octets, more held-back data than the window that was advertised, acknowledgements of packets
  that were never sent.

Within the limits the work per packet is bounded: aiortc walks all fragments of a message for each new one, here they
are only walked when the last one is there. One SACK answers two packets (RFC 9260 §6.2); at once when a long message
is complete or something is missing, and after 20 ms at the latest. A small message takes the SACK that is owed along
in its packet (RFC 9260 §6.10): between question and answer, no packet goes for the SACK alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final

from aiortc import RTCSctpCapabilities, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    SCTP_RTO_INITIAL,
    USERDATA_MAX_LENGTH,
    WEBRTC_BINARY,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InboundStream,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    ShutdownChunk,
    parse_packet,
)

from hardwire.net.rtc.dtls import LineDtls

STREAMS: Final = (0, 1)
MAX_MESSAGE: Final = 65_536
SCTP_PORT: Final = 5000
HIGH_WATER: Final = 512 * 1024
LOW_WATER: Final = 128 * 1024

_WINDOW: Final = 1024 * 1024
_WINDOW_SLACK: Final = _WINDOW
_MAX_HELD_CHUNKS: Final = 2048
_MAX_AHEAD: Final = 4096
_MAX_CWND: Final = 512 * 1024
_SACK_SIZE: Final = 16
_BESIDE_SACK: Final = USERDATA_MAX_LENGTH - _SACK_SIZE
_SACK_EVERY: Final = 2
# What a SACK lists fits one packet (RFC 9260 §6.2.1 allows to leave the rest out): a peer that makes holes on purpose
# would otherwise make us sort and send a list of them for each of its packets.
_MAX_GAPS: Final = 200
_MAX_DUPLICATES: Final = 50
_SACK_DELAY: Final = 0.02
_TSN_MODULO: Final = 1 << 32
_TSN_HALF: Final = 1 << 31
_PROBE: Final = (1, b"hardwire")


class AssociationRefused(Exception):
    """The peer did something that no honest peer does; the text says what, for this side's person."""


class _Bundle(Chunk):
    """Chunks that share a packet; control chunks come first."""

    def __init__(self, *chunks: Chunk) -> None:
        super().__init__()
        self._chunks = chunks

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self._chunks))


class LineSctp(RTCSctpTransport):
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
        super().__init__(dtls, SCTP_PORT)
        self.refusal: str | None = None
        self.packets_heard = 0
        self._dtls = dtls
        self._on_message = on_message
        self._on_writable = on_writable
        self._on_state = on_state
        self._local_partial_reliability = False
        self._advertised_rwnd = _WINDOW
        self._queues: tuple[deque[bytes], ...] = tuple(deque() for _ in STREAMS)
        self._queued_octets = 0
        self._above_low_water = False
        self._empty: asyncio.Future[None] | None = None
        self._partial = dict.fromkeys(STREAMS, 0)
        self._unsacked = 0
        self._sack_now = False
        self._sack_timer: asyncio.TimerHandle | None = None
        self._data_beside_sack: DataChunk | None = None

    @property
    def is_open(self) -> bool:
        """Messages can be sent."""
        return self._association_state == self.State.ESTABLISHED

    @property
    def buffered(self) -> int:
        """Octets handed in and not yet cut into packets."""
        return self._queued_octets

    @property
    def acknowledged(self) -> int:
        """The last packet number that the peer acknowledged: when it moves, the path is alive."""
        return self._last_sacked_tsn

    @property
    def is_empty(self) -> bool:
        """Open, and everything that was handed in is acknowledged."""
        return self.is_open and not (self._queued_octets or self._outbound_queue or self._sent_queue)

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
        _run(self._data_channel_flush())

    async def emptied(self) -> None:
        """Wait until the peer acknowledged everything, or the association closed."""
        if self.is_open and not self.is_empty:
            self._empty = asyncio.get_running_loop().create_future()
            await self._empty

    def probe(self) -> None:
        """Ask for a sign of life (HEARTBEAT, RFC 9260 §8.3)."""
        chunk = HeartbeatChunk()
        chunk.params.append(_PROBE)
        _run(self._send_chunk(chunk))

    def path_changed(self) -> None:
        """Another path, or the old one is back: what was measured on it counts no more, what was lost goes at once.

        While there was no path the retransmission timer doubled, up to a minute; nobody waits for that now.
        """
        self._srtt = self._rttvar = None
        self._rto = SCTP_RTO_INITIAL
        if self.is_open and self._sent_queue:
            if self._t3_handle is not None:
                self._t3_handle.cancel()
            self._t3_expired()

    # ------------------------------------------------------------------ receiving

    async def _handle_data(self, data: bytes) -> None:
        if self._association_state == self.State.CLOSED:
            return
        try:
            await self._handle_packet(data)
        except AssociationRefused as refused:
            await self._refuse(str(refused))
        except ConnectionError:
            self._set_state(self.State.CLOSED)
        except Exception as error:  # noqa: BLE001  (whatever aiortc's code makes of a malformed chunk)
            await self._refuse(f"a packet that makes no sense ({type(error).__name__})")

    async def _handle_packet(self, data: bytes) -> None:
        try:
            _, _, tag, chunks = parse_packet(data)
        except ValueError:
            return
        opening = any(isinstance(chunk, InitChunk) for chunk in chunks)
        if tag != (0 if opening else self._local_verification_tag) or (opening and len(chunks) != 1):
            return
        self.packets_heard += 1
        for chunk in chunks:
            await self._receive_chunk(chunk)
            if self._association_state == self.State.CLOSED:
                return
        if self._sack_needed:
            await self._sack_when_due()

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if isinstance(chunk, DataChunk):
            await self._receive_data_chunk(chunk)
        elif isinstance(chunk, SackChunk):
            self._check_sack(chunk)
            await self._receive_sack_chunk(chunk)
        elif isinstance(chunk, (ForwardTsnChunk, ReconfigChunk)):
            raise AssociationRefused("an SCTP extension that this line does not have")
        elif isinstance(chunk, ShutdownChunk):
            self._set_state(self.State.CLOSED)
        elif not (isinstance(chunk, InitChunk) and self.is_open):
            # An INIT that comes late cannot restart an open association.
            await super()._receive_chunk(chunk)

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if chunk.stream_id not in STREAMS or chunk.flags & SCTP_DATA_UNORDERED:
            raise AssociationRefused(f"data outside the two channels (stream {chunk.stream_id})")
        if chunk.protocol != WEBRTC_BINARY or not chunk.user_data:
            raise AssociationRefused(f"a message that is not binary (payload type {chunk.protocol})")
        if self._last_received_tsn is None:
            raise AssociationRefused("data before the association")
        self._sack_needed = True
        ahead = (chunk.tsn - self._last_received_tsn) % _TSN_MODULO
        in_order = ahead == 1 and not self._sack_misordered
        if in_order:
            self._last_received_tsn = chunk.tsn
        else:
            self._sack_now = True
            if _MAX_AHEAD < ahead < _TSN_HALF:
                raise AssociationRefused("more data than the window allows")
            if self._mark_received(chunk.tsn):
                return
        stream = self._get_inbound_stream(chunk.stream_id)
        stream.add_chunk(chunk)
        self._advertised_rwnd -= len(chunk.user_data)
        self._partial[chunk.stream_id] += len(chunk.user_data)
        complete = bool(chunk.flags & SCTP_DATA_LAST_FRAG)
        # A small message needs no SACK of its own: the answer to it, or the timer, brings one soon enough.
        self._sack_now = self._sack_now or (complete and not chunk.flags & SCTP_DATA_FIRST_FRAG)
        if complete or not in_order:
            self._deliver(chunk.stream_id, stream)
        self._check_held(chunk.stream_id, stream)

    def _deliver(self, stream_id: int, stream: InboundStream) -> None:
        for _, _, message in stream.pop_messages():
            if len(message) > MAX_MESSAGE:
                raise AssociationRefused(f"a message of {len(message)} octets")
            self._advertised_rwnd += len(message)
            self._partial[stream_id] -= len(message)
            self._on_message(stream_id, message)
            if self._association_state == self.State.CLOSED:
                return

    def _check_held(self, stream_id: int, stream: InboundStream) -> None:
        if not self._sack_misordered and self._partial[stream_id] > MAX_MESSAGE:
            raise AssociationRefused(f"a message of more than {MAX_MESSAGE} octets")
        if self._advertised_rwnd < -_WINDOW_SLACK or len(stream.reassembly) > _MAX_HELD_CHUNKS:
            raise AssociationRefused("more data than the window allows")

    def _check_sack(self, chunk: SackChunk) -> None:
        """Only what was sent can be acknowledged; aiortc would walk through any range that the peer names."""
        outstanding = (self._local_tsn - 1 - chunk.cumulative_tsn) % _TSN_MODULO
        if outstanding >= _TSN_HALF:
            raise AssociationRefused("an acknowledgement of data that was never sent")
        end = 0
        for first, last in chunk.gaps:
            if not end < first <= last <= outstanding:
                raise AssociationRefused("an acknowledgement of data that was never sent")
            end = last

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        await super()._receive_sack_chunk(chunk)
        self._cwnd = min(self._cwnd, _MAX_CWND)
        if self._empty is not None and not self._empty.done() and self.is_empty:
            self._empty.set_result(None)

    # ------------------------------------------------------------------ sending

    async def _sack_when_due(self) -> None:
        self._unsacked += 1
        if self._sack_now or self._unsacked >= _SACK_EVERY:
            await self._send_sack()
        elif self._sack_timer is None:
            self._sack_timer = asyncio.get_running_loop().call_later(_SACK_DELAY, self._sack_late)

    def _sack_late(self) -> None:
        self._sack_timer = None
        if self._sack_needed and self._association_state != self.State.CLOSED:
            _run(self._send_sack())

    async def _send_sack(self) -> None:
        if self._sack_timer is not None:
            self._sack_timer.cancel()
            self._sack_timer = None
        self._unsacked = 0
        self._sack_now = False
        await super()._send_sack()

    async def _data_channel_flush(self) -> None:
        """Cut waiting messages into packets, a message at a time; called again by every SACK."""
        if not self.is_open:
            return
        while self._queued_octets and not self._outbound_queue:
            stream = STREAMS[0] if self._queues[0] else STREAMS[1]
            data = self._queues[stream].popleft()
            self._queued_octets -= len(data)
            await self._send(stream, WEBRTC_BINARY, data)
        if self._above_low_water and self._queued_octets <= LOW_WATER:
            self._above_low_water = False
            self._on_writable()

    def _fits_sack(self, chunk: DataChunk) -> bool:
        """Whether both fit into a packet; a SACK that lists gaps goes at once, and by itself."""
        return len(chunk.user_data) <= _BESIDE_SACK and not self._sack_misordered and not self._sack_duplicates

    async def _send_chunk(self, chunk: Chunk) -> None:
        """Like aiortc's, but SACKs travel with data, and a path that is gone is a state, not a timer's exception."""
        if isinstance(chunk, DataChunk) and self._sack_needed and self._fits_sack(chunk):
            self._data_beside_sack = chunk
            await self._send_sack()
            return
        if isinstance(chunk, SackChunk):
            del chunk.gaps[_MAX_GAPS:], chunk.duplicates[_MAX_DUPLICATES:]
        if isinstance(chunk, SackChunk) and self._data_beside_sack is not None:
            chunk, self._data_beside_sack = _Bundle(chunk, self._data_beside_sack), None
        try:
            await super()._send_chunk(chunk)
        except ConnectionError:
            if self._association_state != self.State.CLOSED:
                self._set_state(self.State.CLOSED)

    # ------------------------------------------------------------------ ending

    async def _refuse(self, reason: str) -> None:
        self.refusal = reason
        await self._abort()
        self._set_state(self.State.CLOSED)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        changed = state != self._association_state
        super()._set_state(state)
        if state == self.State.CLOSED:
            if self._sack_timer is not None:
                self._sack_timer.cancel()
                self._sack_timer = None
            for queue in self._queues:
                queue.clear()
            self._queued_octets = 0
            if self._empty is not None and not self._empty.done():
                self._empty.set_result(None)
        if changed and state in {self.State.ESTABLISHED, self.State.CLOSED}:
            self._on_state()


def _run(coroutine: Coroutine[object, object, None]) -> None:
    """Run a coroutine that never waits: everything below SCTP is synchronous (:meth:`LineDtls.send_now`)."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a send waited for the event loop")
