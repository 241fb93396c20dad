# SPDX-License-Identifier: Apache-2.0
"""The try-out shells of ``hsm/up.sh``: one software token each, found by hwkeys, kept between runs."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.budgets import ROOT
from support.upscript import run_part, script

LIST = """
import os, hwkeys
tcti = os.environ["HARDWIRE_TCTI"]
for device in hwkeys.list_devices(tctis=[tcti]):
    if device.kind == "tpm" or device.label:
        print(device.kind, device.software, device.label, device.pin_state.name, device.tries_left)
"""
SIGN = """
import os, sys, hwkeys
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
home = Path(os.environ["HARDWIRE_HOME"])
prompter = hwkeys.StaticPrompter((home.parent / "pin").read_text())
uri = sys.argv[1].replace("HOME", str(home)).replace("TCTI", os.environ["HARDWIRE_TCTI"])
verb = hwkeys.generate_key if sys.argv[2] == "make" else hwkeys.open_key
with verb(uri, prompter=prompter) as key:
    key.public_key().verify(key.sign(b"m", ec.ECDSA(hashes.SHA256())), b"m", ec.ECDSA(hashes.SHA256()))
    print(key.public_key().public_numbers().x)
"""
ALICE_KEY = "pkcs11:token=alice;object=k?module-path=/usr/lib/softhsm/libsofthsm2.so"
BOB_KEY = "tpm:file=HOME/k.tss2?tcti=TCTI"


@pytest.fixture
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    base = tmp_path_factory.mktemp("up")
    yield {"XDG_STATE_HOME": str(base / "state"), "XDG_CACHE_HOME": str(base / "cache"), "TMPDIR": str(base)}
    assert list(base.rglob("*.sock")) == [], "a software TPM was left running"


def shell(name: str, places: Mapping[str, str], *command: str) -> str:
    done = run_part('find_places; start_shell "$@"', name, "--", *command, env=places)
    assert done.returncode == 0, done.stderr
    assert "SOFTWARE TOKEN" in done.stderr
    return done.stdout.strip()


@pytest.mark.device("softhsm")
def test_alice_sees_her_token_and_nothing_else(places: Mapping[str, str]) -> None:
    assert shell("alice", places, sys.executable, "-c", LIST) == "pkcs11 True alice OK None"


@pytest.mark.device("softhsm")
def test_the_authority_has_a_token_of_its_own(places: Mapping[str, str]) -> None:
    assert shell("acme", places, sys.executable, "-c", LIST) == "pkcs11 True acme-ca OK None"


@pytest.mark.device("swtpm")
def test_bob_sees_his_tpm_and_nothing_else(places: Mapping[str, str]) -> None:
    assert shell("bob", places, sys.executable, "-c", LIST).startswith("tpm True")


@pytest.mark.device("softhsm")
@pytest.mark.device("swtpm")
@pytest.mark.parametrize("name, uri", [("alice", ALICE_KEY), ("bob", BOB_KEY)])
def test_a_key_is_there_the_next_time(places: Mapping[str, str], name: str, uri: str) -> None:
    made = shell(name, places, sys.executable, "-c", SIGN, uri, "make")
    assert shell(name, places, sys.executable, "-c", SIGN, uri, "open") == made


@pytest.mark.device("swtpm")
def test_leaving_costs_no_try(places: Mapping[str, str]) -> None:
    before = shell("bob", places, sys.executable, "-c", LIST)
    shell("bob", places, sys.executable, "-c", SIGN, BOB_KEY, "make")
    assert shell("bob", places, sys.executable, "-c", LIST) == before


@pytest.mark.device("swtpm")
def test_two_shells_share_one_tpm_and_the_last_one_stops_it(places: Mapping[str, str]) -> None:
    command = ["bash", "-c", script('find_places; start_shell bob -- sh -c "echo in; read line"'), "-", str(ROOT)]
    with subprocess.Popen(
        command,
        env={**os.environ, **places},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        sockets = list(Path(places["TMPDIR"]).rglob("*.sock"))
        assert len(sockets) == 1
        shell("bob", places, "true")
        assert list(Path(places["TMPDIR"]).rglob("*.sock")) == sockets, "the TPM was stopped under the first shell"
        first.communicate("\n", timeout=30)
    assert first.returncode == 0
    assert not sockets[0].exists()


@pytest.mark.device("softhsm")
def test_what_the_command_returns_is_returned_and_its_place_is_private(places: Mapping[str, str]) -> None:
    done = run_part('find_places; start_shell "$@"', "alice", "--", "sh", "-c", "exit 7", env=places)
    assert done.returncode == 7
    directory = Path(places["XDG_STATE_HOME"]) / "hardwire" / "shell" / "alice"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "pin").stat().st_mode) == 0o600
