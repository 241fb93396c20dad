# SPDX-License-Identifier: Apache-2.0
"""The owner's side of the virtual cards: starts the service, and does to the cards what a hand would do."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_PACKAGES: Final = Path(__file__).parents[1]
_END_WITHIN: Final = 15.0


class ServiceFailed(Exception):
    """The service did not start, or would not do what it was asked."""


class Service:
    """A smart-card service with two readers; a context manager.

    Args:
        directory: Private, existing; its path is short, because the name of a Unix socket is in it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.readers: list[VirtualPiv | None] = [None, None]
        self._lock = threading.Lock()
        rootless = ["--map-root-user"] if os.geteuid() else []
        command = ["unshare", *rootless, "--net", "--mount", sys.executable, "-m", "virtualpiv.server"]
        path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
        with (self.directory / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, str(self.directory)],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._read()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see these readers, and no others."""
        return {"PCSCLITE_CSOCK_NAME": str(self.directory / "pcscd.comm")}

    def ask(self, verb: str, **words: object) -> Any:
        """Do something to the cards; what comes of it.

        Raises:
            ServiceFailed: It could not be done.
        """
        with self._lock:
            if self._process.stdin is None:
                raise ServiceFailed("the virtual readers have no input")
            self._process.stdin.write(json.dumps({"do": verb, **words}) + "\n")
            self._process.stdin.flush()
            return self._read()

    def stop(self) -> None:
        """End it: it ends by itself when nobody can speak to it any more."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(_END_WITHIN)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        answer = json.loads(line or '{"error": "the virtual readers are gone"}')
        if "error" in answer:
            log = (self.directory / "server.log").read_text(errors="replace")
            raise ServiceFailed(f"{answer['error']} (unshare, vsmartcard-vpcd and pcscd are needed) {log}".strip())
        return answer["ok"]


class VirtualPiv:
    """A card: blank, with factory PIN, PUK and management key.

    Args:
        service: Whose readers it goes into.
        serial: As if printed on it; not yet used in this service.
    """

    def __init__(self, service: Service, serial: int) -> None:
        self._service = service
        self.serial = serial
        self.reader: int | None = None
        self._service.ask("make", serial=self.serial)

    @property
    def env(self) -> dict[str, str]:
        """For another process that shall see the same readers."""
        return {**os.environ, **self._service.environment}

    def place(
        self,
        slot: str,
        kind: str = "P256",
        *,
        name: str = "alice",
        pin: int = 0,
        touch: int = 1,
        generated: bool = True,
    ) -> None:
        """A key (P256, P384, RSA2048) in a slot; ``name`` in its certificate, none when empty; policies as PIV's."""
        words = {"pin_policy": pin, "touch_policy": touch, "name": name, "generated": generated}
        self._service.ask("place", serial=self.serial, slot=int(slot, 16), kind=kind, **words)

    def insert(self, reader: int = 0, *, wait: bool = True) -> None:
        """Into a reader; whatever card is in it comes out first. ``wait``: until the service has noticed."""
        other = self._service.readers[reader]
        if other is not None:
            other.pull()
        self._service.ask("insert", serial=self.serial, reader=reader, wait=wait)
        self._service.readers[reader] = self
        self.reader = reader

    def pull(self, *, wait: bool = True) -> None:
        """Out of its reader; nothing happens when it is in none."""
        if self.reader is not None:
            reader, self.reader = self.reader, None
            self._service.readers[reader] = None
            self._service.ask("pull", reader=reader, wait=wait)

    @property
    def tries(self) -> int:
        """Wrong PINs until the lock-out, as the card itself has it."""
        return int(self._service.ask("look", serial=self.serial)["tries"])

    @property
    def spent(self) -> int:
        """How often a PIN was presented to the card."""
        return int(self._service.ask("look", serial=self.serial)["spent"])

    def used(self, slot: str) -> int:
        """How many private operations the slot's key has done."""
        return int(self._service.ask("look", serial=self.serial)["used"].get(slot, 0))

    def touch(self, after: float | None) -> None:
        """When somebody touches it, where the policy asks for that: after so many seconds, or never."""
        self._service.ask("touch", serial=self.serial, after=after)

    def hang(self) -> None:
        """The next private operation ends only when the card is pulled."""
        self._service.ask("hang", serial=self.serial)

    def attest(self, slot: str) -> list[str]:
        """The card's certificate for a key, that of its attestation key, and the maker's root; PEM."""
        return list(self._service.ask("attest", serial=self.serial, slot=int(slot, 16)))

    def root(self) -> str:
        """The root of its maker, PEM."""
        return str(self._service.ask("root"))

    @property
    def directory(self) -> Path:
        """A private directory that goes with the service."""
        return self._service.directory
