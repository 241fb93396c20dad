# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import der
from hardwire.certs.encode import integer, oid, sequence, set_of, tlv


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 20_000])
def test_a_value_is_read_back_at_every_length(size):
    node = der.parse(tlv(der.OCTET_STRING, bytes(size)))
    assert (node.tag, len(node.content)) == (der.OCTET_STRING, size)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 1 << 63])
def test_integers(value):
    assert der.integer(der.parse(integer(value))) == value


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.9.14", "2.23.133.20.1", "0.9.1", "2.999.3", "2.5.29.37"])
def test_identifiers(dotted):
    assert der.dotted(der.parse(oid(dotted))) == dotted


def test_a_set_is_in_order():
    assert der.parse(set_of(integer(3), integer(1), integer(2))).content == integer(1) + integer(2) + integer(3)


def test_a_sequence_keeps_its_order():
    assert der.parse(sequence(integer(3), integer(1))).content == integer(3) + integer(1)
