# SPDX-License-Identifier: Apache-2.0
"""A line for one errand: `send` offers its files and closes, `receive` takes what it is offered until the end."""

import asyncio
from pathlib import Path

from hardwire.app import events
from hardwire.app.files import OutgoingFile
from hardwire.app.session import Session, inspect
from hardwire.app.text import human_size, printable
from hardwire.cli.conversation import Wishes, compare, conversation, race, require_directory
from hardwire.cli.face import Face
from hardwire.cli.output import Output
from hardwire.errors import TransferIncomplete


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
    results: list[events.FileDone | events.FileFailed] = []
    async with conversation(out, wishes, hosting=False, plain=plain) as (session, face):
        face.watch = lambda event: results.append(event) if isinstance(event, _OUTCOMES) else None
        await race(session, lambda: _take(session, face, directory, yes=yes))
    _judge(results)


_OUTCOMES = (events.FileDone, events.FileFailed)


async def _deliver(session: Session, face: Face, files: list[OutgoingFile]) -> None:
    await compare(session, face)
    numbers = [session.offer(file) for file in files]
    face.out.say("waiting for your peer to accept")
    _judge([await session.transfers.outcome(number) for number in numbers])


async def _take(session: Session, face: Face, directory: Path, *, yes: bool) -> None:
    await compare(session, face)
    face.out.say("waiting for your peer's files")
    while True:
        await session.transfers.offered.wait()
        session.transfers.offered.clear()
        for number in session.transfers.waiting:
            if yes or await _consents(face, session, number, directory):
                session.transfers.accept(number, directory)
            else:
                session.transfers.decline(number)


async def _consents(face: Face, session: Session, number: int, directory: Path) -> bool:
    name, size = session.transfers.describe(number)
    question = f"take {printable(name)!r} ({human_size(size)}) into {directory}? [y/N] "
    answer = await face.ask("take-file", question, file=number)
    return (answer or "").strip().lower() in {"y", "yes"}


def _judge(results: list[events.FileDone | events.FileFailed]) -> None:
    """The errand's exit: zero only when everything arrived whole."""
    failed = [result for result in results if isinstance(result, events.FileFailed)]
    if failed:
        first = failed[0]
        what = f"{printable(first.name)}: {first.reason}"
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise TransferIncomplete(what + more, code=first.code, hint=first.hint or None)
    if not results:
        raise TransferIncomplete("the line closed before a file was offered", hint="ask your peer to send again")
