# SPDX-License-Identifier: Apache-2.0
"""The line's data channel alone: ICE, DTLS and SCTP as hardwire uses them, without the handshake and its frames."""

import asyncio
import ipaddress
import json
import os
import time

from bench.ends import ROUND_TRIP_OCTETS, End
from bench.raw import MESSAGE
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import derive_secrets
from hardwire.net.rtc import LinkSettings, RtcLink
from hardwire.net.servers import IceServers

PING = bytes(ROUND_TRIP_OCTETS)
CONTROL, BULK = 0, 1


class FastEnd(End):
    def __init__(self) -> None:
        self._missing = 0
        self._ended = 0.0
        self._asking = False

    async def offer(self) -> dict:
        self._secret = os.urandom(16)
        await self._gather(offerer=True)
        return {"text": json.dumps({"secret": self._secret.hex(), **self._own()})}

    async def answer(self, text: str) -> dict:
        self._peer = json.loads(text)
        self._secret = bytes.fromhex(self._peer["secret"])
        await self._gather(offerer=False)
        self._opening = asyncio.create_task(self._open())
        return {"text": json.dumps(self._own())}

    async def accept(self, text: str) -> dict:
        self._peer = json.loads(text)
        began = time.monotonic()
        await self._open()
        return {"open_ms": 1e3 * (time.monotonic() - began)}

    async def opened(self) -> dict:
        await self._opening
        return {}

    async def round_trip(self) -> None:
        self._pong.clear()
        self._asking = True
        self._link.send(CONTROL, PING)
        await self._pong.wait()
        self._asking = False

    async def expect(self, size: int) -> dict:
        self._missing = size
        self._whole.clear()
        return {}

    async def send(self, size: int) -> dict:
        began = time.monotonic()
        for start in range(0, size, len(MESSAGE)):
            while not self._link.may_send:
                self._room.clear()
                await self._room.wait()
            self._link.send(BULK, MESSAGE[: size - start])
        return {"began": began}

    async def received(self) -> dict:
        await self._whole.wait()
        return {"ended": self._ended}

    async def close(self) -> dict:
        await self._link.close()
        return {}

    # what the link tells

    def message(self, channel: int, data: bytes) -> None:
        if channel == BULK:
            self._missing -= len(data)
            if not self._missing:
                self._ended = time.monotonic()
                self._whole.set()
        elif self._asking:
            self._pong.set()
        else:
            self._link.send(CONTROL, data)

    def writable(self) -> None:
        self._room.set()

    def closed(self, error: Exception) -> None:
        print(f"the link ended: {error}", file=__import__("sys").stderr)

    async def _gather(self, *, offerer: bool) -> None:
        self._pong, self._room, self._whole = (asyncio.Event() for _ in range(3))
        secrets = derive_secrets(self._secret)
        self._link = await RtcLink.gather(
            LinkSettings(offerer=offerer, secrets=secrets, servers=IceServers(), loopback=True)
        )

    def _own(self) -> dict:
        ports = [(str(one.address), one.port) for one in self._link.candidates]
        return {"fingerprint": self._link.fingerprint.hex(), "candidates": ports}

    async def _open(self) -> None:
        candidates = [
            Candidate(CandidateKind.HOST, ipaddress.ip_address(host), port) for host, port in self._peer["candidates"]
        ]
        await self._link.open(
            fingerprint=bytes.fromhex(self._peer["fingerprint"]), candidates=candidates, events=self, within=20
        )
