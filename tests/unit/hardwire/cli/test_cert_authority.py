# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.evidence import statement_of
from hardwire.app.pem import CERTIFICATE, REQUEST, to_pem
from hardwire.certs import Reason, make_request, parse_name
from hardwire.cli import cert_authority
from hwkeys import Attester, generate_key
from support.commands import ran
from support.evidence import SoftCard, der
from support.people import shared_token

pytestmark = pytest.mark.device("softhsm")
DEVICE = ec.generate_private_key(ec.SECP256R1())
NAME = "pump7.example.org"
_numbers = iter(range(1000))


@pytest.fixture
def ca(home):
    """An authority whose key is in SoftHSM."""
    uri = shared_token().uri(f"ca-{next(_numbers)}", pin_source=True)
    generate_key(uri).close()
    made = ran("cert", "ca", "--name", "ACME", "--key", uri, "--json")
    assert made.code == 0, made.err
    return made.events[0]


@pytest.fixture
def csr(tmp_path):
    path = tmp_path / "device.csr"
    path.write_text(to_pem(REQUEST, make_request(DEVICE, names=(parse_name(NAME),))))
    return path


def test_from_the_request_to_the_list(ca, csr, tmp_path):
    issued = ran("cert", "issue", csr, "--as-asked", "--days", "90")
    assert issued.code == 0, issued.err
    assert f"as       {NAME}" in issued.err
    assert "next: carry it back" in issued.err
    certificate = x509.load_pem_x509_certificate(issued.out.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca["pem"].encode()))

    revoked = ran("cert", "revoke", NAME, "--reason", "key-compromise")
    assert revoked.code == 0, revoked.err
    assert revoked.out == f"revoked {certificate.serial_number:x}: {NAME}\n"
    assert "hardwire cert crl" in revoked.err

    path = tmp_path / "acme.crl"
    for number in (1, 2):
        listed = ran("cert", "crl", "--out", path, "--days", "7")
        assert listed.code == 0, listed.err
        assert f"list number {number} of ACME: 1 revoked" in listed.err
    crl = x509.load_pem_x509_crl(path.read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


def test_events_for_programs(ca, csr, tmp_path):
    assert ca["organisation"] == "ACME"
    (issued,) = ran("cert", "issue", csr, "--name", "id:4711", "--json", "--out", tmp_path / "a.pem").events
    assert (issued["event"], issued["names"], issued["file"]) == ("certificate", ["id:4711"], str(tmp_path / "a.pem"))
    assert (tmp_path / "a.pem").read_text() == issued["pem"]
    (revoked,) = ran("cert", "revoke", issued["serial"], "--json").events
    assert revoked["serial"] == issued["serial"]
    (listed,) = ran("cert", "crl", "--json").events
    assert (listed["event"], listed["number"], listed["revoked"]) == ("crl", 1, 1)


def test_names_are_granted_on_purpose(ca, csr):
    refused = ran("cert", "issue", csr)
    assert refused.code == 2
    assert f"asks to be called {NAME}" in refused.err
    assert "--as-asked" in refused.err
    assert ran("cert", "issue", csr, "--as-asked", "--name", "id:1").code == 2
    assert "nothing was issued" in ran("cert", "show").err


def test_a_level_by_hand(ca, csr):
    issued = ran("cert", "issue", csr, "--as-asked", "--level", "software", "--json")
    assert issued.events[0]["level"] == "software token"


def test_attested_hardware_is_required(ca, csr):
    refused = ran("cert", "issue", csr, "--as-asked", "--require-attested", "--json")
    assert refused.code == 20
    assert refused.events[-1]["code"] == "request-unattested"


def test_attested_hardware_is_recorded(ca, tmp_path):
    card = SoftCard()
    now = __import__("datetime").datetime.now(__import__("datetime").UTC)
    dates = {"after": now.replace(year=now.year - 1), "before": now.replace(year=now.year + 9)}
    maker = card.maker.root("maker", key=card.maker.key, **dates)
    between = maker.authority("between", key=card.between.key, **dates)
    f9 = between.authority("card", key=card.f9.key, length=0, **dates)
    leaf = f9.issue("YubiKey PIV Attestation 9a", card.key.public_key(), card.extensions(), **dates)

    class Attesting:
        capabilities = frozenset({Attester})

        def attest(self, nonce):
            from hwkeys.evidence import PivEvidence

            return PivEvidence((der(leaf), der(f9.certificate), der(between.certificate)))

    csr, roots = tmp_path / "card.csr", tmp_path / "makers.pem"
    csr.write_text(to_pem(REQUEST, make_request(card.key, statement=statement_of(Attesting(), b""))))
    roots.write_text(to_pem(CERTIFICATE, der(maker.certificate)))
    issued = ran("cert", "issue", csr, "--require-attested", "--attestation-roots", roots, "--json")
    assert issued.code == 0, issued.out
    assert (issued.events[0]["level"], issued.events[0]["proof"]) == (
        "attested hardware",
        "YubiKey 5 (serial 12345678)",
    )


def test_a_second_authority_and_none(ca, home, tmp_path):
    again = ran("cert", "ca", "--name", "ACME")
    assert again.code == 2
    assert "already" in again.err
    for words in (("revoke", "x"), ("crl",), ("show",)):
        missing = ran("cert", *words, "--ca", tmp_path / "none")
        assert missing.code == 2
        assert "hardwire cert ca --name" in missing.err


def test_one_way_to_the_key(home):
    assert "exclude one another" in ran("cert", "ca", "--name", "A", "--device", "x", "--key", "pkcs11:").err


def test_a_key_made_in_the_token(home, csr):
    from support import softhsm

    token = softhsm.in_process().token()
    uri = f"pkcs11:serial={token.serial}?module-path={token.module}"
    made = ran(
        "cert",
        "ca",
        "--name",
        "ACME",
        "--device",
        uri,
        "--pin-source",
        token.pin_file,
        "--out",
        csr.with_name("ca.pem"),
    )
    assert made.code == 0, made.err
    assert "SOFTWARE TOKEN" in made.err
    assert ran("cert", "issue", csr, "--as-asked").code == 0


def test_nothing_is_issued_that_cannot_be_written(ca, csr, tmp_path):
    (tmp_path / "there").write_text("mine")
    assert ran("cert", "issue", csr, "--as-asked", "--out", tmp_path / "there").code == 2
    assert (tmp_path / "there").read_text() == "mine"
    assert "nothing was issued" in ran("cert", "show").err


def test_one_request_at_a_time(ca, csr):
    csr.write_text(csr.read_text() * 2)
    assert "more than one request" in ran("cert", "issue", csr, "--as-asked").err


def test_a_backup_is_noticed(ca, csr, home):
    ledger = home / "ca" / "ledger.jsonl"
    assert ran("cert", "issue", csr, "--as-asked").code == 0
    old = ledger.read_bytes()
    assert ran("cert", "revoke", NAME).code == 0
    ledger.write_bytes(old)
    refused = ran("cert", "crl", "--json")
    assert (refused.code, refused.events[-1]["code"]) == (1, "ledger-rolled-back")
    assert ran("cert", "crl", "--after-restore").code == 0


def test_a_certificate_that_an_old_ledger_does_not_know_is_revoked_by_its_file(ca, csr, home, tmp_path):
    ledger = home / "ca" / "ledger.jsonl"
    old = ledger.read_bytes() if ledger.exists() else b""
    file = tmp_path / "lost.pem"
    assert ran("cert", "issue", csr, "--as-asked", "--out", file).code == 0
    ledger.write_bytes(old)
    assert ran("cert", "revoke", file).code == 1
    again = ran("cert", "revoke", file, "--after-restore")
    assert (again.code, NAME in again.out) == (0, True)
    assert ran("cert", "revoke", tmp_path / "nothing.pem").code == 2


def test_the_reasons_are_all_there():
    assert {one.value for one in cert_authority._Reason} == {one.value for one in Reason}
