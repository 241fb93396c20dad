# SPDX-License-Identifier: Apache-2.0
"""A conversation in lines: text goes to the peer, words that begin with a slash are for hardwire.

The same grammar serves a person and a program (docs/adr/0004-one-word-a-line-for-programs.md).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hardwire.app.session import Session, inspect
from hardwire.cli.conversation import Wishes, compare, conversation, race
from hardwire.cli.face import Face
from hardwire.cli.output import Output
from hardwire.cli.render import show
from hardwire.errors import ConnectionLost, HardwireError, PeerError, UsageError

HELP: Final = """\
/verify [NUMBER|differs]  say which LAST number your peer reads to you
/send FILE                offer a file
/accept [N]               take an offered file (the newest, or number N)
/decline [N]              do not take it
/cancel [N]               stop a transfer (all, or number N)
/id                       show your peer's identity again
/quit                     close the line
//text                    send a line that begins with a slash"""


async def chat(out: Output, wishes: Wishes, *, hosting: bool, plain: bool, directory: Path) -> None:
    """Open a line and talk until somebody closes it."""
    async with conversation(out, wishes, hosting=hosting, plain=plain) as (session, face):
        await race(session, Talk(session, face, directory).run)


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

    async def run(self) -> None:
        """Read lines until /quit or the end of input; wrong words are said so and change nothing."""
        if not self.session.verified:
            self.face.out.say("not verified yet: /verify when you have heard your peer's numbers", style="yellow")
        self.face.out.say("type to talk; /help lists the commands", style="dim")
        try:
            while (text := await self.face.lines.line("you: ")) is not None:
                if not await self._take(text):
                    return
            await self._drain()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _take(self, text: str) -> bool:
        """One line; False at /quit."""
        if text.startswith("/") and not text.startswith("//"):
            word, _, rest = text[1:].partition(" ")
            if word in {"quit", "q", "exit"}:
                return False
            await self._guarded(lambda: self._command(word, rest.strip()))
        elif text.strip():
            await self._guarded(lambda: self._say(text.removeprefix("/") if text.startswith("//") else text))
        return True

    async def _guarded(self, action: Callable[[], Awaitable[None]]) -> None:
        """What the person got wrong is said and forgotten; what the line or the peer did ends it."""
        try:
            await action()
        except (PeerError, ConnectionLost):
            raise
        except HardwireError as problem:
            self.face.out.error(problem)

    async def _say(self, text: str) -> None:
        self.session.say(text)

    async def _command(self, word: str, rest: str) -> None:
        transfers = self.session.transfers
        match word:
            case "help" | "h" | "?":
                self.face.out.say(HELP)
            case "verify":
                await self._verify(rest)
            case "send":
                self._send(rest)
            case "accept":
                transfers.accept(_number(rest, transfers.waiting), self.directory)
            case "decline":
                transfers.decline(_number(rest, transfers.waiting))
            case "cancel":
                transfers.cancel(int(rest) if rest.isdecimal() else None)
            case "id":
                show(self.face.out, self.session.peer)
            case _:
                raise UsageError(
                    f"there is no /{word}", hint="/help lists the commands; // sends a line that begins with /"
                )

    async def _verify(self, heard: str) -> None:
        if self.session.verified:
            self.face.out.say("this line is verified already")
        elif not heard:
            await compare(self.session, self.face)
        elif heard.lower() == "differs":
            await self.session.verify(matched=False)
        elif self.session.matches(heard):
            await self.session.verify(matched=True)
        else:
            raise UsageError(
                "that is not the last number here",
                hint="a slip? ask your peer to read it again; if it stays so: /verify differs",
            )

    def _send(self, name: str) -> None:
        if not name:
            raise UsageError("which file?", hint="/send FILE")
        if not self.session.verified:
            self.face.out.say("careful: this line is not verified", style="yellow")
        # Hashing a large file takes seconds: talk goes on meanwhile.
        task = asyncio.create_task(self._guarded(lambda: self._offer(Path(name).expanduser())))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _offer(self, path: Path) -> None:
        file = await inspect(path)
        number = self.session.offer(file)
        self.face.out.say(f"file {number}: offered {file.name!r} to your peer")

    async def _drain(self) -> None:
        """The input ended (a pipe): what was asked for is still done, as far as the peer takes part."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        for number in self.session.transfers.outgoing:
            await self.session.transfers.outcome(number)


def _number(text: str, waiting: tuple[int, ...]) -> int:
    if text and not text.isdecimal():
        raise UsageError(f"{text!r} is not a number", hint="files are numbered as they are offered")
    if text:
        return int(text)
    if not waiting:
        raise UsageError("nothing is offered to you right now")
    return waiting[-1]
