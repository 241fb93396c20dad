# SPDX-License-Identifier: Apache-2.0
"""Telling the person that a device waits to be touched, while it waits.

A YubiKey whose key has a touch policy blinks and holds the operation up for some fifteen seconds. Without a word about
it a program seems to hang, and then to fail. A prompter that can say it has two more methods than ``Prompter``; one
that has not is left alone. Nothing here waits for the person: the device does.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hwkeys.devices import DeviceInfo
from hwkeys.evidence.piv import TouchPolicy, UsePolicy

SECONDS = 15
"""How long a YubiKey waits."""

_AFTER = {TouchPolicy.ALWAYS: 0.0, TouchPolicy.CACHED: 0.4}
_UNKNOWN_AFTER = 2.0
"""Seconds of work that a card does without anybody's help, a large RSA key included."""


@dataclass(frozen=True, slots=True)
class TouchRequest:
    """What waits.

    Attributes:
        device: The device.
        key: The name of the key that is being used.
        certain: Whether the key is known to want a touch; otherwise the device has been silent for long, and may.
        seconds: How long it waits.
    """

    device: DeviceInfo
    key: str
    certain: bool = True
    seconds: int = SECONDS

    def describe(self) -> str:
        """One line for a person."""
        device = f'{self.device.model} "{self.device.label}"'.strip()
        condition = "" if self.certain else "if it blinks, "
        return f"{condition}touch your device now: {device} waits up to {self.seconds} s"


@runtime_checkable
class TouchPrompter(Protocol):
    """A prompter that can also say that a device waits. Both calls must return at once, and come on any thread."""

    def touch(self, request: TouchRequest) -> None:
        """It waits, from now on."""
        ...

    def touch_over(self, request: TouchRequest) -> None:
        """It waits no more: it was touched, or gave up, or is gone."""
        ...


class _Notice:
    def __init__(self, prompter: TouchPrompter, request: TouchRequest) -> None:
        self._prompter = prompter
        self._request = request
        self._lock = threading.Lock()
        self._over = self._shown = False

    def show(self) -> None:
        with self._lock:
            if not self._over:
                self._shown = True
                # What goes wrong with a notice must not cost a signature.
                with suppress(Exception):
                    self._prompter.touch(self._request)

    def end(self) -> None:
        with self._lock:
            self._over = True
            if self._shown:
                with suppress(Exception):
                    self._prompter.touch_over(self._request)


@contextmanager
def touch_notice(prompter: object, device: DeviceInfo, key: str, policy: UsePolicy | None) -> Iterator[None]:
    """While the block uses a card's key: the notice at once if each use wants a touch, later if it only may.

    Args:
        prompter: Told if it is a ``TouchPrompter``.
        device: Of the key.
        key: Its name.
        policy: The key's; None when the card does not tell.
    """
    if not isinstance(prompter, TouchPrompter) or (policy is not None and policy.touch is TouchPolicy.NEVER):
        yield
        return
    notice = _Notice(prompter, TouchRequest(device, key, certain=policy is not None))
    after = _UNKNOWN_AFTER if policy is None else _AFTER[policy.touch]
    timer = threading.Timer(after, notice.show) if after else None
    if timer is None:
        notice.show()
    else:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        notice.end()
