# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import gzip

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from smartcard.Exceptions import CardConnectionException

from hwkeys import DeviceMissing, KeyMissing, Unsupported
from hwkeys.evidence import PinPolicy, TouchPolicy, UsePolicy, verify_piv_attestation
from hwkeys.yubikey.beside import attestation, policy
from support.memorypiv import MemoryConnection, Reader, plug
from virtualpiv import card as virtual
from virtualpiv.keys import SLOT_OBJECTS, der
from virtualpiv.tlv import tlv

AT = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
PIV = bytes.fromhex("00a4040005a000000308")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    return plug(monkeypatch, 11)[0]


def public(reader: Reader, slot: int):
    return reader.card.keys[slot].private.public_key()


def commands(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the card is sent from now on."""
    seen: list[int] = []
    answer = reader.card.apdu

    def note(apdu: bytes) -> bytes:
        seen.append(apdu[1])
        return answer(apdu)

    monkeypatch.setattr(reader.card, "apdu", note)
    return seen


@pytest.mark.parametrize("kind", ["P256", "P384", "RSA2048"])
def test_the_card_is_found_by_its_key_and_its_word_is_what_the_judge_takes(monkeypatch, kind):
    readers = plug(monkeypatch, 11, 12, 13)
    for each in readers[1:]:
        each.card.place(0x9A, kind, touch_policy=2)
    key = public(readers[2], 0x9A)
    _said, f9 = readers[2].card.attested(0x9A)
    proved = verify_piv_attestation(attestation(0x9A, key), public_key=key, roots=[f9], at=AT)
    assert proved.serial == 13
    assert policy(0x9A, key) == UsePolicy(PinPolicy.ONCE, TouchPolicy.ALWAYS)


def test_a_reader_that_another_program_holds_does_not_hide_the_next(monkeypatch):
    readers = plug(monkeypatch, 11, 12)
    readers[1].card.place(0x9A, "P256")
    taken = readers[0]

    class Taken(MemoryConnection):
        def __init__(self, reader: Reader, **words: bool) -> None:
            if reader is taken:
                raise CardConnectionException("sharing violation")
            super().__init__(reader, **words)

    monkeypatch.setattr("hwkeys.yubikey.beside.Connection", Taken)
    assert attestation(0x9A, public(readers[1], 0x9A))
    with pytest.raises(DeviceMissing, match="another program holds it"):
        attestation(0x9A, ec.generate_private_key(ec.SECP256R1()).public_key())


def test_whoever_is_logged_in_stays_so(reader, monkeypatch):
    reader.card.place(0x9A, "P256")
    key = public(reader, 0x9A)
    for command in (PIV, bytes.fromhex("0020008008") + b"123456\xff\xff"):
        assert reader.card.apdu(command)[-2:] == b"\x90\x00"
    seen = commands(reader, monkeypatch)
    attestation(0x9A, key)
    policy(0x9A, key)
    assert not {0xA4, 0x20} & set(seen)
    assert reader.card.apdu(bytes.fromhex("00200080")) == b"\x90\x00"


def test_the_application_is_selected_when_another_one_is(reader, monkeypatch):
    reader.card.place(0x9A, "P256")
    answer, selected = reader.card.apdu, []

    def other(apdu: bytes) -> bytes:
        selected.extend([apdu] * (apdu[1] == 0xA4))
        return answer(apdu) if selected else b"\x6d\x00"

    monkeypatch.setattr(reader.card, "apdu", other)
    assert attestation(0x9A, public(reader, 0x9A))
    assert [apdu[:10] for apdu in selected] == [PIV]


def test_a_key_that_no_card_has(reader, monkeypatch):
    reader.card.place(0x9A, "P256")
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    for slot in (0x9A, 0x9D):
        with pytest.raises(KeyMissing) as missing:
            attestation(slot, other)
        assert missing.value.hint
        assert policy(slot, other) is None
    reader.name = "Some Other Reader"
    with pytest.raises(KeyMissing):
        attestation(0x9A, public(reader, 0x9A))


def test_a_key_that_was_brought_to_the_card_is_not_attested_and_has_a_policy(reader):
    reader.card.place(0x9A, "P256", generated=False, touch_policy=3)
    key = public(reader, 0x9A)
    with pytest.raises(Unsupported, match="9a") as refused:
        attestation(0x9A, key)
    assert "generated in it" in refused.value.hint
    assert policy(0x9A, key) == UsePolicy(PinPolicy.ONCE, TouchPolicy.CACHED)


def test_a_card_without_its_makers_certificate_attests_nothing(reader):
    reader.card.place(0x9A, "P256")
    del reader.card._objects[SLOT_OBJECTS[0xF9]]
    with pytest.raises(Unsupported):
        attestation(0x9A, public(reader, 0x9A))


def test_a_compressed_certificate(reader):
    reader.card.place(0x9A, "P256")
    _said, f9 = reader.card.attested(0x9A)
    packed = tlv(0x70, gzip.compress(der(f9))) + tlv(0x71, b"\1") + tlv(0xFE, b"")
    reader.card._objects[SLOT_OBJECTS[0xF9]] = tlv(0x53, packed)
    assert attestation(0x9A, public(reader, 0x9A)).certificates[1] == der(f9)


def test_an_older_card_tells_less(reader, monkeypatch):
    monkeypatch.setattr(virtual, "VERSION", bytes((4, 3, 5)))
    reader.card.place(0x9A, "P256", touch_policy=2)
    key = public(reader, 0x9A)
    seen = commands(reader, monkeypatch)
    assert attestation(0x9A, key)
    assert policy(0x9A, key) == UsePolicy(PinPolicy.ONCE, TouchPolicy.ALWAYS)
    assert 0xF7 not in seen
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(KeyMissing):
        attestation(0x9A, other)
    assert policy(0x9A, other) is None
    reader.card.place(0x9A, "P256", generated=False)
    assert policy(0x9A, public(reader, 0x9A)) is None
