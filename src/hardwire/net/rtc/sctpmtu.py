# SPDX-License-Identifier: Apache-2.0
"""Probes for larger packets, sent and answered: HEARTBEAT with a PAD chunk behind it (RFC 8261 §5, RFC 4820).

Every SCTP stack answers a HEARTBEAT with what was in it, and skips padding that it does not know. A peer that says it
knows padding is one that takes DTLS records of any size; others are asked for 2048 octets at most. aiortc is one that
reads even those in pieces, one piece for each datagram that comes: it would be a datagram late from then on. So a
datagram without data follows, with which it reads the rest; and again before the next probe, in case it was lost.
"""

import asyncio
import math
import os
from typing import Final

from aiortc.rtcsctptransport import Chunk, HeartbeatAckChunk, HeartbeatChunk

from hardwire.net.rtc.fastdtls import FastDtls
from hardwire.net.rtc.pmtu import BASE, CAUTIOUS, SIZES, PathMtu
from hardwire.net.rtc.sctpsender import SctpSender
from hardwire.net.rtc.sctpwire import CHUNK, CHUNK_HEADER, COMMON_SIZE, DATA_HEADER, TYPE_HEARTBEAT_ACK
from hardwire.net.rtc.udp import Departure

TYPE_PAD: Final = 0x84
SUPPORTED_EXTENSIONS: Final = 0x8008
READ_AT_ONCE: Final = 1500
"""Octets of a record that every stack reads with the datagram in which it came."""
_INFO: Final = 1
_NONCE: Final = 12
_HOLE_AFTER: Final = 2
"""Timeouts in a row."""
_COPIES_LOST: Final = 4
"""As long as smaller packets get through there is no timeout."""


class MtuProber(SctpSender):
    """An association that looks for the largest packet its path carries.

    Attributes:
        knows_padding: The peer said so: it is of this kind.
    """

    def __init__(self, dtls: FastDtls, port: int, *, window: int) -> None:
        super().__init__(dtls, port, window=window)
        self.knows_padding = False
        self._mtu = PathMtu(CAUTIOUS)
        self._mtu_timer: asyncio.TimerHandle | None = None
        self._mtu_asked: dict[bytes, int] = {}

    @property
    def packet_size(self) -> int:
        """Octets of a full SCTP packet that is known to pass."""
        return self._mtu.size

    def path_changed(self) -> None:
        """Another path, or the old one is back: what was measured on it counts no more, what was lost goes at once.

        While there was no path the retransmission timer doubled; nobody waits for that now.
        """
        now = self._clock.time()
        if self.is_open:
            self._mtu.begin(now)
            self._mtu_asked.clear()  # an answer that is still on its way speaks of the path before
            self._mtu_found()
        self._out.restart_path(now)
        self.transmit()

    def _set_extensions(self, params: list[tuple[int, bytes]]) -> None:
        """Say that padding is known here."""
        super()._set_extensions(params)
        for place, (kind, value) in enumerate(params):
            if kind == SUPPORTED_EXTENSIONS:
                params[place] = (kind, value + bytes([TYPE_PAD]))

    def _mtu_begins(self) -> None:
        """The association is open."""
        self.knows_padding = TYPE_PAD in self._remote_extensions
        self._mtu = PathMtu(SIZES if self.knows_padding else CAUTIOUS)
        self._mtu.begin(self._clock.time())
        self._mtu_wait()

    def _mtu_wait(self) -> None:
        if self._mtu_timer is not None:
            self._mtu_timer.cancel()
            self._mtu_timer = None
        if self.is_open and self._mtu.deadline < math.inf:
            self._mtu_timer = self._clock.call_at(self._mtu.deadline, self._mtu_probe)

    def _mtu_probe(self) -> None:
        self._mtu_read_out()
        now = self._clock.time()
        while self.is_open and (size := self._mtu.probe(now)) is not None:
            nonce = os.urandom(_NONCE)
            sent = self._send_probe(size, nonce)
            if sent is Departure.TOO_LARGE:
                self._mtu.refused(now)
                continue
            if sent is Departure.LEFT:
                self._mtu_asked[nonce] = size
                self._mtu_read_out()
            else:
                self._mtu.put_off(now)
            break
        self._mtu_wait()

    def _mtu_has_room(self) -> None:
        """The socket has room for a probe that had none; data would fill it again."""
        if self._mtu.is_put_off:
            self._mtu.hurry(self._clock.time())
            self._mtu_probe()

    def _mtu_read_out(self) -> None:
        """Whatever probe the peer has read a piece of, let it read the rest."""
        if not self.knows_padding and any(size > READ_AT_ONCE for size in self._mtu_asked.values()):
            self._dtls.push()

    def _send_probe(self, size: int, nonce: bytes) -> Departure:
        heartbeat = HeartbeatChunk()
        heartbeat.params.append((_INFO, nonce))
        head = bytes(heartbeat)
        view, at = self._dtls.plain, COMMON_SIZE + len(head)
        view[COMMON_SIZE:at] = head
        CHUNK.pack_into(view, at, TYPE_PAD, 0, size - at)
        view[at + CHUNK_HEADER : size] = bytes(size - at - CHUNK_HEADER)
        self._close(size)
        return self._dtls.probe(size)

    def _answer_heartbeat(self, body: bytes) -> None:
        """Send back what was in it, as it was (RFC 9260 §8.3)."""
        view, end = self._dtls.plain, COMMON_SIZE + CHUNK_HEADER + len(body)
        padding = -len(body) & 3
        CHUNK.pack_into(view, COMMON_SIZE, TYPE_HEARTBEAT_ACK, 0, CHUNK_HEADER + len(body))
        view[COMMON_SIZE + CHUNK_HEADER : end + padding] = body + bytes(padding)
        self._seal(end + padding)

    def _mtu_answer(self, chunk: HeartbeatAckChunk) -> None:
        size = self._mtu_asked.pop(chunk.params[0][1], None) if chunk.params else None
        if size is None:
            return
        self._mtu.answered(size, self._clock.time())
        self._mtu_found()

    def _mtu_found(self) -> None:
        """The size is another one from now on."""
        self._mtu_asked = {nonce: size for nonce, size in self._mtu_asked.items() if size > self._mtu.size}
        self._out.payload = self._out.window.packet = self._mtu.size - COMMON_SIZE - DATA_HEADER
        self._mtu_wait()

    def transmit(self) -> None:
        """Send what the windows allow now, in packets that still arrive."""
        out = self._out
        if (out.timeouts >= _HOLE_AFTER or out.copies_lost >= _COPIES_LOST) and self._mtu.size > BASE:
            out.copies_lost = 0
            self._mtu.fell_into_hole(self._clock.time())
            self._mtu_found()
        super().transmit()

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if isinstance(chunk, HeartbeatAckChunk):
            self._mtu_answer(chunk)
        else:
            await super()._receive_chunk(chunk)

    def _set_state(self, state: SctpSender.State) -> None:
        begins = state == self.State.ESTABLISHED and not self.is_open
        super()._set_state(state)
        if begins:
            self._mtu_begins()
        elif state == self.State.CLOSED and self._mtu_timer is not None:
            self._mtu_timer.cancel()
            self._mtu_timer = None
