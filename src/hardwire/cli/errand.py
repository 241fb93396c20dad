# SPDX-License-Identifier: Apache-2.0
"""A line for one errand: `send` offers its files and closes, `receive` takes what it is offered until the end."""

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app import events
from hardwire.app.files import OutgoingFile, inspect
from hardwire.app.session import Session
from hardwire.app.text import human_size, printable
from hardwire.cli.conversation import Wishes, compare, conversation, race, require_directory
from hardwire.cli.face import Face
from hardwire.cli.output import Output
from hardwire.errors import TransferIncomplete, UsageError


async def send(out: Output, wishes: Wishes, paths: list[Path], *, plain: bool) -> None:
    """Open a line, have the person compare, deliver the files.

    Raises:
        TransferIncomplete: One of them did not arrive whole.
    """
    files = []
    for path in paths:

        def progress(done: int, size: int, path: Path = path) -> None:
            out.transient(f"reading {path}: {100 * done // max(size, 1)} %")

        files.append(await inspect(path, progress))
    for file in files:
        out.say(f"  {file.name}, {human_size(file.size)}, sha256 {file.sha256.hex()}")
    async with conversation(out, wishes, hosting=True, plain=plain) as (session, face):
        await race(session, lambda: _deliver(session, face, files))


async def receive(out: Output, wishes: Wishes, directory: Path, *, plain: bool, yes: bool) -> None:
    """Join a line, have the person compare, take the files they consent to.

    Raises:
        TransferIncomplete: Nothing came, or something did not arrive whole.
    """
    await asyncio.to_thread(require_directory, directory)
    tally = _Tally()
    async with conversation(out, wishes, hosting=False, plain=plain) as (session, face):
        face.watch = tally.count
        await race(session, lambda: _take(session, face, directory, yes=yes))
    tally.judge()


_AT_ONCE: Final = 8
"""Files on offer at the same time; a line takes no more than 16."""


async def _deliver(session: Session, face: Face, files: list[OutgoingFile]) -> None:
    await compare(session, face)
    face.out.say("waiting for your peer to accept")
    waiting, under_way = deque(files), deque[int]()
    tally = _Tally()
    while waiting or under_way:
        while waiting and len(under_way) < _AT_ONCE:
            under_way.append(session.offer(waiting.popleft()))
        tally.count(await session.transfers.outcome(under_way.popleft()))
    tally.judge()


async def _take(session: Session, face: Face, directory: Path, *, yes: bool) -> None:
    await compare(session, face)
    face.out.say("waiting for your peer's files")
    while True:
        await session.transfers.offered.wait()
        session.transfers.offered.clear()
        for number in session.transfers.waiting:
            try:
                if yes or await _consents(face, session, number, directory):
                    session.transfers.accept(number, directory)
                else:
                    session.transfers.decline(number)
            except UsageError:
                face.out.say(f"file {number} is not offered any more")  # taken back while the person was asked


async def _consents(face: Face, session: Session, number: int, directory: Path) -> bool:
    name, size = session.transfers.describe(number)
    question = f"take {printable(name)!r} ({human_size(size)}) into {directory}? [y/N] "
    answer = await face.ask("take-file", question, file=number)
    return (answer or "").strip().lower() in {"y", "yes"}


@dataclass(slots=True)
class _Tally:
    """How the files of an errand ended: what is needed for its exit, however many there were."""

    done: int = 0
    failed: int = 0
    first: events.FileFailed | None = None

    def count(self, event: events.Event) -> None:
        """Take note of an event, if it is the end of a file."""
        if isinstance(event, events.FileDone):
            self.done += 1
        elif isinstance(event, events.FileFailed):
            self.failed += 1
            self.first = self.first or event

    def judge(self) -> None:
        """The errand's exit: zero only when something was to be done, and everything arrived whole.

        Raises:
            TransferIncomplete: Otherwise.
        """
        if self.first is not None:
            what = f"{printable(self.first.name)}: {self.first.reason}"
            more = f" (and {self.failed - 1} more)" if self.failed > 1 else ""
            raise TransferIncomplete(what + more, code=self.first.code, hint=self.first.hint or None)
        if not self.done:
            raise TransferIncomplete("the line closed before a file was offered", hint="ask your peer to send again")
