# SPDX-License-Identifier: Apache-2.0
"""One end of a line that sends files, in a process of its own that a test moves about in a network.

``python -m support.lanemover host|join`` begins as ``support.mover`` does; then ``file N`` offers N octets. What the peer offers
is taken. It tells which way files take, and of each file that is through its hash and how much of it went direct.
"""

import asyncio
import hashlib
import random
import sys
import tempfile
from pathlib import Path

from hardwire.app import events, underway
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.transfers import Transfers
from hardwire.net.pending import host, join
from support.lines import config_for_test
from support.mover import tell, watch_spares, words


async def carry(transfers: Transfers, directory: Path, reader: asyncio.StreamReader) -> None:
    while text := await words(reader):
        size = int(text.removeprefix("file "))
        path = directory / f"{size}.bin"
        path.write_bytes(random.Random(size).randbytes(size))
        transfers.offer(await asyncio.to_thread(inspect_outgoing, path))


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def main(mode: str) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    underway._PROGRESS_EVERY = 0.02  # a whole file takes no longer than a person is left without news
    tell(ready=True)
    await words(reader)  # the cards are plugged in now
    config = config_for_test(loopback=False, patience=120.0)
    pending = await host(config) if mode == "host" else await join(config, await words(reader))
    tell(code=pending.text)
    line = await (pending.accept(await words(reader)) if mode == "host" else pending.connect())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "in").mkdir()

        def told(event: events.Event) -> None:
            match event:
                case events.FileOffer(id=key):
                    transfers.accept(key, directory / "in")
                case events.WayChanged(open=up):
                    lane = line.beside.lane
                    tell(way="direct" if up else "line", address=lane and lane._connection.getpeername()[0])
                case events.FileProgress(done=done):
                    tell(progress=done)
                case events.FileDone(size=size, direct=direct, path=path):
                    tell(done=size, direct=direct, sha256=path and sha256_of(path))
                case events.FileFailed(code=code):
                    tell(failed=code)

        transfers = Transfers(line, told, "00" * 32)
        line.beside.serve(transfers)
        tell(open=True)
        work = [asyncio.create_task(watch_spares(line)), asyncio.create_task(carry(transfers, directory, reader))]
        async for event in line:
            transfers.handle(event)
        for one in work:
            one.cancel()
        await line.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
