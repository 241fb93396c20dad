# SPDX-License-Identifier: Apache-2.0
"""What the payloads of the record layer are made of: one rule for a field, whichever side breaks it.

A value checks itself with :func:`require`, which is this side's :class:`~hardwire.errors.Misuse`; a decoder builds the
same value within :func:`built`, which turns the complaint round into the peer's :class:`~hardwire.errors.WireError`.
"""

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Final, TypeVar

from hardwire.errors import Misuse, WireError
from hardwire.wire import Reader

NAME_MAX: Final = 255
"""Octets of UTF-8 in a file's name, at most; at least one."""

_NEVER_IN_NAMES: Final = re.compile("[\x00-\x1f\x7f-\x9f/]")
"""C0, DEL, C1 and the slash; what else may deceive an eye is for the faces to strip."""

_Value = TypeVar("_Value")
_Code = TypeVar("_Code", bound=IntEnum)


def require(condition: object, message: str) -> None:
    """Raise Misuse unless ``condition`` holds."""
    if not condition:
        raise Misuse(message)


def built(make: Callable[[], _Value]) -> _Value:
    """A value from the peer's fields: what would be our misuse is the peer's malformed message."""
    try:
        return make()
    except Misuse as error:
        raise WireError(f"the peer sent what may not be sent: {error.message}") from error


def member(codes: type[_Code], value: int, what: str) -> _Code:
    """The member of a list of codes. Raises WireError."""
    try:
        return codes(value)
    except ValueError as error:
        raise WireError(f"{what}: 0x{value:02x} is not in the list") from error


def flag(reader: Reader, what: str) -> bool:
    """One octet, 1 or 0. Raises WireError."""
    value = reader.u8()
    if value not in (0, 1):
        raise WireError(f"{what}: 0x{value:02x} is neither yes nor no")
    return value == 1


def utf8(data: bytes, what: str) -> str:
    """Octets as text. Raises WireError."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"{what}: not utf-8") from error


def utf8_octets(text: str) -> bytes:
    """Text as octets; none for one that has no UTF-8 encoding (lone surrogates)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""


def utf8_size(text: str) -> int:
    """How many octets those are."""
    return len(utf8_octets(text))


def name_fits(name: str) -> bool:
    """Whether a name is one path component without control characters, of 1 to 255 octets."""
    return 1 <= utf8_size(name) <= NAME_MAX and not _NEVER_IN_NAMES.search(name) and name not in (".", "..")
