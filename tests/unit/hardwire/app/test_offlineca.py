# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app import offlineca
from hardwire.app.attestation import Trust, authorities
from hardwire.app.cakey import open_authority_key
from hardwire.app.evidence import statement_of
from hardwire.app.offlineca import (
    Wish,
    assess,
    create,
    entries,
    find,
    issue,
    list_revoked,
    load,
    revoke,
)
from hardwire.certs import Level, Reason, make_request, open_gate, parse_name, read_request
from hardwire.certs.did import did_key
from hardwire.errors import CertificateRefused, LocalError, UsageError
from hwkeys import generate_key
from support.evidence import AT, SoftCard
from support.people import shared_token

KEY = ec.generate_private_key(ec.SECP256R1())
DEVICE = ec.generate_private_key(ec.SECP256R1())
YEAR = timedelta(days=365)
WEEK = timedelta(days=7)
WISH = Wish((parse_name("pump7.example.org"),), YEAR)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path / "home"))


@pytest.fixture
def authority(tmp_path):
    return create(tmp_path / "ca", KEY, key_uri="pkcs11:token=ca;object=ca", organisation="ACME", life=10 * YEAR)


def asked(key=DEVICE, statement=None):
    return read_request(make_request(key, statement=statement))


def certify(authority, wish=WISH, key=DEVICE):
    with authority.ledger() as ledger:
        return issue(authority, ledger, asked(key), wish, KEY)


def published(authority) -> x509.CertificateRevocationList:
    with authority.ledger() as ledger:
        _, der = list_revoked(authority, ledger, WEEK, KEY)
    return x509.load_der_x509_crl(der)


def number_of(crl) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_what_was_made_is_read(authority):
    read = load(authority.directory)
    assert read == authority
    assert (read.organisation, read.key_uri) == ("ACME", "pkcs11:token=ca;object=ca")


def test_a_second_one_does_not_replace_the_first(authority):
    before = (authority.directory / "authority.toml").read_bytes()
    for again in (
        lambda: create(authority.directory, KEY, key_uri="x", organisation="X", life=YEAR),
        lambda: offlineca.refuse_second(authority.directory),
    ):
        with pytest.raises(UsageError):
            again()
    assert (authority.directory / "authority.toml").read_bytes() == before
    offlineca.refuse_second(authority.directory / "other")


def test_issue_show_revoke_list(authority):
    made = certify(authority)
    gated = open_gate(made.certificate)
    gated.parsed.verify_directly_issued_by(authority.certificate.parsed)
    assert made.serial == f"{gated.serial:x}"
    assert (made.did, made.names, made.level, made.revoked) == (
        did_key(DEVICE.public_key()),
        ("pump7.example.org",),
        "",
        None,
    )
    assert made.record()["revoked"] is None
    assert number_of(published(authority)) == 1

    with authority.ledger() as ledger:
        assert find(ledger, made.serial) == find(ledger, made.did) == find(ledger, "pump7.example.org") == (made,)
        assert find(ledger, f"0x{made.serial.upper()}") == (made,)
        assert revoke(ledger, "pump7.example.org", Reason.KEY_COMPROMISE) == (made,)
    crl = published(authority)
    assert number_of(crl) == 2
    assert [row.serial_number for row in crl] == [gated.serial]
    with load(authority.directory).ledger() as ledger:
        (now,) = entries(ledger)
    assert now.revoked[1] == "key-compromise"
    assert now.record()["reason"] == "key-compromise"


def test_a_device_that_is_certified_anew_is_revoked_as_a_whole(authority):
    certify(authority)
    certify(authority)
    with authority.ledger() as ledger:
        assert len(revoke(ledger, did_key(DEVICE.public_key()), Reason.UNSPECIFIED)) == 2
        with pytest.raises(UsageError) as caught:
            revoke(ledger, did_key(DEVICE.public_key()), Reason.UNSPECIFIED)
    assert caught.value.code == "already-revoked"
    assert len(published(authority)) == 2


def test_nobody_of_that_name(authority):
    with authority.ledger() as ledger, pytest.raises(UsageError) as caught:
        find(ledger, "nobody.example.org")
    assert caught.value.code == "no-certificate"


def test_a_list_counts_for_a_device_whose_clock_is_a_little_behind(authority, monkeypatch):
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    monkeypatch.setattr(offlineca, "utc_now", lambda: later)
    assert published(authority).last_update_utc == later - timedelta(minutes=10)


def test_the_first_list_is_not_older_than_its_authority(authority):
    assert published(authority).last_update_utc >= authority.certificate.not_before


def test_numbers_of_lists_only_grow(authority):
    assert [number_of(published(authority)) for _ in range(3)] == [1, 2, 3]


def test_a_backup_that_was_put_back_is_noticed_and_numbers_go_on(authority):
    certify(authority)
    old = (authority.directory / "ledger.jsonl").read_bytes()
    with authority.ledger() as ledger:
        revoke(ledger, "pump7.example.org", Reason.UNSPECIFIED)
    assert number_of(published(authority)) == 1
    (authority.directory / "ledger.jsonl").write_bytes(old)
    with pytest.raises(LocalError) as caught, authority.ledger():
        pass
    assert caught.value.code == "ledger-rolled-back"
    assert "revoke again" in caught.value.hint
    with authority.ledger(after_restore=True) as ledger:
        assert entries(ledger)[0].revoked is None
    assert number_of(published(authority)) == 2


def test_a_kill_before_it_was_written_down_hands_nothing_out(authority, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_, **__):
        raise Killed

    for act in (lambda ledger: issue(authority, ledger, asked(), WISH, KEY),
                lambda ledger: list_revoked(authority, ledger, WEEK, KEY)):  # fmt: skip
        with authority.ledger() as ledger, monkeypatch.context() as patch:
            patch.setattr("os.fsync", kill)
            with pytest.raises(Killed):
                act(ledger)
    # Written, and perhaps on the disk: it is either there as a whole or not at all, and never handed out twice.
    with authority.ledger() as ledger:
        assert len(entries(ledger)) == 1
    assert number_of(published(authority)) == 2


def test_levels(authority):
    wish = Wish((), YEAR, level=Level.CLAIMED)
    assert certify(authority, wish).level == "token, unproven"


def test_evidence_comes_before_what_the_person_says():

    card = SoftCard()

    class Attesting:
        from hwkeys import Attester

        capabilities = frozenset({Attester})

        def attest(self, nonce):
            return card.evidence()

    trust = Trust(piv=authorities([card.maker.certificate]))
    shown = asked(card.key, statement_of(Attesting(), b""))
    assert assess(shown, Wish((), YEAR, trust=trust, level=Level.CLAIMED), AT) == (
        Level.ATTESTED,
        "YubiKey 5 (serial 12345678)",
    )
    assert assess(shown, Wish((), YEAR, level=Level.CLAIMED), AT) == (Level.CLAIMED, "")
    assert assess(asked(), Wish((), YEAR, trust=trust), AT) == (None, "")
    with pytest.raises(CertificateRefused) as caught:
        assess(asked(), Wish((), YEAR, require_attested=True, trust=trust), AT)
    assert caught.value.code == "request-unattested"
    with pytest.raises(CertificateRefused) as caught:
        assess(shown, Wish((), YEAR, require_attested=True), AT)
    assert caught.value.code == "request-evidence"


def test_a_certificate_ends_with_its_authority(tmp_path):
    authority = create(tmp_path / "short", KEY, key_uri="x", organisation="X", life=timedelta(days=1))
    made = certify(authority, Wish((), YEAR))
    assert made.until == authority.certificate.not_after


def test_an_authority_that_is_past_its_time(authority, monkeypatch):
    monkeypatch.setattr(offlineca, "utc_now", lambda: datetime.now(UTC) + 11 * YEAR)
    with pytest.raises(CertificateRefused) as caught:
        certify(authority)
    assert (caught.value.code, caught.value.exit_code) == ("cert-expired", 50)
    with authority.ledger() as ledger:
        assert entries(ledger) == ()


def test_no_authority(tmp_path):
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert caught.value.code == "no-authority"


@pytest.mark.parametrize(
    "old,new", [("schema = 1", "schema = 2"), ("certificate = ", "cert = "), ('"MI', '"XX'), ("key = ", "key")]
)
def test_an_authority_that_is_damaged(authority, old, new):
    path = authority.directory / "authority.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(LocalError) as caught:
        load(authority.directory)
    assert caught.value.code == "authority-damaged"


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError) as caught:
        create(tmp_path / "file" / "ca", KEY, key_uri="x", organisation="X", life=YEAR)
    assert caught.value.code == "disk"


@pytest.mark.device("softhsm")
def test_the_key_is_in_a_token(tmp_path):
    uri = shared_token().uri("authority", pin_source=True)
    with generate_key(uri) as key:
        authority = create(tmp_path / "ca", key, key_uri=uri, organisation="ACME", life=YEAR)
    with open_authority_key(authority, None) as key, authority.ledger() as ledger:
        made = issue(authority, ledger, asked(), WISH, key)
        _, der = list_revoked(authority, ledger, WEEK, key)
    open_gate(made.certificate).parsed.verify_directly_issued_by(authority.certificate.parsed)
    assert x509.load_der_x509_crl(der).is_signature_valid(authority.certificate.public_key)
