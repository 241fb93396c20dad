# SPDX-License-Identifier: Apache-2.0
"""The octet reader and writer that every message uses.

TLS presentation style (RFC 8446 §3): fixed field order, big-endian integers, length-prefixed vectors, no
optional fields. ``decode(encode(x)) == x``, and one encoding for each value: trailing octets, short fields and
lengths beyond the caller's bound are errors. Nothing here allocates by a length it has not checked.
"""

from typing import Final, Self

from hardwire.errors import Misuse, WireError

U8_MAX: Final = 0xFF
U16_MAX: Final = 0xFFFF
U32_MAX: Final = 0xFFFF_FFFF
U64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF


class Reader:
    """Reads fields off one message, left to right; the caller ends with :meth:`end`.

    Args:
        data: The whole message.
        what: Its name, for error texts.

    Every method raises :class:`~hardwire.errors.WireError` when the message is too short or a bound is broken.
    """

    __slots__ = ("_data", "_pos", "_what")

    def __init__(self, data: bytes, what: str = "message") -> None:
        self._data = data
        self._pos = 0
        self._what = what

    @property
    def position(self) -> int:
        """Octets read so far."""
        return self._pos

    @property
    def remaining(self) -> int:
        """Octets not read yet."""
        return len(self._data) - self._pos

    def take(self, size: int) -> bytes:
        """The next ``size`` octets."""
        end = self._pos + size
        if end > len(self._data):
            raise WireError(f"{self._what}: ends early, {size} octets wanted and {self.remaining} left")
        chunk = self._data[self._pos : end]
        self._pos = end
        return chunk

    def rest(self) -> bytes:
        """Everything that is left, possibly nothing."""
        return self.take(self.remaining)

    def u8(self) -> int:
        """One octet as an unsigned integer."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two octets, big-endian."""
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        """Four octets, big-endian."""
        return int.from_bytes(self.take(4))

    def u64(self) -> int:
        """Eight octets, big-endian."""
        return int.from_bytes(self.take(8))

    def v8(self, *, low: int = 0, high: int = U8_MAX) -> bytes:
        """A vector with a one-octet length between ``low`` and ``high``."""
        return self._vector(self.u8(), low, high)

    def v16(self, *, low: int = 0, high: int = U16_MAX) -> bytes:
        """A vector with a two-octet length between ``low`` and ``high``."""
        return self._vector(self.u16(), low, high)

    def expect(self, value: int) -> None:
        """One octet that must be ``value`` (a message type or a version)."""
        got = self.u8()
        if got != value:
            raise WireError(f"{self._what}: 0x{value:02x} wanted, 0x{got:02x} found")

    def zeros(self) -> None:
        """Padding: everything that is left must be zero."""
        if any(self.rest()):
            raise WireError(f"{self._what}: padding is not zero")

    def end(self) -> None:
        """Nothing may be left."""
        if self.remaining:
            raise WireError(f"{self._what}: {self.remaining} octets too many")

    def _vector(self, size: int, low: int, high: int) -> bytes:
        if not low <= size <= high:
            raise WireError(f"{self._what}: a field of {size} octets, {low} to {high} allowed")
        return self.take(size)


class Writer:
    """Builds one message, field by field; each method returns the writer.

    A value that does not fit its field raises :class:`~hardwire.errors.Misuse`: it is ours, not the peer's.
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def raw(self, data: bytes) -> Self:
        """Octets as they are."""
        self._parts.append(data)
        return self

    def u8(self, value: int) -> Self:
        """One octet."""
        return self._integer(value, 1)

    def u16(self, value: int) -> Self:
        """Two octets, big-endian."""
        return self._integer(value, 2)

    def u32(self, value: int) -> Self:
        """Four octets, big-endian."""
        return self._integer(value, 4)

    def u64(self, value: int) -> Self:
        """Eight octets, big-endian."""
        return self._integer(value, 8)

    def v8(self, data: bytes) -> Self:
        """A vector of at most 255 octets behind its one-octet length."""
        return self._integer(len(data), 1).raw(data)

    def v16(self, data: bytes) -> Self:
        """A vector of at most 65 535 octets behind its two-octet length."""
        return self._integer(len(data), 2).raw(data)

    def getvalue(self) -> bytes:
        """The message so far."""
        return b"".join(self._parts)

    def _integer(self, value: int, size: int) -> Self:
        if not 0 <= value < 1 << (8 * size):
            raise Misuse(f"{value} does not fit {size} octets")
        return self.raw(value.to_bytes(size))
