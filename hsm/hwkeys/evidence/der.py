# SPDX-License-Identifier: Apache-2.0
"""The little DER that evidence is wrapped in (X.690 §8.1, §10.1): definite, shortest lengths, one-octet tags.

Certificates pass through as they are; ``cryptography`` reads those.
"""

from hwkeys.errors import EvidenceRefused

INTEGER, BITS, OCTETS, SEQUENCE = 0x02, 0x03, 0x04, 0x30

_LONG = 0x80
_LONGEST = 2  # octets of a length: what is read here has less than 64 KiB


def wrap(tag: int, *contents: bytes) -> bytes:
    """One value of the tag around the contents, which have less than 64 KiB together."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _LONG | len(octets))) + octets + content


def unwrap(tag: int, octets: bytes) -> bytes:
    """The contents of exactly one value of the tag.

    Raises:
        EvidenceRefused: ``evidence-malformed``.
    """
    found, content, rest = _split(octets)
    if found != tag or rest:
        raise _malformed()
    return content


def items(octets: bytes) -> list[tuple[int, bytes]]:
    """The values that stand one after the other: tag, and the whole value with its header.

    Raises:
        EvidenceRefused: ``evidence-malformed``.
    """
    found = []
    while octets:
        tag, _content, rest = _split(octets)
        found.append((tag, octets[: len(octets) - len(rest)]))
        octets = rest
    return found


def _split(octets: bytes) -> tuple[int, bytes, bytes]:
    if len(octets) < 2:  # noqa: PLR2004 - tag and length
        raise _malformed()
    tag, size, at = octets[0], octets[1], 2
    if size >= _LONG:
        more = size - _LONG
        size, at = int.from_bytes(octets[2 : 2 + more]), 2 + more
        if not 1 <= more <= _LONGEST or size < _LONG or size.bit_length() <= 8 * (more - 1):
            raise _malformed()
    if len(octets) < at + size:
        raise _malformed()
    return tag, octets[at : at + size], octets[at + size :]


def _malformed() -> EvidenceRefused:
    return EvidenceRefused("the evidence is not whole DER", code="evidence-malformed")
