# SPDX-License-Identifier: Apache-2.0
"""A line for one errand: `send` offers its files and closes, `receive` takes what it is offered until the end.

Meanwhile a person may type ``pause``, ``resume`` or ``cancel`` (while nothing is asked), and a program may send
SIGUSR1, which pauses everything that moves, or lets it go on.
"""

import asyncio
import contextlib
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app import events
from hardwire.app.entropy import monotonic
from hardwire.app.files import check_name
from hardwire.app.outgoing import OutgoingFile, inspect
from hardwire.app.partials import amount as amount_there
from hardwire.app.partials import partials
from hardwire.app.pipes import PipeSource
from hardwire.app.session import Session
from hardwire.app.text import human_duration, printable
from hardwire.app.transfers import Transfers
from hardwire.cli.conversation import Wishes, compare, conversation, race, require_directory, tell_skipped
from hardwire.cli.face import Face
from hardwire.cli.output import Output
from hardwire.cli.redirect import take_stdin, take_stdout
from hardwire.cli.render import amount, offered
from hardwire.errors import ConnectionLost, TransferIncomplete, UsageError

Sources = Sequence[OutgoingFile | PipeSource]


async def send(
    out: Output,
    wishes: Wishes,
    paths: list[Path],
    *,
    plain: bool,
    follow: bool = False,
    name: str | None = None,
    joining: bool = False,
    sha256: bool = False,
) -> None:
    """Open a line, or with ``joining`` that of a receiver, have the person compare, deliver the files.

    ``-`` is standard input, called ``name``.

    Raises:
        TransferIncomplete: One of them did not arrive whole.
    """
    if joining and wishes.listen is not None:
        raise UsageError("--one-way makes a code, and --join takes one: only one of the two")
    if Path("-") in paths:
        source = _pipe(paths, name, sha256=sha256)
        async with conversation(out, wishes, hosting=not joining, plain=plain) as (session, face):
            await race(session, lambda: _deliver(session, face, [source]))
        return
    if name is not None:
        raise UsageError("--name is for what has none: hardwire send - --name NAME")
    # What is small, or not there, is known before anybody is asked; the rest is read while codes are carried about.
    reading = asyncio.create_task(_read(out, paths, follow=follow, sha256=sha256))
    try:
        await asyncio.wait({reading}, timeout=_HEAD_START)
        if reading.done():
            reading.result()
        async with conversation(out, wishes, hosting=not joining, plain=plain) as (session, face):
            await race(session, lambda: _deliver(session, face, reading))
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def _pipe(paths: list[Path], name: str | None, *, sha256: bool) -> PipeSource:
    if len(paths) > 1:
        raise UsageError("- is standard input, and goes alone")
    if name is None:
        raise UsageError("what shall it be called?", hint="hardwire send - --name NAME")
    try:
        check_name(name)
    except TransferIncomplete as problem:
        raise UsageError(problem.message, code=problem.code) from None
    return PipeSource(take_stdin(), name, sha256=sha256)


async def _read(out: Output, paths: list[Path], *, follow: bool, sha256: bool) -> Sources:
    files = []
    began = monotonic()
    for path in paths:

        def progress(done: int, size: int, path: Path = path) -> None:
            if monotonic() - began < _HEAD_START:  # later somebody may be typing
                out.transient(f"reading {path}: {100 * done // max(size, 1)} %")

        file = await inspect(path, progress, follow=follow, sha256=sha256)
        files.append(file)
        offer = file.offer
        many = amount(offer.kind.name.lower(), offer.size, offer.files, offer.directories)
        out.say(f"  {printable(file.name)} ({many})")
        if file.sha256:
            out.say(f"    sha256 {file.sha256}")
        out.say(f"    root {offer.root.hex()}", style="dim")
    return files


async def receive(
    out: Output,
    wishes: Wishes,
    directory: Path,
    *,
    plain: bool,
    yes: bool,
    to_stdout: bool = False,
    sha256: bool = False,
) -> None:
    """Join a line (or, listening, make the invite to it), have the person compare, take the files they consent to.

    Raises:
        TransferIncomplete: Nothing came, or something did not arrive whole.
    """
    await asyncio.to_thread(require_directory, directory, writable=not to_stdout)
    destination = take_stdout() if to_stdout else directory
    tally = _Tally()
    async with conversation(out, wishes, hosting=wishes.listen is not None, plain=plain) as (session, face):
        face.watch, face.asks_for_files = tally.count, not yes
        await race(session, lambda: _take(session, face, destination, yes=yes, sha256=sha256))
    tally.judge()


def show_partials(out: Output, directory: Path) -> None:
    """Tell what unfinished transfers lie in a directory.

    Raises:
        UsageError: There is no such directory.
    """
    require_directory(directory)
    found = partials(directory)
    for partial in found:
        fields = {"path": str(partial.path), "octets": partial.octets, "age": round(partial.age)}
        fields |= {"done": partial.done, "size": partial.size}
        out.record({"event": "partial", **fields})
        out.say(f"{partial.path}  {amount_there([partial])}, untouched for {human_duration(partial.age)}")
    if not found:
        out.say(f"nothing unfinished in {directory}")
    else:
        out.say(
            "they go on when the same peer sends the same again, and go away after a week or two; rm -r is safe, too"
        )


_HEAD_START: Final = 2.0
"""Seconds of reading before the line is begun."""
_NO_LINE: Final = 0.2
"""Seconds between two looks whether there is a line again."""
_AT_ONCE: Final = 8
"""Files on offer at the same time; a line takes no more than 16."""


async def _deliver(session: Session, face: Face, files: Sources | asyncio.Task[Sources]) -> None:
    await compare(session, face)
    if isinstance(files, asyncio.Task):
        if not files.done():
            face.out.say("still reading what is to be sent")
        files = await asyncio.shield(files)
    for file in files:
        if isinstance(file, OutgoingFile):
            tell_skipped(face, file)
    face.out.say("waiting for your peer to accept")
    waiting, under_way = deque(files), deque[tuple[Transfers, int]]()
    tally = _Tally()
    async with _listening(session, face, typed=True):
        while waiting or under_way:
            while waiting and len(under_way) < _AT_ONCE:
                under_way.append(await _offered(session, waiting.popleft()))
            transfers, number = under_way.popleft()
            tally.count(await transfers.outcome(number))
    tally.judge()


async def _offered(session: Session, file: OutgoingFile | PipeSource) -> tuple[Transfers, int]:
    """Offer a file as soon as there is a line: its number, and whose. Numbers begin anew on the next line."""
    while True:
        try:
            return session.transfers, session.offer(file)
        except (ConnectionLost, UsageError):  # another line is being opened, or there is none and race() ends this
            await asyncio.sleep(_NO_LINE)


async def _take(session: Session, face: Face, destination: Path | int, *, yes: bool, sha256: bool = False) -> None:
    await compare(session, face)
    face.out.say("waiting for your peer's files")
    taken = False
    async with _listening(session, face, typed=yes):
        while True:
            await session.transfers.offered.wait()
            session.transfers.offered.clear()
            # While a person thinks, another line may come, on which the same number is another file.
            transfers = session.transfers
            for number in transfers.waiting:
                try:
                    if isinstance(destination, int) and taken:  # what is in a pipe has no end but the last
                        transfers.decline(number, _one_in_a_pipe())
                    elif yes or await _consents(face, transfers, number, destination):
                        transfers.accept(number, destination, sha256=sha256)
                        taken = True
                    else:
                        transfers.decline(number)
                except UsageError:
                    face.out.say(f"file {number} is not offered any more")  # taken back while the person was asked


def _one_in_a_pipe() -> TransferIncomplete:
    """Nobody said no: to the peer it is too much at once."""
    hint = "take several without --stdout, or ask your peer to send them one at a time"
    return TransferIncomplete("--stdout takes one file", code="busy", hint=hint)


async def _consents(face: Face, transfers: Transfers, number: int, destination: Path | int) -> bool:
    where = "to standard output" if isinstance(destination, int) else f"into {destination}"
    answer = await face.ask("take-file", f"take {offered(transfers.describe(number))} {where}? [y/N] ", file=number)
    return (answer or "").strip().lower() in {"y", "yes"}


@asynccontextmanager
async def _listening(session: Session, face: Face, *, typed: bool) -> AsyncIterator[None]:
    """Take ``pause``, ``resume`` and ``cancel`` from whoever types, and SIGUSR1, for as long as this lasts."""
    loop = asyncio.get_running_loop()

    def toggle() -> None:
        if not session.transfers.pause():
            session.transfers.pause(on=False)

    async def listen() -> None:
        while (text := await face.lines.line("")) is not None:
            if (word := text.strip().lower()) and (words := _obeyed(session.transfers, word)):
                face.out.say(words)

    def give_up(ended: asyncio.Task[None]) -> None:  # Ctrl-C at the prompt is a key, and no signal
        if person is not None and not ended.cancelled() and ended.exception() is not None:
            person.cancel()

    loop.add_signal_handler(signal.SIGUSR1, toggle)
    person = asyncio.current_task()
    listener = asyncio.create_task(listen()) if typed else None
    if listener is not None:
        listener.add_done_callback(give_up)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
        if listener is not None:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener


def _obeyed(transfers: Transfers, word: str) -> str:
    """Do what somebody typed; what there is to say of it, besides the events that follow."""
    match word:
        case "pause" if not transfers.pause():
            return "that is paused already" if transfers.moving else "nothing moves yet: pause when it does"
        case "resume" if not transfers.pause(on=False):
            return "nothing is paused here"
        case "cancel" if not transfers.cancel():
            return "there is nothing to cancel"
        case "pause" | "resume" | "cancel":
            return ""
        case _:
            return "pause, resume or cancel"


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
            name, what = printable(self.first.name), self.first.reason
            if not re.match(rf"(\S*/)?{re.escape(name)}: ", what):  # some begin with the path of what they are about
                what = f"{name}: {what}"
            more = f" (and {self.failed - 1} more)" if self.failed > 1 else ""
            raise TransferIncomplete(what + more, code=self.first.code, hint=self.first.hint)
        if not self.done:
            raise TransferIncomplete("the line closed before a file was offered", hint="ask your peer to send again")
