# SPDX-License-Identifier: Apache-2.0
import base64
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app import identity as module
from hardwire.app.identity import identity_path, load_identity, make_identity, read_key_uri
from hardwire.certs import Assurance, Attestations, BlobType, Evidence, read_attestations
from hardwire.errors import LocalError, NoIdentity, UsageError

KEY = ec.generate_private_key(ec.SECP256R1())
URI = 'pkcs11:token=it%20is%20"mine";id=%01?module-path=/usr/lib/ü.so'


def make(home, key=KEY, *, renewal=False):
    return make_identity(
        key, key_uri=URI, device='"Küb" \\ 1', assurance=Assurance.TOKEN_CLAIMED, home=home, renewal=renewal
    )


def change(home, old: str, new: str) -> None:
    path = identity_path(home)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_was_made_is_read_again(tmp_path):
    made = make(tmp_path)
    read = load_identity(tmp_path)
    assert (read.key_uri, read.device, read.assurance) == (URI, '"Küb" \\ 1', Assurance.TOKEN_CLAIMED)
    assert read.certificate == made.certificate
    assert read.own.did == made.own.did
    assert read.credential == made.credential
    assert read_key_uri(tmp_path) == (URI, read.device, read.assurance, made.own.spki)
    assert stat.S_IMODE(identity_path(tmp_path).stat().st_mode) == 0o600


def test_the_certificate_begins_a_day_ago_and_has_a_serial_of_its_own(tmp_path):
    now = datetime.now(UTC)
    certificates = [x509.load_der_x509_certificate(make(tmp_path / name).certificate) for name in ("a", "b")]
    assert certificates[0].serial_number != certificates[1].serial_number
    for certificate in certificates:
        assert certificate.serial_number.bit_length() == 127
        assert abs(certificate.not_valid_before_utc - now + timedelta(days=1)) < timedelta(minutes=1)
        assert certificate.not_valid_after_utc > now + timedelta(days=4 * 365)


def test_the_record_for_programs(tmp_path):
    made = make(tmp_path)
    assert made.record() == {
        "event": "identity",
        "did": made.own.did,
        "device_id": made.own.device_id.hex(),
        "device": made.device,
        "assurance": "token, unproven",
        "evidence": None,
        "key": URI,
        "not_after": made.own.not_after.isoformat(),
    }


def test_the_default_place(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path))
    assert identity_path() == tmp_path / "identity.toml"
    with pytest.raises(NoIdentity) as caught:
        load_identity()
    assert caught.value.exit_code == 10
    assert "hardwire init" in caught.value.hint


def test_a_second_identity_does_not_replace_the_first(tmp_path):
    first = make(tmp_path)
    with pytest.raises(UsageError, match="already"):
        make(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    assert load_identity(tmp_path).own.did == first.own.did
    assert list(tmp_path.iterdir()) == [identity_path(tmp_path)]


def test_a_renewal_replaces_the_certificate_and_nothing_else(tmp_path):
    first = make(tmp_path)
    second = make(tmp_path, renewal=True)
    assert second.certificate != first.certificate
    assert load_identity(tmp_path).certificate == second.certificate
    assert second.own.did == first.own.did


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalError) as caught:
        make(tmp_path / "file")
    assert caught.value.code == "disk"
    assert "cannot be written" in caught.value.message
    assert caught.value.hint


def test_what_the_device_proves_is_kept_and_shown_with_the_claim(tmp_path):
    proof = Evidence(BlobType.PIV, b"\x30\x00")
    made = make_identity(KEY, key_uri=URI, device="d", assurance=Assurance.TOKEN_CLAIMED, evidence=proof, home=tmp_path)
    assert load_identity(tmp_path).evidence == proof
    assert read_attestations(made.credential.attestations) == Attestations(Assurance.TOKEN_CLAIMED, proof)
    assert made.record()["evidence"] == "piv"
    for old, new in (('evidence = "AAI', 'evidence = "AAE'), ('evidence = "AAI', 'evidence = "***')):
        change(tmp_path, old, new)
        with pytest.raises(NoIdentity, match="is damaged"):
            load_identity(tmp_path)
        change(tmp_path, new, old)


@pytest.mark.parametrize(
    "old,new",
    [
        ("schema = 1", "schema ="),
        ("schema = 1", ""),
        ('assurance = "token_claimed"', 'assurance = "gold"'),
        ('assurance = "token_claimed"', ""),
        ('certificate = "MII', 'certificate = "***'),
        ('certificate = "MII', 'certificate = "AAA'),
        ('certificate = "', "certificate = 5 #"),
        ("key = ", "keys = "),
    ],
)
def test_a_damaged_file(tmp_path, old, new):
    make(tmp_path)
    change(tmp_path, old, new)
    before = identity_path(tmp_path).read_bytes()
    for read in (load_identity, read_key_uri):
        with pytest.raises(NoIdentity) as caught:
            read(tmp_path)
        assert caught.value.exit_code == 10
        assert "is damaged" in caught.value.message
        assert "\n" not in caught.value.message
        assert "the key in the device is safe" in caught.value.hint
    assert identity_path(tmp_path).read_bytes() == before


def test_a_file_that_is_no_text_or_no_file(tmp_path):
    identity_path(tmp_path).write_bytes(b"\xff\xfe")
    with pytest.raises(NoIdentity, match="cannot be read"):
        load_identity(tmp_path)
    identity_path(tmp_path).unlink()
    identity_path(tmp_path).mkdir()
    with pytest.raises(NoIdentity, match="cannot be read"):
        load_identity(tmp_path)


def test_a_file_of_a_later_version(tmp_path):
    make(tmp_path)
    change(tmp_path, "schema = 1", "schema = 2")
    with pytest.raises(NoIdentity, match="another version of hardwire") as caught:
        load_identity(tmp_path)
    assert "use that version" in caught.value.hint


def test_an_octet_of_the_certificate_that_changed(tmp_path):
    made = make(tmp_path)
    altered = made.certificate[:-1] + bytes([made.certificate[-1] ^ 1])
    change(tmp_path, base64.b64encode(made.certificate).decode(), base64.b64encode(altered).decode())
    with pytest.raises(LocalError) as caught:
        load_identity(tmp_path)
    assert caught.value.code == "cert-self-signature"
    assert caught.value.exit_code == 10, "this machine's fault, and not a peer's"


@pytest.mark.parametrize("years,code", [(6, "cert-expired"), (-1, "cert-not-yet-valid")])
def test_a_certificate_out_of_its_time(tmp_path, monkeypatch, years, code):
    made = make(tmp_path)
    monkeypatch.setattr(module, "utc_now", lambda: datetime.now(UTC) + timedelta(days=365 * years))
    with pytest.raises(LocalError) as caught:
        load_identity(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == (code, 50)
    assert "clock" in caught.value.hint
    assert "init --renew" in caught.value.hint
    assert read_key_uri(tmp_path)[3] == made.own.spki, "enough is readable to renew it"
