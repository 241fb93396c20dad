# SPDX-License-Identifier: Apache-2.0
"""Plain aiortc, as its own examples use it: RTCPeerConnection, one ordered and reliable data channel, 64 KiB messages.

Two things are changed, neither of which is on the path of a packet: no public STUN server is asked, and the only
address is loopback's, which aioice would leave out.
"""

import asyncio
import json
import time

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from bench.ends import ROUND_TRIP_OCTETS, End

MESSAGE = bytes(64 * 1024)
PING = bytes(ROUND_TRIP_OCTETS)
MOST_BUFFERED = 1024 * 1024
LEAST_BUFFERED = 256 * 1024

aioice.ice.get_host_addresses = lambda *_, **__: ["127.0.0.1"]


class RawEnd(End):
    def __init__(self, *, offerer: bool) -> None:
        self._offerer = offerer
        self._missing = 0
        self._ended = 0.0

    async def offer(self) -> dict:
        self._new()
        self._use(self._peer.createDataChannel("bench"))
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

    async def round_trip(self) -> None:
        self._pong.clear()
        self._channel.send(PING)
        await self._pong.wait()

    async def expect(self, size: int) -> dict:
        self._missing = size
        self._whole.clear()
        return {}

    async def send(self, size: int) -> dict:
        began = time.monotonic()
        for start in range(0, size, len(MESSAGE)):
            if self._channel.bufferedAmount > MOST_BUFFERED:
                self._low.clear()
                await self._low.wait()
            self._channel.send(MESSAGE[: size - start])
        return {"began": began}

    async def received(self) -> dict:
        await self._whole.wait()
        return {"ended": self._ended}

    async def close(self) -> dict:
        await self._peer.close()
        return {}

    def _new(self) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._open, self._pong, self._low, self._whole = (asyncio.Event() for _ in range(4))
        self._opened_at = 0.0

    def _use(self, channel) -> None:
        self._channel = channel
        channel.bufferedAmountLowThreshold = LEAST_BUFFERED
        channel.on("message", self._message)
        channel.on("bufferedamountlow", self._low.set)
        if channel.readyState == "open":
            self._has_opened()
        channel.on("open", self._has_opened)

    def _has_opened(self) -> None:
        self._opened_at = time.monotonic()
        self._open.set()

    def _message(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
            if not self._missing:
                self._ended = time.monotonic()
                self._whole.set()
        elif self._offerer:
            self._pong.set()
        else:
            self._channel.send(data)

    def _description(self) -> str:
        own = self._peer.localDescription
        return json.dumps({"sdp": own.sdp, "type": own.type})
