# SPDX-License-Identifier: Apache-2.0
"""Budgets of the source tree (docs/architecture.md): small files, small functions, nothing left open."""

import ast
import re
from pathlib import Path

import pytest

from support.budgets import (
    FILE_LINES,
    FUNCTION_LINES,
    ROOT,
    Measure,
    files,
    functions_of,
    largest_file,
    largest_function,
    length_of,
    product_python,
    shell_scripts,
    shown,
)

SPDX = "# SPDX-License-Identifier: Apache-2.0"
# In two pieces each, or this file would be found by its own search.
LEFT_OPEN = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "WI" + "P")) + r")\b")
DEVELOPER_PATHS = re.compile(r"(?<![\w.])/(?:work|root|Users)/")


def test_files_are_small() -> None:
    too_long = [
        measure for measure in map(length_of, [*product_python(), *shell_scripts()]) if measure.lines > FILE_LINES
    ]
    print(largest_file())
    assert not too_long, "a module that outgrows its file is two ideas"


def test_functions_are_small() -> None:
    too_long = [
        measure for path in product_python() for measure in functions_of(path) if measure.lines > FUNCTION_LINES
    ]
    print(largest_function())
    assert not too_long


def test_the_measures_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.budgets.ROOT", tmp_path)
    sample = tmp_path / "sample.py"
    sample.write_text("class C:\n    @staticmethod\n    async def f() -> int:\n        x = 1\n        return x\n")
    assert length_of(sample) == Measure(5, "sample.py")
    assert list(functions_of(sample)) == [Measure(3, "sample.py::f")]


def test_nothing_is_left_open() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in [*files(suffixes=(".py", ".sh", ".md", ".in")), *ROOT.glob("*.md"), ROOT / "pyproject.toml"]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if LEFT_OPEN.search(line)
    ]
    assert not found, "finish it, or open an issue and leave the place clean"


def test_no_stubs() -> None:
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in product_python()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert not found, "leave the place of later work visible in prose, not as a stub"


def test_nothing_is_asserted_about_input() -> None:
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in product_python()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert not found, "python -O removes assertions: raise an error of the tree instead"


@pytest.mark.parametrize("folder", ["src", "hsm", "tests"])
def test_every_source_file_names_its_licence_first(folder: str) -> None:
    without = [
        shown(path)
        for path in files(folder, suffixes=(".py", ".sh"))
        if SPDX not in path.read_text(encoding="utf-8").splitlines()[:3]
    ]
    assert not without


def test_every_shell_script_stops_at_the_first_failure() -> None:
    started = [path for path in shell_scripts() if path.read_text(encoding="utf-8").startswith("#!")]
    assert started
    assert [shown(path) for path in started if "set -Eeuo pipefail" not in path.read_text(encoding="utf-8")] == []


def test_nothing_depends_on_one_persons_machine() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in files(suffixes=(".py", ".sh", ".md", ".in", ""))
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if DEVELOPER_PATHS.search(line) and path != Path(__file__)
    ]
    assert not found
