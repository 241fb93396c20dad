# SPDX-License-Identifier: Apache-2.0
"""The line's data channel alone: ICE, DTLS and SCTP as hardwire uses them, without the handshake and its frames."""

import asyncio
import ipaddress
import json
import os
import sys
import time

from bench.ends import PING, End
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import derive_secrets
from hardwire.net.rtc import LinkSettings, RtcLink
from hardwire.net.servers import IceServers

CONTROL, BULK = 0, 1


class FastEnd(End):
    """Args:
    loopback: Both ends are in one place; else they have the addresses of the namespace that they are in.
    """

    def __init__(self, *, loopback: bool = True) -> None:
        super().__init__()
        self._loopback = loopback
        self._writable = asyncio.Event()

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

    def put(self, message: bytes) -> None:
        self._link.send(BULK, message)

    async def room(self) -> None:
        while not self._link.may_send:
            self._writable.clear()
            await self._writable.wait()

    def put_ping(self) -> None:
        self._link.send(CONTROL, PING)

    async def close(self) -> dict:
        await self._link.close()
        return {}

    # what the link tells

    def message(self, channel: int, data: bytes) -> None:
        if channel == BULK:
            self.arrivals.take(data)
        else:
            self.echo_or_pong()

    def writable(self) -> None:
        self._writable.set()

    def closed(self, error: Exception) -> None:
        if self.sending or self.arrivals.missing > 0:
            print(f"the link ended: {error}", file=sys.stderr)

    async def _gather(self, *, offerer: bool) -> None:
        secrets = derive_secrets(self._secret)
        self._link = await RtcLink.gather(
            LinkSettings(offerer=offerer, secrets=secrets, servers=IceServers(), loopback=self._loopback)
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
