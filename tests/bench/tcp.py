# SPDX-License-Identifier: Apache-2.0
"""The kernel's TCP with CUBIC (RFC 9438): what else may be on a link. It reaches whatever address is told to it."""

import asyncio
import json
import socket
import time

from bench.ends import PING, End
from bench.frame import MESSAGE


class TcpEnd(End):
    """The offerer listens at the first address of its namespace."""

    async def offer(self) -> dict:
        self._came: asyncio.Future = asyncio.get_running_loop().create_future()
        listener = socket.create_server(("", 0))
        use_cubic(listener)
        self._server = await asyncio.start_server(lambda *streams: self._came.set_result(streams), sock=listener)
        return {"text": json.dumps({"candidates": [["", listener.getsockname()[1]]]})}

    async def answer(self, text: str) -> dict:
        plain = socket.socket()
        use_cubic(plain)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, tuple(json.loads(text)["candidates"][0]))
        self._use(*await asyncio.open_connection(sock=plain))
        return {"text": "{}"}

    async def accept(self, text: str) -> dict:
        began = time.monotonic()
        self._use(*await self._came)
        return {"open_ms": 1e3 * (time.monotonic() - began)}

    async def opened(self) -> dict:
        return {}

    def put(self, message: bytes) -> None:
        self._writer.write(message)

    async def room(self) -> None:
        await self._writer.drain()

    def put_ping(self) -> None:
        self._writer.write(PING)

    async def close(self) -> dict:
        self._reading.cancel()
        self._writer.close()
        return {}

    def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(MESSAGE):
            self.arrivals.take(data)


def use_cubic(one: socket.socket) -> None:
    """Whatever this machine uses by default."""
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
