# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from hardwire.app import membership as module
from hardwire.app.crlstore import CrlStore
from hardwire.app.membership import (
    Membership,
    install,
    issuers_known_here,
    load_membership,
    membership_path,
    refuse_revoked,
)
from hardwire.app.organisations import NOBODY, Organisations
from hardwire.app.pem import CERTIFICATE, OCSP, Item
from hardwire.certs import Assurance, encode_claim, read_crl, read_statuses
from hardwire.errors import CertificateRefused, LocalError, UsageError
from support.orgs import DAY, Org, identity_of, now

ORG, OTHER = Org(), Org("Umbrella")
KEY = ec.generate_private_key(ec.SECP256R1())
TRUSTING = Organisations((ORG.trusted(),))


@pytest.fixture
def me(tmp_path):
    return identity_of(KEY, tmp_path)


def items(*certificates) -> list[Item]:
    return [Item(CERTIFICATE, one.der) for one in certificates]


def status(device) -> bytes:
    built = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            device.parsed, ORG.gated.parsed, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, now(), now() + DAY, None, None
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, ORG.gated.parsed)
    )
    return built.sign(ORG.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_installed_loaded_shown(me, tmp_path):
    device = ORG.issue(KEY, "alice@example.org")
    own = install(me, items(device), TRUSTING, tmp_path)
    assert (own.organisation, own.did) == ("ACME", me.own.did)
    read = load_membership(me, tmp_path)
    assert read.chain == (device,)
    shown = read.credential(me)
    assert shown.certificates == (device.der,)
    assert shown.attestations == (encode_claim(Assurance.SOFTWARE_TOKEN),)


def test_a_root_in_the_same_file_is_used_and_not_kept(me, tmp_path):
    device = ORG.issue(KEY)
    assert install(me, items(device, ORG.gated), NOBODY, tmp_path).organisation == "ACME"
    assert load_membership(me, tmp_path).chain == (device,)


def test_a_status_goes_along(me, tmp_path):
    device = ORG.issue(KEY)
    response = status(device)
    own = install(me, [*items(device), Item(OCSP, response)], TRUSTING, tmp_path)
    assert own.endorsement.revocation[0].source.value == "OCSP"
    shown = load_membership(me, tmp_path).credential(me)
    assert read_statuses(shown.attestations) == (response,)


def test_too_many_statuses(me, tmp_path):
    device = ORG.issue(KEY)
    with pytest.raises(UsageError) as caught:
        install(me, [*items(device), *[Item(OCSP, status(device))] * 4], TRUSTING, tmp_path)
    assert caught.value.code == "too-large"
    assert not membership_path(tmp_path).exists()


def test_the_newest_replaces_the_older(me, tmp_path):
    first, second = ORG.issue(KEY), ORG.issue(KEY)
    install(me, items(first), TRUSTING, tmp_path)
    install(me, items(second), TRUSTING, tmp_path)
    assert load_membership(me, tmp_path).chain == (second,)


def test_no_membership(me, tmp_path):
    assert load_membership(me, tmp_path) is None


@pytest.mark.parametrize("known", [NOBODY, Organisations((OTHER.trusted(),))])
def test_an_authority_that_nobody_knows(me, tmp_path, known):
    with pytest.raises(UsageError) as caught:
        install(me, items(ORG.issue(KEY)), known, tmp_path)
    assert caught.value.code == "issuer-unknown"
    assert "hardwire cert trust" in caught.value.hint


def test_a_certificate_of_another_key(me, tmp_path):
    for given in (items(ORG.issue(ec.generate_private_key(ec.SECP256R1()))), items(ORG.gated), []):
        with pytest.raises(UsageError) as caught:
            install(me, given, TRUSTING, tmp_path)
        assert caught.value.code == "other-key"


def test_a_certificate_that_is_no_good(me, tmp_path):
    with pytest.raises(CertificateRefused) as caught:
        install(me, items(ORG.issue(KEY, begins=-2 * DAY, ends=-DAY)), TRUSTING, tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("cert-expired", 50)
    assert not membership_path(tmp_path).exists()


def test_a_place_that_cannot_be_written(me, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_private", full)
    with pytest.raises(LocalError) as caught:
        install(me, items(ORG.issue(KEY)), TRUSTING, tmp_path)
    assert caught.value.code == "disk"


@pytest.mark.parametrize(
    "shift,code", [(timedelta(days=60), "cert-expired"), (-timedelta(days=60), "cert-not-yet-valid")]
)
def test_a_membership_out_of_its_time(me, tmp_path, monkeypatch, shift, code):
    install(me, items(ORG.issue(KEY)), TRUSTING, tmp_path)
    monkeypatch.setattr(module, "utc_now", lambda: datetime.now(UTC) + shift)
    with pytest.raises(LocalError) as caught:
        load_membership(me, tmp_path)
    assert (caught.value.code, caught.value.exit_code) == (code, 50)
    assert "--personal" in caught.value.hint


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_damaged(me, tmp_path, text):
    membership_path(tmp_path).write_text(text)
    with pytest.raises(LocalError) as caught:
        load_membership(me, tmp_path)
    assert caught.value.code == "membership-damaged"


def test_a_file_with_a_status_only(me, tmp_path):
    from hardwire.app.pem import to_pem

    membership_path(tmp_path).write_text(to_pem(OCSP, status(ORG.issue(KEY))))
    with pytest.raises(LocalError) as caught:
        load_membership(me, tmp_path)
    assert caught.value.code == "membership-damaged"


def test_a_file_about_another_key(me, tmp_path):
    install(me, items(ORG.issue(KEY)), TRUSTING, tmp_path)
    other = identity_of(ec.generate_private_key(ec.SECP256R1()), tmp_path / "other")
    with pytest.raises(LocalError) as caught:
        load_membership(other, tmp_path)
    assert caught.value.code == "membership-key"


def test_whose_lists_are_taken(me, tmp_path):
    assert issuers_known_here(TRUSTING, tmp_path) == (ORG.gated,)
    install(me, items(ORG.issue(KEY)), TRUSTING, tmp_path)
    assert issuers_known_here(TRUSTING, tmp_path) == (ORG.gated,)


def test_the_file_is_readable_by_other_software(me, tmp_path):
    device = ORG.issue(KEY)
    install(me, items(device), TRUSTING, tmp_path)
    assert x509.load_pem_x509_certificates(membership_path(tmp_path).read_bytes()) == [device.parsed]


def test_a_line_for_people(me, tmp_path):
    install(me, items(ORG.issue(KEY, "alice@example.org", "id:7")), TRUSTING, tmp_path)
    read = load_membership(me, tmp_path)
    assert read.summary() == f"ACME as alice@example.org, id:7, until {read.chain[0].not_after:%Y-%m-%d}"
    assert Membership((ORG.issue(KEY),)).summary().startswith("ACME, until ")


def test_an_identity_that_was_revoked_hears_of_it(me, tmp_path):
    install(me, items(ORG.issue(KEY)), TRUSTING, tmp_path)
    mine, store = load_membership(me, tmp_path), CrlStore(tmp_path / "r")
    refuse_revoked(mine, store)
    store.keep(read_crl(ORG.crl(ORG.issue(KEY))), ORG.gated)
    refuse_revoked(mine, store)
    store.keep(read_crl(ORG.crl(mine.chain[0], number=2)), ORG.gated)
    with pytest.raises(LocalError) as caught:
        refuse_revoked(mine, store)
    assert (caught.value.code, caught.value.exit_code) == ("cert-revoked", 50)
    assert "--personal" in caught.value.hint
