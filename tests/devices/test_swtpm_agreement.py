# SPDX-License-Identifier: Apache-2.0
"""Key agreement in a TPM: the secret is right, and is nowhere but here."""

import contextlib
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import (
    DeviceFailed,
    EllipticCurveHardwareKey,
    KeyAgreement,
    PeerKeyRefused,
    PinWrong,
    Purpose,
    StaticPrompter,
    Unsupported,
    capability,
    generate_key,
    open_key,
)
from hwkeys.tpm.binding import Tpm
from hwkeys.tpm.session import conversation, key_at
from support.hwbench import SwTpmBench, right
from support.swtpm import SwTpm
from support.tpmrelay import TpmRelay

pytestmark = pytest.mark.device("swtpm")

PIN = "correct horse 7"
P256, P384 = ec.SECP256R1(), ec.SECP384R1()
CURVES = pytest.mark.parametrize("curve", [P256, P384], ids=lambda curve: curve.name)
ECDH_ZGEN = 0x154


@pytest.fixture
def tpm(swtpm: SwTpmBench) -> SwTpm:
    return swtpm.tpm


@pytest.fixture
def key(swtpm: SwTpmBench) -> EllipticCurveHardwareKey:
    return generate_key(swtpm.uri("alice"), prompter=right(swtpm), purpose=Purpose.AGREE)


@pytest.fixture
def relay(tpm: SwTpm) -> Iterator[TpmRelay]:
    with TpmRelay(tpm.socket, tpm.directory) as relay:
        yield relay


@contextlib.contextmanager
def raw(tpm: SwTpm, key: EllipticCurveHardwareKey) -> Iterator[tuple[Tpm, object, object]]:
    """The key's handle with its PIN, below everything that would check what is asked of it."""
    with (
        Tpm(tpm.tcti) as line,
        conversation(line, key._place.parent, None) as talk,
        key_at(key._place, talk) as (handle, _area),
    ):
        line.authorise(handle, PIN.encode())
        yield line, handle, talk.session


@CURVES
def test_both_sides_have_the_same_secret(swtpm, curve):
    made = generate_key(swtpm.uri("alice"), prompter=right(swtpm), purpose=Purpose.AGREE, curve=curve)
    made.close()
    with open_key(made.uri, prompter=right(swtpm)) as key:
        agree = capability(key, KeyAgreement)
        # Often enough that secrets with leading zeros are among them, and that a freed buffer would show.
        for _ in range(60):
            other = ec.generate_private_key(curve)
            assert agree.exchange(ec.ECDH(), other.public_key()) == other.exchange(ec.ECDH(), agree.public_key())


def test_openssl_agrees_with_the_same_key_file(tpm, key):
    other = ec.generate_private_key(P256)
    pem = other.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tpm.directory / "peer.pem").write_bytes(pem)
    provider = ("-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2")
    words = ("-inkey", "alice.tss2", "-peerkey", "peer.pem", "-passin", f"pass:{PIN}", "-out", "secret")
    tpm.tool("openssl", "pkeyutl", "-derive", *provider, *words)
    assert (tpm.directory / "secret").read_bytes() == key.exchange(ec.ECDH(), other.public_key())


@CURVES
def test_a_signing_key_of_either_curve(swtpm, curve):
    key = generate_key(swtpm.uri("alice"), prompter=right(swtpm), curve=curve)
    for algorithm in (hashes.SHA256(), hashes.SHA384())[: 1 if curve is P256 else 2]:
        key.public_key().verify(key.sign(b"x", ec.ECDSA(algorithm)), b"x", ec.ECDSA(algorithm))
    with pytest.raises(Unsupported, match="signing key"):
        key.exchange(ec.ECDH(), key.public_key())
    with pytest.raises(Unsupported, match="no key agreement"):
        capability(key, KeyAgreement)


def test_a_key_for_agreement_does_not_sign(tpm, key):
    with pytest.raises(Unsupported, match="does not sign"):
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    # Nor would the TPM, whoever asks.
    assert tpm.signatures() == 0
    with raw(tpm, key) as (line, handle, session), pytest.raises(DeviceFailed, match="signing"):
        line.sign(handle, session, bytes(32), "sha256")


def test_the_list_tells_what_a_key_is_for(swtpm, tpm):
    generate_key(f"tpm:handle=0x81010101?tcti={tpm.tcti}&auth=none", purpose=Purpose.AGREE, curve=P384)
    (info,) = swtpm.devices()[0].keys
    assert (info.kind, info.purpose) == ("EC P-384", Purpose.AGREE)


def test_a_point_of_another_curve_is_not_shown_to_the_tpm(tpm, key):
    before = tpm.commands()
    with pytest.raises(PeerKeyRefused):
        key.exchange(ec.ECDH(), ec.generate_private_key(P384).public_key())
    assert tpm.commands() == before


def test_the_tpm_itself_refuses_a_point_off_the_curve(tpm, key):
    with raw(tpm, key) as (line, handle, session), pytest.raises(DeviceFailed, match="agreeing on a secret"):
        line.agree(handle, session, b"\x04" + bytes(31) + b"\x05" + bytes(31) + b"\x07")


def secrets_of(key: EllipticCurveHardwareKey, times: int) -> list[bytes]:
    others = [ec.generate_private_key(P256) for _ in range(times)]
    found = [key.exchange(ec.ECDH(), other.public_key()) for other in others]
    assert found == [other.exchange(ec.ECDH(), key.public_key()) for other in others]
    return found


def test_the_secret_is_never_on_the_wires_also_after_a_failure(tpm, relay):
    uri = f"tpm:file={tpm.directory}/wired.tss2?tcti={relay.tcti}"
    key = generate_key(uri, prompter=StaticPrompter(PIN), purpose=Purpose.AGREE)
    found = secrets_of(key, 2)
    with pytest.raises(PinWrong):
        open_key(uri, prompter=StaticPrompter("a wrong PIN"))
    # libtss2 3.2.1 would go on in clear on the session that saw the failure.
    found += secrets_of(key, 2)
    key._pin = b"a wrong PIN"
    with pytest.raises(PinWrong):
        key.exchange(ec.ECDH(), key.public_key())
    tpm.tool("tpm2_dictionarylockout", "-c")
    found += secrets_of(key, 2)
    heard = relay.heard()
    assert tpm.commands().count(ECDH_ZGEN) == 7
    assert not [secret for secret in (*found, PIN.encode(), b"a wrong PIN") if secret in heard]


def test_the_relay_hears_a_secret_that_is_given_in_clear(tpm, relay):
    # What the test above looks for is what a password session lets everybody hear.
    import tpm2_pytss as tss

    other = ec.generate_private_key(P256)
    numbers = other.public_key().public_numbers()
    with tss.ESAPI(tss.TCTILdr("swtpm", relay.tcti.partition(":")[2])) as esys:
        template = tss.TPM2B_PUBLIC.parse("ecc256:null:null", "userwithauth|sensitivedataorigin|decrypt")
        handle, _public, *_ = esys.create_primary(None, template)
        point = tss.TPMS_ECC_POINT(x=numbers.x.to_bytes(32), y=numbers.y.to_bytes(32))
        shared = esys.ecdh_zgen(handle, tss.TPM2B_ECC_POINT(point))
        esys.flush_context(handle)
        assert bytes(shared.point.x) in relay.heard()


def test_nothing_is_left_in_the_tpm(swtpm, key):
    before = swtpm.residue()
    secrets_of(key, 20)
    with pytest.raises(PinWrong):
        open_key(key.uri, prompter=StaticPrompter("wrong"))
    assert swtpm.residue() == before
