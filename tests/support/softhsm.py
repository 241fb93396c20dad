# SPDX-License-Identifier: Apache-2.0
"""Throw-away SoftHSM tokens, for any kind of process. No pytest here.

Two facts shape this file. SoftHSM reads ``SOFTHSM2_CONF`` and its list of tokens once, at C_Initialize; and hwkeys
loads a module once per process. So:

* A test that starts *other processes* makes a ``SoftHsm`` of its own and gives them ``hsm.env``.
* A test that uses hwkeys *in this process* takes ready-made tokens out of ``in_process()``, one pool per process,
  made before the module is loaded.

Signatures are counted by OpenSC's ``pkcs11-spy``, a module that sits between the program and SoftHSM and writes every
call down: ``hsm.spied(env)`` and ``hwkeys.software.spied_signatures(log)``.
"""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

PIN = "648219"
SO_PIN = "5501879"
_POOL = 176  # about 25 ms each; SoftHSM does not see tokens made after it was loaded

_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)
_SPIES = (
    "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so",
    "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so",
)


def module_path() -> Path:
    """SoftHSM's module; a device test fails, and does not skip, when it is not installed."""
    return _first(_MODULES, "softhsm2")


def spy_path() -> Path:
    """OpenSC's spy module."""
    return _first(_SPIES, "opensc")


@dataclass(frozen=True)
class Token:
    """A fresh token with a user PIN."""

    label: str
    serial: str
    pin: str
    module: Path
    directory: Path
    """Where SoftHSM keeps this one token; removing it is pulling the token."""
    pin_file: Path

    def uri(self, key: str | None = None, *, pin_source: bool = False, module: Path | None = None) -> str:
        """The token's URI, or a key's of that label on it."""
        words = f"pkcs11:token={quote(self.label)};serial={self.serial}"
        if key is not None:
            words += f";object={quote(key)}"
        words += f"?module-path={module or self.module}"
        return words + (f"&pin-source=file:{self.pin_file}" if pin_source else "")


class SoftHsm:
    """A directory of tokens with a configuration of its own.

    Use ``env`` for the processes that shall see these tokens.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.conf = directory / "softhsm2.conf"
        self.tokens = directory / "tokens"
        self.tokens.mkdir(parents=True, exist_ok=True)
        self.conf.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = true\n"
        )
        self.module = module_path()

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, with these tokens."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.conf)}

    def create_token(self, label: str, pin: str = PIN) -> Token:
        """Initialise a token. Processes that have the module loaded already do not see it."""
        before = set(self.tokens.iterdir())
        tool = [_tool("softhsm2-util"), "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", SO_PIN]
        subprocess.run(tool, env=self.env, check=True, capture_output=True, timeout=30)
        (directory,) = set(self.tokens.iterdir()) - before
        pin_file = self.directory / f"{directory.name}.pin"
        pin_file.write_text(f"{pin}\n")
        pin_file.chmod(0o600)
        # SoftHSM's serial is the last sixteen digits of the token's UUID, which names its directory.
        serial = directory.name.replace("-", "")[-16:]
        return Token(label, serial, pin, self.module, directory, pin_file)

    def spied(self, log: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """An environment in which ``spy_path()`` as the module leads to these tokens and writes ``log``."""
        return {**(env or self.env), **self.env, "PKCS11SPY": str(self.module), "PKCS11SPY_OUTPUT": str(log)}


def calls(log: Path) -> list[str]:
    """The names of all calls the spy saw, in order."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return re.findall(r"^\d+: (C_\w+)$", text, re.MULTILINE)


def pkcs11_tool(hsm: SoftHsm, token: Token, *words: str) -> str:
    """What OpenSC's pkcs11-tool says about a token."""
    tool = [_tool("pkcs11-tool"), "--module", str(token.module), "--token-label", token.label, *words]
    done = subprocess.run(tool, env=hsm.env, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise RuntimeError(f"pkcs11-tool {words} failed: {done.stdout}{done.stderr}")
    return done.stdout


class Pool:
    """Tokens for use in this process, each handed out once."""

    def __init__(self, hsm: SoftHsm) -> None:
        self.hsm = hsm
        self._free: Iterator[Token] = iter([hsm.create_token(f"pool-{n:02d}") for n in range(_POOL)])
        self._twins = (hsm.create_token("twin"), hsm.create_token("twin"))

    def token(self) -> Token:
        """A token nobody has used."""
        token = next(self._free, None)
        if token is None:
            raise RuntimeError(f"all {_POOL} tokens of this process's pool are used; raise _POOL")
        return token

    def twins(self) -> tuple[Token, Token]:
        """Two tokens with one label."""
        return self._twins


@cache
def in_process() -> Pool:
    """The pool of this process. Must be called before hwkeys first loads SoftHSM."""
    directory = Path(tempfile.mkdtemp(prefix="softhsm-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    hsm = SoftHsm(directory)
    os.environ["SOFTHSM2_CONF"] = str(hsm.conf)
    return Pool(hsm)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: apt-get install softhsm2 opensc")
    return found


def _first(paths: tuple[str, ...], package: str) -> Path:
    for path in paths:
        if Path(path).exists():
            return Path(path)
    raise FileNotFoundError(f"none of {paths} exists: apt-get install {package}")
