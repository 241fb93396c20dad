# SPDX-License-Identifier: Apache-2.0
"""Measures of the source tree: which files are ours, how long they and their functions are."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = 400
FUNCTION_LINES = 60

_SOURCES = ("src", "hsm", "tests", "softhsm-config", ".ci", "docs")
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Measure:
    """Something with a length in lines; ordered by nothing, compared by ``lines``."""

    lines: int
    name: str

    def __str__(self) -> str:
        return f"{self.lines} lines: {self.name}"


def shown(path: Path) -> str:
    """The path as a person names it: from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()


def files(*places: str, suffixes: tuple[str, ...] = ()) -> Iterator[Path]:
    """The files below ``places`` (by default all of ours) with one of the ``suffixes`` (by default any)."""
    for place in places or _SOURCES:
        start = ROOT / place
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            hidden = _LEFT_OUT.intersection(path.parts) or any(part.startswith(".") for part in path.parts[-2:-1])
            if path.is_file() and (place == ".ci" or not hidden) and (not suffixes or path.suffix in suffixes):
                yield path


def product_python() -> list[Path]:
    """Python that is shipped, or runs as root's or a user's: everything but the tests."""
    return list(files("src", "hsm", suffixes=(".py",)))


def shell_scripts() -> list[Path]:
    """Every shell script."""
    return [*files("hsm", suffixes=(".sh",)), ROOT / ".ci" / "run"]


def length_of(path: Path) -> Measure:
    """How long a file is."""
    return Measure(len(path.read_text(encoding="utf-8").splitlines()), shown(path))


def functions_of(path: Path) -> Iterator[Measure]:
    """How long each function is, from ``def`` (its decorators are not counted) to its last line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Measure((node.end_lineno or node.lineno) - node.lineno + 1, f"{shown(path)}::{node.name}")


def largest_file() -> Measure:
    """The longest file of the product."""
    return max(map(length_of, [*product_python(), *shell_scripts()]), key=lambda measure: measure.lines)


def largest_function() -> Measure:
    """The longest Python function of the product."""
    return max(
        (measure for path in product_python() for measure in functions_of(path)), key=lambda measure: measure.lines
    )
