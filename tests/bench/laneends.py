# SPDX-License-Identifier: Apache-2.0
"""One end of a line that moves a file from disk to disk, in a process of its own: what ``bench/lane.py`` measures.

``python -m bench.laneends``; commands and answers are lines of JSON, as in ``bench/ends.py``. Everything is as the command
line does it: the handshake in full, every chunk in a protected frame, the hash of every leaf checked before a file has its name.
The hash of what is offered is there before the clock runs, as it is for whoever offers a file and waits for consent.
"""

import asyncio
import hashlib
import resource
import time
from pathlib import Path

import uvloop

from bench.ends import serve
from hardwire.app import events
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.transfers import Transfers
from hardwire.net import host, join
from support.lines import config_for_test


class FileEnd:
    """Offers or answers, then sends or takes files."""

    def __init__(self) -> None:
        self._config = config_for_test()
        self._told: asyncio.Queue[events.Event] = asyncio.Queue()

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
        self._transfers = Transfers(line, self._told.put_nowait, "00" * 32)
        line.beside.serve(self._transfers)
        self._reading = asyncio.create_task(self._read())
        return {}

    async def inspect(self, path: str) -> dict:
        """Read the file once, as whoever offers it must."""
        self._file = await asyncio.to_thread(inspect_outgoing, Path(path))
        return {}

    async def send_file(self) -> dict:
        """Offer it and wait until the peer has confirmed it: ``seconds`` from the offer on."""
        began, used = time.monotonic(), _used()
        outcome = await self._transfers.outcome(self._transfers.offer(self._file))
        took = time.monotonic() - began
        if not isinstance(outcome, events.FileDone):
            raise TypeError(f"the file did not arrive: {outcome}")
        return {"seconds": took, "cpu": _used() - used, "memory": _peak()}

    async def take_file(self, directory: str) -> dict:
        """Take the next file that is offered: where it lies."""
        used = _used()
        while not isinstance(event := await self._told.get(), events.FileDone):
            if isinstance(event, events.FileOffer):
                self._transfers.accept(event.id, Path(directory))
        return {"path": str(event.path), "direct": event.direct, "cpu": _used() - used, "memory": _peak()}

    async def close(self) -> dict:
        await self._line.close()
        await self._reading
        await self._transfers.settled()
        return {}

    async def _read(self) -> None:
        async for event in self._line:
            self._transfers.handle(event)


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak() -> int:
    """Octets of the largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def main() -> None:
    await serve(FileEnd())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
