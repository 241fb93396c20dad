# SPDX-License-Identifier: Apache-2.0
"""What only a card shows: pulled and exchanged, locked, other kinds of keys, a PIN for each use. Through both modules."""

import threading
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from hwkeys import (
    DeviceMissing,
    NotTouched,
    PinLocked,
    PinNeeded,
    PinRefused,
    PinState,
    PinWrong,
    Purpose,
    RSAHardwareKey,
    TokenRemoved,
    TouchRequest,
    open_key,
)
from hwkeys.yubikey import describe
from support.hwbench import Asked, python, right, run
from support.hwpiv import PivBench, elliptic
from support.virtualpiv import PIN, VirtualPiv

SHA256 = ec.ECDSA(hashes.SHA256())
MODULES = [
    pytest.param("opensc", marks=pytest.mark.device("piv-opensc")),
    pytest.param("ykcs11", marks=pytest.mark.device("piv-ykcs11")),
]


@pytest.fixture(params=MODULES)
def piv(request: pytest.FixtureRequest) -> Iterator[PivBench]:
    bench = PivBench(request.param)
    yield bench
    bench.card.pull()


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ---- other kinds of keys


def test_p384_signs_and_agrees(module):
    piv = PivBench(module, kind="P384")
    with piv.make("alice", right(piv)) as key, piv.agreeing(right(piv)) as agreeing:
        assert key.key_size == 384
        for algorithm in (hashes.SHA256(), hashes.SHA384()):
            signature = key.sign(b"text", ec.ECDSA(algorithm))
            key.public_key().verify(signature, b"text", ec.ECDSA(algorithm))
        other = ec.generate_private_key(ec.SECP384R1())
        secret = agreeing.exchange(ec.ECDH(), other.public_key())
        assert secret == other.exchange(ec.ECDH(), agreeing.public_key())
        assert len(secret) == 48
    piv.card.pull()


def test_rsa_signs_with_both_paddings(module, tmp_path):
    piv = PivBench(module, kind="RSA2048")
    with open_key(piv.uri("alice"), prompter=right(piv)) as key:
        assert isinstance(key, RSAHardwareKey)
        assert key.key_size == 2048
        for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
            pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
            for scheme in (padding.PKCS1v15(), pss):
                key.public_key().verify(key.sign(b"text", scheme, algorithm), b"text", scheme, algorithm)
        (tmp_path / "text").write_bytes(b"for openssl")
        (tmp_path / "sig").write_bytes(key.sign(b"for openssl", padding.PKCS1v15(), hashes.SHA256()))
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "pub").write_bytes(pem)
    said = run("openssl", "dgst", "-sha256", "-verify", "pub", "-signature", "sig", "text", cwd=tmp_path)
    assert said.strip() == "Verified OK"
    (device,) = piv.devices()
    assert {info.kind for info in device.keys if info.key_id == b"\1"} == {"RSA 2048"}
    piv.card.pull()


def test_the_certificate_of_the_slot_comes_with_the_key(piv):
    with piv.make("alice", right(piv)) as key:
        certificate = key.certificate()
        assert certificate.subject.rfc4514_string() == "CN=alice"
        assert certificate.public_key() == key.public_key()


def test_the_list_shows_what_is_on_the_card_without_a_pin(piv):
    (device,) = piv.devices()
    assert not device.software
    assert device.pin_state is PinState.OK
    assert {info.key_id for info in device.keys} >= {b"\1", b"\3"}
    assert b"\x19" not in {info.key_id for info in device.keys}, "the key that attests others is nobody's to use"
    for info in device.keys:
        if info.key_id in (b"\1", b"\3"):
            assert (info.kind, info.certificate) == ("EC P-256", "CN=alice")
            assert info.purpose is (Purpose.AGREE if info.key_id == b"\3" else Purpose.SIGN)
            with open_key(info.uri) as locked, pytest.raises(PinNeeded):
                locked.unlock()
    assert piv.card.spent == 0


def test_both_labels_of_a_pair_name_it(piv):
    label = {"opensc": ("PIV%20AUTH%20key", "PIV%20AUTH%20pubkey")}.get(
        piv.name, ("Private%20key%20for%20PIV%20Authentication", "Public%20key%20for%20PIV%20Authentication")
    )
    for words in label:
        uri = piv.uri("alice").replace(";id=%01", f";object={words}")
        with open_key(uri, prompter=right(piv)) as key:
            assert key.sign(b"x", SHA256)
            with open_key(key.uri, prompter=right(piv)) as same:
                assert same.public_key() == key.public_key()


# ---- 9c: the PIN for each use


def test_9c_asks_for_each_signature(module):
    card = VirtualPiv()
    card.place("9c", name="alice")
    piv = PivBench(module, card=card)
    asked = Asked(PIN)
    with elliptic(open_key(piv.uri("9c"), prompter=asked)) as key:
        for _ in range(2):
            key.public_key().verify(key.sign(b"x", SHA256), b"x", SHA256)
        assert [request.key for request in asked.requests][-2:] == ["one use of the key, which asks each time"] * 2
        assert len(asked.requests) == 3
        assert card.used("9c") == 2
    card.pull()


def test_9c_and_a_wrong_pin_leave_a_session_that_works(module):
    card = VirtualPiv()
    card.place("9c", name="alice")
    piv = PivBench(module, card=card)
    answers = iter([PIN, "000000", PIN, PIN])
    with elliptic(open_key(piv.uri("9c"), prompter=Asked(lambda: next(answers)))) as key:
        with pytest.raises(PinWrong):
            key.sign(b"x", SHA256)
        assert card.tries == 2
        key.public_key().verify(key.sign(b"x", SHA256), b"x", SHA256)
    card.pull()


# ---- touch


class Finger(Asked):
    """A person who is told when the card waits, and then does what was planned."""

    def __init__(self) -> None:
        super().__init__(PIN)
        self.told: list[tuple[str, bool]] = []

    def touch(self, request: TouchRequest) -> None:
        self.told.append(("now", request.certain))

    def touch_over(self, request: TouchRequest) -> None:
        self.told.append(("over", request.certain))


@pytest.fixture(params=MODULES)
def touchy(request: pytest.FixtureRequest) -> Iterator[PivBench]:
    """A card whose 9a wants a touch for each use, and whose 9d wants one now and then."""
    card = VirtualPiv()
    card.place("9a", touch=2)
    card.place("9d", touch=3)
    bench = PivBench(request.param, card=card)
    yield bench
    card.pull()


def test_a_key_that_wants_a_touch_says_so_while_the_card_waits(touchy):
    finger = Finger()
    with elliptic(open_key(touchy.uri("9a"), prompter=finger)) as key:
        assert finger.told == []
        touchy.card.touch(0.3)
        key.public_key().verify(key.sign(b"x", SHA256), b"x", SHA256)
        assert finger.told == [("now", True), ("over", True)]


def test_a_key_that_was_touched_a_moment_ago_says_nothing(touchy):
    finger = Finger()
    other = ec.generate_private_key(ec.SECP256R1())
    with elliptic(open_key(touchy.uri("9d"), prompter=finger)) as key:
        touchy.card.touch(0.0)
        key.exchange(ec.ECDH(), other.public_key())
        assert finger.told == []
        touchy.card.touch(1.0)
        assert key.exchange(ec.ECDH(), other.public_key()) == other.exchange(ec.ECDH(), key.public_key())
        assert finger.told == [("now", True), ("over", True)]


@pytest.mark.parametrize("slot", ["9a", "9d"])
def test_nobody_touched_it(touchy, slot):
    finger = Finger()
    other = ec.generate_private_key(ec.SECP256R1())
    with elliptic(open_key(touchy.uri(slot), prompter=finger)) as key:

        def use() -> None:
            if slot == "9a":
                key.sign(b"x", SHA256)
            else:
                key.exchange(ec.ECDH(), other.public_key())

        touchy.card.touch(None)
        with pytest.raises(NotTouched) as missing:
            use()
        assert "touch the device" in missing.value.hint
        assert touchy.card.tries == 3
        touchy.card.touch(0.0)
        use()
    assert [word for word, _certain in finger.told].count("now") == [word for word, _certain in finger.told].count(
        "over"
    )


def test_a_card_that_is_pulled_while_it_waits_is_not_taken_for_untouched(touchy):
    finger = Finger()
    with elliptic(open_key(touchy.uri("9a"), prompter=finger)) as key:
        touchy.card.touch(0.0)
        touchy.card.hang()
        timer = threading.Timer(0.3, lambda: touchy.card.pull(wait=False))
        timer.start()
        with pytest.raises(TokenRemoved):
            key.sign(b"x", SHA256)
        timer.join()
        assert finger.told[-1] == ("over", True)


def test_a_card_that_another_program_reset_is_told_its_pin_again(piv):
    asked = Asked(PIN)
    with elliptic(open_key(piv.uri("alice"), prompter=asked)) as key:
        for _ in range(2):
            key.sign(b"x", SHA256)
            # yubikit selects the application anew, and the card forgets who was logged in.
            assert describe(piv.card.serial).pin_tries == 3
            key.public_key().verify(key.sign(b"y", SHA256), b"y", SHA256)
        assert len(asked.requests) <= 3
    assert piv.card.tries == 3


# ---- the PIN's tries


def test_a_pin_is_spent_once_and_the_last_try_never_by_itself(piv):
    for left in (2, 1):
        with pytest.raises(PinWrong):
            open_key(piv.uri("alice"), prompter=Asked("000000"))
        assert piv.card.tries == left
    (device,) = piv.devices()
    if piv.name == "ykcs11" and device.pin_state is PinState.OK:
        pytest.fail("ykcs11 does not tell")
    assert device.pin_state is PinState.FINAL_TRY
    for careful in (Asked(PIN), Asked("000000")):
        with pytest.raises(PinRefused):
            open_key(piv.uri("alice"), prompter=careful)
        assert careful.requests == []
    assert piv.card.tries == 1
    with pytest.raises(PinLocked) as locked:
        open_key(piv.uri("alice"), prompter=Asked("000000", last_try=True))
    assert "ykman piv access unblock-pin" in locked.value.hint
    assert piv.card.tries == 0
    spent = piv.card.spent
    asked = Asked(PIN, last_try=True)
    with pytest.raises(PinLocked) as locked:
        open_key(piv.uri("alice"), prompter=asked)
    assert (asked.requests, piv.card.spent) == ([], spent)
    assert "ykman piv access unblock-pin" in locked.value.hint


# ---- pulled and inserted


def test_a_card_that_was_out_and_in_again_works_with_a_pin_asked_anew(piv):
    asked = Asked(PIN)
    with elliptic(open_key(piv.uri("alice"), prompter=asked)) as key:
        key.sign(b"x", SHA256)
        piv.card.pull()
        piv.card.insert()
        key.public_key().verify(key.sign(b"y", SHA256), b"y", SHA256)
        assert len(asked.requests) == 2


def test_a_card_that_is_out_is_told_soon_and_works_when_it_is_back(piv):
    with piv.make("alice", right(piv)) as key:
        for _ in range(2):
            piv.card.pull()
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(DeviceMissing):
                    key.sign(b"x", SHA256)
                assert time.monotonic() - began < 2
            piv.card.insert()
            key.public_key().verify(key.sign(b"y", SHA256), b"y", SHA256)


@pytest.mark.parametrize("what", ["sign", "agree"])
def test_pulled_in_the_middle(piv, what):
    key = piv.make("alice", right(piv)) if what == "sign" else piv.agreeing(right(piv))
    other = ec.generate_private_key(ec.SECP256R1())

    def use() -> None:
        if what == "sign":
            key.sign(b"x", SHA256)
        else:
            key.exchange(ec.ECDH(), other.public_key())

    pulled: list[float] = []

    def pull() -> None:
        pulled.append(time.monotonic())
        piv.card.pull(wait=False)

    use()
    piv.card.hang()
    timer = threading.Timer(0.3, pull)
    timer.start()
    with pytest.raises(TokenRemoved):
        use()
    assert time.monotonic() - pulled[0] < 2
    timer.join()
    piv.card.insert()
    use()
    key.close()


def test_another_card_in_its_place_is_not_taken_for_it(piv):
    with piv.make("alice", right(piv)) as key:
        key.sign(b"x", SHA256)
        other = PivBench(piv.name)  # comes into the same reader
        with pytest.raises(DeviceMissing):
            key.sign(b"x", SHA256)
        assert (other.card.spent, other.card.used("9a")) == (0, 0)
        with other.make("alice", right(other)) as second:
            assert second.public_key() != key.public_key()
            second.sign(b"x", SHA256)
        other.card.pull()
        piv.card.insert()
        key.public_key().verify(key.sign(b"y", SHA256), b"y", SHA256)


def test_two_cards_at_once(module):
    one = PivBench(module)
    card = VirtualPiv()
    card.place("9a", name="alice")
    card.insert(1)
    listed = one.devices()
    assert len(listed) == 2
    (second,) = [device for device in listed if device.serial != one.serial]
    with pytest.raises(Exception, match="2 tokens answer"):
        open_key(f"pkcs11:id=%01?module-path={one.module}")
    with one.make("alice", right(one)) as key:
        card.pull()
        key.sign(b"the other one went", SHA256)
    assert second.serial not in {device.serial for device in one.devices()}
    one.card.pull()


# ---- judges


def test_pkcs11_tool_and_p11tool_see_the_same(piv, tmp_path):
    with piv.make("alice", right(piv)) as key:
        (tmp_path / "pub").write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        exact = key.uri.partition("?")[0]
    (tmp_path / "text").write_bytes(b"text")
    run(
        "pkcs11-tool", "--module", piv.module, "--login", "--pin", PIN, "--sign", "--mechanism", "ECDSA-SHA256",
        "--id", "01", "--signature-format", "openssl", "--input-file", "text", "--output-file", "sig",
        cwd=tmp_path, env=piv.env(),
    )  # fmt: skip
    run("openssl", "dgst", "-sha256", "-verify", "pub", "-signature", "sig", "text", cwd=tmp_path)
    told = run("p11tool", "--provider", piv.module, "--list-all", exact.partition(";object=")[0], env=piv.env())
    assert "ECDSA" in told or "EC/" in told


def test_openssl_takes_the_cards_attestation(piv, tmp_path):
    with piv.make("alice", right(piv)) as key:
        chain = piv.card.attest("9a")
        for name, pem in zip(("leaf", "f9", "root"), chain, strict=True):
            (tmp_path / name).write_text(pem)
        said = run("openssl", "verify", "-CAfile", "root", "-untrusted", "f9", "leaf", cwd=tmp_path)
        assert "leaf: OK" in said
        assert run("openssl", "x509", "-in", "leaf", "-noout", "-pubkey", cwd=tmp_path).encode() == (
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )


YUBIKIT = """
import sys
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from smartcard.System import readers
from ykman.pcsc import ScardSmartCardConnection
from yubikit.piv import KEY_TYPE, MANAGEMENT_KEY_TYPE, PIN_POLICY, PivSession, SLOT, TOUCH_POLICY
connection = readers()[0].createConnection()
connection.connect()
session = PivSession(ScardSmartCardConnection(connection))
print(session.version, session.get_pin_metadata().default_value, session.get_pin_metadata().attempts_remaining)
session.authenticate(bytes.fromhex("010203040506070801020304050607080102030405060708"))
for kind in (KEY_TYPE.ECCP256, KEY_TYPE.ECCP384):
    public = session.generate_key(SLOT.AUTHENTICATION, kind, PIN_POLICY.ONCE, TOUCH_POLICY.NEVER)
    session.verify_pin("123456")
    signature = session.sign(SLOT.AUTHENTICATION, kind, b"text", hashes.SHA256())
    public.verify(signature, b"text", ec.ECDSA(hashes.SHA256()))
    print(session.attest_key(SLOT.AUTHENTICATION).public_key() == public)
other = ec.generate_private_key(ec.SECP256R1())
session.put_key(SLOT.KEY_MANAGEMENT, ec.generate_private_key(ec.SECP256R1()))
print(len(session.calculate_secret(SLOT.KEY_MANAGEMENT, other.public_key())))
session.set_management_key(MANAGEMENT_KEY_TYPE.AES256, bytes(range(32)))
session.authenticate(bytes(range(32)))
session.change_pin("123456", "654321")
session.verify_pin("654321")
print(session.get_pin_metadata().default_value, session.get_management_key_metadata().default_value)
session.change_puk("12345678", "87654321")
session.unblock_pin("87654321", "123456")
print(session.get_slot_metadata(SLOT.AUTHENTICATION).key_type.name)
"""


@pytest.mark.device("piv-opensc")
def test_yubikit_takes_the_card_for_a_yubikey():
    card = VirtualPiv()
    card.insert()
    said = python(f"import warnings; warnings.simplefilter('ignore')\n{YUBIKIT}", env=card.env).splitlines()
    assert said == ["5.4.3 True 3", "True", "True", "32", "False False", "ECCP384"]
    card.pull()
