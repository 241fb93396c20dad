# SPDX-License-Identifier: Apache-2.0
"""The sending side of :class:`hardwire.net.rtc.fastsctp.FastSctp`: packets, SACKs and the one timer.

Packets are built where DTLS encrypts them. Within a batch of arriving packets they leave at its end, together.
"""

import asyncio
import math
import time
from typing import Final

from aiortc.rtcsctptransport import USERDATA_MAX_LENGTH, Chunk, ForwardTsnChunk, RTCSctpTransport

from hardwire.net.rtc.dribble import Dribble
from hardwire.net.rtc.fastdtls import FastDtls, run_now
from hardwire.net.rtc.fragments import Fragment, Message
from hardwire.net.rtc.inbound import Inbound
from hardwire.net.rtc.outbound import Outbound
from hardwire.net.rtc.sctpwire import (
    COMMON_SIZE,
    DATA,
    DATA_HEADER,
    GAP_SIZE,
    MOST_GAPS,
    SACK_SIZE,
    TYPE_DATA,
    close_packet,
    put_sack,
)

BASE_PAYLOAD: Final = USERDATA_MAX_LENGTH
FIRST_TSN_BELOW: Final = 1 << 30
"""aiortc as a receiver loses its way when numbers wrap at 2^32 while one is missing; so they are far from there for
three terabytes. To be guessed by nobody is not their task: DTLS is below."""
_LEAST_BESIDE: Final = 32
TIMER_SLACK: Final = 0.0005
_PADDING: Final = bytes(4)


class SctpSender(RTCSctpTransport):
    """An association that sends by itself and leaves everything else to aiortc.

    Args:
        dtls: The transport below.
        port: SCTP port of this side.
        window: Octets held for the peer while something is missing.

    Attributes:
        is_open: Messages can be sent.
        refusal: Why this side ended the association, when the peer broke a rule.
    """

    def __init__(self, dtls: FastDtls, port: int, *, window: int) -> None:
        self.is_open = False
        super().__init__(dtls, port)
        self._local_tsn = self._reconfig_request_seq = self._local_tsn % FIRST_TSN_BELOW
        self.refusal: str | None = None
        self._dtls = dtls
        self._clock = asyncio.get_running_loop()
        self._advertised_rwnd = window
        self._out = Outbound(self._local_tsn, payload=BASE_PAYLOAD, peer_window=window)
        # aiortc hands messages on while this is empty.
        self._outbound_queue = self._out.waiting  # type: ignore[assignment]
        self._in: Inbound | None = None
        self._owed = 0
        self._sacked = 0
        self._since_sack = 0
        self._sack_at_once = False
        self._sack_due = math.inf
        self._sack_timer: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._forwarded = (0, 0.0)
        self._in_batch = False
        self._filling = False
        self._dribble = Dribble()

    # ------------------------------------------------------------------ what leaves

    def transmit(self) -> None:
        """Send what the windows allow now. Within a batch the datagrams leave at its end."""
        if not self.is_open or self._filling:
            return
        out = self._out
        self._filling = True
        try:
            if out.waiting or out.lost or self._holds_more():
                if self._dtls.is_blocked:
                    return
                self._fill()
            if out.given_up > out.cumulative:
                self._send_forward()
        finally:
            self._filling = False
        if self._reconfig_queue:
            run_now(self._transmit_reconfig())
        if not self._in_batch:
            self._dtls.flush()
        self._set_timer()

    def _fill(self) -> None:
        now, out = self._clock.time(), self._out
        while out.waiting or out.lost or self._refill():
            fragment = out.next(now)
            if fragment is not None:
                self._send_packet(fragment, now)
            elif out.waiting or out.lost:
                break  # the windows have no room

    def _holds_more(self) -> bool:
        """Whether messages wait with whoever holds them."""
        return bool(self._data_channel_queue)

    def _refill(self) -> bool:
        """Hand on the next message of whoever holds them; whether there was one."""
        if self._out.waiting or not self._data_channel_queue:
            return False
        # Whoever is told that a queue got shorter may send on another association, and all of a thread build their
        # packets in one buffer: what is half built here would go to the wrong peer with octets of the other one.
        view = self._dtls.plain[: COMMON_SIZE + DATA_HEADER + self._out.payload]
        kept = bytes(view)
        run_now(super()._data_channel_flush())
        view[:] = kept
        return bool(self._out.waiting)

    def _send_packet(self, fragment: Fragment, now: float) -> None:
        """One packet: the SACK that is owed if it fits, the fragment, and small ones that fit beside it."""
        view, out = self._dtls.plain, self._out
        most = COMMON_SIZE + DATA_HEADER + out.payload
        at = COMMON_SIZE
        if self._owed and at + SACK_SIZE + DATA_HEADER + fragment.size <= most:
            at = self._put_sack(most - DATA_HEADER - fragment.size)
        following: Fragment | None = fragment
        while following is not None:
            size, message = following.size, following.message
            DATA.pack_into(
                view, at, TYPE_DATA, following.flags, DATA_HEADER + size, out.tsn(following.number),
                message.stream, message.sequence, message.protocol,
            )  # fmt: skip
            at += DATA_HEADER
            view[at : at + size] = following.data
            at += size
            if padding := -size & 3:
                view[at : at + padding] = _PADDING[:padding]
                at += padding
            room = most - at - DATA_HEADER
            if room < _LEAST_BESIDE:
                break
            more = out.waiting or out.lost or self._refill()
            following = out.next(now, room) if more else None
        if fragment.size > out.payload:
            # It was cut for a wider path, and keeps its size: routers may take it apart.
            self._close(at)
            self._dtls.send_in_pieces(at)
        else:
            self._seal(at)

    def _seal(self, size: int) -> None:
        self._dribble.left += 1
        self._close(size)
        self._dtls.seal(size)

    def _close(self, size: int) -> None:
        ports = self._local_port, self._remote_port or 0
        close_packet(self._dtls.plain, size, ports, self._remote_verification_tag)

    def _put_sack(self, most: int) -> int:
        """Write the SACK that is owed at the beginning of a packet; where it ends."""
        inbound = self._in
        if inbound is None:
            return COMMON_SIZE
        gaps: list[tuple[int, int]] = []
        duplicates: list[int] = []
        if inbound.beyond.starts or inbound.duplicates:
            room = (most - COMMON_SIZE - SACK_SIZE) // GAP_SIZE
            through = inbound.cumulative
            gaps = [
                (first - through, last - through)
                for first, last in inbound.beyond.head(min(MOST_GAPS, room))
                if last - through <= 0xFFFF  # noqa: PLR2004  (what the field holds)
            ]
            duplicates = inbound.duplicates[: room - len(gaps)]
            inbound.duplicates.clear()
        self._owed = 0
        self._sacked = inbound.cumulative
        self._since_sack = 0
        self._sack_at_once = False
        self._sack_due = math.inf
        view = self._dtls.plain
        return put_sack(view, COMMON_SIZE, tsn=inbound.tsn, window=inbound.room, gaps=gaps, duplicates=duplicates)

    def _sack_alone(self) -> None:
        self._seal(self._put_sack(COMMON_SIZE + DATA_HEADER + BASE_PAYLOAD))

    async def _send_sack(self) -> None:
        """Aiortc's code never asks for one here."""

    async def _transmit(self) -> None:
        self.transmit()

    async def _data_channel_flush(self) -> None:
        self.transmit()

    async def _transmit_reconfig(self) -> None:
        """A stream is reset behind its last message, when that one has all its numbers; others may have more to send.

        Not from within :meth:`transmit`, which may be building a packet, and which asks for it at its end.
        """
        if not self._filling and not any(one.stream in self._reconfig_queue for one in self._out.waiting):
            self._local_tsn = self._out.next_tsn
            await super()._transmit_reconfig()

    async def _send(  # noqa: PLR0917  (aiortc's signature)
        self,
        stream_id: int,
        pp_id: int,
        user_data: bytes,
        expiry: float | None = None,
        max_retransmits: int | None = None,
        ordered: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """One message: it waits until the windows have room."""
        sequence = self._outbound_stream_seq.get(stream_id, 0) if ordered else 0
        message = Message(stream_id, sequence, pp_id, bytes(user_data), unordered=not ordered)
        if self._remote_partial_reliability:
            if expiry is not None:
                message.expires = self._clock.time() + expiry - time.time()
            if max_retransmits is not None:
                message.retransmissions = max_retransmits
        if ordered:
            self._outbound_stream_seq[stream_id] = (sequence + 1) & 0xFFFF
        self._out.put(message)
        self.transmit()

    def _send_forward(self) -> None:
        forward = self._out.forward()
        if forward is None:
            return
        tsn, sent_at = self._forwarded
        now = self._clock.time()
        if forward[0] != tsn or now - sent_at > self._out.rtt.timeout():
            self._forwarded = (forward[0], now)
            chunk = ForwardTsnChunk()
            chunk.cumulative_tsn, chunk.streams = forward
            run_now(self._send_chunk(chunk))

    async def _send_chunk(self, chunk: Chunk) -> None:
        """Like aiortc's, but a path that is gone is a state, and not the exception of a timer's task."""
        try:
            await super()._send_chunk(chunk)
        except ConnectionError:
            if self._association_state != self.State.CLOSED:
                self._set_state(self.State.CLOSED)

    # ------------------------------------------------------------------ time

    def _set_timer(self) -> None:
        """Deadlines move out with every SACK: the timer is left to fire early, and is then set anew."""
        deadline = self._out.deadline()
        if self._timer is not None and deadline < self._timer_at - TIMER_SLACK:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and deadline < math.inf:
            self._timer_at = deadline
            self._timer = self._clock.call_at(deadline, self._expired)

    def _expired(self) -> None:
        self._timer = None
        if not self.is_open:
            return
        now = self._clock.time()
        if now >= self._out.deadline():
            self._out.expired(now)
        try:
            self.transmit()
        except ConnectionError:
            self._set_state(self.State.CLOSED)

    # ------------------------------------------------------------------ ending

    def _refuse(self, reason: str) -> None:
        self.refusal = reason
        run_now(self._abort())
        self._set_state(self.State.CLOSED)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        self.is_open = state == self.State.ESTABLISHED
        super()._set_state(state)
        if state == self.State.CLOSED:
            for timer in (self._sack_timer, self._timer):
                if timer is not None:
                    timer.cancel()
            self._sack_timer = self._timer = None
