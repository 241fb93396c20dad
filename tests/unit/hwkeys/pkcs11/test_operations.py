# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pkcs11
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import DeviceFailed, Purpose, Unsupported, generate_key
from hwkeys.pkcs11 import binding, operations
from hwkeys.pkcs11.binding import ObjectRecord
from hwkeys.pkcs11.modules import Module, module_for
from hwkeys.pkcs11.tokens import find_token
from hwkeys.uri import parse_uri
from support.hwbench import SoftHsmBench, right

pytestmark = pytest.mark.device("softhsm")


@pytest.fixture
def bench():
    return SoftHsmBench()


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def test_a_public_key_does_not_sign(bench):
    generate_key(bench.uri("k"), prompter=right(bench)).close()
    record = find_token(parse_uri(bench.uri("k")))[1]

    def sign_with_public(module: Module) -> None:
        session = binding.open_session(record)
        try:
            (public,) = binding.find(session, private=False, label="k", key_id=None)
            operations.sign_ec(public, bytes(32))
        finally:
            binding.close(session)

    with pytest.raises(Unsupported):
        module_for(bench.token.module).call(sign_with_public)


class Secret:
    """What a module derived; remembers its end."""

    def __init__(self, value: object) -> None:
        self.value, self.destroyed = value, 0

    def __getitem__(self, _attribute: object) -> object:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def destroy(self) -> None:
        self.destroyed += 1


class Deriving:
    """A key object that derives what it was given."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret

    def derive_key(self, *_words: object, **_named: object) -> Secret:
        return self.secret


@pytest.mark.parametrize("value", [bytes(32), bytes(31), pkcs11.AttributeSensitive()])
def test_what_was_derived_is_destroyed_whatever_happens(value):
    secret = Secret(value)
    record = ObjectRecord(True, b"\3", "", "ec", None, None, Deriving(secret))
    if value == bytes(32):
        assert operations.agree(record, bytes(65), 32) == value
    else:
        with pytest.raises(DeviceFailed):
            operations.agree(record, bytes(65), 32)
    assert secret.destroyed == 1


def test_agreeing_leaves_no_object_in_the_session(bench):
    key = generate_key(bench.uri("k"), prompter=right(bench), purpose=Purpose.AGREE)
    other = ec.generate_private_key(ec.SECP256R1())

    def objects(_module: Module) -> int:
        return len(list(key._held.login.attach(_module).reader.get_objects()))

    module = module_for(bench.token.module)
    before = module.call(objects)
    for _ in range(20):
        assert key.exchange(ec.ECDH(), other.public_key()) == other.exchange(ec.ECDH(), key.public_key())
    assert module.call(objects) == before


def test_ykcs11s_word_about_deriving_is_not_taken(bench):
    token = dataclasses.replace(find_token(parse_uri(bench.token.uri()))[1], manufacturer="Yubico (www.yubico.com)")
    for number, agrees in ((1, False), (2, False), (3, True), (4, False), (5, True), (24, True), (25, False)):
        record = ObjectRecord(True, bytes([number]), "", "ec", None, None, {})
        assert operations.derives(token, record) is agrees
    assert not operations.derives(token, ObjectRecord(True, b"\3", "", "rsa", None, None, {}))
