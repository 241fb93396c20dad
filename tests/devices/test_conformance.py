# SPDX-License-Identifier: Apache-2.0
"""What every device must do. The device only supplies the key."""

import copy
import datetime as dt
import pickle
import threading
import traceback
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from hwkeys import (
    Attester,
    EllipticCurveHardwareKey,
    HardwareKey,
    KeyAgreement,
    KeyClosed,
    KeyExists,
    KeyMissing,
    PeerKeyRefused,
    PinNeeded,
    PinRefused,
    PinState,
    PinWrong,
    Sealer,
    SealRefused,
    Unsupported,
    capability,
    delete_key,
    generate_key,
    open_key,
)
from support.hwbench import Asked, Bench, python, right, run

SHA256 = ec.ECDSA(hashes.SHA256())
DAY = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)


@pytest.fixture
def key(bench: Bench) -> EllipticCurveHardwareKey:
    return bench.make("alice", right(bench))


def test_openssl_accepts_the_signature(bench, key, tmp_path):
    (tmp_path / "text").write_bytes(b"for openssl")
    (tmp_path / "sig").write_bytes(key.sign(b"for openssl", SHA256))
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "pub").write_bytes(pem)
    said = run("openssl", "dgst", "-sha256", "-verify", "pub", "-signature", "sig", "text", cwd=tmp_path)
    assert said.strip() == "Verified OK"


def test_the_key_is_found_again_by_its_exact_uri(bench, key):
    key.close()
    with open_key(key.uri, prompter=right(bench)) as again:
        assert again.uri == key.uri
        assert again.public_key() == key.public_key()
        key.public_key().verify(again.sign(b"again", SHA256), b"again", SHA256)


def test_a_pin_source_answers(bench, key):
    key.close()
    with open_key(bench.sourced("alice")) as again:
        key.public_key().verify(again.sign(b"x", SHA256), b"x", SHA256)
    assert "pin" not in again.uri


def test_a_systemd_credential_answers(bench, key, tmp_path, monkeypatch):
    key.close()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "hw.pin").write_text(f"{bench.pin}\n")
    with open_key(bench.uri("alice") + "&pin-source=credential:hw.pin") as again:
        key.public_key().verify(again.sign(b"x", SHA256), b"x", SHA256)
    assert "hw.pin" not in again.uri


def test_certificate_and_request_builders_take_it(bench, key, tmp_path):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(DAY)
        .not_valid_after(DAY + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    certificate.verify_directly_issued_by(certificate)
    (tmp_path / "req").write_bytes(request.public_bytes(serialization.Encoding.PEM))
    assert "verify OK" in run("openssl", "req", "-in", "req", "-verify", "-noout", cwd=tmp_path)


def test_it_is_a_cryptography_key_and_a_hardware_key(key):
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key, HardwareKey)
    assert (key.curve.name, key.key_size) == ("secp256r1", 256)


def test_the_private_half_cannot_be_had(key):
    with pytest.raises(Unsupported):
        key.private_numbers()
    with pytest.raises(Unsupported):
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(Unsupported):
        key.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(Unsupported):
        pickle.dumps(key)


def test_a_copy_is_the_same_key(key):
    assert copy.copy(key) is key
    assert copy.deepcopy({"key": key})["key"] is key


def test_digests_made_elsewhere_are_signed_as_they_are(key):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"text")
    prehashed = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    key.public_key().verify(key.sign(digest.finalize(), prehashed), b"text", SHA256)
    with pytest.raises(Unsupported):
        key.sign(b"not 32 octets", prehashed)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA512(), hashes.SHA3_256()], ids=lambda a: a.name)
def test_other_hashes_are_refused(key, algorithm):
    with pytest.raises(Unsupported):
        key.sign(b"x", ec.ECDSA(algorithm))


def test_generating_never_replaces_a_key(bench, key):
    with pytest.raises(KeyExists if bench.generates else Unsupported):
        generate_key(bench.uri("alice"), prompter=right(bench))
    with open_key(bench.uri("alice")) as old:
        assert old.public_key() == key.public_key()


def test_a_key_that_is_not_there(bench, key):
    with pytest.raises(KeyMissing):
        open_key(bench.uri("bob"), prompter=right(bench))


def test_a_deleted_key_is_gone(bench, key):
    key.close()
    if not bench.generates:
        with pytest.raises(Unsupported, match="management key"):
            delete_key(key.uri, prompter=right(bench))
        open_key(key.uri, prompter=right(bench)).close()
        return
    delete_key(key.uri, prompter=right(bench))
    with pytest.raises(KeyMissing):
        open_key(key.uri, prompter=right(bench))
    with pytest.raises(KeyMissing):
        delete_key(key.uri, prompter=right(bench))


def test_a_wrong_pin_is_spent_once_and_the_right_one_still_works(bench, key):
    key.close()
    wrong = Asked("000000")
    with pytest.raises(PinWrong) as refused:
        open_key(key.uri, prompter=wrong)
    assert len(wrong.requests) == 1
    assert "000000" not in f"{refused.value}{refused.value.hint}{refused.value.__cause__!r}"
    with open_key(key.uri, prompter=right(bench)) as again:
        again.sign(b"x", SHA256)


def test_a_report_that_shows_all_variables_shows_no_pin(bench, key):
    key.close()
    # As crash reporters do it. The prompter's own frames have ended by then; this one's says the PIN backwards.
    with pytest.raises(PinWrong) as refused:
        open_key(key.uri, prompter=Asked(lambda: "62951413"[::-1]))
    reported = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    text = "".join(reported.format())
    assert "31415926" not in text
    assert "<PIN>" in text
    with open_key(key.uri, prompter=right(bench)) as again:
        with pytest.raises(Unsupported) as refused:
            again.sign(b"x", ec.ECDSA(hashes.SHA512()))
        assert bench.pin not in f"{again!r}{vars(again)!r}{again.device!r}{refused.value!r}"


def test_the_person_sees_which_device_asks(bench, key):
    key.close()
    asked = Asked(bench.pin)
    open_key(key.uri, prompter=asked).close()
    (request,) = asked.requests
    (device,) = bench.devices()
    assert request.device.label == device.label
    assert request.device.serial == device.serial
    assert request.device.pin_state is PinState.OK
    assert device.label in request.describe()
    assert not request.final_try


def test_with_nobody_to_ask_it_opens_locked(bench, key):
    key.close()
    with open_key(bench.uri("alice")) as locked:
        assert locked.public_key() == key.public_key()
        with pytest.raises(PinNeeded):
            locked.sign(b"x", SHA256)


def test_a_person_who_gives_up(bench, key):
    def gives_up() -> str:
        raise PinRefused("no")

    key.close()
    with pytest.raises(PinRefused):
        open_key(key.uri, prompter=Asked(gives_up))
    with pytest.raises(PinRefused):
        open_key(key.uri, prompter=Asked(""))
    open_key(key.uri, prompter=right(bench)).close()


def test_a_closed_key_does_nothing(key):
    key.close()
    key.close()
    with pytest.raises(KeyClosed):
        key.sign(b"x", SHA256)


def test_unlocking_asks_once(bench, key):
    key.close()
    asked = Asked(bench.pin)
    with open_key(key.uri, prompter=asked) as again:
        again.unlock()
        again.sign(b"x", SHA256)
        again.sign(b"y", SHA256)
    assert len(asked.requests) == 1


def test_the_list_shows_the_device_and_whether_it_is_software(bench, key):
    (device,) = bench.devices()
    assert device.software is bench.software
    assert key.device.software is bench.software
    assert device.uri == key.device.uri
    assert device.kind == key.uri.partition(":")[0] == device.uri.partition(":")[0]


def test_eight_threads_share_a_key(bench, key):
    wrong: list[object] = []

    def work(number: int) -> None:
        try:
            for turn in range(bench.rounds // 8):
                text = b"%d %d" % (number, turn)
                key.public_key().verify(key.sign(text, SHA256), text, SHA256)
        except Exception as error:  # noqa: BLE001 - the thread's failure is the test's
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_is_left_in_the_device(bench, key):
    before = bench.residue()
    for _ in range(bench.rounds):
        key.sign(b"x", SHA256)
    for _ in range(10):
        open_key(key.uri, prompter=right(bench)).close()
        bench.devices()
    assert bench.residue() == before


@pytest.fixture
def agreeing(bench: Bench) -> EllipticCurveHardwareKey:
    return bench.agreeing(right(bench))


def test_both_sides_agree_on_one_secret(agreeing):
    other = ec.generate_private_key(agreeing.curve)
    secret = capability(agreeing, KeyAgreement).exchange(ec.ECDH(), other.public_key())
    assert secret == other.exchange(ec.ECDH(), agreeing.public_key())
    assert len(secret) == 32


def test_an_agreement_key_does_not_sign_and_a_signing_key_does_not_agree(bench, agreeing):
    with pytest.raises(Unsupported):
        agreeing.sign(b"x", SHA256)
    signing = bench.make("alice", right(bench))
    assert KeyAgreement not in signing.capabilities
    with pytest.raises(Unsupported):
        capability(signing, KeyAgreement)
    with pytest.raises(Unsupported):
        signing.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())


def test_a_point_of_another_curve_is_refused(agreeing):
    with pytest.raises(PeerKeyRefused):
        agreeing.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP384R1()).public_key())


def test_agreeing_leaves_nothing_in_the_device(bench, agreeing):
    other = ec.generate_private_key(agreeing.curve)
    before = bench.residue()
    for _ in range(bench.rounds // 4):
        agreeing.exchange(ec.ECDH(), other.public_key())
    assert bench.residue() == before


@pytest.mark.parametrize("size", [1, 32, 128])
def test_what_was_sealed_opens(bench, agreeing, size):
    secret = bytes(range(size))
    sealed = capability(agreeing, Sealer).seal(secret)
    agreeing.close()
    with open_key(agreeing.uri, prompter=right(bench)) as again:
        assert capability(again, Sealer).unseal(sealed) == secret


def test_what_was_sealed_opens_with_the_pin_only(bench, agreeing):
    sealed = agreeing.seal(b"secret")
    agreeing.close()
    with open_key(agreeing.uri) as locked, pytest.raises(PinNeeded):
        locked.unseal(sealed)
    with pytest.raises(KeyClosed):
        agreeing.unseal(sealed)


def test_what_was_sealed_and_altered_does_not_open(agreeing):
    sealed = agreeing.seal(b"secret")
    for octets in (sealed[:-9], b"", bytes(200), sealed.replace(sealed[-12:-4], bytes(8))):
        with pytest.raises(SealRefused):
            agreeing.unseal(octets)
    assert agreeing.unseal(sealed) == b"secret"


@pytest.mark.parametrize("size", [0, 129])
def test_a_secret_that_no_device_seals(agreeing, size):
    with pytest.raises(Unsupported, match="128"):
        agreeing.seal(bytes(size))


def test_a_device_can_do_what_its_key_says_and_says_what_it_cannot(bench, key, agreeing):
    for opened in (key, agreeing):
        for kind, use in (
            (Sealer, lambda one: one.unseal(one.seal(b"secret"))),
            (Attester, lambda one: one.attest(b"nonce")),
            (KeyAgreement, lambda one: one.exchange(ec.ECDH(), ec.generate_private_key(one.curve).public_key())),
        ):
            if kind in opened.capabilities:
                assert use(capability(opened, kind))
                continue
            with pytest.raises(Unsupported) as refused:
                capability(opened, kind)
            assert refused.value.hint
            with pytest.raises(Unsupported):
                use(opened)


FORKED = """
import os, sys
from hwkeys import *
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
key = open_key(sys.argv[1])
key.sign(b"parent", ec.ECDSA(hashes.SHA256()))
for attempt in (lambda: key.sign(b"child", ec.ECDSA(hashes.SHA256())), lambda: open_key(sys.argv[1])):
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except ForkRefused:
            os._exit(42)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
key.sign(b"parent", ec.ECDSA(hashes.SHA256()))
"""


def test_a_forked_child_is_refused(bench, key):
    key.close()
    assert python(FORKED, bench.sourced("alice"), env=bench.env()).split() == ["42", "42"]


def test_other_processes_use_the_device_at_the_same_time(bench, key):
    script = FORKED.partition("for attempt")[0] + "print(key.uri)"
    assert python(script, bench.sourced("alice"), env=bench.env()).strip() == key.uri
    key.sign(b"x", SHA256)


README = Path(__file__).parents[2] / "hsm" / "hwkeys" / "README.md"


def test_the_readmes_example_runs(bench):
    code = README.read_text().split("```python\n")[1].split("```")[0]
    if not bench.generates:
        code = code.replace("generate_key", "open_key")
    place = {
        "pkcs11:token=alice;object=mykey": bench.uri("mykey" if bench.generates else "alice"),
        "TerminalPrompter()": "PROMPTER",
    }
    for shown, real in place.items():
        assert shown in code
        code = code.replace(shown, real)
    exec(code, {"PROMPTER": right(bench)})  # the README's own words
