# SPDX-License-Identifier: Apache-2.0
"""Plain aiortc, as its own examples use it: RTCPeerConnection, an ordered and reliable data channel, 64 KiB messages.

Round trips have a channel of their own, so that they need not wait behind what the first one holds. Two things are
changed, neither of which is on the path of a packet: no public STUN server is asked, and the only address is loopback's,
which aioice would leave out.
"""

import asyncio
import json
import time

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from bench.ends import PING, End

MOST_BUFFERED = 1024 * 1024
LEAST_BUFFERED = 256 * 1024

aioice.ice.get_host_addresses = lambda *_, **__: ["127.0.0.1"]


class RawEnd(End):
    """Args:
    labels: Of the channels that it opens; one is enough for who meets a peer that expects one.
    """

    def __init__(self, labels: tuple[str, ...] = ("bench", "ping")) -> None:
        super().__init__()
        self._labels = labels

    async def offer(self) -> dict:
        self._new()
        for label in self._labels:
            self._use(self._peer.createDataChannel(label))
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return {"text": self._description()}

    async def answer(self, text: str) -> dict:
        self._new()
        self._peer.on("datachannel", self._use)
        await self._peer.setRemoteDescription(RTCSessionDescription(**json.loads(text)))
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return {"text": self._description()}

    async def accept(self, text: str) -> dict:
        began = time.monotonic()
        await self._peer.setRemoteDescription(RTCSessionDescription(**json.loads(text)))
        await self._open.wait()
        return {"open_ms": 1e3 * (self._opened_at - began)}

    async def opened(self) -> dict:
        await self._open.wait()
        return {}

    def put(self, message: bytes) -> None:
        self._channel.send(message)

    async def room(self) -> None:
        if self._channel.bufferedAmount > MOST_BUFFERED:
            self._low.clear()
            await self._low.wait()

    def put_ping(self) -> None:
        self._pings.send(PING)

    async def close(self) -> dict:
        await self._peer.close()
        return {}

    def _new(self) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._open, self._low = asyncio.Event(), asyncio.Event()
        self._opened_at = 0.0

    def _use(self, channel) -> None:
        if channel.label == "ping":
            self._pings = channel
            channel.on("message", lambda _: self.echo_or_pong())
            return
        self._channel = channel
        channel.bufferedAmountLowThreshold = LEAST_BUFFERED
        channel.on("message", self.arrivals.take)
        channel.on("bufferedamountlow", self._low.set)
        if channel.readyState == "open":
            self._has_opened()
        channel.on("open", self._has_opened)

    def _has_opened(self) -> None:
        self._opened_at = time.monotonic()
        self._open.set()

    def _description(self) -> str:
        own = self._peer.localDescription
        return json.dumps({"sdp": own.sdp, "type": own.type})
