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
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout


class Lines(Protocol):
    """Where lines come from."""

    interactive: bool
    """A person at a terminal: questions may be asked."""

    async def line(self, prompt: str) -> str | None:
        """The next line without its end, or None when there will be no more. ``prompt`` is for people only."""
        ...

    def close(self) -> None:
        """Give the terminal back."""
        ...


class TerminalLines:
    """An edited line at a terminal."""

    interactive = True

    def __init__(self) -> None:
        self._session: PromptSession[str] = PromptSession()
        self._stack = contextlib.ExitStack()
        # Text that is printed while a line is being typed goes above it; raw keeps our colours.
        self._stack.enter_context(patch_stdout(raw=True))

    async def line(self, prompt: str) -> str | None:
        """See :class:`Lines`."""
        try:
            return await self._session.prompt_async(prompt)
        except EOFError:
            return None

    def close(self) -> None:
        """See :class:`Lines`."""
        self._stack.close()


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
            sys.stderr.write(prompt)
            sys.stderr.flush()
        text = await self._queue.get()
        self._ended = text is None
        return text

    def close(self) -> None:
        """See :class:`Lines`."""
        self._ended = True

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # stdin or the loop was closed under us
            for text in sys.stdin:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, text.rstrip("\r\n"))
            self._loop.call_soon_threadsafe(self._queue.put_nowait, None)


def open_lines(*, json_mode: bool, plain: bool) -> Lines:
    """The right source for this process's stdin. Call inside the running loop."""
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not json_mode
    if terminal and not plain and os.environ.get("TERM", "dumb") != "dumb":
        return TerminalLines()
    return StreamLines(interactive=terminal)
