# SPDX-License-Identifier: Apache-2.0
"""Software tokens to try things with: a SoftHSM token, an emulated TPM. They protect a key against nothing.

Demonstrations and tests use them; hwkeys itself treats them as it treats any device, and reports them as
``software=True``. Each lives in one directory of the caller's, which should be private and is never removed here.

Both count what the *device* was asked to sign: SoftHSM through OpenSC's ``pkcs11-spy`` (a module that stands in front
of another and writes every call down), the TPM in its own log of the commands it received.
"""

import contextlib
import os
import pty
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from hwkeys.errors import DeviceFailed, ModuleMissing

_LIBRARY_PLACES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_TIMEOUT: Final = 30.0
_START_TIMEOUT: Final = 30.0
_PIN_MIN: Final = 4
_PIN_MAX: Final = 255
_SOCKET_NAME_MAX: Final = 100  # sun_path holds 108 octets, and the control socket's name is longer by five

# TPM 2.0 library specification, part 2, 6.5.2 (command codes) and part 3, 9.4 (TPM2_Shutdown).
_TPM_SHUTDOWN: Final = struct.pack(">HIIH", 0x8001, 12, 0x145, 0)
# The same, 30.2 (TPM2_GetCapability) for one fixed property.
_TPM_PROPERTY: Final = struct.pack(">HIIIII", 0x8001, 22, 0x17A, 6, 0x100, 1)
_TPM_SIGN: Final = 0x15D


@dataclass(frozen=True, slots=True)
class SoftHsmToken:
    """A SoftHSM token in a directory of its own; made by :meth:`create`.

    Attributes:
        directory: Where everything of it is.
        label: The token's label.
        module: What to give as ``module-path``: SoftHSM, or the spy in front of it.
    """

    directory: Path
    label: str
    module: Path
    _softhsm: Path

    @classmethod
    def create(cls, directory: Path, label: str, pin: str, *, spy: bool = False) -> Self:
        """Initialise a token. The PINs go to SoftHSM's tool through a terminal, never through its arguments.

        Args:
            directory: Private, existing.
            label: At most 32 octets.
            pin: User PIN, 4 to 255 characters.
            spy: Count signatures; needs OpenSC's ``pkcs11-spy``.

        Raises:
            ModuleMissing: SoftHSM or the spy is not installed.
            DeviceFailed: SoftHSM would not.
        """
        softhsm = _library("softhsm/libsofthsm2.so", "softhsm2")
        module = _library("pkcs11-spy.so", "opensc") if spy else softhsm
        (directory / "tokens").mkdir(exist_ok=True)
        conf = directory / "softhsm2.conf"
        conf.write_text(
            f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        token = cls(directory, label, module, softhsm)
        initialise(label, pin, token.environment)
        return token

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, changed so that the token (and no other) is seen."""
        own = {
            "SOFTHSM2_CONF": str(self.directory / "softhsm2.conf"),
            "PKCS11SPY": str(self._softhsm),
            "PKCS11SPY_OUTPUT": str(self._log),
        }
        return {**os.environ, **own}

    @property
    def uri(self) -> str:
        """The token's URI; add ``;object=…`` before the question mark for a key."""
        return f"pkcs11:token={quote(self.label)}?module-path={self.module}"

    def signatures(self) -> int:
        """How many signatures the token was asked for; only with ``spy``."""
        return spied_signatures(self._log)

    @property
    def _log(self) -> Path:
        return self.directory / "spy.log"


def initialise(label: str, pin: str, environment: Mapping[str, str]) -> None:
    """Make a token in a free slot of SoftHSM. The officer's PIN is drawn here and forgotten.

    Args:
        label: At most 32 octets.
        pin: User PIN, 4 to 255 characters; it is typed into SoftHSM's tool through a terminal.
        environment: In which ``SOFTHSM2_CONF`` says where tokens are.

    Raises:
        ModuleMissing: SoftHSM is not installed.
        DeviceFailed: SoftHSM would not.
    """
    if not _PIN_MIN <= len(pin) <= _PIN_MAX:
        # The tool would ask again and again.
        raise DeviceFailed(f"a SoftHSM PIN has {_PIN_MIN} to {_PIN_MAX} characters", hint="choose another one")
    officer = secrets.token_hex(16)
    answers = "".join(f"{word}\n" for word in (officer, officer, pin, pin))
    tool = _tool("softhsm2-util", "softhsm2")
    _type_into([tool, "--init-token", "--free", "--label", label], answers, dict(environment))


def spied_signatures(log: Path) -> int:
    """How many signatures a device was asked for and gave, as ``pkcs11-spy`` wrote it down."""
    text = log.read_text(errors="replace") if log.exists() else ""
    # A C_Sign with no room for its output only asks for the size (PKCS#11 v2.40, 5.2), and signs nothing.
    calls = re.findall(r"^\d+: C_Sign\n(.*?)^Returned:  0 ", text, re.MULTILINE | re.DOTALL)
    return sum("pSignature[*pulSignatureLen] NULL" not in call for call in calls)


class SoftTpm:
    """An emulated TPM (swtpm) with its state in a directory; a context manager.

    Args:
        directory: Private, existing. Short: the name of a Unix socket in it has at most 100 octets.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "tpm.sock"
        self.log = directory / "swtpm.log"
        self._process: subprocess.Popen[bytes] | None = None
        if len(os.fsencode(self.socket)) > _SOCKET_NAME_MAX:
            raise DeviceFailed(f"{self.socket} is too long for the name of a socket", hint="use a shorter directory")

    @property
    def tcti(self) -> str:
        """How tpm2-tss reaches it; ``tcti=`` in a ``tpm:`` URI."""
        return f"swtpm:path={self.socket}"

    @property
    def pid(self) -> int | None:
        """The emulator's process, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start it, on the state it had before, or on a blank one.

        Raises:
            ModuleMissing: swtpm is not installed.
            DeviceFailed: It did not start.
        """
        tool = _tool("swtpm", "swtpm")
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        control = self.socket.with_name("tpm.sock.ctrl")
        for stale in (self.socket, control):
            stale.unlink(missing_ok=True)
        places = ["--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={control}"]
        flags = ["--tpm2", "--tpmstate", f"dir={state}", "--flags", "not-need-init,startup-clear"]
        command = [tool, "socket", *flags, *places, "--log", f"file={self.log},level=20"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        deadline = time.monotonic() + _START_TIMEOUT
        while not (_listens(control) and _listens(self.socket) and self._answers()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise DeviceFailed("the emulated TPM did not start", hint=f"see {self.log}")
            time.sleep(0.005)
        return self

    def _answers(self) -> bool:
        # It listens a moment before it finds out that its state is none.
        with contextlib.suppress(OSError):
            return bool(self.command(_TPM_PROPERTY))
        return False

    def stop(self) -> None:
        """Shut it down in order: without TPM2_Shutdown a TPM counts one wrong PIN at its next start."""
        if self._process is not None and self._process.poll() is None:
            self.command(_TPM_SHUTDOWN)
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Pull the plug."""
        self._end(signal.SIGKILL)

    def command(self, octets: bytes) -> bytes:
        """One raw TPM command; its response."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_START_TIMEOUT)
            line.connect(str(self.socket))
            line.sendall(octets)
            return line.recv(4096)

    def commands(self) -> list[int]:
        """The codes of all commands the TPM received, in order, from its own log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        codes = []
        for block in re.split(r"^ ?SWTPM_IO_Read:[^\n]*\n", text, flags=re.MULTILINE)[1:]:
            found = re.match(r"(?:\s+[0-9A-F]{2})+", block)
            octets = bytes.fromhex(found.group()) if found else b""
            if len(octets) >= 10:  # noqa: PLR2004 (a command's header: tag, size, code)
                codes.append(int.from_bytes(octets[6:10]))
        return codes

    def signatures(self) -> int:
        """How many TPM2_Sign commands the TPM received."""
        return self.commands().count(_TPM_SIGN)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_TIMEOUT)


def _listens(path: Path) -> bool:
    # The name is there a moment before anybody listens at it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        return line.connect_ex(str(path)) == 0


def _type_into(command: list[str], text: str, environment: dict[str, str]) -> None:
    """Run a tool that reads secrets from a terminal only, and type ``text`` into it."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        os.write(ours, text.encode())
        try:
            said, _ = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise DeviceFailed(f"{command[0]} did not end") from None
    finally:
        os.close(ours)
        os.close(theirs)
    if process.returncode:
        raise DeviceFailed(f"{Path(command[0]).name} failed: {said.decode(errors='replace').strip()[-200:]}")


def _tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ModuleMissing(f"{name} is not installed", hint=f"sudo apt-get install {package}")
    return found


def _library(name: str, package: str) -> Path:
    for place in _LIBRARY_PLACES:
        for path in (Path(place, name), *sorted(Path(place).glob(f"*-linux-*/{name}"))):
            if path.exists():
                return path
    raise ModuleMissing(f"{Path(name).name} is not installed", hint=f"sudo apt-get install {package}")
