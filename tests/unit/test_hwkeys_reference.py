# SPDX-License-Identifier: Apache-2.0
"""``hsm/hwkeys/REFERENCE.md`` says what the code says, of every public name.

After a change of a signature or a docstring::

    python tests/unit/test_hwkeys_reference.py --write
"""

import importlib
import re
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support.budgets import ROOT
from support.hwreference import PACKAGES, reference

WRITTEN = ROOT / "hsm" / "hwkeys" / "REFERENCE.md"


def test_the_reference_is_that_of_this_code() -> None:
    assert WRITTEN.read_text(encoding="utf-8").splitlines() == reference().splitlines()


def test_every_public_name_is_in_it() -> None:
    text = reference()
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            assert re.search(rf"^(### {name}|\s*- `{name}`: .+)$", text, re.MULTILINE), name


def test_what_a_reader_looks_for_is_there() -> None:
    text = reference()
    assert "`open_key(uri: str, *, prompter: Prompter | None = None) -> " in text
    assert "- `DeviceMissing`: No such device." in text
    assert "#### EllipticCurveHardwareKey.sign\n" in text
    assert "#### RSAHardwareKey.private_bytes\n" in text
    assert " object at 0x" not in text
    assert not [line for line in text.splitlines() if line.startswith("###") and "._" in line]


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    WRITTEN.write_text(reference(), encoding="utf-8")
