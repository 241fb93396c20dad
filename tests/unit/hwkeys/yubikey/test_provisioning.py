# SPDX-License-Identifier: Apache-2.0
import dataclasses
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from yubikit.piv import MANAGEMENT_KEY_TYPE, OBJECT_ID, SLOT

from hwkeys import (
    DeviceFailed,
    HwKeyError,
    KeyExists,
    KeyMissing,
    KeyNotAsAsked,
    PinLocked,
    PinRefused,
    PinWrong,
    Unsupported,
)
from hwkeys.errors import ManagementKeyRefused
from hwkeys.evidence import PinPolicy, TouchPolicy, verify_piv_attestation
from hwkeys.yubikey import (
    MAX_CERTIFICATE,
    PIN,
    PUK,
    ManagementKey,
    Slot,
    attest,
    describe,
    provision,
    store_certificate,
)
from hwkeys.yubikey.card import open_card
from support.memorypiv import NEW_PIN, NEW_PUK, Killed, Person, Reader, plug
from virtualpiv.card import MANAGEMENT_KEY
from virtualpiv.keys import self_signed

BOTH = (Slot.SIGN, Slot.AGREE)
AT = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
OWN_KEY = bytes(range(24))


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    return plug(monkeypatch, 11)[0]


def manage(*, kind: MANAGEMENT_KEY_TYPE = MANAGEMENT_KEY_TYPE.TDES, key: bytes = OWN_KEY) -> None:
    """The owner takes the card's management key into their own hands."""
    with open_card(11) as card:
        card.session.authenticate(MANAGEMENT_KEY)
        card.session.set_management_key(kind, key)


def put(number: int, octets: bytes) -> None:
    with open_card(11) as card:
        card.session.authenticate(MANAGEMENT_KEY)
        card.session.put_object(number, octets)


def content(reader: Reader) -> object:
    card = reader.card
    return card.pin, card.puk, card._management, dict(card.keys), dict(card._objects)


def certificate_of(reader: Reader, slot: Slot, name: str = "alice") -> bytes:
    return self_signed(name, reader.card.keys[slot.value].private)


# ---- a blank card


def test_a_blank_card_is_provisioned(reader):
    person = Person()
    made = provision(11, person, slots=BOTH, touch_policy=TouchPolicy.CACHED)
    assert person.asked == [(PIN, True), (PUK, True)]
    assert [(key.slot, key.made) for key in made] == [(Slot.SIGN, True), (Slot.AGREE, True)]
    assert (reader.card.pin, reader.card.puk) == (NEW_PIN.encode(), NEW_PUK.encode())
    state = describe()
    assert (state.blank, state.pin_is_default, state.puk_is_default) == (False, False, False)
    assert state.management is ManagementKey.PROTECTED
    for slot, key in zip(state.slots, made, strict=True):
        assert (slot.kind, slot.generated, slot.provisional) == ("ECCP256", True, True)
        assert (slot.pin_policy, slot.touch_policy) == (PinPolicy.ONCE, TouchPolicy.CACHED)
        evidence = attest(11, slot.slot)
        root = reader.card.attested(slot.slot.value)[1]
        proved = verify_piv_attestation(evidence, public_key=key.public_key, roots=[root], at=AT)
        assert (proved.pin_policy, proved.touch_policy) == (PinPolicy.ONCE, TouchPolicy.CACHED)


def test_only_the_slot_asked_for_is_filled(reader):
    provision(None, Person())
    assert [slot.empty for slot in describe().slots] == [False, True]
    (agree,) = provision(11, Person(), slots=[Slot.AGREE])
    assert agree.made


def test_the_management_key_is_behind_the_pin_where_yubikey_manager_looks(reader):
    from ykman.piv import get_pivman_data, get_pivman_protected_data

    provision(11, Person())
    with open_card(11) as card:
        assert get_pivman_data(card.session).has_stored_key
        with pytest.raises(DeviceFailed), open_card(11) as other:
            other.object(OBJECT_ID.PRINTED)
        card.session.verify_pin(NEW_PIN)
        card.session.authenticate(get_pivman_protected_data(card.session).key)
        assert card.session.management_key_type is MANAGEMENT_KEY_TYPE.AES256


def test_a_card_without_chuid_gets_one(reader):
    put(OBJECT_ID.CHUID, b"")
    provision(11, Person())
    with open_card(11) as card:
        assert card.object(OBJECT_ID.CHUID)


# ---- refused, and nothing changed


def test_a_second_run_refuses_and_loses_nothing(reader):
    provision(11, Person(), slots=BOTH)
    store_certificate(11, Slot.SIGN, certificate_of(reader, Slot.SIGN), Person())
    before, person = content(reader), Person()
    with pytest.raises(KeyExists, match="9a ECCP256"):
        provision(11, person, slots=BOTH)
    assert (content(reader), person.asked) == (before, [])


@pytest.mark.parametrize("how", ["key", "certificate", "foreign", "policy"])
def test_an_occupied_slot_is_not_overwritten(reader, how):
    if how == "certificate":
        put(OBJECT_ID.AUTHENTICATION, b"rubbish")
    elif how == "foreign":
        with open_card(11) as card:
            card.session.authenticate(MANAGEMENT_KEY)
            card.session.put_key(SLOT.AUTHENTICATION, ec.generate_private_key(ec.SECP256R1()))
    else:
        reader.card.place(0x9A, "P256" if how == "policy" else "RSA2048", touch_policy=2)
    before = content(reader)
    with pytest.raises(KeyExists):
        provision(11, Person())
    assert content(reader) == before


@pytest.mark.parametrize(
    "person",
    [
        Person(new_pin="123456"),
        Person(new_pin="12345678"),
        Person(new_pin="short"),
        Person(new_puk="12345678"),
        Person(new_puk=NEW_PIN),
        Person(new_puk="11111111"),
        Person(new_pin=""),
    ],
)
def test_factory_and_weak_secrets_are_refused(reader, person):
    before = content(reader)
    with pytest.raises(PinRefused):
        provision(11, person)
    assert (content(reader), reader.card.spent) == (before, 0)


def test_a_wrong_pin_costs_one_try_and_the_last_is_not_spent(reader):
    reader.card.pin = b"pin-0000"
    before = content(reader)
    for left in (2, 1):
        with pytest.raises(PinWrong) as wrong:
            provision(11, Person())
        assert (wrong.value.tries_left, reader.card.tries) == (left, left)
    person = Person()
    with pytest.raises(PinRefused):
        provision(11, person)
    assert (person.asked, reader.card.tries) == ([], 1)
    reader.card.tries = 0
    with pytest.raises(PinLocked) as locked:
        provision(11, person)
    assert "PUK" in locked.value.hint
    assert (content(reader), person.asked) == (before, [])


def test_an_unknown_management_key_is_refused_before_anything_changes(reader):
    manage()
    before = content(reader)
    for given in (None, bytes(24), b"no key"):
        with pytest.raises(ManagementKeyRefused):
            provision(11, Person(), management_key=given)
    assert content(reader) == before


def test_a_management_key_of_ones_own_is_used_and_left(reader):
    manage()
    management = reader.card._management
    provision(11, Person(), management_key=OWN_KEY)
    assert reader.card._management == management
    assert describe().management is ManagementKey.OTHER
    store_certificate(11, Slot.SIGN, certificate_of(reader, Slot.SIGN), Person(), management_key=OWN_KEY)


def test_what_is_kept_in_the_management_keys_place_is_not_lost(reader):
    put(OBJECT_ID.PRINTED, b"\x01\x05alice")
    with pytest.raises(ManagementKeyRefused):
        provision(11, Person())
    with open_card(11) as card:
        card.session.verify_pin(NEW_PIN)
        assert card.object(OBJECT_ID.PRINTED) == b"\x01\x05alice"


def test_a_card_that_cannot_attest_is_refused(reader):
    put(OBJECT_ID.ATTESTATION, b"")
    before = content(reader)
    with pytest.raises(Unsupported):
        provision(11, Person())
    assert content(reader) == before


def test_a_card_that_changed_while_the_person_typed_is_left_alone(reader):
    class Slow(Person):
        def pin(self, request):
            reader.card.place(0x9A, "P256")
            return super().pin(request)

    with pytest.raises(DeviceFailed, match="meanwhile"):
        provision(11, Slow())
    assert reader.changes == 0


# ---- stopped half-way


def steps() -> int:
    with pytest.MonkeyPatch.context() as patch:
        (reader,) = plug(patch, 11)
        put(OBJECT_ID.CHUID, b"")
        before = reader.changes
        provision(11, Person(), slots=BOTH)
        return reader.changes - before


@pytest.mark.parametrize("at", [half / 2 for half in range(2 * steps())])
def test_killed_before_and_after_each_change_and_run_again(reader, at):
    put(OBJECT_ID.CHUID, b"")
    reader.changes = 0

    def stop(number: float) -> None:
        if number == at:
            raise Killed

    reader.stop = stop
    with pytest.raises(Killed):
        provision(11, Person(), slots=BOTH)
    left = dict(reader.card.keys)
    reader.stop = lambda _number: None
    made = provision(11, Person(), slots=BOTH)
    state = describe()
    assert (state.pin_is_default, state.puk_is_default) == (False, False)
    assert state.management is ManagementKey.PROTECTED
    assert all(slot.provisional for slot in state.slots)
    for key in made:
        assert reader.card.keys[key.slot.value].private.public_key() == key.public_key
        assert key.made is (key.slot.value not in left)
    assert left.items() <= reader.card.keys.items(), "a key that was made was replaced"
    for slot in BOTH:
        store_certificate(11, slot, certificate_of(reader, slot), Person())
    assert reader.card.tries == 3


def test_the_steps_are_those_that_are_documented():
    # PIN, PUK, management key kept, set, noted, CHUID, two keys with a certificate each.
    assert steps() == 10


# ---- the owner's certificate


def test_the_owners_certificate_takes_the_attestations_place(reader):
    provision(11, Person())
    first, second = (certificate_of(reader, Slot.SIGN, name) for name in ("first", "second"))
    person = Person()
    store_certificate(11, Slot.SIGN, first, person)
    assert person.asked == [(PIN, False)]
    assert person.requests[0].device.tries_left == 3
    store_certificate(11, Slot.SIGN, first, Person())
    with pytest.raises(KeyExists):
        store_certificate(11, Slot.SIGN, second, Person())
    assert describe().slot(Slot.SIGN).certificate == first
    store_certificate(11, Slot.SIGN, second, Person(), replace=True)
    assert describe().slot(Slot.SIGN).certificate == second
    assert not describe().slot(Slot.SIGN).provisional


def test_certificates_that_do_not_belong_there(reader):
    provision(11, Person())
    before = content(reader)
    stranger = self_signed("x", ec.generate_private_key(ec.SECP256R1()))
    wrong: list[tuple[type[HwKeyError], Slot, bytes]] = [
        (KeyNotAsAsked, Slot.SIGN, stranger),
        (KeyNotAsAsked, Slot.SIGN, b"no certificate"),
        (KeyNotAsAsked, Slot.SIGN, bytes(MAX_CERTIFICATE + 1)),
        (KeyMissing, Slot.AGREE, stranger),
    ]
    for error, slot, octets in wrong:
        with pytest.raises(error):
            store_certificate(11, slot, octets, Person())
    reader.card.tries = 0
    with pytest.raises(PinLocked):
        store_certificate(11, Slot.SIGN, certificate_of(reader, Slot.SIGN), Person())
    assert content(reader) == before


def test_nothing_secret_is_shown():
    from hwkeys.yubikey.provisioning import _Secrets

    secrets = _Secrets("old-pin", "new-pin", "new-puk")
    assert not any(value in repr(secrets) for value in dataclasses.astuple(secrets))


def test_the_provisional_certificate_names_the_card(reader):
    provision(11, Person())
    octets = describe().slot(Slot.SIGN).certificate
    assert x509.load_der_x509_certificate(octets).subject.rfc4514_string() == "CN=YubiKey PIV Attestation 9a"
