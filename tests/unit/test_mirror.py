# SPDX-License-Identifier: Apache-2.0
"""Each module has a test file of its own, in the place where one looks for it."""

from pathlib import Path

import pytest

from support.budgets import ROOT, shown

PACKAGES = {"hardwire": ROOT / "src" / "hardwire", "hwkeys": ROOT / "hsm" / "hwkeys"}
# Two lines that start a program; what they start has its mirror.
UNMIRRORED = frozenset({"src/hardwire/__main__.py"})


def mirror_of(module: Path, package: str) -> Path:
    inside = module.relative_to(PACKAGES[package])
    return ROOT / "tests" / "unit" / package / inside.with_name(f"test_{inside.name}")


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_module_has_a_test_file(package: str) -> None:
    modules = [path for path in sorted(PACKAGES[package].rglob("*.py")) if path.name != "__init__.py"]
    assert modules
    missing = [
        shown(mirror_of(module, package))
        for module in modules
        if shown(module) not in UNMIRRORED and not mirror_of(module, package).is_file()
    ]
    assert not missing, "these test files are missing"
