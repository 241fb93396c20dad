# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hwkeys import KeyNotAsAsked
from hwkeys.tpm.public import (
    SIGNING,
    SIGNING_TEMPLATE,
    STORAGE_TEMPLATE,
    Attributes,
    PublicArea,
    decode_public,
    refuse_unfit,
)

# As tpm2-tss 3.2.1 writes the two templates.
STORAGE_WIRE = "0023000b00030472000000060080004300100003001000000000"
SIGNING_WIRE = "0023000b000400720000001000100003001000000000"


def made(**changes) -> PublicArea:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    area = dataclasses.replace(SIGNING_TEMPLATE, x=numbers.x.to_bytes(32), y=numbers.y.to_bytes(32))
    return dataclasses.replace(area, **changes)


def test_the_templates_are_what_tpm2_tss_writes():
    assert STORAGE_TEMPLATE.encode().hex() == STORAGE_WIRE
    assert SIGNING_TEMPLATE.encode().hex() == SIGNING_WIRE


def test_a_signing_key_signs_stays_and_is_guarded():
    assert {flag.name for flag in SIGNING} == {
        "FIXED_TPM",
        "FIXED_PARENT",
        "SENSITIVE_DATA_ORIGIN",
        "USER_WITH_AUTH",
        "SIGN",
    }


@pytest.mark.parametrize(
    "changes", [{}, {"ecdsa": True}, {"policy": bytes(32)}, {"storage": True}, {"attributes": Attributes(0)}]
)
def test_reading_gives_back_what_was_written(changes):
    area = made(**changes)
    assert decode_public(area.encode()) == area


def test_other_kinds_are_refused():
    octets = made().encode()
    for wrong in (
        b"",
        octets[:-1],
        octets + b"\0",
        b"\x00\x01" + octets[2:],  # RSA
        octets[:2] + b"\x00\x0c" + octets[4:],  # named by SHA-384
        octets.replace(b"\x00\x03\x00\x10", b"\x00\x04\x00\x10"),  # P-384
        made(policy=bytes(20)).encode(),
    ):
        with pytest.raises(KeyNotAsAsked):
            decode_public(wrong)


@given(st.binary(max_size=120) | st.binary(max_size=90).map(lambda tail: bytes.fromhex("0023000b00040072") + tail))
def test_any_octets_are_read_whole_or_refused(octets):
    try:
        area = decode_public(octets)
    except KeyNotAsAsked:
        return
    assert area.encode() == octets


def test_a_point_off_the_curve():
    with pytest.raises(KeyNotAsAsked):
        made(y=bytes(32)).public_key()
    assert made().public_key().curve.name == "secp256r1"


def test_a_fit_key():
    refuse_unfit(made())
    refuse_unfit(made(ecdsa=True))


@pytest.mark.parametrize("flag", list(SIGNING), ids=lambda flag: flag.name)
def test_each_attribute_that_must_be(flag):
    with pytest.raises(KeyNotAsAsked, match=flag.name.lower().replace("_", " ")):
        refuse_unfit(made(attributes=SIGNING & ~flag))


@pytest.mark.parametrize("flag", [Attributes.NO_DA, Attributes.RESTRICTED, Attributes.DECRYPT], ids=lambda f: f.name)
def test_each_attribute_that_must_not_be(flag):
    with pytest.raises(KeyNotAsAsked, match="not " + flag.name.lower().replace("_", " ")):
        refuse_unfit(made(attributes=SIGNING | flag))


def test_shapes_that_are_not_a_signing_key():
    for changes in ({"x": b""}, {"y": bytes(33)}, {"storage": True}):
        with pytest.raises(KeyNotAsAsked):
            refuse_unfit(made(**changes))
