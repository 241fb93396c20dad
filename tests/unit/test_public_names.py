# SPDX-License-Identifier: Apache-2.0
"""What each package offers is pinned in ``public_names.txt``: a name comes or goes on purpose, never by accident.

After a change on purpose::

    python tests/unit/test_public_names.py --write
"""

import importlib
import sys
from pathlib import Path

PINNED = Path(__file__).with_name("public_names.txt")
PACKAGES = (
    "hardwire.errors",
    "hardwire.wire",
    "hardwire.certs",
    "hardwire.handshake",
    "hardwire.channel",
    "hardwire.net",
    "hwkeys",
)
_HEADER = "# Written by: python tests/unit/test_public_names.py --write\n"


def names_of(package: str) -> list[str]:
    """What a package says it offers; for a single module, the classes and functions it defines."""
    module = importlib.import_module(package)
    if hasattr(module, "__path__"):
        return list(module.__all__)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == package]
    return [name for name in own if not name.startswith("_")]


def public_names() -> str:
    """One line for each public name: ``package name``."""
    return "".join(f"{package} {name}\n" for package in PACKAGES for name in sorted(names_of(package)))


def test_public_names_are_as_pinned() -> None:
    pinned = PINNED.read_text(encoding="utf-8").removeprefix(_HEADER)
    assert public_names().splitlines() == pinned.splitlines()


def test_every_public_name_exists_and_is_said_once() -> None:
    for package in PACKAGES:
        module = importlib.import_module(package)
        names = names_of(package)
        assert names, package
        assert len(names) == len(set(names)), package
        assert [name for name in names if not hasattr(module, name)] == [], package


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    PINNED.write_text(_HEADER + public_names(), encoding="utf-8")
