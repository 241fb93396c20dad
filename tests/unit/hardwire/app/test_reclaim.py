# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.offlineca import Wish, create, entries, issue, list_revoked, revoke
from hardwire.app.reclaim import reclaim
from hardwire.certs import Level, Reason, make_request, parse_name, read_crl, read_request
from hardwire.errors import CertificateRefused, UsageError
from support.orgs import DAY, Org

KEY, DEVICE = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
WISH = Wish((parse_name("pump7.example.org"), parse_name("ops@example.org")), timedelta(days=365), level=Level.CLAIMED)


@pytest.fixture
def authority(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path / "home"))
    return create(tmp_path / "ca", KEY, key_uri="pkcs11:token=ca;object=ca", organisation="ACME", life=3650 * DAY)


def test_what_an_older_ledger_does_not_know_is_revoked_all_the_same(authority):
    with authority.ledger() as ledger:
        before = (authority.directory / "ledger.jsonl").read_bytes()
        lost = issue(authority, ledger, read_request(make_request(DEVICE)), WISH, KEY)
    (authority.directory / "ledger.jsonl").write_bytes(before)
    with authority.ledger(after_restore=True) as ledger:
        assert entries(ledger) == ()
        assert reclaim(authority, ledger, lost.certificate) == lost.serial
        assert reclaim(authority, ledger, lost.certificate) == lost.serial
        (found,) = entries(ledger)
        assert found == lost
        revoke(ledger, lost.serial, Reason.KEY_COMPROMISE)
        _, der = list_revoked(authority, ledger, DAY, KEY)
    assert read_crl(der).serials == {int(lost.serial, 16)}


def test_what_is_not_this_authoritys(authority):
    twin = Org("ACME")
    with authority.ledger() as ledger:
        for der in (twin.issue(DEVICE).der, authority.certificate.der):
            with pytest.raises(UsageError) as caught:
                reclaim(authority, ledger, der)
            assert caught.value.code == "no-certificate"
        with pytest.raises(CertificateRefused):
            reclaim(authority, ledger, b"nonsense")
        assert entries(ledger) == ()
