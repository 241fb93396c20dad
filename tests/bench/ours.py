# SPDX-License-Identifier: Apache-2.0
"""hardwire's line, as the command line uses it: the handshake in full, every octet in a protected frame.

Bulk goes as the chunks of an offered and accepted file, from memory to memory like plain aiortc's; ``send_file`` takes
the whole way that a person's file takes, with its reading, hashing, writing and syncing. A round trip is a chat message
and the one that answers it; acknowledgements go by the way. The keys are in software: what a device takes to
sign is its own affair.
"""

import asyncio
import hashlib
import os
import tempfile
import time
from pathlib import Path

from bench.ends import ROUND_TRIP_OCTETS, End
from hardwire.app import events as told
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.transfers import Transfers
from hardwire.channel import (
    ChatReceived,
    Event,
    FileAccepted,
    FileChunk,
    FileDone,
    FileOffered,
    FileWindow,
    Offer,
    TransferKind,
)
from hardwire.net import Line, PendingAnswer, PendingOffer, host, join
from support.lines import config_for_test

PING = "p" * ROUND_TRIP_OCTETS
NO_HASH = bytes(32)
NAME = "bench"


class LineEnd(End):
    def __init__(self) -> None:
        super().__init__()
        self._config = config_for_test()
        self._pending: PendingOffer | PendingAnswer
        self._opening: asyncio.Task[Line] | None = None
        self._directory = Path(tempfile.mkdtemp())
        self._left = 0
        self._alone = False

    async def offer(self) -> dict:
        self._pending = await host(self._config)
        return {"text": self._pending.text}

    async def answer(self, text: str) -> dict:
        self._pending = await join(self._config, text)
        self._opening = asyncio.create_task(self._pending.connect())
        return {"text": self._pending.text}

    async def accept(self, text: str) -> dict:
        self._opening = asyncio.create_task(self._pending.accept(text))
        return await self.opened()

    async def opened(self) -> dict:
        self._line = line = await self._opening
        self._filed = asyncio.Event()
        self._transfers: Transfers | None = None
        self._reading = asyncio.create_task(self._read())
        own_work = line.timings.handshake_ms - line.timings.asked_ms
        return {"open_ms": line.timings.open_ms, "handshake_ms": own_work}

    async def ping(self, count: int, seconds: float) -> dict:
        # Who asks reads the answers, too, without a task in between: as plain aiortc's callback reaches the asker.
        self._reading.cancel()
        self._alone = True
        times = await super().ping(count, seconds)
        self._alone = False
        self._reading = asyncio.create_task(self._read())
        return times

    async def round_trip(self) -> None:
        if not self._alone:
            await super().round_trip()
            return
        self.put_ping()
        async for event in self._line:
            if isinstance(event, ChatReceived):
                return

    def put_ping(self) -> None:
        self._line.send_chat(PING)

    def put(self, message: bytes) -> None:
        raise NotImplementedError("chunks are cut as the window allows")

    async def room(self) -> None:
        raise NotImplementedError("the window says")

    async def send(self, size: int, *, hashed: bool = False) -> dict:
        if hashed:
            raise NotImplementedError("every frame is authenticated, and send_file compares hashes")
        self._left, self.sending = size, True
        began = time.monotonic()
        self._line.offer_file(Offer(TransferKind.STREAM, 0, 1, 0, NO_HASH, NAME))
        return {"began": began}

    async def expect_file(self) -> dict:
        """Take the next offered file onto the disk."""
        self._transfers = Transfers(self._line, self._told, "00")
        self._filed.clear()
        return {}

    async def send_file(self, size: int) -> dict:
        """Offer a real file of random octets and wait until it is at the other end: ``mb_per_s``, all in."""
        path = self._directory / f"{NAME}-{size}.bin"
        if not path.exists():
            path.write_bytes(os.urandom(size))
        file = inspect_outgoing(path)
        self._transfers = Transfers(self._line, lambda event: None, "00")
        began = time.monotonic()
        outcome = await self._transfers.outcome(self._transfers.offer(file))
        took = time.monotonic() - began
        if not isinstance(outcome, told.FileDone):
            raise TypeError(f"the file did not arrive: {outcome}")
        self._transfers = None
        return {"mb_per_s": size / took / 1e6, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    async def received_file(self) -> dict:
        """Wait for the file: the ``sha256`` of what is on the disk. It is removed."""
        await self._filed.wait()
        self._transfers = None
        digest = hashlib.sha256(self._path.read_bytes()).hexdigest()
        self._path.unlink()
        return {"sha256": digest}

    async def close(self) -> dict:
        await self._line.close()
        await self._reading
        return {}

    async def _read(self) -> None:
        async for event in self._line:
            if self._transfers is None or not self._transfers.handle(event):
                self._handle(self._line, event)

    def _handle(self, line: Line, event: Event) -> None:
        match event:
            case ChatReceived():
                self.echo_or_pong()
            case FileOffered(id=key):
                line.accept_file(key)
            case FileAccepted(id=key) | FileWindow(id=key):
                while self._left and (room := min(self._left, line.chunk_room(key))):
                    line.send_chunk(key, bytes(room))
                    self._left -= room
                    if not self._left:
                        self.sending = False
                        line.finish_stream(key, NO_HASH)
            case FileChunk(id=key, offset=offset, data=data):
                self.arrivals.take(data)
                line.acknowledge_written(key, offset + len(data))
            case FileDone(id=key):
                line.confirm_file(key, ok=True)

    def _told(self, event: told.Event) -> None:
        match event:
            case told.FileOffer(id=key):
                self._transfers.accept(key, self._directory)
            case told.FileDone(path=path):
                self._path = path
                self._filed.set()
