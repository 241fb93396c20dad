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
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import quote

from hwkeys.software import SoftTpm

PIN = "correct horse 7"


class SwTpm(SoftTpm):
    """A running swtpm, as its maker ships it; a context manager.

    Args:
        directory: A short path (a unix socket's name has at most 107 octets); gets ``tpm.sock`` and the state.
        other: Made of other seeds than the usual one.
    """

    def __init__(self, directory: Path, *, other: bool = False) -> None:
        super().__init__(directory)
        self._other = other

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, with the variables tpm2-tools and tpm2-openssl read."""
        return {**os.environ, "TPM2TOOLS_TCTI": self.tcti, "TPM2OPENSSL_TCTI": self.tcti}

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
        if not (self.directory / "state").exists():
            shutil.copytree(_manufactured(other=self._other), self.directory / "state")
        atexit.register(self.kill)
        return super().start()

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
