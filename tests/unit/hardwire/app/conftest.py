# SPDX-License-Identifier: Apache-2.0
"""Fresh devices, with what each needs to become somebody's identity; and places for files."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwkeys import StaticPrompter, delete_key, list_devices
from support import softhsm
from support.swtpm import SwTpm

_CLEAN: list[softhsm.Token] = []


@pytest.fixture
def token() -> Iterator[softhsm.Token]:
    """A SoftHSM token without keys. The pool is small: a token that is still there is emptied and used again."""
    one = _CLEAN.pop() if _CLEAN else softhsm.in_process().token()
    yield one
    if one.directory.exists():
        one.pin_file.write_text(f"{one.pin}\n")
        (device,) = (found for found in list_devices(modules=[one.module], tctis=[]) if found.serial == one.serial)
        for key in device.keys:
            delete_key(key.uri, prompter=StaticPrompter(one.pin))
        _CLEAN.append(one)


@pytest.fixture
def tpm() -> Iterator[SwTpm]:
    """A running swtpm; its directory has a short name, because of the socket in it."""
    directory = Path(tempfile.mkdtemp(prefix="hw-"))
    with SwTpm(directory) as running:
        yield running
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Where somebody's own files are."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Where what they receive goes."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"
