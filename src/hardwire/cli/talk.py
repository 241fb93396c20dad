# SPDX-License-Identifier: Apache-2.0
"""A conversation in lines: text goes to the peer, words that begin with a slash are for hardwire.

The same grammar serves a person and a program (docs/adr/0004-one-word-a-line-for-programs.md).
"""

import asyncio
import contextlib
import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from hardwire.app import events
from hardwire.app.outgoing import inspect
from hardwire.app.session import Session
from hardwire.app.text import human_size, printable
from hardwire.cli.conversation import Wishes, compare, conversation, race, require_directory, slip, tell_skipped
from hardwire.cli.face import Face
from hardwire.cli.output import Output
from hardwire.cli.render import CLOSED_HERE, offered, show
from hardwire.cli.rows import Rows
from hardwire.errors import ConnectionLost, HardwireError, PeerError, UsageError

PATIENCE: Final = 7200.0
"""Seconds that a conversation waits for a path: a closed laptop is opened again. Errands have less time."""

HELP: Final = """\
/verify [NUMBERS|differs]  say which numbers (or words) your peer reads to you
/send PATH                offer a file or a directory
/accept [N]               take an offered file (the newest, or number N)
/decline [N]              do not take it
/cancel [N]               stop a transfer (all, or number N)
/pause [N], /resume [N]   hold a transfer, and let it go on
/files                    what is offered and on its way
/id                       show your peer's identity again
/invite                   stop looking for a lost peer, and make a new invite
/quit                     close the line
//text                    send a line that begins with a slash"""

_CODE: Final = re.compile(r"\bhw:", re.IGNORECASE)


async def chat(out: Output, wishes: Wishes, *, hosting: bool, plain: bool, directory: Path) -> None:
    """Open a line and talk until somebody closes it."""
    await asyncio.to_thread(require_directory, directory)
    wishes = replace(wishes, patience=PATIENCE)
    async with conversation(out, wishes, hosting=hosting, plain=plain) as (session, face):
        talk = Talk(session, face, directory)
        face.watch = talk.watch
        await race(session, talk.run)


@dataclass(slots=True)
class Talk:
    """One person's side of an open line.

    Attributes:
        session: The line.
        face: The person.
        directory: Where accepted files go.
    """

    session: Session
    face: Face
    directory: Path
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _open_files: dict[int, str] = field(default_factory=dict)
    _rows: Rows = field(default_factory=Rows)
    _unconfirmed: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Read lines until /quit or the end of input; wrong words are said so and change nothing."""
        if not self.session.verified:
            self.face.out.say("not verified yet: /verify when you have heard your peer's numbers", style="yellow")
        self.face.out.say("type to talk; /help lists the commands", style="dim")
        if self.face.lines.interactive and not self.face.out.json_mode:
            self.face.typed = asyncio.Queue()
        try:
            while (text := await self.face.lines.line(self._prompt())) is not None:
                if not await self._take(text):
                    return
            await self._drain()
        finally:
            self.face.typed = None
            for task in self._tasks:
                task.cancel()

    def watch(self, event: events.Event) -> None:
        """Remember what a person may ask about later: files on their way, lines that nobody confirmed."""
        match event:
            case events.Said(by="here", id=key, text=text):
                self._unconfirmed[key] = text
            case events.Delivered(id=key):
                self._unconfirmed.pop(key, None)
            case events.LineClosed(reason=reason) if self._unconfirmed and reason != CLOSED_HERE:
                self.face.out.say(f"your peer did not confirm the last of your lines ({len(self._unconfirmed)}):")
                for text in self._unconfirmed.values():
                    self.face.out.say(f"  {printable(text)}")
            case _:
                if isinstance(event, events.Reconnected) and self.face.typed is not None:
                    self.face.typed = asyncio.Queue()  # what was typed for a line that is there now is for no other
                self._watch_files(event)

    def _watch_files(self, event: events.Event) -> None:
        for row in self._rows.take(event):
            self._open_files[row.number] = row.words()
        match event:
            case events.FileOffer(id=number):
                self._keep(
                    number, f"file {number}: {offered(event)} is offered to you: /accept {number} or /decline {number}"
                )
            case events.Reconnected():  # what goes on is told anew, under other numbers; what was offered, too
                for number in self._open_files:
                    self.face.out.status(number, None)
                self._open_files.clear()
            case events.FileDone(id=number) | events.FileFailed(id=number):
                self._open_files.pop(number, None)
            case _:
                pass

    def _keep(self, number: int, words: str) -> None:
        """Below the typed line, and in /files, until something else is known of that file."""
        self._open_files[number] = words
        self.face.out.status(number, words)

    def _prompt(self) -> str:
        return "you: " if self.session.verified else "you (not verified): "

    async def _take(self, text: str) -> bool:
        """One line; False at /quit."""
        if text.startswith("/") and not text.startswith("//"):
            word, _, rest = text[1:].partition(" ")
            if word in {"quit", "q", "exit"}:
                return False
            await self._guarded(lambda: self._command(word, rest.strip()))
        elif self._is_for_another_line(text):
            await self._guarded(lambda: self._renew(text))
        elif text.strip():
            await self._guarded(lambda: self._say(text.removeprefix("/") if text.startswith("//") else text))
        return True

    def _is_for_another_line(self, text: str) -> bool:
        """A code, or the Enter that asks for one, while there is no line; everything else is still talk."""
        if self.face.typed is None or not self.session.is_lost:
            return False
        return bool(_CODE.search(text)) or (self.face.wants_code and not text.strip())

    async def _renew(self, text: str) -> None:
        if self.face.typed is None:
            raise UsageError("a new invite is made by a person at a terminal", hint="run `hardwire chat` again")
        if not self.face.wants_code:
            self.session.renew()
        self.face.typed.put_nowait(text)

    async def _guarded(self, action: Callable[[], Awaitable[None]]) -> None:
        """What the person got wrong is said and forgotten; what the line or the peer did ends it."""
        try:
            await action()
        except (PeerError, ConnectionLost):
            raise
        except HardwireError as problem:
            self.face.out.error(problem, final=False)

    async def _say(self, text: str) -> None:
        self.session.say(text)

    async def _command(self, word: str, rest: str) -> None:  # noqa: C901 (one case a word; the table is the point)
        transfers = self.session.transfers
        match word:
            case "help" | "h" | "?":
                self.face.out.say(HELP)
            case "verify":
                await self._verify(rest)
            case "send":
                self._send(rest)
            case "accept":
                self._accept(_number(rest, transfers.waiting))
            case "decline":
                transfers.decline(_number(rest, transfers.waiting))
            case "cancel":
                self._cancel(rest)
            case "pause" | "resume":
                self._pause(rest, on=word == "pause")
            case "invite":
                await self._renew("")
            case "files":
                for words in self._open_files.values() or ["no file is offered or on its way"]:
                    self.face.out.say(words)
            case "id":
                show(self.face.out, self.session.peer)
            case _:
                raise UsageError(
                    f"there is no /{printable(word)}",
                    hint="/help lists the commands; // sends a line that begins with /",
                )

    async def _verify(self, heard: str) -> None:
        if self.session.verified:
            self.face.out.say("this line is verified already")
        elif not heard:
            await compare(self.session, self.face, required=False)
        elif heard.lower() == "differs":
            await self.session.verify(matched=False)
        elif self.session.matches(heard):
            await self.session.verify(matched=True)
        else:
            raise slip()

    def _accept(self, number: int) -> None:
        what = offered(self.session.transfers.describe(number))
        self.session.transfers.accept(number, self.directory)
        self._keep(number, f"file {number}: {what} is coming")

    def _cancel(self, rest: str) -> None:
        if not rest and not self._open_files:
            raise UsageError("there is nothing to cancel")
        self.session.transfers.cancel(_whole(rest) if rest else None)

    def _pause(self, rest: str, *, on: bool) -> None:
        if not self.session.transfers.pause(_whole(rest) if rest else None, on=on):
            raise UsageError(f"there is nothing to {'pause' if on else 'resume'}")

    def _send(self, name: str) -> None:
        if not name:
            raise UsageError("which file?", hint="/send PATH")
        if not self.session.verified:
            self.face.out.say("careful: this line is not verified", style="yellow")
        # Hashing a large file takes seconds: talk goes on meanwhile.
        task = asyncio.create_task(self._guarded(lambda: self._offer(name)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _offer(self, name: str) -> None:
        file = await inspect(await asyncio.to_thread(_path, name))
        tell_skipped(self.face, file)
        number = self.session.offer(file)
        self.face.out.say(f"file {number}: offered {file.name!r} to your peer")
        self._keep(number, f"file {number}: {file.name!r} ({human_size(file.size)}) waits for your peer to take it")

    async def _drain(self) -> None:
        """The input ended (a pipe): what was asked for is still done, as far as the peer takes part."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        while outgoing := self.session.transfers.outgoing:  # another line has others, under other numbers
            await self.session.transfers.outcome(outgoing[0])


def _path(name: str) -> Path:
    """The file a person means: as typed, or as a terminal writes it that a file was dropped into."""
    path = Path(name).expanduser()
    if not path.exists():
        with contextlib.suppress(ValueError):
            words = shlex.split(name)
            if len(words) == 1:
                return Path(words[0]).expanduser()
    return path


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"{text[:20]!r} is not a number", hint="/files shows the numbers")
    return int(text)


def _number(text: str, waiting: tuple[int, ...]) -> int:
    if text:
        return _whole(text)
    if not waiting:
        raise UsageError("nothing is offered to you right now")
    return waiting[-1]
