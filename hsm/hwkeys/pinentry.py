# SPDX-License-Identifier: Apache-2.0
"""A PIN from a pinentry program: the dialogue of GnuPG's world, for those whose terminal is taken or who have none.

The program is spoken to in the Assuan protocol over two pipes: one line of at most 1000 octets each way, percent
escapes for what is no text. The rules this file keeps:

* The PIN comes through the pipe. The program's argument list is its own name and nothing else.
* Every wait ends. The program is told how long the person has; what it does not answer in that time it is ended for.
* A cancelled dialogue, a program that is missing, dies or babbles: each is a PinRefused, and no PIN was used.
* The last try is asked for by CONFIRM, with a button that says what it does; only its press is a yes.
"""

import locale
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hwkeys.errors import PinRefused
from hwkeys.prompt import PinRequest

MAX_LINE = 1000
"""Octets of a line, its end included (libassuan's ASSUAN_LINELENGTH - 2)."""
MAX_ANSWER = 8 * MAX_LINE
"""Octets of everything the program says to one question; a PIN and a few comments have room in it."""
_MAX_TEXT = 900
_GRACE = 5.0
# libgpg-error's codes, the low 16 bits of what stands after ERR.
_CANCELLED = frozenset({99, 114, 198})  # CANCELED, NOT_CONFIRMED, FULLY_CANCELED
_TIMEOUT = 62
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_HINT = "install one (apt-get install pinentry-curses), or use a terminal or a pin-source"


@dataclass(frozen=True, slots=True)
class PinentryPrompter:
    """Asks the person through a pinentry.

    Args:
        program: Its name in PATH, or its path.
        ttyname: The terminal it shall use if it needs one; None for ``$GPG_TTY``, or else the controlling terminal.
        timeout: Seconds the person has for each answer, at least 1.
    """

    program: str = "pinentry"
    ttyname: str | None = None
    timeout: float = 120.0

    def pin(self, request: PinRequest) -> str:
        """Show the device, then ask; a new PIN is asked for twice.

        Raises:
            PinRefused: The person gave up or was too slow, the two new PINs differ, or the program does not work.
        """
        with self._dialogue() as talk:
            if not request.new:
                return talk.get_pin(f"{request.describe()}\n{request.question()}", "PIN:")
            first = talk.get_pin(f"{request.describe()}\n{request.question()}", "new:")
            if first != talk.get_pin(f"{request.describe()}\nthe same again", "again:"):
                raise PinRefused("the two PINs differ", hint="nothing was changed; start again")
            open_to_all = f"really no PIN? then anybody at this machine can use {request.key}."
            if not first and not request.rule and not talk.confirm(open_to_all, "_no PIN"):
                raise PinRefused("no PIN was chosen", hint="nothing was changed; start again")
            return first

    def confirm_last_try(self, request: PinRequest) -> bool:
        """Show the device and what the last try means; only the button that says so is a yes."""
        question = f"{request.describe()}\na wrong PIN now locks this device. use the last try?"
        with suppress(PinRefused), self._dialogue() as talk:
            return talk.confirm(question, "_use the last try")
        return False

    @contextmanager
    def _dialogue(self) -> Iterator["_Dialogue"]:
        try:
            process = subprocess.Popen(  # noqa: S603 - the caller names the program, and it gets no arguments
                [self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise PinRefused(f"the pinentry {self.program!r} cannot be started", hint=_HINT) from error
        try:
            if process.stdin is None or process.stdout is None:
                raise PinRefused("the pinentry has no pipes")
            talk = _Dialogue(process.stdin, process.stdout, self.timeout)
            talk.begin(self.ttyname or os.environ.get("GPG_TTY") or _own_terminal())
            yield talk
            with suppress(PinRefused):
                talk.ask("BYE")
        except KeyboardInterrupt as error:
            raise PinRefused("no PIN was given") from error
        finally:
            _end(process)


class _Dialogue:
    """The client's half of Assuan, as far as a pinentry needs it."""

    def __init__(self, to: IO[bytes], from_: IO[bytes], seconds: float) -> None:
        self._to = to.fileno()
        self._from = from_.fileno()
        self._seconds = max(1.0, seconds)
        self._pending = b""

    def begin(self, terminal: str | None) -> None:
        """Wait for the greeting, and say where the person sits and how long there is."""
        self._answer()
        wishes = [f"OPTION lc-ctype={locale.setlocale(locale.LC_CTYPE)}", f"SETTIMEOUT {int(self._seconds)}"]
        if terminal is not None:
            wishes += [f"OPTION ttyname={escape(terminal)}", f"OPTION ttytype={escape(os.environ.get('TERM', 'dumb'))}"]
        for wish in wishes:
            # A pinentry with windows may know no terminals; the dialogue itself shows whether it works.
            self.ask(wish, needed=False)

    def get_pin(self, text: str, prompt: str) -> str:
        """GETPIN below a text; empty when nothing was typed."""
        for line in ("SETTITLE PIN", f"SETDESC {escape(text)}", f"SETPROMPT {escape(prompt)}"):
            self.ask(line)
        data, _ = self.ask("GETPIN")
        try:
            return data.decode()
        except UnicodeDecodeError:
            # Without the cause: it holds the octets.
            raise PinRefused("what the pinentry gave is no text") from None

    def confirm(self, text: str, button: str) -> bool:
        """CONFIRM; whether the button was pressed."""
        for line in (f"SETDESC {escape(text)}", f"SETOK {escape(button)}", "SETCANCEL _cancel"):
            self.ask(line)
        _, code = self.ask("CONFIRM", needed=False)
        return code == 0

    def ask(self, line: str, *, needed: bool = True) -> tuple[bytes, int]:
        """Send one command.

        Args:
            line: Without its end.
            needed: Raise when the program says ERR.

        Returns:
            Its data, and the code of its ERR; 0 for OK.
        """
        try:
            os.write(self._to, line.encode() + b"\n")
        except OSError as error:
            raise PinRefused("the pinentry ended early", hint=_HINT) from error
        data, code = self._answer()
        if code and needed:
            raise _refusal(code)
        return data, code

    def _answer(self) -> tuple[bytes, int]:
        until = time.monotonic() + self._seconds + _GRACE
        data, said = b"", 0
        while True:
            line = self._line(until)
            said += len(line)
            word, _, rest = line.partition(b" ")
            if word == b"OK":
                return data, 0
            if word == b"ERR":
                number = rest.split(b" ", 1)[0]
                return b"", int(number) & 0xFFFF or 1 if number.isdigit() else 1
            if word == b"D":
                data += _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), rest)
            elif word != b"S" and not line.startswith(b"#"):
                raise PinRefused("the pinentry does not speak Assuan", hint=_HINT)
            if said > MAX_ANSWER:
                raise PinRefused("the pinentry does not come to an end", hint=_HINT)

    def _line(self, until: float) -> bytes:
        with selectors.DefaultSelector() as ready:
            ready.register(self._from, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if len(self._pending) > MAX_LINE:
                    raise PinRefused("the pinentry does not speak Assuan", hint=_HINT)
                if not ready.select(max(0.0, until - time.monotonic())):
                    raise PinRefused("nobody answered in time")
                octets = os.read(self._from, MAX_LINE)
                if not octets:
                    raise PinRefused("the pinentry ended early", hint=_HINT)
                self._pending += octets
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def escape(text: str) -> str:
    """A text as one Assuan parameter: percent sign and control characters escaped, cut to what fits on a line."""
    out = ""
    for character in text.encode(errors="replace").decode():
        piece = f"%{ord(character):02X}" if character == "%" or ord(character) < 0x20 else character  # noqa: PLR2004
        if len((out + piece).encode()) > _MAX_TEXT:
            return f"{out}…"
        out += piece
    return out


def _refusal(code: int) -> PinRefused:
    if code in _CANCELLED:
        return PinRefused("no PIN was given")
    if code == _TIMEOUT:
        return PinRefused("nobody answered in time")
    return PinRefused(f"the pinentry failed with error {code}", hint=_HINT)


def _own_terminal() -> str | None:
    try:
        with Path("/dev/tty").open("rb", buffering=0):
            return "/dev/tty"
    except OSError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    # After BYE, or at the end of its input, it ends by itself and leaves the terminal as it was.
    for last_word in (None, signal.SIGTERM, signal.SIGKILL):
        if last_word is not None:
            process.send_signal(last_word)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
            return
