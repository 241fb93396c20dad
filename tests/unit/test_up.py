# SPDX-License-Identifier: Apache-2.0
"""``hsm/up.sh``: what it says when it cannot go on, where it keeps things, how it knows that nothing is to be done."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.budgets import ROOT
from support.upscript import run_part, run_up


def test_help_names_every_command() -> None:
    done = run_up("help")
    assert done.returncode == 0
    script = (ROOT / "hsm" / "up.sh").read_text(encoding="utf-8")
    commands = re.findall(r"^        ([a-z]+)\) start_", script, re.MULTILINE)
    assert len(commands) == 5
    assert [name for name in commands if not re.search(rf"^  {name}\b", done.stdout, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "arguments", [("dmeo",), ("shell", "carol"), ("bench",), ("bench", "disk"), ("prepare", "lunch")], ids=" ".join
)
def test_a_wrong_command_is_one_line_and_a_hint(arguments: tuple[str, ...]) -> None:
    done = run_up(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"error: [^\n]+\nhint: see: bash hsm/up\.sh help\n", done.stderr)


def test_no_command_is_a_question_for_help() -> None:
    done = run_up()
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: bash hsm/up.sh COMMAND" in done.stderr


class TestSystemPackages:
    def test_what_is_missing_is_found_in_one_look(self) -> None:
        done = run_part("missing_packages bash no-such-package-1 softhsm2 no-such-package-2")
        assert done.stdout.split() == ["no-such-package-1", "no-such-package-2"]

    @pytest.mark.parametrize("sudo, how", [("return 0", 'sudo sh -c "'), ("return 1", 'su -c "')])
    def test_without_root_the_one_line_to_type_is_given(self, sudo: str, how: str) -> None:
        function = f'command() {{ if [[ $2 == sudo ]]; then {sudo}; else builtin command "$@"; fi; }}'
        done = run_part(f"{function}; no_root swtpm softhsm2")
        assert done.returncode == 2
        assert "only root can install them: swtpm softhsm2" in done.stderr
        assert how + 'apt-get update && apt-get install --no-install-recommends swtpm softhsm2"' in done.stderr

    def test_sudo_that_wants_a_password_is_not_asked_without_a_terminal(self, tmp_path: Path) -> None:
        (tmp_path / "sudo").write_text('#!/bin/sh\n[ "$1" = -n ] && exit 1\necho asked >&2; exit 0\n')
        (tmp_path / "sudo").chmod(0o755)
        done = run_part("id() { echo 1000; }; become_root swtpm", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert done.returncode == 2
        assert "asked" not in done.stderr

    def test_root_is_used_for_nothing_when_nothing_is_missing(self) -> None:
        done = run_part("become_root() { echo became root; }; missing_packages() { :; }; install_packages run")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize(
        "purpose, there, not_there",
        [("run", "swtpm", "pcscd"), ("piv", "vsmartcard-vpcd", "coturn"), ("test", "vsmartcard-vpcd", "nothing")],
    )
    def test_each_purpose_has_its_packages(self, purpose: str, there: str, not_there: str) -> None:
        words = 'missing_packages() { printf "%s\\n" "$@"; }; become_root() { echo "$@"; exit 0; }'
        done = run_part(f"{words}; install_packages {purpose}")
        assert there in done.stdout.split()
        assert not_there not in done.stdout.split()

    def test_another_system_is_told_what_it_needs(self, tmp_path: Path) -> None:
        done = run_part(f"PATH={tmp_path}; install_packages test")
        assert done.returncode == 2
        assert "not Debian" in done.stderr
        for package in ("libtss2-dev", "softhsm2", "swtpm", "coturn"):
            assert package in done.stderr

    def test_no_network_place_is_named(self) -> None:
        for path in [ROOT / "hsm" / "up.sh", *(ROOT / "hsm" / "lib").iterdir(), ROOT / ".ci" / "run"]:
            if path.is_file():
                assert "://" not in path.read_text(encoding="utf-8"), path


class TestPeers:
    """Native WebRTC stacks: nothing of the project needs them."""

    @pytest.mark.parametrize("purpose", ["run", "piv"])
    def test_who_does_not_measure_is_not_asked_for_them(self, purpose: str) -> None:
        assert run_part(f"npm_is_there() {{ exit 9; }}; peers_settled {purpose}").returncode == 0

    def test_a_test_run_does_without_node(self) -> None:
        words = "venv=/nowhere; npm_is_there() { return 1; }; become_root() { exit 9; }; prepare_peers test"
        done = run_part(words)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        "there, why", [("return 1", "there is no node and npm"), (":", "the npm registry did not")]
    )
    def test_a_benchmark_says_that_they_are_left_out_and_goes_on(self, there: str, why: str) -> None:
        words = f"venv=/nowhere; npm_is_there() {{ {there}; }}; become_root() {{ return 1; }}; install_peers() {{ return 1; }}"
        done = run_part(f"{words}; prepare_peers bench; echo went on")
        assert (done.returncode, done.stdout) == (0, "went on\n")
        assert f"native WebRTC stacks are left out: {why}" in done.stderr

    def test_what_is_there_is_told_by_the_lock_file(self, tmp_path: Path) -> None:
        place = tmp_path / "share" / "bench-peers"
        place.mkdir(parents=True)
        words = f"venv={tmp_path}; npm_is_there() {{ :; }}; peers_settled bench"
        assert run_part(words).returncode == 1
        shutil.copy(ROOT / "tests" / "bench" / "peers" / "package-lock.json", place)
        assert run_part(words).returncode == 0

    def test_every_package_has_a_hash_and_none_an_address(self) -> None:
        lock = json.loads((ROOT / "tests" / "bench" / "peers" / "package-lock.json").read_text(encoding="utf-8"))
        packages = {name: one for name, one in lock["packages"].items() if name}
        assert {"node_modules/node-datachannel", "node_modules/@roamhq/wrtc"} < set(packages)
        assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in packages.values())


class TestPlaces:
    WORDS = 'find_places; printf "%s\\n" "$cache" "$state"'

    def test_the_xdg_directories(self, tmp_path: Path) -> None:
        places = {"XDG_CACHE_HOME": f"{tmp_path}/a b", "XDG_STATE_HOME": f"{tmp_path}/s"}
        done = run_part(self.WORDS, env=places)
        assert done.stdout.splitlines() == [f"{tmp_path}/a b/hardwire", f"{tmp_path}/s/hardwire"]

    def test_a_relative_one_is_ignored(self, tmp_path: Path) -> None:
        done = run_part(self.WORDS, env={"XDG_CACHE_HOME": "x", "XDG_STATE_HOME": "y", "HOME": str(tmp_path)})
        assert done.stdout.splitlines() == [f"{tmp_path}/.cache/hardwire", f"{tmp_path}/.local/state/hardwire"]

    def test_a_home_that_cannot_be_written_to(self, tmp_path: Path) -> None:
        env = {"XDG_CACHE_HOME": "", "XDG_STATE_HOME": "", "HOME": "/proc/nowhere", "TMPDIR": str(tmp_path)}
        done = run_part(self.WORDS, env=env)
        base = tmp_path / f"hardwire-{os.getuid()}"
        assert done.stdout.splitlines() == [f"{base}/cache", f"{base}/state"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in (base, base / "cache")] == [0o700, 0o700]

    def test_no_home_at_all(self, tmp_path: Path) -> None:
        words = f"unset HOME XDG_CACHE_HOME; getent() {{ echo u:x:0:0::{tmp_path}:/bin/sh; }}; {self.WORDS}"
        assert run_part(words).stdout.splitlines()[0] == f"{tmp_path}/.cache/hardwire"

    def test_a_trap_in_the_temporary_directory_is_not_stepped_into(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / f"hardwire-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
        done = run_part(self.WORDS, env={"XDG_CACHE_HOME": "/proc/nowhere", "TMPDIR": str(tmp_path)})
        assert done.returncode == 1
        assert "not a directory of yours" in done.stderr
        assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the stamp depends on, with an environment that nobody needs to build."""
    root = tmp_path / "check out"
    shutil.copytree(ROOT / "hsm" / "lib", root / "hsm" / "lib")
    shutil.copy(ROOT / "hsm" / "up.sh", root / "hsm")
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    done = run_part('venv=$root/.venv; printf "%s\\ntpm dev\\n" "$(stamp_key)" >"$venv/$stamp_name"', root=root)
    assert done.returncode == 0
    return root


class TestStamp:
    @staticmethod
    def fresh(root: Path, *extras: str) -> bool:
        return run_part('venv=$root/.venv; venv_is_fresh "$@"', *extras, root=root).returncode == 0

    def test_what_was_installed_is_fresh(self, checkout: Path) -> None:
        assert self.fresh(checkout, "tpm")
        assert self.fresh(checkout, "tpm", "dev")

    def test_an_extra_more_is_not(self, checkout: Path) -> None:
        assert not self.fresh(checkout, "tpm", "scan")

    def test_other_dependencies_are_not(self, checkout: Path) -> None:
        with (checkout / "pyproject.toml").open("a") as file:
            file.write("# another line\n")
        assert not self.fresh(checkout, "tpm")

    def test_a_moved_checkout_is_not(self, checkout: Path) -> None:
        assert not self.fresh(checkout.rename(checkout.with_name("moved")), "tpm")

    def test_another_python_is_not(self, checkout: Path) -> None:
        python = checkout / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to("/bin/sh")
        assert not self.fresh(checkout, "tpm")

    def test_half_a_stamp_is_not(self, checkout: Path) -> None:
        stamp = checkout / ".venv" / ".hardwire-stamp"
        stamp.write_text(stamp.read_text().splitlines()[0])
        assert not self.fresh(checkout, "tpm")

    def test_a_second_start_takes_no_time(self, checkout: Path, tmp_path: Path) -> None:
        started = time.monotonic()
        done = subprocess.run(
            ["bash", checkout / "hsm" / "up.sh", "prepare"],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert time.monotonic() - started < 3
        assert done.stderr == f"hardwire: ready: {checkout}/.venv\n"


class TestSteps:
    def test_a_step_says_what_why_and_how_long(self) -> None:
        done = run_part("step 'make tea' 'it is cold' echo quiet")
        assert done.stdout == ""
        assert re.fullmatch(r"hardwire: make tea \(it is cold\)\nhardwire:   done in \d+\.\d s\n", done.stderr)

    def test_a_step_that_fails_shows_its_last_words(self) -> None:
        done = run_part("step 'make tea' 'it is cold' sh -c 'echo no water >&2; exit 7'; echo went on")
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.endswith("error: make tea failed (status 7); its last words:\n  | no water\n")

    def test_a_failure_nobody_expected_is_not_silent(self) -> None:
        done = run_part("doing='thinking'; false; echo went on")
        assert done.returncode == 1
        assert done.stdout == ""
        assert "error: thinking failed (status 1" in done.stderr


class TestChecks:
    def test_all_checks_run_and_the_run_fails_when_one_does(self) -> None:
        words = "check one false; check two true; check three false; printf '%s\\n' \"${failed_checks[@]}\""
        done = run_part(words)
        assert done.stdout.splitlines() == ["one", "three"]
        assert [line for line in done.stderr.splitlines() if "FAILED" in line or "passed" in line] != []

    def test_every_device_we_install_is_required(self) -> None:
        assert run_part('printf %s "$required_devices"').stdout == "softhsm,swtpm,swtpm-abrmd,piv-opensc,piv-ykcs11"

    def test_ci_runs_the_command_of_the_readme(self) -> None:
        commands = [
            line
            for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
            if line.startswith(("bash", "python", "pip", "apt"))
        ]
        assert commands == ["bash hsm/up.sh test </dev/null"]
        assert "bash hsm/up.sh test\n" in (ROOT / "README.md").read_text(encoding="utf-8")


class TestTemplates:
    @pytest.mark.parametrize("name", ["plain", "with space", "a&b\\1|c"])
    def test_the_only_placeholder_is_filled_in_whatever_the_path(self, tmp_path: Path, name: str) -> None:
        directory = tmp_path / name
        directory.mkdir()
        names = [path.stem for path in (ROOT / "softhsm-config").glob("*.in")]
        assert len(names) == 4
        assert run_part('fill_templates "$@"', str(directory), *names).returncode == 0
        for written in names:
            text = (directory / written).read_text(encoding="utf-8")
            assert "@" not in text
            assert (str(directory) in text) == ("@STATE@" in (ROOT / "softhsm-config" / f"{written}.in").read_text())

    def test_a_pin_is_made_once_and_is_the_owners(self, tmp_path: Path) -> None:
        run_part('keep_pin "$1"', str(tmp_path))
        pin = (tmp_path / "pin").read_text()
        assert re.fullmatch(r"\d{8}", pin)
        assert stat.S_IMODE((tmp_path / "pin").stat().st_mode) == 0o600
        run_part('keep_pin "$1"', str(tmp_path))
        assert (tmp_path / "pin").read_text() == pin
