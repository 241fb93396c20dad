# SPDX-License-Identifier: Apache-2.0
import hashlib
import hmac

import pytest

from hardwire.errors import HandshakeRefused, Misuse
from hardwire.handshake import Binding, Role
from hardwire.handshake import schedule as s
from support.hbi1 import BINDING


def test_expand_label_is_tls_with_another_prefix():
    info = b"\x00\x20" + b"\x08hbi1 key" + b"\x03ctx"
    assert s.expand_label(b"k" * 32, b"key", b"ctx", 32) == hmac.new(b"k" * 32, info + b"\x01", hashlib.sha256).digest()


def test_two_macs_under_one_key_are_the_two_macs():
    assert s.mac_both(b"key", b"first", b"second") == (
        s.mac(b"key", b"first"),
        s.mac(b"key", b"second"),
    )


def test_extract_is_hmac():
    assert s.extract(b"salt", b"material") == hmac.new(b"salt", b"material", hashlib.sha256).digest()


def test_what_is_signed_has_the_shape_of_tls():
    tbs = s.to_be_signed(Role.RESPONDER, b"t" * 32, b"credential")
    assert tbs == b" " * 64 + b"HBI1 responder signature\x00" + b"t" * 32 + hashlib.sha256(b"credential").digest()
    assert b"HBI1 initiator signature\x00" in s.to_be_signed(Role.INITIATOR, b"t" * 32, b"credential")


def test_every_key_differs_from_every_other():
    keys = s.handshake_keys(b"h" * 32, b"t" * 32)
    session = s.session_keys(keys.master, b"t" * 32, b"u" * 32)
    values = [
        *(getattr(side, name) for side in (keys.responder, keys.initiator) for name in ("key", "iv", "finished")),
        keys.done, keys.master, session.epoch, session.exporter, session.contact_psk, session.sid, session.sas,
    ]  # fmt: skip
    assert len({value[:6] for value in values}) == len(values)
    assert [len(value) for value in values] == [32, 12, 32, 32, 12, 32, 32, 32, 32, 32, 32, 16, 6]


def test_no_key_is_shown():
    keys = s.handshake_keys(b"h" * 32, b"t" * 32)
    session = s.session_keys(keys.master, b"t" * 32, b"u" * 32)
    assert repr(keys) == "HandshakeKeys(responder=DirectionKeys(), initiator=DirectionKeys())"
    assert repr(session) == f"SessionKeys(sid={session.sid!r})"
    assert "inv_secret" not in repr(BINDING)
    assert repr(BINDING.offer) not in repr(BINDING)  # its secret yields the other


def test_a_sealed_text_opens_only_under_its_own_counter_and_transcript():
    keys = s.handshake_keys(b"h" * 32, b"t" * 32).responder
    sealed = keys.seal(1, b"transcript", b"text")
    assert keys.open(1, b"transcript", sealed) == b"text"
    for counter, transcript, octets in (
        (0, b"transcript", sealed),
        (1, b"other", sealed),
        (1, b"transcript", sealed[:-1]),
        (1, b"transcript", b""),
    ):
        with pytest.raises(HandshakeRefused) as caught:
            keys.open(counter, transcript, octets)
        assert caught.value.code == "aead"


@pytest.mark.parametrize("position", range(2, 6))
def test_a_binding_has_exact_sizes(position):
    values = [BINDING.offer, BINDING.answer, BINDING.fp_offer, BINDING.fp_answer, BINDING.cb, BINDING.inv_secret]
    values[position] = values[position][:-1]
    with pytest.raises(Misuse):
        Binding(*values)


def test_nothing_moves_from_one_blob_to_the_other():
    left = Binding(b"ab", b"c", *[bytes(32)] * 4)
    right = Binding(b"a", b"bc", *[bytes(32)] * 4)
    assert s.transcript_0(left) != s.transcript_0(right)
