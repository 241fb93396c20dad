# SPDX-License-Identifier: Apache-2.0
"""The few DER values that are written here rather than by ``cryptography`` (X.690 §8, §10, §11).

Requests carry an attribute that its builder has no word for, and names in forms that it takes as octets only. What is
written here is read back by :mod:`hardwire.certs.der` before anybody else sees it.
"""

from hardwire.certs import der


def tlv(tag: int, *parts: bytes) -> bytes:
    """One value: identifier octet, length in its shortest form, contents."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - X.690 §8.1.3.4: one octet
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE."""
    return tlv(der.SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """SET OF, its members in the order that DER wants."""
    return tlv(der.SET, *sorted(parts))


def integer(value: int) -> bytes:
    """INTEGER, not negative."""
    return tlv(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return tlv(der.OBJECT_IDENTIFIER, bytes(content))
