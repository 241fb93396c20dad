# SPDX-License-Identifier: Apache-2.0
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import KeyClosed, KeyNotAsAsked, PinRefused, PinWrong, StaticPrompter, generate_key, open_key
from hwkeys.tpm.key import MAX_PIN, pin_octets
from support.hwbench import Asked
from support.swtpm import SwTpm

SHA256 = ec.ECDSA(hashes.SHA256())


@pytest.fixture
def tpm() -> Iterator[SwTpm]:
    with tempfile.TemporaryDirectory(prefix="hw-") as path, SwTpm(Path(path)) as tpm:
        yield tpm


def test_pins_a_tpm_can_take():
    assert pin_octets("é" * 16) == "é".encode() * 16
    for pin in ("x" * (MAX_PIN + 1), "é" * 17, "1234\0"):
        with pytest.raises(PinRefused):
            pin_octets(pin)


@pytest.mark.device("swtpm")
def test_the_pin_is_forgotten_when_the_key_is_closed_or_the_tpm_refuses_it(tpm):
    key = generate_key(tpm.uri(), prompter=StaticPrompter("1234"))
    assert key._pin == b"1234"
    key.close()
    assert key._pin is None
    with pytest.raises(KeyClosed):
        key.unlock()
    wrong = Asked("wrong")
    locked = open_key(tpm.uri())
    locked._prompter = wrong
    for _ in range(2):
        with pytest.raises(PinWrong):
            locked.unlock()
        assert locked._pin is None
    assert len(wrong.requests) == 2


@pytest.mark.device("swtpm")
def test_the_device_is_told_as_it_was_seen_last(tpm):
    generate_key(tpm.uri(), prompter=StaticPrompter("1234")).close()
    key = open_key(tpm.uri())
    before = key.device.tries_left
    key._prompter = StaticPrompter("wrong")
    with pytest.raises(PinWrong):
        key.unlock()
    assert key.device.tries_left == before - 1


@pytest.mark.device("swtpm")
def test_another_key_at_the_handle_is_not_used(tpm):
    uri = f"tpm:handle=0x81010101?tcti={tpm.tcti}&auth=none"
    held = generate_key(uri)
    tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", "0x81010101")
    generate_key(uri)
    with pytest.raises(KeyNotAsAsked, match="another key"):
        held.sign(b"x", SHA256)
