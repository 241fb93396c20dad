# SPDX-License-Identifier: Apache-2.0
"""Lines that a person types or a program writes, one after another, while the line's events go on.

With a capable terminal prompt-toolkit edits the line and keeps it below what is printed meanwhile. Everywhere else
(pipes, files, ``--plain``, ``TERM=dumb``) a daemon thread reads whole lines; it may stay blocked in ``readline``
for ever, and must not keep the process alive.
"""

import asyncio
import contextlib
import os
import sys
import threading
from typing import Final, Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.application import in_terminal
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from hardwire.cli.output import Output, put

_PASTE_PAUSE: Final = 0.2
"""Seconds of silence after which a paste of several lines is over."""


class Interrupted(Exception):
    """The person pressed Ctrl-C at the prompt. No error: they know what they did."""


class Screen(Vt100_Output):
    """The terminal, which is never asked where its cursor is.

    Its answer is typed as keys are. Whoever reads next gets it, and after the prompt that is the person's shell.
    """

    @property
    def responds_to_cpr(self) -> bool:
        """No question, no answer."""
        return False

    def get_rows_below_cursor_position(self) -> int:
        """One at least: enough for prompt-toolkit to show a status below the typed line, right below it."""
        return 1

    @classmethod
    def of_stderr(cls) -> Vt100_Output:
        """The prompt is talk: stdout may well be a file."""
        return cls.from_pty(sys.stderr, term=os.environ.get("TERM"), default_color_depth=ColorDepth.from_env())


class Lines(Protocol):
    """Where lines come from."""

    interactive: bool
    """A person at a terminal: questions may be asked."""

    async def line(self, prompt: str) -> str | None:
        """The next line without its end, or None when there will be no more. ``prompt`` is for people only."""
        ...

    async def paste(self, prompt: str) -> str | None:
        """The same for something pasted, which a mail program may have broken into several lines."""
        ...

    def close(self) -> None:
        """Give the terminal back."""
        ...


class TerminalLines:
    """An edited line at a terminal; also the :class:`~hardwire.cli.output.Prompt` that output is printed around.

    Args:
        out: What is printed meanwhile.
    """

    interactive = True

    def __init__(self, out: Output) -> None:
        self._session: PromptSession[str] = PromptSession(output=Screen.of_stderr())
        self._out = out
        self._waiting: list[tuple[TextIO, str]] = []
        self._printing: asyncio.Task[None] | None = None
        out.attach(self)

    async def line(self, prompt: str) -> str | None:
        """See :class:`Lines`.

        Raises:
            Interrupted: Ctrl-C.
        """
        self._out.clear()
        try:
            return await self._session.prompt_async(prompt, handle_sigint=False)
        except EOFError:
            return None
        except KeyboardInterrupt:
            raise Interrupted from None
        finally:
            self._flush()

    async def paste(self, prompt: str) -> str | None:
        """See :class:`Lines`; the terminal says where a paste begins and ends."""
        return await self.line(prompt)

    def write(self, stream: TextIO, text: str) -> None:
        """See :class:`~hardwire.cli.output.Prompt`."""
        if not self._session.app.is_running:
            put(stream, text)
            return
        self._waiting.append((stream, text))
        if self._printing is None or self._printing.done():
            self._printing = asyncio.get_running_loop().create_task(self._print_above())

    def status(self, rows: tuple[str, ...]) -> bool:
        """See :class:`~hardwire.cli.output.Prompt`."""
        self._session.bottom_toolbar = "\n".join(rows) or None
        if not self._session.app.is_running:
            return False
        self._session.app.invalidate()
        return True

    def close(self) -> None:
        """See :class:`Lines`."""
        if self._printing is not None:
            self._printing.cancel()
        self._flush()
        self._out.attach(None)

    async def _print_above(self) -> None:
        async with in_terminal():
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for stream, text in waiting:
            put(stream, text)


class StreamLines:
    """Whole lines from stdin, read by a daemon thread.

    Args:
        interactive: A person types them, at a terminal that cannot be redrawn.
    """

    def __init__(self, *, interactive: bool) -> None:
        self.interactive = interactive
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._ended = False
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def line(self, prompt: str) -> str | None:
        """See :class:`Lines`."""
        if self._ended:
            return None
        if self.interactive and prompt:
            put(sys.stderr, prompt)
        text = await self._queue.get()
        self._ended = text is None
        return text

    async def paste(self, prompt: str) -> str | None:
        """See :class:`Lines`; a program writes a code in one line, a person's paste ends with a pause."""
        text = await self.line(prompt)
        while self.interactive and text is not None:
            try:
                more = await asyncio.wait_for(self._queue.get(), _PASTE_PAUSE)
            except TimeoutError:
                break
            if more is None:
                self._ended = True
                break
            text += "\n" + more
        return text

    def close(self) -> None:
        """See :class:`Lines`."""
        self._ended = True

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # stdin or the loop was closed under us
            for text in sys.stdin:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, text.rstrip("\r\n"))
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, None)


def open_lines(out: Output, *, plain: bool) -> Lines:
    """The right source for this process's stdin. Call inside the running loop."""
    terminal = sys.stdin.isatty() and sys.stderr.isatty() and not out.json_mode
    if terminal and not plain and os.environ.get("TERM", "dumb") != "dumb":
        return TerminalLines(out)
    return StreamLines(interactive=terminal)
