# SPDX-License-Identifier: Apache-2.0
"""An emulated TPM behind the resource manager tpm2-abrmd, on a private D-Bus. No pytest here.

One bus serves the whole process, for GLib knows one session bus per process; each broker has a name of its own on it.
GLib ends a process whose session bus goes away, so the bus is never stopped: it ends with the process that started it.
"""

import itertools
import os
import shutil
import subprocess
import time
from functools import cache
from typing import Self

from support.swtpm import SwTpm

_STARTED_WITHIN = 10.0
_numbers = itertools.count()


class BrokeredTpm(SwTpm):
    """A running swtpm whose only client is a running tpm2-abrmd; a context manager."""

    _broker: subprocess.Popen[bytes] | None = None
    _bus_name = ""

    @property
    def tcti(self) -> str:
        """How tpm2-tss reaches the broker."""
        return f"tabrmd:bus_name={self._bus_name},bus_type=session"

    def start(self) -> Self:
        """Start both."""
        _bus()
        super().start()
        self._bus_name = f"com.example.Tabrmd{os.getpid()}x{next(_numbers)}"
        words = ["--session", "--allow-root", f"--dbus-name={self._bus_name}", f"--tcti=swtpm:path={self.socket}"]
        log = (self.directory / "abrmd.log").open("wb")
        with log:
            self._broker = subprocess.Popen([_tool("tpm2-abrmd"), *words], stdout=log, stderr=log)
        deadline = time.monotonic() + _STARTED_WITHIN
        while not self._broker_answers():
            if self._broker.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"tpm2-abrmd did not start: {(self.directory / 'abrmd.log').read_text()}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """The broker first: the emulator has room for one client."""
        self.stop_broker()
        super().stop()

    def stop_broker(self) -> None:
        """Only the broker."""
        broker, self._broker = self._broker, None
        if broker is not None:
            broker.terminate()
            broker.wait(10)

    def _broker_answers(self) -> bool:
        words = ["--session", "--dest=org.freedesktop.DBus", "--print-reply", "/", "org.freedesktop.DBus.NameHasOwner"]
        said = subprocess.run(
            [_tool("dbus-send"), *words, f"string:{self._bus_name}"], capture_output=True, check=False
        )
        return b"boolean true" in said.stdout


@cache
def _bus() -> subprocess.Popen[str]:
    words = [_tool("setpriv"), "--pdeathsig", "TERM", _tool("dbus-daemon"), "--session", "--nofork", "--print-address"]
    bus = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if bus.stdout is None:
        raise RuntimeError("dbus-daemon says nothing")
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
    return bus


def _tool(name: str) -> str:
    # A daemon's place is not on everybody's path.
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: apt-get install tpm2-abrmd libtss2-tcti-tabrmd0 dbus")
    return found
