# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

import hwkeys
from hardwire.app import provision
from hardwire.app.attestation import judge, load_trust
from hardwire.app.entropy import utc_now
from hardwire.app.identity import identity_path, load_identity
from hardwire.app.keys import DeviceKey
from hardwire.app.provision import CardWishes, card_wishes, find_card, make_on_card, renew_on_card, unnamed_card
from hardwire.errors import PinWrong, TokenMissing, UsageError
from hardwire.handshake import scheme_for
from hwkeys import Credential
from hwkeys.evidence import PinPolicy, TouchPolicy
from hwkeys.evidence.chain import spki_of
from hwkeys.yubikey import Slot, describe
from support import softhsm
from support.memorypiv import NEW_PIN, NEW_PUK, Person, plug
from support.virtualpiv import VirtualPiv

card_device = pytest.mark.device("piv-ykcs11")


def silent(_text: str) -> None:
    """Nobody listens."""


@pytest.fixture(autouse=True)
def _softhsm_of_this_run() -> None:
    """All modules are looked in, and SoftHSM reads its configuration once: it must be the test run's."""
    softhsm.in_process()


@pytest.fixture
def card() -> Iterator[VirtualPiv]:
    blank = VirtualPiv()
    blank.insert()
    yield blank
    blank.pull()


@pytest.fixture
def wishes(tmp_path) -> CardWishes:
    for name, secret in (("pin", NEW_PIN), ("puk", NEW_PUK)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(secret)
    return card_wishes("ONCE", "NEVER", str(tmp_path / "pin"), f"file:{tmp_path}/puk")


class TestNames:
    @pytest.mark.parametrize(
        "wanted",
        [
            "yubikey",
            "YubiKey",
            "yubi",
            "17",
            "00017",
            "my YubiKey 0000017",
            "pkcs11:model=YubiKey%20YK5;serial=00017",
            "pkcs11:token=YubiKey%20PIV%20%2300017",
            "pkcs11:token=YubiKey%20PIV%20%2300017;manufacturer=Yubico%20(www.yubico.com);serial=00017",
        ],
    )
    def test_that_name_the_only_card(self, monkeypatch, wanted):
        plug(monkeypatch, 17)
        found = find_card(wanted if wanted != "17" else "00017", CardWishes(), silent)
        assert found is not None
        assert (found.serial, found.fresh, found.spki) == (17, True, b"")
        assert "blank" in found.words

    @pytest.mark.parametrize(
        "wanted",
        [
            "tpm",
            "alice",
            "yub",
            "1",
            "pkcs11:token=alice;serial=00017",
            "pkcs11:token=yubikey;serial=0f00017000170001",
            "tpm:file=/home/yubikey/00017.tss2",
        ],
    )
    def test_that_name_something_else(self, monkeypatch, wanted):
        plug(monkeypatch, 17)
        assert find_card(wanted, CardWishes(), silent) is None

    def test_no_uri(self, monkeypatch):
        plug(monkeypatch, 17)
        with pytest.raises(UsageError):
            find_card("pkcs11:serial=%zz", CardWishes(), silent)

    def test_one_of_two(self, monkeypatch):
        plug(monkeypatch, 10_017, 10_018)
        found = find_card("10018", CardWishes(), silent)
        assert found is not None
        assert found.serial == 10_018
        with pytest.raises(UsageError, match="10017 and 10018"):
            find_card("yubikey", CardWishes(), silent)

    def test_none_is_there(self, monkeypatch):
        plug(monkeypatch)
        told = []
        assert find_card("yubikey", CardWishes(), told.append) is None
        assert told == [], "a token of another kind may have that name"

    def test_no_library(self, monkeypatch):
        def missing(_serial):
            raise hwkeys.ModuleMissing("yubikey-manager is not usable here")

        monkeypatch.setattr("hwkeys.yubikey.describe", missing)
        told = []
        assert find_card("yubikey", CardWishes(), told.append) is None
        assert len(told) == 1
        assert "no YubiKey can be provisioned" in told[0]


def test_a_card_that_nobody_named_is_not_changed(monkeypatch):
    reader = plug(monkeypatch, 10_017)[0]
    with pytest.raises(UsageError) as refused:
        unnamed_card(CardWishes())
    assert refused.value.code == "card-unnamed"
    assert "--device 10017" in refused.value.hint
    assert reader.changes == 0
    plug(monkeypatch)
    assert unnamed_card(CardWishes()) is None


@pytest.mark.parametrize("key, fits", [("ec", True), ("rsa", False)])
def test_a_card_that_nobody_named_is_used_if_its_key_can_be_an_identitys(monkeypatch, key, fits):
    made = ec.generate_private_key(ec.SECP256R1()) if key == "ec" else rsa.generate_private_key(65537, 2048)
    there = provision.Card(17, "in use", spki_of(made.public_key()), fresh=False)
    monkeypatch.setattr(provision, "find_card", lambda *_words: there)
    assert (unnamed_card(CardWishes()) is there) is fits


def test_wishes_from_words(tmp_path):
    wishes = card_wishes("ALWAYS", "CACHED", "credential:pin", None)
    assert wishes == CardWishes(PinPolicy.ALWAYS, TouchPolicy.CACHED, Credential("pin"), None)
    with pytest.raises(UsageError):
        card_wishes("ONCE", "NEVER", "credential:../pin", None)


def test_nobody_to_ask(monkeypatch, tmp_path):
    reader = plug(monkeypatch, 10_017)[0]
    (tmp_path / "pin").touch(mode=0o600)
    (tmp_path / "pin").write_text(NEW_PIN)
    card = find_card("yubikey", CardWishes(), silent)
    assert card is not None
    for pin, option in ((None, "--pin-source"), (str(tmp_path / "pin"), "--puk-source")):
        with pytest.raises(PinWrong) as refused:
            make_on_card(card, None, card_wishes("ONCE", "NEVER", pin, None), tell=silent, home=tmp_path)
        assert refused.value.code == "pin-needed"
        assert option in refused.value.hint
    assert reader.changes == 0


@card_device
class TestCards:
    def test_from_the_box_to_an_identity_that_proves_itself(self, card, tmp_path):
        told: list[str] = []
        person = Person()
        found = find_card(str(card.serial), CardWishes(), told.append)
        assert found is not None
        made = make_on_card(found, person, CardWishes(), tell=told.append, home=tmp_path)
        assert person.asked == [("the YubiKey's PIN", True), ("the YubiKey's PUK, which unlocks a locked PIN", True)]
        assert "9a signs" in told[1]
        state = describe(card.serial)
        assert state.slot(Slot.SIGN).certificate == made.certificate
        assert state.slot(Slot.AGREE).provisional
        assert not state.pin_is_default
        assert not state.puk_is_default
        assert card.used("9a") == 1, "its own certificate, and nothing else"
        read = load_identity(tmp_path)
        assert read.evidence is not None
        folder = tmp_path / "attestation" / "piv"
        folder.mkdir(parents=True)
        (folder / "maker.pem").write_text(card.root())
        shown = judge(read.credential.attestations, read.own, load_trust(tmp_path), utc_now())
        assert (shown.assurance, shown.by) == ("YubiKey 5 (attested)", "Test PIV Root")
        assert f"serial {card.serial}" in shown.facts
        with pytest.raises(UsageError, match="already"):
            make_on_card(found, person, CardWishes(), tell=silent, home=tmp_path)

    async def test_stopped_before_the_identity_and_run_again(self, card, wishes, tmp_path, monkeypatch):
        monkeypatch.setattr(provision, "adopt", lambda *_args, **_words: (_ for _ in ()).throw(KeyboardInterrupt))
        first = find_card("yubikey", wishes, silent)
        assert first is not None
        with pytest.raises(KeyboardInterrupt):
            make_on_card(first, None, wishes, tell=silent, home=tmp_path)
        monkeypatch.undo()
        assert not identity_path(tmp_path).exists()
        told: list[str] = []
        again = find_card("yubikey", wishes, silent)
        assert again is not None
        assert again.fresh
        made = make_on_card(again, None, wishes, tell=told.append, home=tmp_path)
        assert "as an earlier run had made them" in told[1]
        assert made.own.spki == again.spki
        key = await DeviceKey.open(made, None)
        assert await key.sign(b"tbs", scheme_for(made.own.certificate.public_key))
        await key.close()

    def test_another_policy_than_the_unfinished_run_is_no_reason_to_begin_anew(self, card, wishes, tmp_path):
        first = find_card("yubikey", wishes, silent)
        assert first is not None
        make_on_card(first, None, wishes, tell=silent, home=tmp_path / "a")
        told: list[str] = []
        used = find_card("yubikey", card_wishes("ONCE", "ALWAYS", str(wishes.pin_source), None), silent)
        assert used is not None
        assert not used.fresh
        made = make_on_card(used, None, wishes, tell=told.append, home=tmp_path / "b")
        assert "in use" in told[0]
        assert made.own.spki == used.spki
        assert describe(card.serial).slot(Slot.SIGN).certificate == load_identity(tmp_path / "a").certificate

    def test_a_renewed_certificate_takes_the_old_ones_place(self, card, wishes, tmp_path):
        found = find_card("yubikey", wishes, silent)
        assert found is not None
        make_on_card(found, None, wishes, tell=silent, home=tmp_path)
        other = VirtualPiv()
        other.insert(1)
        renewed = renew_on_card(None, CardWishes(), tell=silent, home=tmp_path)
        other.pull()
        assert describe(card.serial).slot(Slot.SIGN).certificate == renewed.certificate
        assert load_identity(tmp_path).certificate == renewed.certificate

    def test_a_certificate_of_an_authority_stays(self, card, wishes, tmp_path):
        from support.evidence import Authority, der

        found = find_card("yubikey", wishes, silent)
        assert found is not None
        made = make_on_card(found, None, wishes, tell=silent, home=tmp_path)
        now = utc_now()
        office = Authority.root("office", after=now, before=now)
        theirs = der(office.issue("device", made.own.certificate.public_key, after=now, before=now))
        provision.hwkeys.yubikey.store_certificate(card.serial, Slot.SIGN, theirs, Person(), replace=True)
        renew_on_card(None, CardWishes(), tell=silent, home=tmp_path)
        assert describe(card.serial).slot(Slot.SIGN).certificate == theirs

    def test_no_module_shows_the_card(self, card, wishes, tmp_path, monkeypatch):
        monkeypatch.setattr(hwkeys, "list_devices", lambda **_where: [])
        found = find_card("yubikey", wishes, silent)
        assert found is not None
        with pytest.raises(TokenMissing) as refused:
            make_on_card(found, None, wishes, tell=silent, home=tmp_path)
        assert "goes on where it stopped" in refused.value.hint
        assert not identity_path(tmp_path).exists()

    def test_a_certificate_that_the_card_will_not_take_is_told(self, card, tmp_path):
        found = find_card("yubikey", CardWishes(), silent)
        assert found is not None
        made = make_on_card(found, Person(), CardWishes(), tell=silent, home=tmp_path)
        told: list[str] = []
        key = x509.load_der_x509_certificate(made.certificate)
        assert key.public_bytes(Encoding.DER) == made.certificate
        card.pull()
        provision.store(card.serial, made, Person(), told.append)
        assert "not on the card" in told[0]


def test_renewal_of_another_device_asks_no_card(monkeypatch, tmp_path):
    from support.people import token_identity

    made = token_identity(tmp_path)
    monkeypatch.setattr("hwkeys.yubikey.describe", lambda _serial=None: pytest.fail("a card was asked"))
    assert renew_on_card(None, CardWishes(), tell=silent, home=tmp_path).own.did == made.own.did
