# SPDX-License-Identifier: Apache-2.0
"""Two people who send each other files over a real line on loopback, and somebody between the ends of a direct lane."""

import asyncio
import hashlib
import random
import socket
import threading
from contextlib import asynccontextmanager, suppress

from hardwire.app import events
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.transfers import Transfers
from hardwire.errors import ConnectionLost
from support.lines import line_pair


class Person:
    """One end of a line: takes what is offered, and keeps what it is told."""

    def __init__(self, line, directory) -> None:
        self.line = line
        self.transfers = Transfers(line, self.emit, "ab" * 32)
        line.beside.serve(self.transfers)
        self.told = []
        self.said = []
        self.changed = asyncio.Event()
        self._directory = directory
        self._reading = asyncio.create_task(self._read())

    def emit(self, event) -> None:
        self.told.append(event)
        self.changed.set()
        if isinstance(event, events.FileOffer):
            self.transfers.accept(event.id, self._directory)

    def of(self, kind):
        return [event for event in self.told if isinstance(event, kind)]

    async def until(self, condition, within: float = 60.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def finish(self) -> None:
        await self.line.close()
        await self._reading
        self.transfers.abandon(ConnectionLost("the test is over"))
        await self.transfers.settled()

    async def _read(self) -> None:
        async for event in self.line:
            if not self.transfers.handle(event):
                self.said.append(event)
                self.changed.set()


@asynccontextmanager
async def people(tmp_path):
    async with line_pair() as lines:
        both = []
        for name, line in zip(("offerer", "answerer"), lines, strict=True):
            (tmp_path / name).mkdir()
            both.append(Person(line, tmp_path / name))
        try:
            yield both
        finally:
            await asyncio.gather(*(one.finish() for one in both))
    assert not [one for one in threading.enumerate() if one.name.startswith("hardwire lane")]


def file_of(tmp_path, size, name="data.bin"):
    path = tmp_path / name
    path.write_bytes(random.Random(size).randbytes(size))
    return inspect_outgoing(path)


async def delivered(sender, receiver, file):
    """Offer it and wait until both ends say that it is there; the receiver's FileDone."""
    key = sender.transfers.offer(file)
    outcome = await asyncio.wait_for(sender.transfers.outcome(key), 60)
    assert isinstance(outcome, events.FileDone), outcome
    await receiver.until(lambda: any(one.id == key for one in receiver.of(events.FileDone)))
    (done,) = [one for one in receiver.of(events.FileDone) if one.id == key]
    assert hashlib.sha256(done.path.read_bytes()).digest() == hashlib.sha256(file.path.read_bytes()).digest()
    return outcome, done


class Tamperer:
    """A man in the middle of every connection to a door."""

    def __init__(self, after: int) -> None:
        self._left = after
        self.changed = 0
        self._sockets = []

    def before(self, door):
        port = door.port
        front = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(front)
        threading.Thread(target=self._serve, args=(front, port), daemon=True).start()
        return FrontDoor(door, front.getsockname()[1])

    def stop(self) -> None:
        for one in self._sockets:
            one.close()

    def _serve(self, front, port) -> None:
        try:
            while True:
                near, _ = front.accept()
                far = socket.create_connection(("127.0.0.1", port))
                self._sockets += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()
        except OSError:
            return

    def _pass_on(self, source, target) -> None:
        with suppress(OSError):
            while block := bytearray(source.recv(65_536)):
                self._left -= len(block)
                if self._left < 0 and not self.changed:
                    self.changed += 1
                    block[len(block) // 2] ^= 1
                target.sendall(block)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class FrontDoor:
    """A door that tells another port."""

    def __init__(self, door, port) -> None:
        self._door = door
        self.port = port

    async def accept(self):
        return await self._door.accept()

    def close(self) -> None:
        self._door.close()
