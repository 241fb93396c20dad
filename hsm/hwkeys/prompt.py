# SPDX-License-Identifier: Apache-2.0
"""Where a PIN comes from: a person at a terminal, a file, systemd, or the calling program (``pinentry``: a dialogue).

The rules this file keeps:

* The person sees which device asks, and what is known of the tries left, *before* typing.
* Nothing here asks twice by itself. A wrong PIN is an error; asking again is the caller's decision.
* The last try before a lock-out is spent only after a person, or a program that says so, has agreed to it.
"""

import errno
import getpass
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hwkeys.devices import DeviceInfo, PinState
from hwkeys.errors import PinNeeded, PinRefused
from hwkeys.touch import TouchRequest
from hwkeys.uri import Credential

MAX_PIN_FILE = 1024
"""Octets; a larger file is not a PIN."""


@dataclass(frozen=True, slots=True)
class PinRequest:
    """What is asked for, and by whom.

    Attributes:
        device: The device that asks, with label, serial, ``pin_state`` and ``tries_left``.
        key: The name of the key the PIN is for.
        new: A new PIN is being chosen (a TPM key has its own), rather than an existing one asked for.
        rule: What a new one has to be like, in words; then it cannot be empty.
    """

    device: DeviceInfo
    key: str
    new: bool = False
    rule: str = ""

    @property
    def final_try(self) -> bool:
        """Whether a wrong answer locks the device."""
        return self.device.pin_state is PinState.FINAL_TRY and not self.new

    def describe(self) -> str:
        """One line for a person: the device, its serial, what is known of the tries left."""
        device = self.device
        words = f'{device.manufacturer} {device.model} "{device.label}"'.strip()
        if device.serial:
            words += f", serial {device.serial}"
        if self.new:
            return words
        if device.tries_left is not None:
            words += f", {device.tries_left} tries left" if device.tries_left != 1 else ", 1 try left"
        elif device.pin_state is PinState.COUNT_LOW:
            words += ", a wrong PIN was entered before"
        if self.final_try:
            words += ", LAST TRY"
        return words

    def question(self) -> str:
        """What a person is asked for, in a few words."""
        if not self.new:
            return f"PIN for {self.key}"
        return f"choose {self.key} ({self.rule})" if self.rule else f"new PIN for {self.key} (empty for none)"


class Pin(str):
    """A PIN on its way to a device: a report of an error that shows the values of variables does not show this one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<PIN>"


class PinOctets(bytes):
    """The same as octets."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<PIN>"


class Prompter(Protocol):
    """Answers a device's question. Called on the thread that asked for the key, never on a device's own."""

    def pin(self, request: PinRequest) -> str:
        """The PIN; for a new TPM key the empty string means "no PIN".

        Raises:
            PinRefused: The person gave up.
        """
        ...

    def confirm_last_try(self, request: PinRequest) -> bool:
        """Whether the last try before lock-out may be spent. Anything but an explicit yes is False."""
        ...


def ask_pin(prompter: Prompter, request: PinRequest) -> str:
    """The only way a backend gets a PIN: the last try is asked for first.

    Raises:
        PinRefused: No PIN, or no leave to spend the last try.
    """
    if request.final_try and not prompter.confirm_last_try(request):
        raise PinRefused(
            f"one try is left on {request.describe()}, and it was not explicitly allowed",
            hint="a wrong PIN would lock the device; use a terminal and say yes when asked",
        )
    pin = prompter.pin(request)
    if not pin and (not request.new or request.rule):
        raise PinRefused("an empty PIN was given")
    return Pin(pin)


@dataclass(frozen=True, slots=True)
class CallbackPrompter:
    """Hands the question to a function of the calling program.

    Args:
        ask: Gets the request, returns the PIN.
        allow_last_try: Gets the request, says whether the last try may be spent; never, by default.
        on_touch: Gets the request, and whether the device waits to be touched, or no more; see ``TouchPrompter``.
    """

    ask: Callable[[PinRequest], str]
    allow_last_try: Callable[[PinRequest], bool] | None = None
    on_touch: Callable[[TouchRequest, bool], None] | None = None

    def pin(self, request: PinRequest) -> str:
        """The function's answer."""
        return self.ask(request)

    def confirm_last_try(self, request: PinRequest) -> bool:
        """The second function's answer; no, when there is none."""
        return self.allow_last_try is not None and self.allow_last_try(request)

    def touch(self, request: TouchRequest) -> None:
        """Tell the third function that the device waits."""
        if self.on_touch is not None:
            self.on_touch(request, True)  # noqa: FBT003 - a function of the caller's, which names its parameters

    def touch_over(self, request: TouchRequest) -> None:
        """Tell it that the device waits no more."""
        if self.on_touch is not None:
            self.on_touch(request, False)  # noqa: FBT003 - the same


class StaticPrompter:
    """Gives one PIN that the program already holds; never spends the last try."""

    __slots__ = ("_pin",)

    def __init__(self, pin: str) -> None:
        self._pin = pin

    def pin(self, request: PinRequest) -> str:  # noqa: ARG002 - the protocol's shape
        """The PIN it was made with."""
        return self._pin

    def confirm_last_try(self, request: PinRequest) -> bool:  # noqa: ARG002 - the protocol's shape
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class PinSourcePrompter:
    """Reads the PIN from a file each time it is asked; never spends the last try.

    The file is this user's or root's, and nobody else may read or change it; a group may read it. Whoever could change
    it could spend the device's tries, and whoever can read it has the PIN.

    Args:
        path: UTF-8 text of at most MAX_PIN_FILE octets; one final line end is not part of the PIN. May be a link.
    """

    path: Path

    def pin(self, request: PinRequest) -> str:  # noqa: ARG002 - the protocol's shape
        """The file's content.

        Raises:
            PinRefused: The file cannot be read, is not kept to its owner, or does not hold one line of text.
        """
        try:
            octets, facts = _plain_file(self.path, follow=True)
        except OSError as error:
            raise PinRefused(
                f"the pin-source {self.path} cannot be read", hint="check that the file exists and that you may read it"
            ) from error
        if facts.st_uid not in (os.geteuid(), 0):
            raise PinRefused(
                f"the pin-source {self.path} belongs to another user", hint="use a file of your own, for you only"
            )
        if facts.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise PinRefused(f"others can read or change the pin-source {self.path}", hint=f"chmod 600 {self.path}")
        return _one_line(octets, f"the pin-source {self.path}")

    def confirm_last_try(self, request: PinRequest) -> bool:  # noqa: ARG002 - the protocol's shape
        """Never: a file cannot notice that it is wrong."""
        return False


@dataclass(frozen=True, slots=True)
class CredentialPrompter:
    """Reads the PIN from a credential that systemd gave to this service; never spends the last try.

    Args:
        credential: Its name below ``$CREDENTIALS_DIRECTORY`` (LoadCredentialEncrypted=, SetCredential= …).
    """

    credential: Credential

    def pin(self, request: PinRequest) -> str:  # noqa: ARG002 - the protocol's shape
        """The credential's content, as of a file.

        Raises:
            PinRefused: There is none of that name, or it does not hold one line of text.
        """
        directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not directory.startswith("/"):
            raise PinRefused(
                "this process was given no credentials",
                hint=f"start it by systemd, with LoadCredentialEncrypted={self.credential.name}:… in its unit",
            )
        try:
            # systemd writes plain files. A link, a pipe or a device in their place is somebody else's doing.
            octets, _facts = _plain_file(Path(directory) / self.credential.name, follow=False)
        except OSError as error:
            raise PinRefused(
                f"there is no credential {self.credential.name!r}",
                hint=f"add LoadCredentialEncrypted={self.credential.name}:… to the unit of this service",
            ) from error
        return _one_line(octets, f"the credential {self.credential.name!r}")

    def confirm_last_try(self, request: PinRequest) -> bool:  # noqa: ARG002 - the protocol's shape
        """Never: a service cannot notice that it is wrong."""
        return False


@dataclass(frozen=True, slots=True)
class TerminalPrompter:
    """Asks the person at the controlling terminal (/dev/tty, so a pipe on standard input is left alone).

    Args:
        tells_touch: Say there too that a device waits to be touched; not for a program that has a screen of its own.
    """

    tells_touch: bool = True

    def pin(self, request: PinRequest) -> str:
        """Show the device, then ask without echo; a new PIN is asked for twice.

        Raises:
            PinNeeded: There is no terminal.
            PinRefused: The person gave up, or the two new PINs differ.
            KeyboardInterrupt: Ctrl-C; no PIN was spent.
        """
        if not request.new:
            return _hidden(f"{request.describe()}\n{request.question()}: ")
        first = _hidden(f"{request.describe()}\n{request.question()}: ")
        if first != _hidden("the same again: "):
            raise PinRefused("the two PINs differ", hint="nothing was changed; start again")
        if (
            not first
            and not request.rule
            and not _yes(f"really no PIN? then anybody at this machine can use {request.key}. yes/no: ")
        ):
            raise PinRefused("no PIN was chosen", hint="nothing was changed; start again")
        return first

    def confirm_last_try(self, request: PinRequest) -> bool:
        """Show the device and what the last try means; only the whole word "yes" is a yes."""
        return _yes(f"{request.describe()}\na wrong PIN now locks this device. use the last try? yes/no: ")

    def touch(self, request: TouchRequest) -> None:
        """Ring the bell and say what waits, and how long."""
        if self.tells_touch:
            _say(f"\a{request.describe()} …")

    def touch_over(self, request: TouchRequest) -> None:  # noqa: ARG002 - the protocol's shape
        """End the line."""
        if self.tells_touch:
            _end_line()


def _plain_file(path: Path, *, follow: bool) -> tuple[bytes, os.stat_result]:
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123
        # Of what was opened, not of what has the name a moment later.
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        return file.read(MAX_PIN_FILE + 1), facts


def _one_line(octets: bytes, what: str) -> str:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        # Without the cause: it holds the octets.
        raise PinRefused(f"{what} is not text", hint="it must hold the PIN and no more") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if len(octets) > MAX_PIN_FILE or "\n" in line or "\0" in line:
        raise PinRefused(f"{what} is not one line", hint="it must hold the PIN and no more")
    return line


def _hidden(prompt: str) -> str:
    if not _terminal():
        raise PinNeeded("there is no terminal to ask for the PIN on", hint="give a pin-source=file:… in the URI")
    try:
        return getpass.getpass(prompt)
    except EOFError as error:
        _end_line()
        raise PinRefused("no PIN was given") from error
    except KeyboardInterrupt:
        _end_line()
        raise


def _end_line() -> None:
    _say("\n")


def _say(words: str) -> None:
    with suppress(OSError), Path("/dev/tty").open("wb", buffering=0) as out:
        out.write(words.encode())


def _terminal() -> bool:
    # getpass would fall back to standard input with a warning and with echo; a PIN is never read that way.
    try:
        with Path("/dev/tty").open("rb+", buffering=0):
            return True
    except OSError:
        return False


def _yes(question: str) -> bool:
    try:
        with Path("/dev/tty").open("wb", buffering=0) as out, Path("/dev/tty").open("rb") as answer:
            out.write(question.encode())
            return answer.readline().strip() == b"yes"
    except OSError:
        return False
    except KeyboardInterrupt:
        _end_line()
        raise
