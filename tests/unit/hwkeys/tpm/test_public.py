# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hwkeys import KeyNotAsAsked, Purpose
from hwkeys.tpm.public import (
    AGREEING,
    ATTESTING_TEMPLATE,
    SIGNING,
    SIGNING_TEMPLATE,
    STORAGE_TEMPLATE,
    Attributes,
    PublicArea,
    decode_public,
    refuse_unfit,
    template_for,
)

# As tpm2-tss 3.2.1 writes the two templates.
P256 = ec.SECP256R1()
STORAGE_WIRE = "0023000b00030472000000060080004300100003001000000000"
SIGNING_WIRE = "0023000b000400720000001000100003001000000000"
AGREEING_WIRE = "0023000b000200720000001000100004001000000000"
ATTESTING_WIRE = "0023000b00050472000000100018000b0003001000000000"


def made(purpose: Purpose = Purpose.SIGN, curve: ec.EllipticCurve = P256, **changes) -> PublicArea:
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    size = curve.key_size // 8
    area = dataclasses.replace(template_for(purpose, curve), x=numbers.x.to_bytes(size), y=numbers.y.to_bytes(size))
    return dataclasses.replace(area, **changes)


def test_the_templates_are_what_tpm2_tss_writes():
    assert STORAGE_TEMPLATE.encode().hex() == STORAGE_WIRE
    assert SIGNING_TEMPLATE.encode().hex() == SIGNING_WIRE
    assert template_for(Purpose.SIGN, ec.SECP256R1()) == SIGNING_TEMPLATE
    assert template_for(Purpose.AGREE, ec.SECP384R1()).encode().hex() == AGREEING_WIRE
    assert ATTESTING_TEMPLATE.encode().hex() == ATTESTING_WIRE


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
        octets.replace(b"\x00\x03\x00\x10", b"\x00\x05\x00\x10"),  # P-521
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


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_a_fit_key(purpose, curve):
    area = made(purpose, curve)
    refuse_unfit(area)
    assert area.purpose is purpose
    assert area.kind == f"EC P-{curve.key_size}"
    assert decode_public(area.encode()) == area
    assert area.public_key().curve.name == curve.name


def test_a_fit_key_whose_scheme_is_fixed():
    refuse_unfit(made(ecdsa=True))
    with pytest.raises(KeyNotAsAsked):
        refuse_unfit(made(Purpose.AGREE, ecdsa=True))


@pytest.mark.parametrize("flag", list(AGREEING & ~Attributes.DECRYPT), ids=lambda flag: flag.name)
def test_each_attribute_that_an_agreeing_key_must_have(flag):
    with pytest.raises(KeyNotAsAsked, match=flag.name.lower().replace("_", " ")):
        refuse_unfit(made(Purpose.AGREE, attributes=AGREEING & ~flag))


@pytest.mark.parametrize("flag", [Attributes.NO_DA, Attributes.RESTRICTED], ids=lambda f: f.name)
def test_each_attribute_that_an_agreeing_key_must_not_have(flag):
    with pytest.raises(KeyNotAsAsked, match="not " + flag.name.lower().replace("_", " ")):
        refuse_unfit(made(Purpose.AGREE, attributes=AGREEING | flag))


@pytest.mark.parametrize("flag", list(SIGNING), ids=lambda flag: flag.name)
def test_each_attribute_that_must_be(flag):
    with pytest.raises(KeyNotAsAsked, match=flag.name.lower().replace("_", " ")):
        refuse_unfit(made(attributes=SIGNING & ~flag))


@pytest.mark.parametrize("flag", [Attributes.NO_DA, Attributes.RESTRICTED, Attributes.DECRYPT], ids=lambda f: f.name)
def test_each_attribute_that_must_not_be(flag):
    with pytest.raises(KeyNotAsAsked, match="not " + flag.name.lower().replace("_", " ")):
        refuse_unfit(made(attributes=SIGNING | flag))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_policy_is_a_way_around_the_pin(purpose):
    with pytest.raises(KeyNotAsAsked, match="policy"):
        refuse_unfit(made(purpose, policy=bytes(32)))


def test_shapes_that_are_not_a_signing_key():
    for changes in ({"x": b""}, {"y": bytes(33)}, {"storage": True}):
        with pytest.raises(KeyNotAsAsked):
            refuse_unfit(made(**changes))
