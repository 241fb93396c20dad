# SPDX-License-Identifier: Apache-2.0
"""Our transport as it talks to other people's WebRTC: session descriptions, and one channel opened in-band by the offerer."""

import asyncio
import json
import sys
import time

from bench.ends import PING, End
from hardwire.errors import HardwireError
from hardwire.net.rtc import BridgeSettings, SdpBridge

SETTINGS = BridgeSettings(loopback=True)
WITHIN = 20.0
LABEL = "bench"


class BridgeEnd(End):
    def __init__(self) -> None:
        super().__init__()
        self._channel = -1
        self._there, self.writable = asyncio.Event(), asyncio.Event()

    async def offer(self) -> dict:
        self._bridge = await SdpBridge.offer(SETTINGS)
        return self._described("offer")

    async def answer(self, text: str) -> dict:
        self._bridge = await SdpBridge.answer(SETTINGS, json.loads(text)["sdp"])
        self._opening = asyncio.create_task(self._bridge.open(Told(self), within=WITHIN))
        return self._described("answer")

    async def accept(self, text: str) -> dict:
        began = time.monotonic()
        await self._bridge.accept(json.loads(text)["sdp"])
        await self._bridge.open(Told(self), within=WITHIN)
        self._bridge.channels.create(LABEL)
        await self._there.wait()
        return {"open_ms": 1e3 * (time.monotonic() - began)}

    async def opened(self) -> dict:
        await self._opening
        await self._there.wait()
        return {}

    def put(self, message: bytes) -> None:
        self._bridge.channels.send(self._channel, message)

    async def room(self) -> None:
        while not self._bridge.channels.may_send(self._channel):
            self.writable.clear()
            await self.writable.wait()

    def put_ping(self) -> None:
        self._bridge.channels.send(self._channel, PING)

    async def close(self) -> dict:
        await self._bridge.close()
        return {}

    def _described(self, kind: str) -> dict:
        return {"text": json.dumps({"type": kind, "sdp": self._bridge.description})}

    def has_opened(self, channel: int) -> None:
        self._channel = channel
        self._there.set()

    def message(self, data: bytes) -> None:
        if self.arrivals.missing > 0:
            self.arrivals.take(data)
        else:
            self.echo_or_pong()


class Told:
    """What the bridge tells; an event and a verb are both called ``opened``."""

    def __init__(self, end: "BridgeEnd") -> None:
        self._end = end

    def opened(self, channel: int, label: str) -> None:
        if label == LABEL:
            self._end.has_opened(channel)

    def message(self, channel: int, data: bytes | str) -> None:
        self._end.message(data)

    def writable(self, channel: int) -> None:
        self._end.writable.set()

    def ended(self, channel: int) -> None:
        """With all the rest."""

    def closed(self, error: HardwireError) -> None:
        if self._end.sending or self._end.arrivals.missing > 0:
            print(f"the bridge ended: {error}", file=sys.stderr)
