# SPDX-License-Identifier: Apache-2.0
"""People before the command line's face: what is said to them is remembered, what they type is scripted."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hardwire.app.session import Session
from hardwire.cli.face import Face
from hardwire.cli.output import Output
from support.lines import line_pair
from support.people import STRANGER


class Recorder:
    """What :class:`hardwire.cli.output.Output` prints around."""

    def __init__(self) -> None:
        self.out = ""
        self.err = ""
        self.rows: tuple[str, ...] = ()

    def write(self, stream: object, text: str) -> None:
        if stream is sys.stdout:
            self.out += text
        else:
            self.err += text

    def status(self, rows: tuple[str, ...]) -> bool:
        self.rows = rows
        return True


class Typed:
    """:class:`hardwire.cli.lines.Lines` from a script; None is the end of the input."""

    def __init__(self, *texts: str | None, interactive: bool = True) -> None:
        self.interactive = interactive
        self.prompts: list[str] = []
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.type(*texts)

    def type(self, *texts: str | None) -> None:
        for text in texts:
            self._queue.put_nowait(text)

    async def line(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        return await self._queue.get()

    async def paste(self, prompt: str) -> str | None:
        return await self.line(prompt)

    def close(self) -> None:
        self._queue.put_nowait(None)


def faced(
    *texts: str | None, json_mode: bool = False, plain: bool = False, interactive: bool = True, **fields
) -> tuple[Face, Recorder]:
    """A face that types ``texts``, and what it is shown."""
    out, recorder = Output(json_mode=json_mode, plain=plain), Recorder()
    out.attach(recorder)
    return Face(out, Typed(*texts, interactive=interactive), **fields), recorder


@dataclass
class Seat:
    """One person's end of an open line."""

    session: Session
    face: Face
    said: Recorder

    @property
    def number(self) -> str:
        """The three numbers, as this person's peer would read them."""
        return self.session._sas.decimal

    def type(self, *texts: str | None) -> None:
        self.face.lines.type(*texts)

    async def asked(self, words: str) -> None:
        """Wait until the person is asked something that begins so."""
        await until(lambda: any(prompt.startswith(words) for prompt in self.face.lines.prompts))

    async def hears(self, words: str, within: float = 10.0) -> None:
        await until(lambda: words in self.said.err + self.said.out, within, lambda: self.said.err)


async def until(reached: Callable[[], bool], within: float = 10.0, told: Callable[[], str] = str) -> None:
    try:
        async with asyncio.timeout(within):
            while not reached():  # noqa: ASYNC110 (what is waited for is text, and has no event)
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(told()) from None


@asynccontextmanager
async def seats(**fields) -> AsyncIterator[tuple[Seat, Seat]]:
    """Two people on a real line, with keys in memory; nobody runs its events yet."""
    async with line_pair() as lines:
        made = []
        for line in lines:
            face, said = faced(**fields)
            made.append(Seat(Session(line, face, STRANGER), face, said))
        try:
            yield made[0], made[1]
        finally:
            await asyncio.gather(*(seat.session.close() for seat in made))
