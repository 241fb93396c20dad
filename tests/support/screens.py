# SPDX-License-Identifier: Apache-2.0
"""A program at a terminal, as a person meets it: keys go in, a screen comes out.

The terminal is a real pseudo terminal with pyte behind it, which also answers the questions that programs ask of
terminals (where the cursor is); a thread reads, so that a terminal nobody looks at goes on working.
"""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pexpect
import pyte

PATIENCE = 20.0
PASTE_BEGIN, PASTE_END = "\x1b[200~", "\x1b[201~"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]|\r")


class _Screen(pyte.Screen):
    def __init__(self, columns: int, lines: int, answer) -> None:
        super().__init__(columns, lines)
        self.write_process_input = answer


class Terminal:
    """One terminal window with one program in it.

    Args:
        words: The program and its arguments.
        env: Its whole environment; TERM is set to ``term``.
        cwd: Where it runs.
        term: The kind of terminal.
        size: (columns, rows).
    """

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        term: str = "xterm-256color",
        size: tuple[int, int] = (100, 30),
    ) -> None:
        columns, rows = size
        self._child = pexpect.spawn(
            words[0],
            list(words[1:]),
            env={**env, "TERM": term},
            cwd=str(cwd),
            dimensions=(rows, columns),
            encoding=None,
            timeout=PATIENCE,
        )
        self._child.delaybeforesend = None
        self._screen = _Screen(columns, rows, self._answer)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self._raw = b""
        self._seen = 0
        self._over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def raw(self) -> bytes:
        """Every octet that the program wrote."""
        with self._changed:
            return self._raw

    @property
    def text(self) -> str:
        """Everything that was written, without the terminal's control sequences."""
        return _ESCAPES.sub("", self.raw.decode(errors="replace"))

    @property
    def screen(self) -> list[str]:
        """What a person sees now, without the empty rows at the end."""
        with self._changed:
            rows = [row.rstrip() for row in self._screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def expect(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Wait until ``pattern`` appears in the text after what was expected before."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                text = _ESCAPES.sub("", self._raw.decode(errors="replace"))
                if found := re.compile(pattern, re.MULTILINE).search(text, self._seen):
                    self._seen = found.end()
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self._over:
                    raise AssertionError(f"no {pattern!r} after:\n{text[self._seen :]}\n--- before:\n{text[-3000:]}")
                self._changed.wait(left)

    def see(self, pattern: str, timeout: float = PATIENCE) -> list[str]:
        """Wait until ``pattern`` is on the screen; the screen then."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, "\n".join(rows := self.screen), re.MULTILINE):
            assert time.monotonic() < deadline, "\n".join(rows)
            time.sleep(0.02)
        return rows

    def type(self, text: str) -> None:
        """Type, without the return key."""
        self._child.send(text.encode())

    def enter(self, text: str = "") -> None:
        """Type a line."""
        self.type(f"{text}\r")

    def paste(self, text: str) -> None:
        """Paste as terminals do (bracketed paste, when the program asked for it), and press return."""
        if b"\x1b[?2004h" in self.raw:
            self.type(f"{PASTE_BEGIN}{text}{PASTE_END}\r")
        else:
            self.type(text.replace("\n", "\r") + "\r")

    def press(self, key: str) -> None:
        """A control key: ``c`` for Ctrl-C."""
        self._child.sendcontrol(key)

    def finished(self, timeout: float = PATIENCE) -> int:
        """Wait for the end; the exit code (128 + n after signal n)."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "still running:\n" + self.text[-2000:]
        self._child.wait()
        self._child.close()
        status = self._child.exitstatus
        return 128 + self._child.signalstatus if status is None else status

    def kill(self) -> None:
        """Kill the program, if it still runs, and close the window."""
        if self._child.pid and self._thread.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.pid, signal.SIGKILL)
            self._thread.join(PATIENCE)
        if not self._child.closed:
            self._child.close(force=True)

    def _answer(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._child.child_fd, text.encode())

    def _read(self) -> None:
        while True:
            try:
                data = self._child.read_nonblocking(65536, timeout=None)
            except (pexpect.EOF, OSError, ValueError):
                break
            with self._changed:
                self._raw += data
                self._stream.feed(data)
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()
