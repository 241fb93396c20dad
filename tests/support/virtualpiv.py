# SPDX-License-Identifier: Apache-2.0
"""Virtual YubiKeys for tests: one smart-card service for each process that asks. No pytest here.

::

    card = VirtualPiv()
    card.place("9a", "P256", name="alice")
    card.insert()
    open_key(card.uri("9a", OPENSC), prompter=StaticPrompter(PIN))
    card.pull()

The cards and their service are ``virtualpiv``'s, in hsm/. This process reaches the service through
``PCSCLITE_CSOCK_NAME``; other processes do so with ``card.env``.
"""

import atexit
import itertools
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import virtualpiv
from virtualpiv import Service

PIN: Final = "123456"
PUK: Final = "12345678"
MANAGEMENT_KEY: Final = "010203040506070801020304050607080102030405060708"
IDS: Final = {"9a": "01", "9c": "02", "9d": "03", "9e": "04"}
"""Slot → CKA_ID, in OpenSC and ykcs11 alike."""


@cache
def claim() -> Path:
    """From now on this process and its children look for cards in a directory of their own, at first in vain.

    The client library reads the name once. So a test run says this before anything else, and never meets the
    machine's own cards: a wrong PIN of a test would be spent on somebody's real one.
    """
    directory = Path(tempfile.mkdtemp(prefix="piv-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["PCSCLITE_CSOCK_NAME"] = str(directory / "pcscd.comm")
    return directory


@cache
def service() -> Service:
    """The one of this process."""
    one = Service(claim())
    atexit.register(one.stop)
    return one


_serials = itertools.count(20_000_001)


class VirtualPiv(virtualpiv.VirtualPiv):
    """A card of this process's service."""

    def __init__(self) -> None:
        super().__init__(service(), next(_serials))
