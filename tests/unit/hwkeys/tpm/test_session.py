# SPDX-License-Identifier: Apache-2.0
import hashlib
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwkeys import KeyNotAsAsked, WrongDevice
from hwkeys.tpm.binding import Tpm
from hwkeys.tpm.public import SIGNING_TEMPLATE, STORAGE_TEMPLATE
from hwkeys.tpm.session import Place, area_of, conversation, key_at, name_of
from hwkeys.tpm.tss2 import OWNER
from support.swtpm import SwTpm


@pytest.fixture
def tpm() -> Iterator[SwTpm]:
    with tempfile.TemporaryDirectory(prefix="hw-") as path, SwTpm(Path(path)) as tpm:
        yield tpm


def test_a_name_is_the_hash_of_the_public_area():
    octets = STORAGE_TEMPLATE.encode()
    assert name_of(octets) == STORAGE_TEMPLATE.name() == b"\x00\x0b" + hashlib.sha256(octets).digest()
    with pytest.raises(KeyNotAsAsked):
        name_of(octets[:2] + b"\x00\x0c" + octets[4:])


def test_a_sized_public_area():
    octets = SIGNING_TEMPLATE.encode()
    assert area_of(struct.pack(">H", len(octets)) + octets) == SIGNING_TEMPLATE
    for wrong in (b"", b"\0", octets, struct.pack(">H", len(octets) + 1) + octets):
        with pytest.raises(KeyNotAsAsked):
            area_of(wrong)


@pytest.mark.device("swtpm")
def test_the_storage_keys_name_is_the_tpms_own_word(tpm):
    with Tpm(tpm.tcti) as line, conversation(line, OWNER, None) as talk:
        name = talk.storage_name
    tpm.tool("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", "srk.ctx", "-a",
             "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt")  # fmt: skip
    tpm.tool("tpm2_readpublic", "-c", "srk.ctx", "-n", "name")
    assert (tpm.directory / "name").read_bytes() == name
    tpm.tool("tpm2_flushcontext", "-t")
    with Tpm(tpm.tcti) as line, conversation(line, OWNER, name):
        pass
    with Tpm(tpm.tcti) as line, pytest.raises(WrongDevice), conversation(line, OWNER, bytes(34)):
        pytest.fail("a session was opened")


@pytest.mark.device("swtpm")
def test_a_place_without_a_key(tpm):
    with (
        Tpm(tpm.tcti) as line,
        conversation(line, OWNER, None) as talk,
        pytest.raises(KeyNotAsAsked),
        key_at(Place(tpm.tcti), talk),
    ):
        pytest.fail("there is no key")
