# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hardwire import __version__
from hardwire.cli.main import app

LEAVES = (["init"], ["id"], ["chat"], ["join"], ["send"], ["receive"], ["doctor"], ["demo"], ["token", "list"])
HEAVY = (
    "aiortc",
    "aioice",
    "pkcs11",
    "tpm2_pytss",
    "hwkeys",
    "prompt_toolkit",
    "rich",
    "segno",
    "cryptography",
    "uvloop",
)


def hardwire(*words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "hardwire", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_help_imports_nothing_heavy():
    script = (
        "import sys, json\n"
        "sys.argv = ['hardwire', '--help']\n"
        "from hardwire.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded & set(HEAVY) == set()


@pytest.mark.parametrize("options, shown", [([], False), (["-W", "always"], True)])
def test_warnings_of_libraries_are_shown_to_those_who_ask_for_them(options, shown):
    script = (
        "import sys, warnings\n"
        "sys.argv = ['hardwire', '--version']\n"
        "from hardwire.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    warnings.warn('a serial number that is none')\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    command = [sys.executable, *options, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert ("a serial number" in done.stderr) is shown


def test_how_long_help_takes():
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert hardwire("--help").returncode == 0
        times.append(time.perf_counter() - began)
    print(f"hardwire --help: {1000 * min(times):.0f} ms at best")


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_shows_examples_and_fits_a_terminal(words):
    shown = CliRunner().invoke(app, [*words, "--help"], terminal_width=100)
    assert shown.exit_code == 0
    assert "Examples:\n" in shown.output
    assert f"  hardwire {' '.join(words)}" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 100


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_has_json_and_plain(words):
    shown = CliRunner().invoke(app, [*words, "--help"]).output
    assert "--json" in shown
    assert "--plain" in shown


@pytest.mark.parametrize("command", ["chat", "join", "receive"])
def test_a_code_is_never_an_argument(command):
    for words in (["hw:AAAA"], ["--code", "hw:AAAA"], ["--invite", "hw:AAAA"]):
        assert CliRunner().invoke(app, [command, *words]).exit_code == 2


def test_a_pin_is_never_an_argument():
    for command in LEAVES:
        shown = CliRunner().invoke(app, [*command, "--help"]).output
        assert "--pin " not in shown
        assert "--password" not in shown


def test_version():
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"hardwire {__version__}\n")


def test_no_words_show_the_help_and_are_wrong_words():
    shown = CliRunner().invoke(app, [])
    assert shown.exit_code == 2
    assert "hardwire chat" in shown.output


def test_completion_for_bash_knows_the_commands():
    env = {**os.environ, "_HARDWIRE_COMPLETE": "complete_bash", "COMP_WORDS": "hardwire re", "COMP_CWORD": "1"}
    script = Path(sys.executable).with_name("hardwire")
    done = subprocess.run([script], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["receive"]


def test_help_into_a_full_disk():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hardwire", "--help"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr == b"hardwire: cannot write: No space left on device\n"
