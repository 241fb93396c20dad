# SPDX-License-Identifier: Apache-2.0
"""Two machines for the whole run: alice's key is in SoftHSM, bob's in swtpm. Every process ends with its test."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hwkeys.software import SoftHsmToken, SoftTpm
from support.clockshim import build_clock
from support.programs import Place, Program
from support.screens import Terminal

PIN = "271828"


@pytest.fixture(scope="session")
def world() -> Iterator[Path]:
    # A short path: the TPM's socket has its name in it.
    with tempfile.TemporaryDirectory(prefix="hwe-") as name:
        yield Path(name)


def _environment(own: dict[str, str]) -> dict[str, str]:
    base = {name: value for name, value in os.environ.items() if not name.startswith(("HARDWIRE", "PYTEST", "COV"))}
    base.pop("NO_COLOR", None)
    return {**base, "LANG": "C.UTF-8", "PYTHONWARNINGS": "default", **own}


@pytest.fixture(scope="session")
def tpm(world: Path) -> Iterator[SoftTpm]:
    (world / "m").mkdir()
    with SoftTpm(world / "m") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def pin_file(world: Path) -> Path:
    path = world / "pin"
    path.touch(mode=0o600)
    path.write_text(PIN)
    return path


@pytest.fixture(scope="session")
def token_place(world: Path) -> Callable[[str], Place]:
    """A home without an identity, and a SoftHSM token of its own that counts."""

    def make(name: str) -> Place:
        home = world / name
        (home / "t").mkdir(parents=True)
        token = SoftHsmToken.create(home / "t", "alice", PIN, spy=True)
        own = {name: token.environment[name] for name in ("SOFTHSM2_CONF", "PKCS11SPY", "PKCS11SPY_OUTPUT")}
        # No TPM here: this person's devices are the token and nothing else.
        env = _environment({**own, "HARDWIRE_HOME": str(home), "HARDWIRE_TCTI": f"swtpm:path={home}/none"})
        return Place(home, token.uri, PIN, env, token=token)

    return make


@pytest.fixture(scope="session")
def tpm_place(world: Path, tpm: SoftTpm) -> Callable[[str], Place]:
    """A home without an identity beside the emulated TPM."""

    def make(name: str) -> Place:
        home = world / name
        home.mkdir()
        conf = home / "softhsm2.conf"
        (home / "tokens").mkdir()
        conf.write_text(f"directories.tokendir = {home / 'tokens'}\n")
        own = {"HARDWIRE_HOME": str(home), "HARDWIRE_TCTI": tpm.tcti, "SOFTHSM2_CONF": str(conf)}
        return Place(home, f"tpm:?tcti={tpm.tcti}", PIN, _environment(own), tpm=tpm)

    return make


@pytest.fixture(scope="session")
def alice(token_place: Callable[[str], Place], pin_file: Path) -> Place:
    """Has an identity in SoftHSM and a pin-source."""
    place = token_place("a")
    code, _, said = place.run("init", "--device", place.device, "--pin-source", pin_file)
    assert code == 0, said
    return place


@pytest.fixture(scope="session")
def bob(tpm_place: Callable[[str], Place], pin_file: Path) -> Place:
    """Has an identity in swtpm and a pin-source."""
    place = tpm_place("b")
    code, _, said = place.run("init", "--device", place.device, "--pin-source", pin_file)
    assert code == 0, said
    return place


@pytest.fixture(scope="session")
def clock_shim(world: Path) -> Path:
    return build_clock(world)


@pytest.fixture
def inbox(world: Path) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir=world, prefix="in-"))
    yield path
    shutil.rmtree(path)


class Stage:
    """Starts programs and ends them."""

    def __init__(self) -> None:
        self._running: list[Program | Terminal] = []

    def __call__(self, program: Any) -> Any:
        self._running.append(program)
        return program

    def codes(self, host: Program, guest: Program) -> None:
        """Carry the invite and the answer, and let the guest accept the inviter."""
        guest.say(host.expect("invite-ready")["code"])
        host.say(guest.expect("answer-ready")["code"])

    def line(self, host: Program, guest: Program) -> tuple[dict[str, Any], dict[str, Any]]:
        """Carry the codes, accept the inviter, and wait until both ends are open."""
        self.codes(host, guest)
        guest.expect("question", name="accept-inviter")
        guest.say("y")
        return host.expect("line-open"), guest.expect("line-open")

    def end(self) -> None:
        for program in self._running:
            program.kill()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.end()
