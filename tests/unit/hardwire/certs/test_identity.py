# SPDX-License-Identifier: Apache-2.0
import copy
import dataclasses
import hashlib

import pytest

import hardwire.certs
from hardwire.certs import VerifiedIdentity, device_id, open_gate, verify_self_signed
from hardwire.errors import Misuse
from support.certparts import KEY, NOW, OTHER_KEY, Parts, build, spki


def _identity(parts: Parts | None = None) -> VerifiedIdentity:
    return verify_self_signed(open_gate(build(parts or Parts())), at=NOW)


def test_device_id_is_the_labelled_hash_of_the_key() -> None:
    assert device_id(spki(KEY)) == hashlib.sha256(b"HBI1 device id" + spki(KEY)).digest()
    assert _identity().device_id == device_id(spki(KEY))


def test_the_identity_survives_another_certificate_of_the_same_key() -> None:
    assert _identity().device_id == _identity(Parts(serial=b"\x02\x01\x05")).device_id
    assert _identity().device_id != _identity(Parts(key=OTHER_KEY)).device_id


def test_nobody_outside_makes_one() -> None:
    gated = open_gate(build(Parts()))
    with pytest.raises(Misuse, match="verifiers"):
        VerifiedIdentity(gated, "did:key:z")
    with pytest.raises(Misuse, match="verifiers"):
        VerifiedIdentity(gated, "did:key:z", object())


def test_none_can_be_altered() -> None:
    identity = _identity()
    with pytest.raises((Misuse, ValueError, TypeError)):
        dataclasses.replace(identity, did="did:key:z")
    with pytest.raises(dataclasses.FrozenInstanceError):
        identity.did = "did:key:z"  # type: ignore[misc]
    assert copy.copy(identity) == identity


def test_the_maker_of_proofs_is_not_a_public_name() -> None:
    assert not hasattr(hardwire.certs, "prove")


def test_the_public_names_are_there() -> None:
    assert all(hasattr(hardwire.certs, name) for name in hardwire.certs.__all__)
