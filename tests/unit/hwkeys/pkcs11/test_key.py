# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import KeyClosed, KeyMissing, KeyNotAsAsked, delete_key, generate_key, open_key
from hwkeys.pkcs11 import operations
from support.hwbench import Asked, SoftHsmBench, right

pytestmark = pytest.mark.device("softhsm")
SHA256 = ec.ECDSA(hashes.SHA256())


@pytest.fixture
def bench():
    return SoftHsmBench()


def test_a_key_deleted_by_another_is_missing(bench):
    key = generate_key(bench.sourced("k"))
    twin = open_key(bench.sourced("k"))
    delete_key(key.uri, prompter=right(bench))
    for gone in (key, twin):
        with pytest.raises(Exception, match=r"went away|no key answers"):
            gone.sign(b"x", SHA256)
        with pytest.raises(KeyMissing):
            gone.unlock()


def test_a_key_that_was_replaced_under_its_name_is_not_used(bench):
    named = bench.uri("k").replace("object=k", "object=k;id=%01")
    old = generate_key(named, prompter=right(bench))
    held = open_key(named)
    old.close()
    delete_key(named, prompter=right(bench))
    generate_key(named, prompter=right(bench))
    with pytest.raises(KeyNotAsAsked, match="another key"):
        held.unlock()


def test_a_signature_of_the_wrong_length_is_not_passed_on(bench, monkeypatch):
    key = generate_key(bench.sourced("k"))
    monkeypatch.setattr(operations, "sign_ec", lambda _record, _digest, _pin: bytes(63))
    with pytest.raises(KeyNotAsAsked, match="63 octets"):
        key.sign(b"x", SHA256)


def test_the_prompter_is_asked_for_the_key_by_name(bench):
    asked = Asked(bench.pin)
    key = generate_key(bench.uri("mykey"), prompter=asked)
    assert [request.key for request in asked.requests] == ["the new key mykey"]
    key.close()
    with pytest.raises(KeyClosed):
        key.unlock()
    open_key(bench.uri("mykey"), prompter=asked).close()
    assert asked.requests[-1].key == "mykey"
    assert not asked.requests[-1].new
