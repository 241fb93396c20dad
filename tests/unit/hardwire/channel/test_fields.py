# SPDX-License-Identifier: Apache-2.0
from enum import IntEnum

import pytest

from hardwire.channel import fields
from hardwire.errors import Misuse, WireError
from hardwire.wire import Reader


class Codes(IntEnum):
    ONE = 1


def test_one_complaint_two_families():
    fields.require(condition=True, message="never")
    with pytest.raises(Misuse):
        fields.require(condition=False, message="no")
    assert fields.built(lambda: 5) == 5

    def broken():
        raise Misuse("too long")

    with pytest.raises(WireError) as caught:
        fields.built(broken)
    assert "too long" in caught.value.message


def test_lists_and_flags():
    assert fields.member(Codes, 1, "x") is Codes.ONE
    with pytest.raises(WireError):
        fields.member(Codes, 2, "x")
    assert [fields.flag(Reader(bytes([value])), "x") for value in (0, 1)] == [False, True]
    with pytest.raises(WireError):
        fields.flag(Reader(b"\x02"), "x")


def test_text():
    assert fields.utf8("é".encode(), "x") == "é"
    with pytest.raises(WireError):
        fields.utf8(b"\xff", "x")
    assert fields.utf8_size("é") == 2
    assert fields.utf8_size("\ud800") == 0


@pytest.mark.parametrize("name", ["a", "…", "a b", "x" * 255, ".hidden", "é" * 127])
def test_names_that_fit(name):
    assert fields.name_fits(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\n", "\x7f", "\x9f", "x" * 256, "\ud800", "é" * 128])
def test_names_that_do_not(name):
    assert not fields.name_fits(name)
