# SPDX-License-Identifier: Apache-2.0
import sys
from datetime import UTC, datetime

import pytest

from hardwire.certs import der
from hardwire.errors import CertificateRefused
from support.certparts import endless_tlv, integer, long_tlv, oid, tlv


def _refused(octets: bytes) -> str:
    with pytest.raises(CertificateRefused) as caught:
        der.parse(octets)
    assert caught.value.code == "cert-der"
    return caught.value.message


def test_builds_the_tree() -> None:
    octets = tlv(0x30, tlv(0x30), integer(5), tlv(0xA0, tlv(0x81, b"anything")), tlv(0x05))
    root = der.parse(octets)
    assert root.raw == octets
    assert root.content == octets[2:]
    assert [child.tag for child in root.children] == [0x30, 0x02, 0xA0, 0x05]
    assert root.children[0].children == ()
    assert root.children[2].children[0].content == b"anything"


def test_a_lone_primitive_is_a_value_too() -> None:
    assert der.parse(integer(5)).content == b"\x05"


def test_an_empty_sequence_is_a_value_too() -> None:
    assert der.parse(b"\x30\x00").children == ()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 5000])
def test_lengths_in_their_shortest_form(size: int) -> None:
    assert der.parse(tlv(0x04, bytes(size))).content == bytes(size)


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\x04", b"\x04\x81", b"\x04\x82\x01", b"\x04\x01", b"\x30\x02\x04\x01", b"\x30\x03\x04\x02\x00",
        b"\x04\x81\x7f" + bytes(127), b"\x04\x82\x00\xff" + bytes(255), long_tlv(0x30, b""), endless_tlv(0x30, b""),
        b"\x04\xff" + bytes(127), b"\x04\x83\x01\x00\x00" + bytes(65536), b"\x30\x80", b"\x04\x80",
    ],
)  # fmt: skip
def test_refuses_lengths(octets: bytes) -> None:
    _refused(octets)


@pytest.mark.parametrize("octets", [b"\x05\x00\x00", b"\x30\x00\x00", tlv(0x30, tlv(0x05)) + b"\x05\x00"])
def test_refuses_octets_behind_the_end(octets: bytes) -> None:
    assert "follow" in _refused(octets)


@pytest.mark.parametrize("content", ["00", "ff"])
def test_booleans(content: str) -> None:
    assert der.parse(tlv(0x01, bytes.fromhex(content))).tag == der.BOOLEAN


@pytest.mark.parametrize("content", ["", "01", "fe", "0000", "ffff"])
def test_refuses_booleans(content: str) -> None:
    assert "boolean" in _refused(tlv(0x01, bytes.fromhex(content)))


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -128, -129, 255, 256, 1 << 160, -(1 << 160)])
def test_integers(value: int) -> None:
    assert der.integer(der.parse(integer(value))) == value


@pytest.mark.parametrize("content", ["", "0000", "0001", "007f", "ffff", "ff80"])
def test_refuses_integers(content: str) -> None:
    assert "integer" in _refused(tlv(0x02, bytes.fromhex(content)))


@pytest.mark.parametrize("content", ["00", "0000", "0001", "0780", "01fe", "00ff"])
def test_bit_strings(content: str) -> None:
    assert der.parse(tlv(0x03, bytes.fromhex(content))).content.hex() == content


@pytest.mark.parametrize("content", ["", "01", "07", "0880", "ff80", "0101", "07c0"])
def test_refuses_bit_strings(content: str) -> None:
    assert "bit string" in _refused(tlv(0x03, bytes.fromhex(content)))


def test_refuses_null_with_content() -> None:
    assert "NULL" in _refused(b"\x05\x01\x00")


@pytest.mark.parametrize(
    "dotted",
    [
        "0.0",
        "0.39",
        "1.0",
        "1.39",
        "2.0",
        "2.39",
        "2.40",
        "2.999.3",
        "2.5.29.15",
        "1.2.840.10045.4.3.2",
        "2.25.247495757391684731472292529645694728190",
    ],
)
def test_object_identifiers(dotted: str) -> None:
    assert der.dotted(der.parse(oid(dotted))) == dotted


@pytest.mark.parametrize("content", ["", "80", "8001", "2a80", "2a8001", "2aff", "2a" * 65])
def test_refuses_object_identifiers(content: str) -> None:
    assert "object identifier" in _refused(tlv(0x06, bytes.fromhex(content)))


def test_an_object_identifier_of_64_octets_is_the_longest() -> None:
    der.parse(tlv(0x06, b"\x2a" * 64))


@pytest.mark.parametrize("text", ["", "hardwire device", "J\u00fcrgen", "\u65e5\u672c", "\U0001f512"])
def test_utf8(text: str) -> None:
    assert der.parse(tlv(0x0C, text.encode())).content.decode() == text


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\x00b",
        b"\x7f",
        b"\r",
        "\u0085".encode(),
        "\u2028".encode(),
        "\u202e".encode(),
        "\u2066".encode(),
        "\ufeff".encode(),
        "\u200f".encode(),
        "\u061c".encode(),
    ],
)
def test_refuses_utf8(content: bytes) -> None:
    assert "text" in _refused(tlv(0x0C, content))


@pytest.mark.parametrize(
    "tag, content",
    [
        (0x13, b"a_b"),
        (0x13, b"a@b"),
        (0x13, b"a*"),
        (0x13, b"a\n"),
        (0x16, b"\x80"),
        (0x16, b"\x1f"),
        (0x16, b"a\n"),
        (0x16, b"\x7f"),
    ],
)
def test_refuses_ascii_texts(tag: int, content: bytes) -> None:
    assert "characters" in _refused(tlv(tag, content))


def test_ascii_texts() -> None:
    der.parse(tlv(0x13, b"Az09 '()+,-./:=?"))
    der.parse(tlv(0x16, bytes(range(0x20, 0x7F))))


@pytest.mark.parametrize(
    "tag, text, moment",
    [
        (0x17, b"500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (0x17, b"491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (0x17, b"000229120000Z", datetime(2000, 2, 29, 12, tzinfo=UTC)),
        (0x18, b"20500101000000Z", datetime(2050, 1, 1, tzinfo=UTC)),
        (0x18, b"99991231235959Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times(tag: int, text: bytes, moment: datetime) -> None:
    assert der.time(der.parse(tlv(tag, text))) == moment


@pytest.mark.parametrize(
    "tag, text",
    [
        (0x17, b""), (0x17, b"2601010000Z"), (0x17, b"260101000000"), (0x17, b"260101000000+0100"),
        (0x17, b"260101000000Z\n"), (0x17, b"26010100000aZ"), (0x17, b"-60101000000Z"), (0x17, b"260001000000Z"),
        (0x17, b"260132000000Z"), (0x17, b"260101240000Z"), (0x17, b"260101006000Z"), (0x17, b"260101000060Z"),
        (0x17, b"250229000000Z"), (0x17, b"20260101000000Z"), (0x18, b"260101000000Z"), (0x18, b"20500101000000.0Z"),
        (0x18, b"20500101000000,5Z"), (0x18, b"205001010000Z"), (0x18, b"00000101000000Z"), (0x18, b"20500101000000"),
    ],
)  # fmt: skip
def test_refuses_times(tag: int, text: bytes) -> None:
    assert "time" in _refused(tlv(tag, text))


@pytest.mark.parametrize("octets", [
    tlv(0x00), tlv(0x07, b"x"), tlv(0x08), tlv(0x09, b"\x00"), tlv(0x0D, b"\x01"), tlv(0x10),
    tlv(0x11), tlv(0x12, b"1"), tlv(0x14, b"x"), tlv(0x1B, b"x"), tlv(0x1C, bytes(4)), tlv(0x1E, b"\x00x"),
    tlv(0x41), tlv(0xC1), tlv(0x61), tlv(0xE1), tlv(0x21, tlv(0x01, b"\xff")), tlv(0x23, tlv(0x03, b"\x00")), tlv(0x24, tlv(0x04)), tlv(0x2C, tlv(0x0C)),
])  # fmt: skip
def test_refuses_types_and_forms(octets: bytes) -> None:
    assert "type" in _refused(octets)


@pytest.mark.parametrize("octets", [b"\x1f\x20\x00", b"\x9f\x01\x00", b"\xbf\x20\x00", b"\x3f\x00"])
def test_refuses_long_tags(octets: bytes) -> None:
    assert "tag number" in _refused(octets)


def test_context_values_are_read_as_their_form_says() -> None:
    assert der.parse(tlv(0x80, b"\xff\xff")).children == ()
    assert der.parse(tlv(0xBE, tlv(0x05))).children[0].tag == 0x05
    _refused(tlv(0xA0, b"\xff\xff"))


def test_sets_are_in_order() -> None:
    der.parse(tlv(0x31, integer(1), integer(2), tlv(0x04)))
    der.parse(tlv(0x31))
    assert "set" in _refused(tlv(0x31, integer(2), integer(1)))
    assert "set" in _refused(tlv(0x31, integer(1), integer(1)))
    # the shorter encoding first, as if padded with zeros
    assert "set" in _refused(tlv(0x31, tlv(0x04, b"\x00"), tlv(0x04)))


def _nested(depth: int) -> bytes:
    octets = b""
    for _ in range(depth):
        octets = tlv(0x30, octets)
    return octets


def test_depth_is_capped() -> None:
    der.parse(_nested(der.MAX_DEPTH))
    assert "deep" in _refused(_nested(der.MAX_DEPTH + 1))


def test_depth_costs_no_stack() -> None:
    deep = _nested(3 * sys.getrecursionlimit())
    assert "deep" in _refused(deep)


def test_number_is_capped() -> None:
    der.parse(tlv(0x30, tlv(0x05) * (der.MAX_NODES - 1)))
    assert "many" in _refused(tlv(0x30, tlv(0x05) * der.MAX_NODES))


def test_enumerated_and_visible_strings_are_read() -> None:
    assert der.integer(der.parse(tlv(0x0A, b"\x05"))) == 5
    assert der.parse(tlv(0x1A, b"a text")).content == b"a text"
    for octets in (tlv(0x0A, b"\x00\x05"), tlv(0x0A), tlv(0x1A, b"a\ntext")):
        with pytest.raises(CertificateRefused):
            der.parse(octets)


def test_a_header_of_something_large() -> None:
    octets = b"\x30\x83\x01\x00\x00" + bytes(1 << 16)
    assert der.header(octets, 0, len(octets), widest=3) == (0x30, 5, len(octets))
    for bad in (octets[:-1], b"\x30\x83\x00\xff\xff" + bytes(65535), b"\x30\x84\x00\x01\x00\x00" + bytes(1 << 16)):
        with pytest.raises(CertificateRefused):
            der.header(bad, 0, len(bad), widest=3)
    with pytest.raises(CertificateRefused):
        der.header(octets, 0, len(octets))
