# SPDX-License-Identifier: Apache-2.0
"""The one direction is kept, and the two tools that watch it agree on what pure means."""

import subprocess
import sys
import tomllib

from support.budgets import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
BANNED = PYPROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
PURE = {"hardwire.certs", "hardwire.handshake", "hardwire.channel", "hardwire.wire", "hardwire.errors"}


def test_the_contracts_are_kept() -> None:
    command = "import sys, importlinter.cli; sys.exit(importlinter.cli.lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_every_package_has_its_layer() -> None:
    layers = set(CONTRACTS["one direction"]["layers"])
    present = {
        f"hardwire.{path.stem}"
        for path in (ROOT / "src" / "hardwire").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert present - {"hardwire.__init__", "hardwire.__main__"} <= layers


def test_pure_means_the_same_to_the_contract_the_linter_and_the_coverage() -> None:
    contract = CONTRACTS["certs, handshake and channel are pure"]
    assert set(contract["source_modules"]) == PURE
    # The judgement of evidence is covered like the pure packages, though its authority's half draws random octets.
    assert set(PYPROJECT["tool"]["coverage"]["run"]["source_pkgs"]) == PURE | {"hwkeys.evidence"}
    assert PYPROJECT["tool"]["coverage"]["run"]["branch"] is True
    banned_modules = {name for name in BANNED if "." not in name}
    assert banned_modules <= set(contract["forbidden_modules"])


def test_the_linter_frees_no_pure_package() -> None:
    freed = [
        pattern for pattern, codes in PYPROJECT["tool"]["ruff"]["lint"]["per-file-ignores"].items() if "TID251" in codes
    ]
    pure_folders = [f"src/{name.replace('.', '/')}" for name in PURE]
    assert not [pattern for pattern in freed for folder in pure_folders if pattern.startswith(folder)]


def test_the_contract_is_awake() -> None:
    """A contract whose modules were renamed would be kept for ever."""
    for contract in CONTRACTS.values():
        for module in contract.get("source_modules", contract.get("layers", [])):
            path = (ROOT / "src" / module.replace(".", "/"), ROOT / "hsm" / module.replace(".", "/"))
            assert any((each / "__init__.py").is_file() or each.with_suffix(".py").is_file() for each in path), module
