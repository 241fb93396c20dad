# SPDX-License-Identifier: Apache-2.0
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from yubikit.core import Tlv
from yubikit.piv import SLOT

from hwkeys import KeyMissing, Unsupported
from hwkeys.evidence import verify_piv_attestation
from hwkeys.yubikey import ManagementKey, Slot, attest, attest_key, describe
from hwkeys.yubikey.card import open_card
from hwkeys.yubikey.look import flags, pivman
from support.memorypiv import Reader, plug
from virtualpiv.card import MANAGEMENT_KEY

AT = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    return plug(monkeypatch, 11)[0]


def test_a_blank_card(reader):
    state = describe()
    assert state.blank
    assert state.attests
    assert (state.serial, state.firmware, state.pin_tries, state.puk_tries) == (11, "5.4.3", 3, 3)
    assert reader.card.spent == reader.changes == 0


def test_a_card_in_use(reader):
    reader.card.place(0x9A, "P384", name="alice", touch_policy=2)
    reader.card.place(0x9D, "P256")
    sign, agree = (describe(11).slot(slot) for slot in Slot)
    assert (sign.kind, sign.provisional, sign.touch_policy.name) == ("ECCP384", False, "ALWAYS")
    assert x509.load_der_x509_certificate(sign.certificate).subject.rfc4514_string() == "CN=alice"
    assert (agree.kind, agree.certificate) == ("ECCP256", None)


def test_attestation_is_what_the_judge_takes(reader):
    reader.card.place(0x9A, "P256")
    said, f9 = reader.card.attested(0x9A)
    for evidence in (attest(11, Slot.SIGN), attest_key(None, said.public_key())):
        proved = verify_piv_attestation(evidence, public_key=said.public_key(), roots=[f9], at=AT)
        assert (proved.serial, proved.firmware) == (11, "5.4.3")


def test_what_cannot_be_attested(reader):
    with pytest.raises(KeyMissing):
        attest(11, Slot.SIGN)
    with pytest.raises(KeyMissing):
        attest_key(11, ec.generate_private_key(ec.SECP256R1()).public_key())
    with open_card(11) as card:
        card.session.authenticate(MANAGEMENT_KEY)
        card.session.put_key(SLOT.AUTHENTICATION, ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Unsupported):
        attest(11, Slot.SIGN)


def test_an_attestation_counts_only_for_the_key_in_its_slot(reader):
    reader.card.place(0x9A, "P256")
    reader.card.place(0x9D, "P256")
    with open_card(11) as card:
        card.session.authenticate(MANAGEMENT_KEY)
        for slot in (SLOT.AUTHENTICATION, SLOT.KEY_MANAGEMENT):
            card.session.put_certificate(slot, card.session.attest_key(SLOT.AUTHENTICATION))
    assert [slot.provisional for slot in describe().slots] == [True, False]
    with open_card(11) as card:
        card.session.authenticate(MANAGEMENT_KEY)
        card.session.delete_certificate(SLOT.ATTESTATION)
    assert not describe().attests
    assert not describe().slot(Slot.SIGN).provisional
    with pytest.raises(Unsupported):
        attest(11, Slot.SIGN)


@pytest.mark.parametrize(
    "octets, flag",
    [(Tlv(0x80, Tlv(0x81, b"\3")), 3), (Tlv(0x80, Tlv(0x82, b"salt")), 0), (Tlv(0x88, b""), 0), (b"\x80\x05", 0)],
)
def test_notes_of_how_the_card_is_managed(reader, octets, flag):
    with open_card(11) as card:
        assert pivman(card) == {}
        card.session.authenticate(MANAGEMENT_KEY)
        card.session.put_object(0x5FFF00, octets)
        assert flags(card) == flag
        card.session.set_management_key(card.session.management_key_type, bytes(range(24)))
    assert describe().management is (ManagementKey.PROTECTED if flag & 2 else ManagementKey.OTHER)
