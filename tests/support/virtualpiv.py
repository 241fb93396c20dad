# SPDX-License-Identifier: Apache-2.0
"""Virtual YubiKeys for tests: cards that OpenSC, ykcs11 and yubikit take for real ones. No pytest here.

::

    card = VirtualPiv.new()
    card.place("9a", "P256", name="alice")
    card.insert()
    open_key(card.uri("9a", OPENSC), prompter=StaticPrompter(PIN))
    card.pull()

Each process that asks gets one smart-card service of its own with two readers, and reaches it through
``PCSCLITE_CSOCK_NAME``; other processes do so with ``card.env``. The service lives in namespaces made by ``unshare``
(see ``virtualpiv_server``): root's, or a user's own where the kernel allows it.

Modules remember a card's content until it is pulled, so a changed card must be pulled and inserted. That takes half a
second each: the service looks at its readers that often.
"""

import atexit
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

PIN: Final = "123456"
PUK: Final = "12345678"
MANAGEMENT_KEY: Final = "010203040506070801020304050607080102030405060708"
IDS: Final = {"9a": "01", "9c": "02", "9d": "03", "9e": "04"}
"""Slot → CKA_ID, in OpenSC and ykcs11 alike."""

_TESTS = Path(__file__).parents[1]


class Service:
    """The smart-card service of this process."""

    def __init__(self) -> None:
        self.directory = claim()
        rootless = ["--map-root-user"] if os.geteuid() else []
        command = ["unshare", *rootless, "--net", "--mount", sys.executable, "-m", "support.virtualpiv_server"]
        with (self.directory / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, str(self.directory)],
                env={**os.environ, "PYTHONPATH": str(_TESTS)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        atexit.register(self.stop)
        self._lock = threading.Lock()
        self.readers: list[VirtualPiv | None] = [None, None]
        self._read()

    def ask(self, verb: str, **words: object) -> Any:
        """Do something to the cards; what comes of it."""
        with self._lock:
            if self._process.stdin is None:
                raise RuntimeError("the virtual readers have no input")
            self._process.stdin.write(json.dumps({"do": verb, **words}) + "\n")
            self._process.stdin.flush()
            return self._read()

    def stop(self) -> None:
        """End it: it ends by itself when nobody can speak to it any more."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(15)

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        answer = json.loads(line or '{"error": "the virtual readers are gone"}')
        if "error" in answer:
            log = (self.directory / "server.log").read_text(errors="replace")
            raise RuntimeError(f"{answer['error']} (unshare, vsmartcard-vpcd and pcscd are needed) {log}")
        return answer["ok"]


@cache
def claim() -> Path:
    """From now on this process and its children look for cards in a directory of their own, at first in vain.

    The client library reads the name once. So a test run says this before anything else, and never meets the
    machine's own cards: a wrong PIN of a test would be spent on somebody's real one.
    """
    directory = Path(tempfile.mkdtemp(prefix="piv-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["PCSCLITE_CSOCK_NAME"] = str(directory / "pcscd.comm")
    return directory


@cache
def service() -> Service:
    """The one of this process."""
    return Service()


_serials = itertools.count(20_000_001)


class VirtualPiv:
    """A card: blank, with factory PIN, PUK and management key."""

    def __init__(self) -> None:
        self._service = service()
        self.serial = next(_serials)
        self.reader: int | None = None
        self._service.ask("make", serial=self.serial)

    @property
    def env(self) -> dict[str, str]:
        """For another process that shall see the same readers."""
        return dict(os.environ)

    def place(self, slot: str, kind: str = "P256", *, name: str = "alice", pin: int = 0, touch: int = 1) -> None:
        """A key (P256, P384, RSA2048) in a slot; ``name`` in its certificate, none when empty; policies as PIV's."""
        words = {"pin_policy": pin, "touch_policy": touch, "name": name}
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

    @property
    def directory(self) -> Path:
        """A private directory that goes with the process."""
        return self._service.directory
