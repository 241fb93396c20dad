# SPDX-License-Identifier: Apache-2.0
"""Throw-away TPMs, for any kind of process. No pytest here.

::

    with SwTpm(directory) as tpm:
        key = generate_key(tpm.uri("alice"), prompter=StaticPrompter(PIN))
        tpm.signatures()

Manufacturing a TPM takes seconds, copying a manufactured one takes milliseconds: each ``SwTpm`` starts from a copy of
one state per process, so fresh TPMs of one process share their seeds. ``other=True`` gives one with other seeds.

Signatures are counted by the TPM itself, in swtpm's log of the commands it received.
"""

import atexit
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

PIN = "correct horse 7"

TPM2_SIGN = 0x15D
TPM2_SHUTDOWN = 0x145
_NO_SESSIONS = 0x8001
_STARTED_WITHIN = 10.0


class SwTpm:
    """A running swtpm; a context manager.

    Args:
        directory: A short path (a unix socket's name has at most 107 octets); gets ``tpm.sock`` and the state.
        other: Made of other seeds than the usual one.
    """

    def __init__(self, directory: Path, *, other: bool = False) -> None:
        self.directory = directory
        self.socket = directory / "tpm.sock"
        self.log = directory / "swtpm.log"
        self._other = other
        self._process: subprocess.Popen[bytes] | None = None
        if len(str(self.socket)) > 100:
            raise ValueError(f"{self.socket} is too long for a unix socket")

    @property
    def tcti(self) -> str:
        """How tpm2-tss reaches it."""
        return f"swtpm:path={self.socket}"

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, with the variables tpm2-tools and tpm2-openssl read."""
        return {**os.environ, "TPM2TOOLS_TCTI": self.tcti, "TPM2OPENSSL_TCTI": self.tcti}

    @property
    def pid(self) -> int:
        """The emulator's process id."""
        if self._process is None:
            raise RuntimeError("the TPM is not running")
        return self._process.pid

    @property
    def makers(self) -> list[Path]:
        """The PEM files of the TPM's maker: the authority that issued its certificates, then the root."""
        place = _manufactured(other=self._other).parent / "ca"
        return [place / "issuercert.pem", place / "swtpm-localca-rootca-cert.pem"]

    def uri(self, name: str = "key", *, pin_source: Path | None = None, extra: str = "") -> str:
        """The URI of a key file of that name in the TPM's directory."""
        words = f"tpm:file={quote(str(self.directory / name))}.tss2?tcti={self.tcti}{extra}"
        return words + ("" if pin_source is None else f"&pin-source=file:{pin_source}")

    def pin_file(self, pin: str = PIN) -> Path:
        """A file with the PIN, to be used as a pin-source."""
        path = self.directory / "pin"
        path.write_text(f"{pin}\n")
        path.chmod(0o600)
        return path

    def start(self) -> Self:
        """Start it; on the state it had when it was stopped, if it ran before."""
        state = self.directory / "state"
        if not state.exists():
            shutil.copytree(_manufactured(other=self._other), state)
        for stale in (self.socket, self._control):
            stale.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                _tool("swtpm"),
                "socket",
                "--tpm2",
                "--tpmstate",
                f"dir={state}",
                "--flags",
                "not-need-init,startup-clear",
                "--server",
                f"type=unixio,path={self.socket}",
                "--ctrl",
                f"type=unixio,path={self._control}",
                "--log",
                f"file={self.log},level=20",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self.kill)
        deadline = time.monotonic() + _STARTED_WITHIN
        while not (_listens(self._control) and _listens(self.socket)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"swtpm did not start: {self.log.read_text() if self.log.exists() else ''}")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """TPM2_Shutdown, then end it. Without the first, a TPM that saw a protected key counts one wrong PIN."""
        if self._process is not None and self._process.poll() is None:
            self.command(struct.pack(">HIIH", _NO_SESSIONS, 12, TPM2_SHUTDOWN, 0))
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Pull the plug."""
        self._end(signal.SIGKILL)

    def command(self, octets: bytes) -> bytes:
        """Send one command as it is; return the response."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(10)
            line.connect(str(self.socket))
            line.sendall(octets)
            return line.recv(4096)

    def commands(self) -> list[int]:
        """The codes of all commands the TPM received, in order, read from its own log."""
        text = self.log.read_text(errors="replace")
        codes = []
        for block in re.split(r"^ ?SWTPM_IO_Read:[^\n]*\n", text, flags=re.MULTILINE)[1:]:
            found = re.match(r"(?:\s+[0-9A-F]{2})+", block)
            octets = bytes.fromhex(found.group()) if found else b""
            if len(octets) >= 10:
                codes.append(int.from_bytes(octets[6:10]))
        return codes

    def signatures(self) -> int:
        """How many TPM2_Sign commands the TPM received."""
        return self.commands().count(TPM2_SIGN)

    def tool(self, *words: str | Path, ok: bool = True) -> str:
        """Run one of tpm2-tools, or openssl, on this TPM in its directory; return what it says on both outputs."""
        tool = [_tool(str(words[0])), *(str(word) for word in words[1:])]
        done = subprocess.run(
            tool,
            env=self.env,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=30,
            check=False,
        )
        if ok != (done.returncode == 0):
            raise RuntimeError(f"{words} ended with {done.returncode}: {done.stdout}")
        return done.stdout

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _control(self) -> Path:
        return self.socket.with_name(f"{self.socket.name}.ctrl")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            atexit.unregister(self.kill)
            process.send_signal(how)
            process.wait(10)


def _listens(path: Path) -> bool:
    # The name is there a moment before anybody listens at it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        return line.connect_ex(str(path)) == 0


@cache
def _manufactured(*, other: bool) -> Path:
    """The state directory of a TPM as its maker ships it, with endorsement keys and certificates."""
    del other
    home = Path(tempfile.mkdtemp(prefix="swtpm-made-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    authority, state = home / "ca", home / "state"
    authority.mkdir()
    state.mkdir()
    (home / "localca.conf").write_text(
        f"statedir = {authority}\nsigningkey = {authority}/signkey.pem\n"
        f"issuercert = {authority}/issuercert.pem\ncertserial = {authority}/certserial\n"
    )
    (home / "localca.options").write_text(
        "--platform-manufacturer Test\n--platform-version 2.1\n--platform-model QEMU\n"
    )
    (home / "setup.conf").write_text(
        f"create_certs_tool = {_tool('swtpm_localca')}\ncreate_certs_tool_config = {home}/localca.conf\n"
        f"create_certs_tool_options = {home}/localca.options\nactive_pcr_banks = sha256\n"
    )
    setup = [_tool("swtpm_setup"), "--tpm2", "--tpmstate", str(state), "--config", str(home / "setup.conf")]
    wanted = ["--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--overwrite", "--ecc"]
    made = subprocess.run([*setup, *wanted], capture_output=True, text=True, timeout=60, check=False)
    if made.returncode:
        raise RuntimeError(f"swtpm_setup failed: {made.stdout}{made.stderr}")
    return state


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: apt-get install swtpm swtpm-tools tpm2-tools tpm2-openssl")
    return found
