# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

import hardwire.handshake as package
from hardwire.errors import Misuse
from hardwire.handshake import ContactTag, HandshakeDone, Message, Role, Sas
from support.hbi1 import converse, initiator, responder

PUBLIC = {
    "NO_SECRETS", "Binding", "ContactSecret", "ContactSecrets", "ContactTag", "Credential", "Entropy", "Event",
    "HandshakeDone", "HandshakeFailed", "Initiator", "Kem", "KemKeyPair", "Message", "PeerPresented", "Responder",
    "Role", "Sas", "SignatureNeeded", "SignatureScheme", "WaitingForPeer", "safety_number", "scheme_for",
}  # fmt: skip


def test_the_public_names_are_these():
    assert set(package.__all__) == PUBLIC
    assert all(hasattr(package, name) for name in PUBLIC)


def values() -> dict[str, object]:
    return {
        "role": Role.INITIATOR, "peer": None, "peer_credential": None, "sas": Sas(bytes(6)), "sid": bytes(16),
        "contact_tag": ContactTag.NONE, "epoch_secret": bytes(32), "exporter": bytes(32), "contact_psk": bytes(32),
    }  # fmt: skip


def test_nobody_else_makes_a_finished_handshake():
    with pytest.raises(TypeError):
        HandshakeDone(**values())
    for token in (None, object(), "the machine"):
        with pytest.raises(Misuse):
            HandshakeDone(**values(), made_by=token)


def test_a_finished_handshake_is_not_altered():
    i, r = initiator(), responder()
    converse(i, r)
    with pytest.raises((TypeError, ValueError), match="made_by"):
        dataclasses.replace(i.done, epoch_secret=bytes(32))
    with pytest.raises(dataclasses.FrozenInstanceError):
        i.done.epoch_secret = bytes(32)


def test_secrets_of_a_finished_handshake_are_not_shown():
    i, r = initiator(), responder()
    converse(i, r)
    shown = repr(i.done)
    assert "epoch_secret" not in shown
    assert "exporter" not in shown
    assert "contact_psk" not in shown


def test_messages_are_their_type_octets():
    assert [int(kind) for kind in Message] == [1, 2, 3, 4]
