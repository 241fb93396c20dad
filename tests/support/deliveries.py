# SPDX-License-Identifier: Apache-2.0
"""What tests of transfers between two people offer each other, and how they look at what came of it."""

import os
from pathlib import Path

from hardwire.app.events import FileFailed, FileOffer
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.outgoing import OutgoingFile, OutgoingReader, inspect_outgoing
from hardwire.channel import Offer, TransferKind

DATA = os.urandom(3_000_000)


def a_file(outbox: Path, name: str = "report.pdf", data: bytes = DATA) -> OutgoingFile:
    (outbox / name).write_bytes(data)
    return inspect_outgoing(outbox / name)


def pretended(name: str = "pretended", size: int = 5) -> OutgoingFile:
    """An offer without a file, as a peer of another make could send it."""
    offer = Offer(TransferKind.FILE, size, 1, 21, bytes(32), name)
    return OutgoingFile(Path("/nonexistent"), offer, bytes(offer.preface), ())


def empty(directory: Path) -> bool:
    return list(directory.iterdir()) == []


def kept(directory: Path) -> bool:
    """Nothing under any name, and something to go on from."""
    return [path.name for path in directory.iterdir()] == [SIDE_DIRECTORY]


async def offered(end, number: int = 0) -> FileOffer:
    return await end.person.until(FileOffer, **({"id": number} if number else {}))


async def failed(end, code: str) -> FileFailed:
    return await end.person.until(FileFailed, code=code)


def whole(file: OutgoingFile) -> bytes:
    """All that goes over the line of it."""
    reader = OutgoingReader(file)
    try:
        return reader.read(0, file.offer.end)
    finally:
        reader.close()
        reader.close()
