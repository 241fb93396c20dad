# SPDX-License-Identifier: Apache-2.0
"""The wires between a program and its TPM, with somebody listening."""

import contextlib
import select
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class TpmRelay:
    """Passes a swtpm's two sockets on and keeps every octet that went either way; a context manager.

    Args:
        tpm: The emulator's server socket.
        directory: Where the relay's own sockets go.
    """

    def __init__(self, tpm: Path, directory: Path) -> None:
        self._tpm = tpm
        self._path = directory / "relay.sock"
        self._listeners: list[socket.socket] = []
        self._lock = threading.Lock()
        self.commands: list[bytes] = []
        self.responses: list[bytes] = []

    @property
    def tcti(self) -> str:
        """How tpm2-tss reaches the TPM through the relay."""
        return f"swtpm:path={self._path}"

    def heard(self) -> bytes:
        """Everything, commands and responses."""
        with self._lock:
            return b"".join(self.commands) + b"".join(self.responses)

    def __enter__(self) -> Self:
        self._listen(self._path, self._tpm, record=True)
        self._listen(self._path.with_name(f"{self._path.name}.ctrl"), self._tpm.with_name(f"{self._tpm.name}.ctrl"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _listen(self, here: Path, there: Path, *, record: bool = False) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(here))
        listener.listen()
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, there, record), daemon=True).start()

    def _accept(self, listener: socket.socket, there: Path, record: bool) -> None:
        # A closed listener ends the thread with an OSError.
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._serve, args=(near, there, record), daemon=True).start()

    def _serve(self, near: socket.socket, there: Path, record: bool) -> None:
        with near, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as far, contextlib.suppress(OSError):
            far.connect(str(there))
            routes = {near: (far, self.commands), far: (near, self.responses)}
            while True:
                for source in select.select(list(routes), [], [])[0]:
                    sink, kept = routes[source]
                    octets = source.recv(8192)
                    if not octets:
                        return
                    if record:
                        with self._lock:
                            kept.append(octets)
                    sink.sendall(octets)
