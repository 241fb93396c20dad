# SPDX-License-Identifier: Apache-2.0
"""A blank YubiKey, as a person takes it out of its box: provisioned through PC/SC, used through PKCS#11."""

import datetime as dt
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hwkeys import DeviceMissing, KeyExists, PinRefused, Purpose, StaticPrompter, list_devices, open_key
from hwkeys.errors import ManagementKeyRefused
from hwkeys.evidence import PinPolicy, TouchPolicy, verify_piv_attestation
from hwkeys.yubikey import Slot, attest, attest_key, describe, provision, store_certificate
from hwkeys.yubikey.card import Connection
from support.hwbench import python
from support.hwpiv import elliptic, module_path
from support.memorypiv import CHANGES, NEW_PIN, NEW_PUK, Person
from support.virtualpiv import PIN, VirtualPiv

SHA256 = ec.ECDSA(hashes.SHA256())
BOTH = (Slot.SIGN, Slot.AGREE)
MODULES = [
    pytest.param("opensc", marks=pytest.mark.device("piv-opensc")),
    pytest.param("ykcs11", marks=pytest.mark.device("piv-ykcs11")),
]


@pytest.fixture
def card() -> Iterator[VirtualPiv]:
    blank = VirtualPiv()
    blank.insert()
    yield blank
    blank.pull()


def again(card: VirtualPiv) -> None:
    """A PKCS#11 module remembers a card's content until it is pulled."""
    card.pull()
    card.insert()


def certificate(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


@pytest.mark.parametrize("module", MODULES)
def test_from_the_box_to_a_certified_key(card, module):
    assert describe(card.serial).blank
    made = provision(card.serial, Person(), slots=BOTH)
    again(card)
    path = module_path(module)
    (device,) = list_devices(modules=[path], tctis=[])
    # Not by its label: OpenSC takes the label from the certificate, which is about to change.
    uris = {slot.key_id: f"pkcs11:serial={device.serial};id=%0{slot.key_id[0]}?module-path={path}" for slot in BOTH}
    with elliptic(open_key(uris[b"\1"], prompter=StaticPrompter(NEW_PIN))) as key:
        assert key.public_key() == made[0].public_key
        key.public_key().verify(key.sign(b"text", SHA256), b"text", SHA256)
        own = certificate(key, "alice")
    with elliptic(open_key(uris[b"\3"], prompter=StaticPrompter(NEW_PIN))) as key:
        other = ec.generate_private_key(ec.SECP256R1())
        assert key.exchange(ec.ECDH(), other.public_key()) == other.exchange(ec.ECDH(), made[1].public_key)
    assert {info.purpose for info in device.keys if info.key_id == b"\3"} == {Purpose.AGREE}
    store_certificate(card.serial, Slot.SIGN, own.public_bytes(Encoding.DER), Person())
    again(card)
    with elliptic(open_key(uris[b"\1"], prompter=StaticPrompter(NEW_PIN))) as key:
        assert key.certificate() == own
        key.public_key().verify(key.sign(b"text", SHA256), b"text", SHA256)
    assert card.tries == 3


@pytest.mark.device("piv-opensc")
def test_a_card_that_is_being_used_through_a_module_can_be_looked_at_and_goes_on(card):
    provision(card.serial, Person())
    again(card)
    (device,) = list_devices(modules=[module_path("opensc")], tctis=[])
    with elliptic(open_key(device.keys[0].uri, prompter=StaticPrompter(NEW_PIN))) as key:
        for _ in range(2):
            key.public_key().verify(key.sign(b"text", SHA256), b"text", SHA256)
            attested = attest_key(None, key.public_key()).certificates[0]
            assert x509.load_der_x509_certificate(attested).public_key() == key.public_key()


@pytest.mark.device("piv-opensc")
def test_the_evidence_is_accepted_and_tells_the_policies(card):
    (made,) = provision(card.serial, Person(), pin_policy=PinPolicy.ALWAYS, touch_policy=TouchPolicy.CACHED)
    root = x509.load_pem_x509_certificate(card.attest("9a")[2].encode())
    now = dt.datetime.now(dt.UTC)
    evidence = attest(card.serial, Slot.SIGN)
    proved = verify_piv_attestation(evidence, public_key=made.public_key, roots=[root], at=now)
    assert (proved.serial, proved.pin_policy, proved.touch_policy) == (
        card.serial,
        PinPolicy.ALWAYS,
        TouchPolicy.CACHED,
    )


@pytest.mark.device("piv-opensc")
def test_what_is_refused_changes_nothing(card):
    for person in (Person(new_pin=PIN), Person(new_puk="12345678")):
        with pytest.raises(PinRefused):
            provision(card.serial, person)
    assert describe().blank
    (made,) = provision(card.serial, Person())
    before = describe()
    (same,) = provision(card.serial, Person())
    assert (same.made, same.public_key, describe()) == (False, made.public_key, before)
    with pytest.raises(KeyExists):
        provision(card.serial, Person(), touch_policy=TouchPolicy.ALWAYS)
    assert describe() == before
    assert attest_key(None, made.public_key)
    with pytest.raises(DeviceMissing):
        describe(card.serial + 1)


YUBIKIT = """
import sys
from smartcard.System import readers
from ykman.pcsc import ScardSmartCardConnection
from ykman.piv import get_pivman_data, get_pivman_protected_data
from yubikit.piv import MANAGEMENT_KEY_TYPE, PivSession, SLOT
connection = readers()[0].createConnection()
connection.connect()
session = PivSession(ScardSmartCardConnection(connection))
"""
TAKE = """
session.authenticate(bytes.fromhex("010203040506070801020304050607080102030405060708"))
session.set_management_key(MANAGEMENT_KEY_TYPE.AES192, bytes(range(24)))
"""
LOOK = """
pin, new_pin, puk = sys.argv[1:]
print(session.get_pin_metadata().default_value, session.get_puk_metadata().default_value)
print(session.get_management_key_metadata().default_value, get_pivman_data(session).has_stored_key)
for slot in (SLOT.AUTHENTICATION, SLOT.KEY_MANAGEMENT):
    told = session.get_slot_metadata(slot)
    print(told.key_type.name, told.generated, told.pin_policy.name, told.touch_policy.name)
session.verify_pin(pin)
session.authenticate(get_pivman_protected_data(session).key)
session.unblock_pin(puk, new_pin)
session.verify_pin(new_pin)
"""


def yubikit(card: VirtualPiv, program: str, *words: str) -> list[str]:
    quiet = "import warnings; warnings.simplefilter('ignore')\n"
    return python(quiet + YUBIKIT + program.replace("sys.argv[1:]", repr(words)), env=card.env).splitlines()


@pytest.mark.device("piv-opensc")
def test_yubikit_sees_what_was_asked_for(card):
    provision(card.serial, Person(), slots=BOTH, pin_policy=PinPolicy.ONCE, touch_policy=TouchPolicy.ALWAYS)
    assert yubikit(card, LOOK, NEW_PIN, "other-pi", NEW_PUK) == [
        "False False",
        "False True",
        "ECCP256 True ONCE ALWAYS",
        "ECCP256 True ONCE ALWAYS",
    ]


@pytest.mark.device("piv-opensc")
def test_a_card_that_another_program_manages_is_left_alone(card):
    yubikit(card, TAKE)
    before = describe()
    with pytest.raises(ManagementKeyRefused) as refused:
        provision(card.serial, Person())
    assert "ykman piv reset" in refused.value.hint
    assert describe() == before


@pytest.mark.device("piv-opensc")
@pytest.mark.parametrize("at", [0, 2, 4, 6])
def test_pulled_before_a_change_and_run_again(card, at, monkeypatch):
    send, changes = Connection.send_and_receive, []

    def send_or_pull(self, apdu):
        if apdu[1] in CHANGES:
            if len(changes) == at:
                card.pull()
            changes.append(apdu[1])
        return send(self, apdu)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "send_and_receive", send_or_pull)
        with pytest.raises(DeviceMissing):
            provision(card.serial, Person(), slots=BOTH)
    assert len(changes) == at + 1
    card.insert()
    provision(card.serial, Person(), slots=BOTH)
    state = describe()
    assert all(slot.provisional for slot in state.slots)
    assert (state.pin_is_default, state.puk_is_default) == (False, False)
    assert state.pin_tries == 3
