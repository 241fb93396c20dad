# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.offlineca import Wish, create, issue, revoke
from hardwire.app.pem import CERTIFICATE, to_pem
from hardwire.certs import Level, Reason, make_request, parse_name, read_request
from support.commands import ran

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def issued(home):
    authority = create(home / "ca", KEY, key_uri="pkcs11:token=x", organisation="ACME", life=timedelta(days=900))
    made = []
    with authority.ledger() as ledger:
        for name, level in (("a.example.org", Level.CLAIMED), ("b.example.org", None)):
            asked = read_request(make_request(ec.generate_private_key(ec.SECP256R1())))
            wish = Wish((parse_name(name),), timedelta(days=9), level=level)
            made.append(issue(authority, ledger, asked, wish, KEY))
        revoke(ledger, "b.example.org", Reason.SUPERSEDED)
    return authority, made


def test_everything(issued):
    shown = ran("cert", "show")
    assert shown.code == 0, shown.err
    assert "authority of ACME" in shown.err
    assert "(superseded)" in shown.out
    assert "key in token, unproven" in shown.out
    assert [event["names"] for event in ran("cert", "show", "--json").events] == [["a.example.org"], ["b.example.org"]]


def test_one_and_its_certificate(issued):
    shown = ran("cert", "show", "a.example.org", "--pem")
    assert x509.load_pem_x509_certificate(shown.out.encode()).serial_number == int(issued[1][0].serial, 16)
    (event,) = ran("cert", "show", issued[1][1].serial, "--pem", "--json").events
    assert event["reason"] == "superseded"
    assert ran("cert", "show", "c.example.org").code == 2


def test_a_file(issued, tmp_path):
    path = tmp_path / "a.pem"
    path.write_text(to_pem(CERTIFICATE, issued[1][0].certificate))
    shown = ran("cert", "show", path)
    assert "a.example.org" in shown.out
    (event,) = ran("cert", "show", path, "--json").events
    assert (event["event"], event["kind"]) == ("shown", "certificate")
