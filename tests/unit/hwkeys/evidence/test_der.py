# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeys import EvidenceRefused
from hwkeys.evidence.der import OCTETS, SEQUENCE, items, unwrap, wrap


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535])
def test_what_is_wrapped_is_unwrapped(size):
    assert unwrap(OCTETS, wrap(OCTETS, bytes(size))) == bytes(size)


def test_lengths_as_x690_writes_them():
    assert wrap(OCTETS, bytes(127))[:2].hex() == "047f"
    assert wrap(OCTETS, bytes(128))[:3].hex() == "048180"
    assert wrap(SEQUENCE, bytes(200), bytes(56))[:4].hex() == "30820100"


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "04",
        "0401",
        "040100ff",  # something follows
        "300100",  # another tag
        "048100",  # not the shortest length
        "04817f" + "00" * 127,
        "04820080" + "00" * 128,
        "0480" + "0000",  # indefinite
        "0483000001" + "00",  # too long a length
        "0482ffff" + "00",
    ],
)
def test_what_is_not_der_is_refused(octets):
    with pytest.raises(EvidenceRefused) as refused:
        unwrap(OCTETS, bytes.fromhex(octets))
    assert refused.value.code == "evidence-malformed"


def test_values_one_after_the_other():
    assert items(b"") == []
    assert items(bytes.fromhex("0401aa3000")) == [(OCTETS, bytes.fromhex("0401aa")), (SEQUENCE, b"\x30\0")]
    with pytest.raises(EvidenceRefused):
        items(bytes.fromhex("0401aa30"))


@given(st.binary(max_size=300))
def test_any_octets_are_read_in_their_one_form_or_refused(octets):
    try:
        found = items(octets)
    except EvidenceRefused:
        return
    assert b"".join(each for _tag, each in found) == octets
    assert all(wrap(tag, unwrap(tag, each)) == each for tag, each in found)
