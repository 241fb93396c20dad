# SPDX-License-Identifier: Apache-2.0
"""One fault in the encoding at each place of a DER value, for whoever signs it again afterwards."""

from collections.abc import Iterator

from hardwire.certs import der
from support.certparts import tlv

CONSTRUCTED = 0x20


def places(octets: bytes) -> Iterator[tuple[int, ...]]:
    """The way to each value, by numbers of children; octet and bit strings that hold DER are left whole."""

    def walk(node: der.Node, way: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        yield way
        for number, child in enumerate(node.children):
            yield from walk(child, (*way, number))

    yield from walk(der.parse(octets), ())


def _at(node: der.Node, way: tuple[int, ...], write) -> bytes:
    if not way:
        return write(node)
    parts = [
        _at(child, way[1:], write) if number == way[0] else child.raw for number, child in enumerate(node.children)
    ]
    return tlv(node.tag, *parts)


def _long(node: der.Node) -> bytes:
    """The length in one octet more than it needs."""
    size = len(node.content)
    octets = size.to_bytes((size.bit_length() + 7) // 8 + (1 if size >= 0x80 else 0) or 1)
    return bytes([node.tag, 0x80 | len(octets)]) + octets + node.content


def _endless(node: der.Node) -> bytes:
    return bytes([node.tag, 0x80]) + node.content + b"\0\0"


def _other_form(node: der.Node) -> bytes:
    """Constructed for primitive, and the other way round."""
    content = node.content if node.tag & CONSTRUCTED else tlv(node.tag, node.content)
    return tlv(node.tag ^ CONSTRUCTED, content)


def _more(node: der.Node) -> bytes:
    """One value too many at the end of a structure."""
    return tlv(node.tag, node.content, b"\x05\x00") if node.tag & CONSTRUCTED else node.raw


def _short(node: der.Node) -> bytes:
    """The last octet is missing, and the length says one more than there is."""
    return node.raw[:-1]


def _another_tag(node: der.Node) -> bytes:
    return tlv(node.tag ^ 0x40, node.content)


FAULTS = {
    "a length with a leading zero": _long,
    "an indefinite length": _endless,
    "the other form": _other_form,
    "a value too many": _more,
    "an octet too few": _short,
    "another class": _another_tag,
}


def mutants(octets: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and octets of each."""
    root = der.parse(octets)
    for way in places(octets):
        for name, write in FAULTS.items():
            made = _at(root, way, write)
            if made != octets:
                yield f"{name} at {way}", made
