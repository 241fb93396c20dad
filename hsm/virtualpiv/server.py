# SPDX-License-Identifier: Apache-2.0
"""A smart-card service with virtual readers, in network and mount namespaces of its own: run by ``client``.

vpcd, the virtual reader driver, listens on every interface and knows no password; in its own network namespace there
is nobody to hear it. The mount namespace gives pcscd a private ``/run``, so that it neither meets nor replaces the
machine's own; its socket appears in the directory given, where other processes reach it (the name of a Unix socket is
a matter of files, not of networks).

One JSON object a line: on standard input ``{"do": verb, …}``, on standard output ``{"ok": result}`` or
``{"error": text}``. The end of standard input ends everything.
"""

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from virtualpiv.card import ATR, Card
from virtualpiv.keys import Maker

_PORT = 0x8C7B
_NAME = "Yubico YubiKey OTP+FIDO+CCID (virtual)"
_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_WITHIN = 15.0
_PRESENT, _EMPTY = 0x20, 0x10


class Pcscd:
    """The service, and its view of the two readers (vpcd gives two to a port)."""

    def __init__(self, directory: Path) -> None:
        configuration = directory / "readers"
        configuration.mkdir()
        (configuration / "vpcd").write_text(
            f'FRIENDLYNAME "{_NAME}"\nDEVICENAME /dev/null:{_PORT:#x}\nLIBPATH {_DRIVER}\nCHANNELID {_PORT:#x}\n'
        )
        os.environ["PCSCLITE_CSOCK_NAME"] = str(directory / "pcscd.comm")
        with (directory / "pcscd.log").open("wb") as log:
            command = ["/usr/sbin/pcscd", "--foreground", "--config", str(configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._library = ctypes.CDLL("libpcsclite.so.1")
        self._context = ctypes.c_long()
        _until(lambda: self._library.SCardEstablishContext(2, None, None, ctypes.byref(self._context)) == 0)
        _until(lambda: all(self.holds(reader) is False for reader in (0, 1)))

    def holds(self, reader: int) -> bool | None:
        """Whether the service sees a card there; None when it does not know the reader."""

        class State(ctypes.Structure):
            _fields_ = (
                ("reader", ctypes.c_char_p),
                ("user", ctypes.c_void_p),
                ("current", ctypes.c_ulong),
                ("event", ctypes.c_ulong),
                ("atr_length", ctypes.c_ulong),
                ("atr", ctypes.c_ubyte * 33),
            )

        state = State(reader=f"{_NAME} 00 {reader:02x}".encode())
        if self._library.SCardGetStatusChange(self._context, 0, ctypes.byref(state), 1) != 0:
            return None
        return bool(state.event & _PRESENT) if state.event & (_PRESENT | _EMPTY) else None

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


class Reader:
    """One end of vpcd's line: a card in it answers on its own thread. Frames are a length of two octets and data."""

    def __init__(self, number: int, card: Card) -> None:
        self.card = card
        self._line = socket.create_connection(("127.0.0.1", _PORT + number))
        card.power_cycle()
        threading.Thread(target=self._serve, daemon=True).start()

    def pull(self) -> None:
        """Take the card out; an operation that hangs ends."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self.card.go_on.set()

    def _serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                message = self._read(struct.unpack(">H", self._read(2))[0])
                if message == b"\4":
                    self._write(ATR)
                elif len(message) == 1:  # power off, power on, reset
                    self.card.power_cycle()
                else:
                    self._write(self.card.apdu(message))

    def _write(self, message: bytes) -> None:
        self._line.sendall(struct.pack(">H", len(message)) + message)

    def _read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            # vpcd sends a length and its data apart, and waits for us to acknowledge the first: at once, if asked to.
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            more = self._line.recv(size - len(got))
            if not more:
                raise EOFError
            got += more
        return got


class Server:
    """The verbs."""

    def __init__(self, directory: Path) -> None:
        self._maker = Maker()
        self._cards: dict[int, Card] = {}
        self._readers: dict[int, Reader] = {}
        self._pcscd = Pcscd(directory)

    def make(self, serial: int) -> None:
        """A new card, in nobody's reader."""
        self._cards[serial] = Card(self._maker, serial)

    def place(self, serial: int, slot: int, kind: str, **words: Any) -> None:
        """A key into a slot; see ``Card.place``."""
        self._cards[serial].place(slot, kind, **words)

    def insert(self, serial: int, reader: int, *, wait: bool = True) -> None:
        """The card into a reader."""
        self._readers[reader] = Reader(reader, self._cards[serial])
        if wait:
            _until(lambda: self._pcscd.holds(reader) is True)

    def pull(self, reader: int, *, wait: bool = True) -> None:
        """What is in the reader, out of it."""
        self._readers.pop(reader).pull()
        if wait:
            _until(lambda: self._pcscd.holds(reader) is False)

    def look(self, serial: int) -> dict[str, Any]:
        """The card's own view."""
        card = self._cards[serial]
        return {"tries": card.tries, "spent": card.spent, "used": {f"{k:02x}": v for k, v in card.used.items()}}

    def touch(self, serial: int, after: float | None) -> None:
        """When somebody touches the card: after so many seconds, or never."""
        self._cards[serial].touch = after

    def hang(self, serial: int) -> None:
        """The next private operation does not end until the card is pulled."""
        self._cards[serial].go_on.clear()

    def attest(self, serial: int, slot: int) -> list[str]:
        """The card's word for a key, its own attestation key's certificate, the maker's root; PEM."""
        chain = (*self._cards[serial].attested(slot), self._maker.root)
        return [certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in chain]

    def root(self) -> str:
        """The maker's root, PEM."""
        return self._maker.root.public_bytes(serialization.Encoding.PEM).decode()

    def stop(self) -> None:
        """All cards out, and the service ended."""
        for reader in self._readers.values():
            reader.pull()
        self._pcscd.stop()


def _until(true: Any) -> None:
    deadline = time.monotonic() + _WITHIN
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("the smart-card service did not follow")
        time.sleep(0.01)


def _private_places(directory: Path) -> None:
    commands = (
        ("ip", "link", "set", "lo", "up"),
        ("mount", "-t", "tmpfs", "tmpfs", "/run"),
        ("mkdir", "/run/pcscd"),
        ("mount", "--bind", str(directory), "/run/pcscd"),
    )
    for command in commands:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _answer(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until standard input ends."""
    directory = Path(sys.argv[1])
    # Ctrl-C belongs to whoever started this; it ends when that one does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _private_places(directory)
    server = Server(directory)
    _answer({"ok": "ready"})
    try:
        for line in sys.stdin:
            words = json.loads(line)
            try:
                answer = {"ok": getattr(server, words.pop("do"))(**words)}
            except Exception as error:  # noqa: BLE001 - the owner is told, whatever it is
                answer = {"error": f"{type(error).__name__}: {error}"}
            _answer(answer)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
