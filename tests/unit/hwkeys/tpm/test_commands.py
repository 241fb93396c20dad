# SPDX-License-Identifier: Apache-2.0
"""Each command on a TPM, and what it leaves there: nothing."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwkeys import KeyMissing
from hwkeys.tpm import commands
from hwkeys.tpm.binding import Tpm
from hwkeys.tpm.endorsement import TEMPLATES
from hwkeys.tpm.session import conversation
from hwkeys.tpm.tss2 import OWNER
from support.swtpm import SwTpm

pytestmark = pytest.mark.device("swtpm")

SELECTION = bytes.fromhex("00000001000b03810080")  # 0, 7 and 23 of the SHA-256 bank


@pytest.fixture
def tpm() -> Iterator[SwTpm]:
    with tempfile.TemporaryDirectory(prefix="hw-") as path, SwTpm(Path(path)) as tpm:
        yield tpm


def left(line: Tpm) -> list[int]:
    return line.handles(0x80000000) + line.handles(0x02000000) + line.handles(0x03000000)


def test_the_makers_certificates_are_read(tpm):
    with Tpm(tpm.tcti) as line:
        assert commands.read_nv(line, 0x01C00002).startswith(b"\x30\x82")
        with pytest.raises(KeyMissing):
            commands.read_nv(line, 0x01C0000A)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_each_endorsement_key_can_be_made_and_used(tpm, template):
    with Tpm(tpm.tcti) as line:
        with (
            commands.endorsement_primary(line, template) as (_key, public),
            commands.endorsement_session(line, template),
        ):
            assert public[: len(template.public) - 300 if template.name == "L-1" else 20] in template.public
            assert left(line)
        assert left(line) == []


def test_a_secret_comes_back(tpm):
    with Tpm(tpm.tcti) as line, conversation(line, OWNER, None) as talk:
        parts = commands.seal(line, talk.storage, talk.session, secret=b"secret", pin=b"1234", policy=b"")
        with line.loaded(talk.storage, talk.session, *parts) as sealed:
            line.authorise(sealed, b"1234")
            assert commands.unseal(line, sealed, talk.session) == b"secret"


def test_the_policy_is_the_tpms(tpm):
    with Tpm(tpm.tcti) as line, conversation(line, OWNER, None) as talk:
        policy = commands.pcr_policy(line, SELECTION)
        parts = commands.seal(line, talk.storage, talk.session, secret=b"secret", pin=b"", policy=policy)
        with line.loaded(talk.storage, talk.session, *parts) as sealed, line.session(talk.storage, policy=True) as way:
            commands.require_pcrs(line, way, SELECTION)
            assert bytes(line.esys.policy_get_digest(way)) == policy
            assert commands.unseal(line, sealed, way) == b"secret"
    assert len(policy) == hashlib.sha256().digest_size


def test_registers_one_by_one():
    assert [part.hex() for part in commands._pieces(SELECTION)] == [
        "00000001000b03010000",
        "00000001000b03800000",
        "00000001000b03000080",
    ]
