# SPDX-License-Identifier: Apache-2.0
"""Ends of a data channel that exchange session descriptions: our bridge, and plain aiortc.

They have the verbs of the one in a browser (``support/chromium.py``), so that any two can be put together::

    one, other = BridgePeer(), AiortcPeer()            or await browser.peer()
    await connect(one, other)                          ``one`` offers, and opens the channel
    rate = await move(one, other, size)                MB/s; the hashes of both ends are compared
"""

import asyncio
import hashlib
import os
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Protocol
from unittest.mock import patch

import aioice.ice
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from hardwire.errors import HardwireError
from hardwire.net.rtc import BridgeSettings, SdpBridge

MESSAGE = 65_536
HIGH_WATER = 1024 * 1024
LOW_WATER = 256 * 1024
OPEN_WITHIN = 30.0
LOOPBACK = BridgeSettings(loopback=True)


class Peer(Protocol):
    """Whatever has the verbs."""

    async def call(self, verb: str, *arguments: Any) -> Any: ...


async def connect(offerer: Peer, answerer: Peer, label: str = "tested", **options: Any) -> None:
    """One channel between the two: opened in-band by the offerer, or agreed by ``negotiated=True, id=…``."""
    for peer in (offerer, answerer) if options.get("negotiated") else (offerer,):
        await peer.call("create", label, options)
    offer = await offerer.call("offer")
    await offerer.call("accept", await answerer.call("answer", offer))
    await asyncio.gather(offerer.call("opened"), answerer.call("opened"))


async def move(sender: Peer, receiver: Peer, size: int, message: int = MESSAGE) -> float:
    """Random octets from one to the other: MB/s, from the first handed in to the last that arrived."""
    await receiver.call("expect", size)
    sent, received = await asyncio.gather(sender.call("send", size, message), receiver.call("received"))
    if sent["sha256"] != received["sha256"]:
        raise AssertionError(f"what arrived is not what was sent: {sent['sha256']}, {received['sha256']}")
    return size / 1e6 / (received["ended"] - sent["began"])


class PythonPeer(ABC):
    """What both have in common."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._echoes = False
        self._buffer = bytearray()
        self._filled = 0
        self._ended = 0.0
        self._changed = asyncio.Event()

    async def call(self, verb: str, *arguments: Any) -> Any:
        return await getattr(self, verb)(*arguments)

    async def until(self, condition) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def heard(self, count: int) -> list[str]:
        await self.until(lambda: len(self.texts) >= count)
        return self.texts

    async def echo(self, on: bool) -> None:
        self._echoes = on

    async def say(self, text: str) -> None:
        self.send_now(text)

    async def expect(self, size: int) -> None:
        self._buffer, self._filled = bytearray(size), 0

    async def received(self) -> dict[str, Any]:
        await self.until(lambda: self._filled == len(self._buffer))
        digest = hashlib.sha256(self._buffer).hexdigest()
        self._buffer = bytearray()
        return {"sha256": digest, "ended": self._ended}

    async def send(self, size: int, message: int) -> dict[str, Any]:
        octets = os.urandom(size)
        began = time.time()
        for at in range(0, size, message):
            await self.until(self.may_send)
            self.send_now(octets[at : at + message])
        return {"sha256": hashlib.sha256(octets).hexdigest(), "began": began}

    def took(self, data: bytes | str) -> None:
        if self._echoes:
            self.send_now(data)
        elif isinstance(data, str):
            self.texts.append(data)
        elif self._buffer:
            self._buffer[self._filled : self._filled + len(data)] = data
            self._filled += len(data)
            self._ended = time.time()
            if self._filled < len(self._buffer):
                return
        else:
            self.texts.append(f"{len(data)} octets")
        self._changed.set()

    @abstractmethod
    def may_send(self) -> bool:
        """The queue is short."""

    @abstractmethod
    def send_now(self, data: bytes | str) -> None:
        """One message."""


class BridgePeer(PythonPeer):
    """Our bridge; it is a ``ChannelEvents`` as well.

    Attributes:
        bridge: When there is one.
        channel: The number of the last channel that opened.
    """

    def __init__(self, settings: BridgeSettings = LOOPBACK) -> None:
        super().__init__()
        self.bridge: SdpBridge
        self.channel: int | None = None
        self.label = ""
        self.errors: list[HardwireError] = []
        self.gone: list[int] = []
        self._settings = settings
        self._wanted: str | None = None
        self._opening: asyncio.Task[Any] | None = None

    async def create(self, label: str, options: dict[str, Any]) -> None:
        if options.get("negotiated"):
            self._settings = replace(self._settings, agreed=(*self._settings.agreed, options["id"]))
        else:
            self._wanted = label

    async def offer(self) -> str:
        self.bridge = await SdpBridge.offer(self._settings)
        return self.bridge.description

    async def answer(self, sdp: str) -> str:
        self.bridge = await SdpBridge.answer(self._settings, sdp)
        self._opening = asyncio.create_task(self.bridge.open(self, within=OPEN_WITHIN))
        return self.bridge.description

    async def accept(self, sdp: str) -> None:
        await self.bridge.accept(sdp)
        self._opening = asyncio.create_task(self.bridge.open(self, within=OPEN_WITHIN))

    async def opened_(self) -> dict[str, Any]:
        await self._opening
        if self._wanted is not None:
            self.bridge.channels.create(self._wanted)
        await self.until(lambda: self.channel is not None)
        return {"label": self.label, "id": self.channel, "most": self.bridge.channels.most_message}

    async def call(self, verb: str, *arguments: Any) -> Any:
        # An event has the name of that verb.
        return await super().call("opened_" if verb == "opened" else verb, *arguments)

    async def close(self) -> None:
        await self.bridge.close()

    def may_send(self) -> bool:
        return self.bridge.channels.may_send(self.channel)

    def send_now(self, data: bytes | str) -> None:
        self.bridge.channels.send(self.channel, data)

    # what the bridge tells

    def opened(self, channel: int, label: str) -> None:
        self.channel, self.label = channel, label
        self._changed.set()

    def message(self, channel: int, data: bytes | str) -> None:
        self.took(data)

    def writable(self, channel: int) -> None:
        self._changed.set()

    def ended(self, channel: int) -> None:
        self.gone.append(channel)
        self._changed.set()

    def closed(self, error: HardwireError) -> None:
        self.errors.append(error)
        self._changed.set()


class AiortcPeer(PythonPeer):
    """Plain aiortc on loopback, as its own examples use it."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.on("datachannel", self._use)
        self.channel: RTCDataChannel | None = None

    async def create(self, label: str, options: dict[str, Any]) -> None:
        self._use(self.connection.createDataChannel(label, **options))

    async def offer(self) -> str:
        return await self._describe(await self.connection.createOffer())

    async def answer(self, sdp: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        return await self._describe(await self.connection.createAnswer())

    async def accept(self, sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def opened(self) -> dict[str, Any]:
        await self.until(lambda: self.channel is not None and self.channel.readyState == "open")
        return {"label": self.channel.label, "id": self.channel.id}

    async def close(self) -> None:
        await self.connection.close()

    def may_send(self) -> bool:
        return self.channel.bufferedAmount < HIGH_WATER

    def send_now(self, data: bytes | str) -> None:
        self.channel.send(data)

    async def _describe(self, description: RTCSessionDescription) -> str:
        with patch.object(aioice.ice, "get_host_addresses", lambda *_, **__: ["127.0.0.1"]):
            await self.connection.setLocalDescription(description)
        return self.connection.localDescription.sdp

    def _use(self, channel: RTCDataChannel) -> None:
        self.channel = channel
        channel.bufferedAmountLowThreshold = LOW_WATER
        channel.on("message", self.took)
        channel.on("bufferedamountlow", self._changed.set)
        channel.on("open", self._changed.set)
        channel.on("close", self._changed.set)
        self._changed.set()
