# SPDX-License-Identifier: Apache-2.0
"""hardwire as a program drives it: one process, its ``--json`` events, the lines written to it. And its world."""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwkeys.software import SoftHsmToken, SoftTpm
from support.screens import Terminal

HARDWIRE = (sys.executable, "-m", "hardwire")
PATIENCE = 20.0


@dataclass(frozen=True)
class Place:
    """One person's machine: a home, a device, the environment in which both are found.

    Attributes:
        home: HARDWIRE_HOME.
        device: The device's URI.
        pin: Its PIN.
        env: The whole environment of the person's programs.
        token: The device, when it is SoftHSM.
        tpm: The device, when it is swtpm.
    """

    home: Path
    device: str
    pin: str
    env: Mapping[str, str]
    token: SoftHsmToken | None = None
    tpm: SoftTpm | None = None

    def json(self, *words: str | Path, **options: Any) -> "Program":
        """Run ``hardwire WORDS --json``."""
        return Program([*HARDWIRE, *map(str, words), "--json"], self.env, self.home, **options)

    def tricky(self, trick: str, *words: str | Path) -> "Program":
        """Run a changed hardwire: see ``support/badpeer.py``."""
        script = Path(__file__).with_name("badpeer.py")
        return Program([sys.executable, str(script), trick, *map(str, words), "--json"], self.env, self.home)

    def pipe(self, *words: str | Path, **options: Any) -> "Program":
        """Run ``hardwire WORDS`` with pipes, for people's words."""
        return Program([*HARDWIRE, *map(str, words)], self.env, self.home, events=False, **options)

    def terminal(self, *words: str | Path, **options: Any) -> Terminal:
        """Run ``hardwire WORDS`` at a terminal."""
        return Terminal([*HARDWIRE, *map(str, words)], self.env, self.home, **options)

    def run(self, *words: str | Path, text: str = "", env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Run ``hardwire WORDS`` to its end: exit code, stdout, stderr."""
        done = subprocess.run(
            [*HARDWIRE, *map(str, words)],
            env={**self.env, **(env or {})},
            cwd=self.home,
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            start_new_session=True,  # no terminal to ask for a PIN on, whoever runs the tests
        )
        return done.returncode, done.stdout, done.stderr

    def signatures(self) -> int:
        """Counted in the device."""
        if self.token is not None:
            return self.token.signatures()
        assert self.tpm is not None
        return self.tpm.signatures()

    def with_env(self, **values: str) -> "Place":
        """The same machine with other variables."""
        return Place(self.home, self.device, self.pin, {**self.env, **values}, self.token, self.tpm)


class Program:
    """One process with pipes. Ended by its pid, whatever happens: see :meth:`kill`."""

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        events: bool = True,
        before: Sequence[str] = (),
        more_env: Mapping[str, str] | None = None,
    ) -> None:
        self._stdout, writing = os.pipe()
        self._enough = os.pipe()
        self._process = subprocess.Popen(
            [*before, *words],
            env={**env, **(more_env or {})},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        os.close(writing)
        self._json = events
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.seen: list[dict[str, Any]] = []
        self.out: list[str] = []
        self._err: list[str] = []
        self._threads = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_err, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr(self) -> str:
        return "".join(self._err)

    def expect(self, event: str, timeout: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """The next event of that name with those fields; others are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                got = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                got = None
            assert got is not None, f"no {event} {fields} after {self.seen[-6:]}\n{self.stderr}"
            if got["event"] == event and all(got.get(name) == value for name, value in fields.items()):
                return got

    def wait_for(self, text: str, timeout: float = PATIENCE) -> None:
        """Wait until stderr has ``text``."""
        deadline = time.monotonic() + timeout
        while text not in self.stderr:
            assert time.monotonic() < deadline, f"no {text!r} in {self.stderr!r}"
            time.sleep(0.02)

    def say(self, text: str) -> None:
        """Write one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def end_output(self) -> None:
        """Stop reading what it writes, as `| head -1` does."""
        os.write(self._enough[1], b"!")
        self._threads[0].join(PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def finished(self, timeout: float = PATIENCE) -> int:
        """Wait for the end; the exit code."""
        code = self._process.wait(timeout)
        for thread in self._threads:
            thread.join(timeout)
        return code

    def failed(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for the end, which was a failure: its one final error event. Nothing else was said."""
        code = self.finished(timeout)
        errors = [event for event in self.seen if event["event"] == "error" and event["final"]]
        assert len(errors) == 1, (self.seen, self.stderr)
        assert errors[0]["exit_code"] == code
        assert self.seen[-1] is errors[0]
        assert not self.stderr, self.stderr
        return errors[0]

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()

    def _read_out(self) -> None:
        rest = b""
        while self._enough[0] not in select.select([self._stdout, self._enough[0]], [], [])[0]:
            data = os.read(self._stdout, 1 << 16)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.out.append(line.decode())
                if self._json:
                    event = json.loads(line)
                    self.seen.append(event)
                    self._events.put(event)
        for descriptor in (self._stdout, *self._enough):
            os.close(descriptor)
        self._events.put(None)

    def _read_err(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stderr or ():
                self._err.append(line)
