# SPDX-License-Identifier: Apache-2.0
"""aiortc's SCTP transport with its own way for data: the same packets, with less work for each.

What comes by the thousand goes through this file: DATA and SACK chunks, in both directions, without a task, an
awaitable or a timer of their own. The arithmetic is beside it and knows no sockets: :mod:`inbound` (which packets are
there, which messages they make), :mod:`outbound` (what may leave, what is lost), :mod:`congestion`, :mod:`rtt`.
Everything else stays with aiortc's code: opening and closing the association, heartbeats, stream resets, the opening
of data channels, ``RTCDataChannel`` itself. So a browser, plain aiortc or any other WebRTC stack can be at the other
end.

Rules that differ from aiortc's: one SACK answers a batch of packets as the socket gave them, or four of them if the
peer is another stack; a lone packet is answered after 20 ms unless a packet of data takes the SACK along; small
messages share a packet; the peer's window is kept, also when it is zero; lost packets are found by time; an association
that is opened anew under an open one ends (a data channel promises that nothing is missing, and something would be). A
peer pays for the chunks it sends (:mod:`work`): those that cost more than their octets deserve are dropped like packets
that the network lost.
"""

import math
from typing import Final

from aiortc.rtcsctptransport import (
    CHUNK_TYPES,
    DATA_CHANNEL_OPEN,
    RECONFIG_RESULT_SUCCESS_PERFORMED,
    SCTP_DATA_FIRST_FRAG,
    WEBRTC_DCEP,
    Chunk,
    ForwardTsnChunk,
    InitAckChunk,
    InitChunk,
    RTCSctpTransport,
    StreamAddOutgoingParam,
    StreamResetOutgoingParam,
    StreamResetResponseParam,
)

from hardwire.net.rtc import work
from hardwire.net.rtc.fastdtls import FastDtls, PacketReceiver, run_now
from hardwire.net.rtc.fragments import Sack, SackRefused
from hardwire.net.rtc.inbound import TSN_HALF, TSN_MASK, Arrived, Inbound, InboundRefused
from hardwire.net.rtc.sctpmtu import MtuProber
from hardwire.net.rtc.sctpsender import TIMER_SLACK
from hardwire.net.rtc.sctpwire import (
    CHUNK,
    CHUNK_HEADER,
    COMMON_SIZE,
    DATA_FIELDS,
    DATA_HEADER,
    GAP_SIZE,
    IMMEDIATE,
    MOST_GAPS,
    SACK_FIELDS,
    SACK_SIZE,
    TAG_AT,
    TYPE_DATA,
    TYPE_HEARTBEAT,
    TYPE_INIT,
    TYPE_SACK,
    open_packet,
    read_gaps,
)

WINDOW: Final = 4 * 1024 * 1024
MOST_MESSAGE: Final = 262_144
SACK_DELAY: Final = 0.02
_SACK_EVERY: Final = 2
_SACK_WITHIN: Final = 4
"""Packets in order for a SACK within a batch, however many chunks are in them. A sender of ours sends what the window
allows; other stacks send no more than four for each SACK, however much their window has grown."""
_OPEN: Final = bytes([DATA_CHANNEL_OPEN])
_State = MtuProber.State
_OPENING: Final = frozenset({_State.CLOSED, _State.COOKIE_WAIT, _State.COOKIE_ECHOED})


class FastSctp(MtuProber, PacketReceiver):
    """One association.

    Args:
        dtls: The transport below.
        port: SCTP port of this side.
        window: Octets held for the peer while something is missing.
        most: Octets of a message that this side takes.
        reach: Numbers that a packet may lie beyond the first that is missing; a peer with further ones is refused.

    Attributes:
        packets_heard: Packets of the peer, however small: while it grows, the path is alive.
        account: What the peer has left of the work that it may cause.
    """

    def __init__(
        self,
        dtls: FastDtls,
        port: int = 5000,
        *,
        window: int = WINDOW,
        most: int = MOST_MESSAGE,
        reach: int = TSN_HALF,
    ) -> None:
        super().__init__(dtls, port, window=window)
        self.packets_heard = 0
        self.account = work.Account(self._clock.time())
        self._window = window
        self._most = most
        self._reach = reach
        self._in_from: tuple[int, int] | None = None
        self._kept_sack: Sack | None = None

    def packet(self, view: memoryview, size: int) -> None:
        """One packet from DTLS; see :class:`~hardwire.net.rtc.fastdtls.PacketReceiver`."""
        if self._association_state is _State.CLOSED:
            return
        if not self._in_batch:
            self._in_batch = True
            now = self._clock.time()
            self._dribble.begin(now)
            self.account.refill(now)
        self._dribble.came += 1
        if not self.account.admits(size):
            # Whose it is DTLS knows: unread or not, the path is alive.
            self.packets_heard += 1
            return
        packet = open_packet(view, size)
        if packet is None:
            return
        try:
            if int.from_bytes(packet[TAG_AT : TAG_AT + 4], "big") == self._local_verification_tag:
                self.packets_heard += 1
                self._take_chunks(packet, size)
                self._since_sack += 1
                if self._since_sack >= _SACK_WITHIN and self.is_open and not self.knows_padding:
                    self._sack_within()
            else:
                self._take_init(packet, size)
        except (InboundRefused, SackRefused) as refused:
            self._refuse(str(refused))
        except ConnectionError:
            self._set_state(self.State.CLOSED)
        except Exception as error:  # noqa: BLE001  (whatever aiortc's code makes of a malformed chunk)
            self._refuse(f"a packet that makes no sense ({type(error).__name__})")

    async def _handle_data(self, data: bytes) -> None:
        """A packet from a DTLS transport that is not ours."""
        self.packet(memoryview(bytearray(data)), len(data))
        self.batch_ended()

    def _take_chunks(self, packet: bytes, size: int) -> None:
        at, sacks, units = COMMON_SIZE, 0, 0
        while at + CHUNK_HEADER <= size:
            kind, flags, length = CHUNK.unpack_from(packet, at)
            end = at + length
            if length < CHUNK_HEADER or end > size:
                break
            if kind == TYPE_DATA:
                units += work.DATA
                self._take_data(flags, packet, at, end)
            elif kind == TYPE_SACK:
                units += work.SACK
                sacks += 1
                if sacks > 1:
                    raise SackRefused("several acknowledgements in one packet")
                self._take_sack(packet, at, length)
            else:
                units += self._take_other(kind, flags, packet[at + CHUNK_HEADER : end])
            if self._association_state is _State.CLOSED:
                return
            at = end + (-length & 3)
        self.account.charge(units)

    def _take_data(self, flags: int, packet: bytes, at: int, end: int) -> None:
        tsn, stream, sequence, protocol = DATA_FIELDS.unpack_from(packet, at + CHUNK_HEADER)
        inbound = self._in
        self._check_data(stream, flags, protocol, end - at - DATA_HEADER)
        if inbound is None or end - at <= DATA_HEADER:
            return
        done = inbound.take(flags, tsn, (stream, sequence, protocol), packet[at + DATA_HEADER : end])
        self._owed += 1
        if done:
            # A small message needs no SACK of its own: the answer to it, or the timer, brings one soon enough.
            if not flags & SCTP_DATA_FIRST_FRAG:
                self._sack_at_once = True
            self._last_received_tsn = inbound.tsn
            for message in done:
                self._deliver(message)
                if self._association_state == self.State.CLOSED:
                    return
        elif done is None or flags & IMMEDIATE:
            self._sack_at_once = True
        if self._reconfig_deferred is not None:
            self._last_received_tsn = inbound.tsn
            run_now(self._reset_deferred_streams())

    def _take_sack(self, packet: bytes, at: int, length: int) -> None:
        tsn, window, gaps, duplicates = SACK_FIELDS.unpack_from(packet, at + CHUNK_HEADER)
        if length < SACK_SIZE + GAP_SIZE * (gaps + duplicates):
            raise SackRefused("a SACK that is shorter than it says")
        if not gaps and not duplicates and not self.knows_padding:
            # Of those in a batch that miss nothing the last one says all. A peer of ours sends few, and each is needed:
            # heard together they ended the slow start a round later, and messages waited behind twice as much.
            kept = self._kept_sack
            if kept is None or (tsn - kept.tsn) & TSN_MASK < TSN_HALF:
                self._kept_sack = Sack(tsn, window)
            return
        self._hear_kept_sack()
        looked_at = min(gaps, MOST_GAPS)
        blocks = read_gaps(packet, at + SACK_SIZE, gaps) if gaps and self._out.affords(looked_at) else ()
        self._out.acknowledged(Sack(tsn, window, blocks, duplicates), self._clock.time())

    def _hear_kept_sack(self) -> None:
        kept, self._kept_sack = self._kept_sack, None
        if kept is not None:
            self._out.acknowledged(kept, self._clock.time())

    def _take_other(self, kind: int, flags: int, body: bytes) -> int:
        """What is not data; units of work that it was."""
        self._hear_kept_sack()
        if kind == TYPE_HEARTBEAT:
            self._answer_heartbeat(body)
            return work.HEARTBEAT
        known = CHUNK_TYPES.get(kind)
        if known is None:
            return work.UNKNOWN
        try:
            chunk = known(flags=flags, body=body)
        except ValueError:
            # Parameters that are none: as if the packet had not come.
            return work.of_other(len(body))
        run_now(self._receive_chunk(chunk))
        return work.of_other(len(body))

    def _take_init(self, packet: bytes, size: int) -> None:
        """An INIT has no tag, and is alone in its packet; anything else without our tag is not for us."""
        kind, flags, length = CHUNK.unpack_from(packet, COMMON_SIZE)
        end = COMMON_SIZE + length
        if kind != TYPE_INIT or packet[TAG_AT : TAG_AT + 4] != bytes(4) or end + (-length & 3) < size or end > size:
            return
        self.packets_heard += 1
        self.account.charge(work.of_other(length))
        run_now(self._receive_chunk(InitChunk(flags=flags, body=packet[COMMON_SIZE + CHUNK_HEADER : end])))

    async def _receive_chunk(self, chunk: Chunk) -> None:
        """Everything but DATA and SACK, by aiortc; the numbers that an INIT names are kept for our own half."""
        if isinstance(chunk, InitChunk) and self._association_state not in _OPENING:
            await self._receive_late_init(chunk)
            return
        if isinstance(chunk, ForwardTsnChunk):
            self._receive_forward(chunk)
            return
        asked = self._association_state == self.State.COOKIE_WAIT
        await super()._receive_chunk(chunk)
        if isinstance(chunk, InitChunk) or (isinstance(chunk, InitAckChunk) and asked):
            self._peer_begins(chunk.initiate_tag, chunk.initial_tsn, chunk.advertised_rwnd)

    async def _receive_late_init(self, chunk: InitChunk) -> None:
        """A repeated INIT is answered, and changes nothing; another peer in place of this one cannot go on here."""
        if self._in_from != (chunk.initiate_tag, chunk.initial_tsn):
            raise InboundRefused("a restart of an open association")
        kept = self._reconfig_response_seq
        await super()._receive_chunk(chunk)
        self._reconfig_response_seq = kept

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        """A COOKIE ECHO that comes again opens nothing again: not the channels that are being closed."""
        if state != self.State.ESTABLISHED or self._association_state != state:
            super()._set_state(state)

    async def _receive_reconfig_param(
        self, param: StreamAddOutgoingParam | StreamResetOutgoingParam | StreamResetResponseParam
    ) -> None:
        """A copy of a request that comes late, behind the next one, asks for nothing (RFC 6525 §5.2.1)."""
        asked = self._reconfig_response_seq if isinstance(param, StreamResetResponseParam) else param.request_sequence
        if (asked - self._reconfig_response_seq) & TSN_MASK < TSN_HALF:
            await super()._receive_reconfig_param(param)

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        """Who uses the number of a channel again has closed it: our reset was done, and the answer to it was lost."""
        asked = self._reconfig_request
        if (
            asked is not None
            and pp_id == WEBRTC_DCEP
            and data[:1] == _OPEN
            and stream_id in self._data_channel_inbound_reset.intersection(asked.streams)
        ):
            done = StreamResetResponseParam(asked.request_sequence, RECONFIG_RESULT_SUCCESS_PERFORMED)
            await super()._receive_reconfig_param(done)
        await super()._data_channel_receive(stream_id, pp_id, data)

    def _peer_begins(self, tag: int, initial_tsn: int, window: int) -> None:
        if self._in_from == (tag, initial_tsn):
            return
        self._in_from = (tag, initial_tsn)
        self._in = Inbound(initial_tsn, window=self._window, most=self._most, reach=self._reach)
        self._inbound_streams = self._in.streams  # type: ignore[assignment]
        self._sacked = 0
        self._out.peer_window = window

    def _receive_forward(self, chunk: ForwardTsnChunk) -> None:
        if self._in is None:
            return
        self._owed += 1
        self._sack_at_once = True
        for message in self._in.skip(chunk.cumulative_tsn, chunk.streams):
            self._deliver(message)
        self._last_received_tsn = self._in.tsn
        run_now(self._reset_deferred_streams())

    def _check_data(self, stream: int, flags: int, protocol: int, size: int) -> None:  # noqa: ARG002  (for others)
        """A narrower transport refuses here what it never uses."""
        if protocol == WEBRTC_DCEP:
            self.account.charge(work.CHANNEL)

    def _deliver(self, message: Arrived) -> None:
        run_now(self._receive(*message))

    def _sack_within(self) -> None:
        """Do not let another stack wait for the end of the batch; while something is missing that will do."""
        inbound = self._in
        if inbound is not None and inbound.cumulative >= self._sacked + _SACK_WITHIN and not inbound.beyond.starts:
            self._sack_alone()

    def batch_ended(self) -> None:
        """Answer what came: data first, which takes a SACK along; a SACK by itself when one is due."""
        came, self._in_batch = self._in_batch, False
        if self._association_state == self.State.CLOSED:
            return
        try:
            self._hear_kept_sack()
            self.transmit()
            if self._owed and (
                self._sack_at_once or self._owed >= _SACK_EVERY or (self._in and self._in.beyond.starts)
            ):
                self._sack_alone()
            elif self._owed and self._sack_due == math.inf:
                self._sack_due = self._clock.time() + SACK_DELAY
                if self._sack_timer is None:
                    self._sack_timer = self._clock.call_at(self._sack_due, self._sack_late)
            self._dtls.flush()
            if came and self._dribble.end(pieces=self._in.pieces if self._in else 0, flight=self._out.flight):
                self._dtls.linger()
        except SackRefused as refused:
            self._refuse(str(refused))
        except ConnectionError:
            self._set_state(self.State.CLOSED)

    def unblocked(self) -> None:
        """The socket has room again."""
        self._mtu_has_room()
        self.batch_ended()

    def _expired(self) -> None:
        """Over a relay a batch ends a turn of the loop later, behind timers that are due: what came is heard first."""
        try:
            self._hear_kept_sack()
        except SackRefused as refused:
            self._refuse(str(refused))
        super()._expired()

    def _sack_late(self) -> None:
        """Data takes most SACKs along: the timer is left to fire early, and is then set anew if another one is owed."""
        self._sack_timer = None
        if self._association_state == self.State.CLOSED or self._sack_due == math.inf:
            return
        if self._clock.time() < self._sack_due - TIMER_SLACK:
            self._sack_timer = self._clock.call_at(self._sack_due, self._sack_late)
        else:
            self._sack_at_once = True
            self.batch_ended()
