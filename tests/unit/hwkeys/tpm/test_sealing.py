# SPDX-License-Identifier: Apache-2.0
"""What needs no device; the rest is in ``tests/devices/test_swtpm_sealing.py``."""

import dataclasses

import pytest

from hwkeys import SealRefused, Unsupported
from hwkeys.tpm.sealing import plan, read
from hwkeys.tpm.tss2 import LOADABLE_KEY, SEALED_DATA, KeyFile

SELECTION = bytes.fromhex("00000001000b03810080")
POLICY = ((0x17F, b"\0\0" + SELECTION), (0x16B, b""))
BLOB = KeyFile(b"\0\1p", b"\0\1s", empty_auth=False, kind=SEALED_DATA)


def test_registers_are_bits_from_the_lowest():
    assert plan(b"x", (0, 7, 23, 7)).selection == SELECTION
    assert plan(b"x", ()).selection == b""
    assert "secret" not in repr(plan(b"secret", ()))


@pytest.mark.parametrize("secret, pcrs", [(b"", ()), (bytes(129), ()), (b"x", (24,)), (b"x", (0, -1))])
def test_what_cannot_be_sealed(secret, pcrs):
    with pytest.raises(Unsupported):
        plan(secret, pcrs)


def test_what_was_sealed_is_read():
    for blob in (BLOB, dataclasses.replace(BLOB, policy=POLICY)):
        assert read(blob.encode()) == blob


@pytest.mark.parametrize(
    "policy",
    [
        POLICY[:1],
        (POLICY[0], POLICY[0]),
        ((0x16F, POLICY[0][1]), POLICY[1]),
        ((0x17F, SELECTION), POLICY[1]),
        ((0x17F, b"\0\0" + SELECTION.replace(b"\x0b", b"\x0c")), POLICY[1]),
        (*POLICY, POLICY[1]),
    ],
)
def test_policies_that_are_not_ours(policy):
    with pytest.raises(SealRefused, match="policy"):
        read(dataclasses.replace(BLOB, policy=policy).encode())


def test_what_is_not_sealed_data():
    for octets in (b"", dataclasses.replace(BLOB, kind=LOADABLE_KEY).encode()):
        with pytest.raises(SealRefused):
            read(octets)
