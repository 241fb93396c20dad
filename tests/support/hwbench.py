# SPDX-License-Identifier: Apache-2.0
"""What the conformance suite needs from a device, and the devices that give it.

A new device joins the suite by a class with these members and a line in ``tests/devices/conftest.py``.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hwkeys import (
    DeviceInfo,
    EllipticCurveHardwareKey,
    Prompter,
    Purpose,
    StaticPrompter,
    generate_key,
    list_devices,
)
from support import softhsm, swtpm


class Bench(Protocol):
    """A fresh device."""

    pin: str
    rounds: int
    """How many signatures a long test can ask for."""
    software: bool
    """Whether the device says of itself that it is a program."""
    generates: bool
    """Whether whoever has the PIN can make and delete keys."""

    def uri(self, name: str) -> str:
        """A key's URI, whether it is there or not."""
        ...

    def sourced(self, name: str) -> str:
        """The same, with a pin-source."""
        ...

    def make(self, name: str, prompter: Prompter) -> EllipticCurveHardwareKey:
        """A P-256 signing key of that name; where the device does not generate, the one that is there."""
        ...

    def agreeing(self, prompter: Prompter) -> EllipticCurveHardwareKey:
        """The same for key agreement; its name is "agree"."""
        ...

    def devices(self) -> list[DeviceInfo]:
        """What hwkeys lists of this device."""
        ...

    def residue(self) -> object:
        """What is in the device now, as a tool that is not ours sees it; to be compared with a later answer."""
        ...

    def env(self) -> dict[str, str]:
        """For another process that shall use the same device."""
        ...


class SoftHsmBench:
    """A token of this process's pool."""

    rounds = 400
    software = generates = True

    def __init__(self) -> None:
        pool = softhsm.in_process()
        self.hsm = pool.hsm
        self.token = pool.token()
        self.pin = self.token.pin

    def uri(self, name: str) -> str:
        return self.token.uri(name)

    def sourced(self, name: str) -> str:
        return self.token.uri(name, pin_source=True)

    def make(self, name: str, prompter: Prompter) -> EllipticCurveHardwareKey:
        return generate_key(self.uri(name), prompter=prompter)

    def agreeing(self, prompter: Prompter) -> EllipticCurveHardwareKey:
        return generate_key(self.uri("agree"), prompter=prompter, purpose=Purpose.AGREE)

    def devices(self) -> list[DeviceInfo]:
        found = list_devices(modules=[self.token.module], tctis=[])
        return [device for device in found if device.serial == self.token.serial]

    def residue(self) -> object:
        seen = softhsm.pkcs11_tool(self.hsm, self.token, "--login", "--pin", self.pin, "--list-objects")
        return sorted(seen.splitlines())

    def env(self) -> dict[str, str]:
        return self.hsm.env


class SwTpmBench:
    """A running swtpm."""

    rounds = 200
    software = generates = True
    pin = swtpm.PIN

    def __init__(self, tpm: swtpm.SwTpm) -> None:
        self.tpm = tpm

    def uri(self, name: str) -> str:
        return self.tpm.uri(name)

    def sourced(self, name: str) -> str:
        return self.tpm.uri(name, pin_source=self.tpm.pin_file(self.pin))

    def make(self, name: str, prompter: Prompter) -> EllipticCurveHardwareKey:
        return generate_key(self.uri(name), prompter=prompter)

    def agreeing(self, prompter: Prompter) -> EllipticCurveHardwareKey:
        return generate_key(self.uri("agree"), prompter=prompter, purpose=Purpose.AGREE)

    def devices(self) -> list[DeviceInfo]:
        return list_devices(modules=[], tctis=[self.tpm.tcti])

    def residue(self) -> object:
        return {
            kind: self.tpm.tool("tpm2_getcap", f"handles-{kind}")
            for kind in ("transient", "loaded-session", "saved-session", "persistent")
        }

    def env(self) -> dict[str, str]:
        return self.tpm.env


class Asked:
    """A prompter that remembers what it was asked, and how often."""

    def __init__(self, answer: str | Callable[[], str], *, last_try: bool = False) -> None:
        self._answer = answer
        self._last_try = last_try
        self.requests: list[object] = []

    def pin(self, request: object) -> str:
        self.requests.append(request)
        return self._answer if isinstance(self._answer, str) else self._answer()

    def confirm_last_try(self, request: object) -> bool:
        return self._last_try


def right(bench: Bench) -> StaticPrompter:
    """The right PIN."""
    return StaticPrompter(bench.pin)


def run(*words: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None, ok: bool = True) -> str:
    """Run a tool that is not ours; return what it says on both outputs."""
    done = subprocess.run(
        [str(word) for word in words],
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
        text=True,
        errors="replace",
    )
    if ok != (done.returncode == 0):
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def python(script: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run a script in a new interpreter; return what it prints."""
    return run(sys.executable, "-W", "error", "-c", script, *arguments, env={**os.environ, **(env or {})})
