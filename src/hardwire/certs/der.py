# SPDX-License-Identifier: Apache-2.0
"""A walk over canonical DER (ITU-T X.690 §8, §10, §11), from the raw octets.

The libraries behind this gate forgive: BER lengths, padded integers, a BOOLEAN of 0x01, constructed strings,
octets after the end. Two readers that forgive different things read two different certificates in one, so the
walk refuses whatever has a second spelling. It keeps these rules:

* One value and nothing behind it. Lengths are definite, minimal, and inside their parent.
* No recursion: open values lie on a list, so hostile nesting costs a comparison, not the interpreter's stack.
  Depth and number of values are capped as well.
* Universal types are a closed list, each with its only legal form; text must decode and hold no control or
  direction-changing characters, because names end up on terminals.
* Context-specific values are read as their form says. What an IMPLICIT tag hides is unknown here; the shape
  (:mod:`hardwire.certs.shape`) and the two libraries look at the ones that matter.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
VISIBLE_STRING: Final = 0x1A
SEQUENCE: Final = 0x30
SET: Final = 0x31

MAX_DEPTH: Final = 24
"""Open values above one another; the deepest legal certificate (name constraints) needs about 12."""
MAX_NODES: Final = 2048
MAX_OID: Final = 64
"""Octets of one OBJECT IDENTIFIER."""

_CLASS_MASK: Final = 0xC0
_CONTEXT: Final = 0x80
_CONSTRUCTED: Final = 0x20
_TAG_NUMBER: Final = 0x1F
_LONG: Final = 0x80
_MAX_LENGTH_OCTETS: Final = 2
_FIRST_ARCS: Final = 40
_CENTURY_SPLIT: Final = 50
_UTC: Final = re.compile(rb"\d{12}Z")
_GENERALIZED: Final = re.compile(rb"\d{14}Z")
_PRINTABLE: Final = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")
_VISIBLE: Final = re.compile(rb"[\x20-\x7e]*")
# C0, DEL, C1, the marks and embeddings that turn text around, line separators, the byte order mark
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Node:
    """One value: identifier octet, the whole encoding, the content octets, and what is inside."""

    tag: int
    raw: bytes
    content: bytes
    children: tuple["Node", ...] = ()


@dataclass(slots=True)
class _Open:
    """A constructed value whose end has not been reached."""

    tag: int
    begin: int
    start: int
    end: int
    children: list[Node]


def parse(der: bytes) -> Node:
    """The one DER value that ``der`` is, fully checked.

    Raises:
        CertificateRefused: ``cert-der``; anything that is not canonical DER, or beyond the caps.
    """
    stack: list[_Open] = []
    position = 0
    for _ in range(MAX_NODES):
        tag, start, end = header(der, position, stack[-1].end if stack else len(der))
        if tag & _CONSTRUCTED:
            if len(stack) == MAX_DEPTH:
                raise _bad("values are nested too deep")
            stack.append(_Open(tag, position, start, end, []))
            position = start
        else:
            node = _primitive(tag, der[position:end], der[start:end])
            position = end
            if not stack:
                return _alone(node, der)
            stack[-1].children.append(node)
        while stack[-1].end == position:  # a value that closes may close its parents too
            node = _constructed(stack.pop(), der)
            if not stack:
                return _alone(node, der)
            stack[-1].children.append(node)
    raise _bad("too many values")


def integer(node: Node) -> int:
    """The value of an INTEGER or ENUMERATED."""
    return int.from_bytes(node.content, signed=True)


def dotted(node: Node) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    arcs = []
    value = 0
    for octet in node.content:
        value = value << 7 | octet & 0x7F
        if octet < _LONG:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // _FIRST_ARCS, 2)
    return ".".join(map(str, (first, arcs[0] - first * _FIRST_ARCS, *arcs[1:])))


def time(node: Node) -> datetime:
    """A UTCTime (years 1950 to 2049) or GeneralizedTime, whole seconds, as an aware datetime in UTC."""
    digits = node.content.decode("ascii")
    if node.tag == UTC_TIME:
        digits = ("19" if int(digits[:2]) >= _CENTURY_SPLIT else "20") + digits
    fields = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    try:
        return datetime(*fields, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise _bad("a time names no real moment") from error


def _bad(why: str) -> CertificateRefused:
    return refused("cert-der", f"is not canonical DER: {why}")


def _alone(node: Node, der: bytes) -> Node:
    if len(node.raw) != len(der):
        raise _bad("octets follow the end")
    return node


def header(der: bytes, position: int, limit: int, *, widest: int = _MAX_LENGTH_OCTETS) -> tuple[int, int, int]:
    """Identifier octet, first content octet and the position behind the value that begins at ``position``.

    For readers that walk over something too large for a tree; :func:`parse` checks everything else.

    Args:
        der: The octets.
        position: Where the value begins.
        limit: Where it has to end.
        widest: Octets of a long length, at most.

    Raises:
        CertificateRefused: ``cert-der``.
    """
    if limit - position < 2:  # noqa: PLR2004 - an identifier and a length
        raise _bad("a value ends early")
    tag, length = der[position], der[position + 1]
    if tag & _TAG_NUMBER == _TAG_NUMBER:
        raise _bad("a tag number of more than one octet")
    start = position + 2
    if length >= _LONG:
        size = length - _LONG
        if not 1 <= size <= widest or limit - start < size:
            raise _bad("a length that is indefinite, too large, or cut off")
        length = int.from_bytes(der[start : start + size])
        start += size
        if length < (_LONG if size == 1 else 1 << (8 * (size - 1))):
            raise _bad("a length that is not in its shortest form")
    if length > limit - start:
        raise _bad("a value that reaches over its end")
    return tag, start, start + length


def _primitive(tag: int, raw: bytes, content: bytes) -> Node:
    node = Node(tag, raw, content)
    if tag & _CLASS_MASK == _CONTEXT:
        return node
    check = _UNIVERSAL.get(tag)
    if check is None:
        raise _bad(f"a value of type 0x{tag:02x}")
    check(node)
    return node


def _constructed(value: _Open, der: bytes) -> Node:
    node = Node(value.tag, der[value.begin : value.end], der[value.start : value.end], tuple(value.children))
    if value.tag == SET:
        # SET OF is sorted (X.690 §11.6). The only sets in a certificate hold distinct attributes.
        if any(before.raw >= after.raw for before, after in pairwise(node.children)):
            raise _bad("a set is out of order, or holds a member twice")
    elif value.tag != SEQUENCE and value.tag & _CLASS_MASK != _CONTEXT:
        raise _bad(f"a value of type 0x{value.tag:02x}")
    return node


def _boolean(node: Node) -> None:
    if node.content not in {b"\x00", b"\xff"}:
        raise _bad("a boolean that is neither 00 nor FF")


def _integer(node: Node) -> None:
    content = node.content
    if not content:
        raise _bad("an integer without octets")
    if len(content) > 1 and (content[0], content[1] >> 7) in {(0x00, 0), (0xFF, 1)}:
        raise _bad("an integer with needless leading octets")


def _bit_string(node: Node) -> None:
    if not node.content:
        raise _bad("a bit string without octets")
    unused, bits = node.content[0], node.content[1:]
    if unused > (7 if bits else 0):
        raise _bad("a bit string with an impossible count of unused bits")
    if bits and bits[-1] & ((1 << unused) - 1):
        raise _bad("a bit string whose unused bits are set")


def _octet_string(node: Node) -> None:
    """Any octets are right."""


def _null(node: Node) -> None:
    if node.content:
        raise _bad("a NULL with content")


def _oid(node: Node) -> None:
    content = node.content
    if not content or len(content) > MAX_OID or content[-1] & _LONG:
        raise _bad("an object identifier that is empty, too long, or cut off")
    arc_begins = True
    for octet in content:
        if arc_begins and octet == _LONG:
            raise _bad("an object identifier with a padded arc")
        arc_begins = octet < _LONG


def _utf8(node: Node) -> None:
    try:
        text = node.content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad("a text that is not UTF-8") from error
    if _UNFIT.search(text):
        raise _bad("a text with control characters")


def _matching(pattern: re.Pattern[bytes], what: str) -> Callable[[Node], None]:
    def check(node: Node) -> None:
        if not pattern.fullmatch(node.content):
            raise _bad(f"{what} with characters it may not have")

    return check


def _timed(pattern: re.Pattern[bytes]) -> Callable[[Node], None]:
    form = _matching(pattern, "a time")

    def check(node: Node) -> None:
        form(node)
        time(node)

    return check


_UNIVERSAL: Final[Mapping[int, Callable[[Node], None]]] = {
    BOOLEAN: _boolean,
    INTEGER: _integer,
    BIT_STRING: _bit_string,
    OCTET_STRING: _octet_string,
    NULL: _null,
    OBJECT_IDENTIFIER: _oid,
    ENUMERATED: _integer,
    UTF8_STRING: _utf8,
    PRINTABLE_STRING: _matching(_PRINTABLE, "a printable string"),
    IA5_STRING: _matching(_VISIBLE, "an ASCII string"),
    UTC_TIME: _timed(_UTC),
    GENERALIZED_TIME: _timed(_GENERALIZED),
    VISIBLE_STRING: _matching(_VISIBLE, "an ASCII string"),
}
