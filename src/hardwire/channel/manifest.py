# SPDX-License-Identifier: Apache-2.0
"""What is in a transfer: the list of its files and directories (protocol.md §14.11).

The manifest is the peer's word, so nothing in it may reach outside the place it is unpacked in, or fall together there
with something else in it: relative paths of plain components, each below a directory that came before, strictly in
order, no two names in a directory that differ only by case or composition. There are no links and no devices in it: a
sender that is told to follow links sends what they lead to.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardwire.channel.fields import built, member, name_fits, require, utf8, utf8_size
from hardwire.errors import Misuse, WireError
from hardwire.wire import Reader, Writer

ENTRIES_MAX: Final = 1 << 17
"""Files and directories in one transfer, the first included."""
DEPTH_MAX: Final = 64
"""Components in a path."""
PATH_MAX: Final = 2048
"""Octets of UTF-8 in a path."""
MANIFEST_MAX: Final = 16 << 20
"""Octets of an encoded manifest."""
MODE_MAX: Final = 0o777
_MTIME_MAX: Final = (1 << 63) - 1
_SIZE_MAX: Final = 1 << 53


class EntryKind(IntEnum):
    """What an entry is; the whole list."""

    FILE = 0x01
    DIRECTORY = 0x02


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or directory.

    Attributes:
        kind: Which of the two.
        mode: The nine permission bits.
        mtime: Nanoseconds since 1970.
        size: Octets of a file; 0 for a directory.
        path: Components joined by ``/``, relative to the transfer's own name; empty for the first entry.
    """

    kind: EntryKind
    mode: int
    mtime: int
    size: int
    path: str

    def __post_init__(self) -> None:
        require(0 <= self.mode <= MODE_MAX, "an entry has nine permission bits")
        require(0 <= self.mtime <= _MTIME_MAX, "an entry's time is in nanoseconds since 1970")
        require(0 <= self.size <= (_SIZE_MAX if self.kind is EntryKind.FILE else 0), "an entry has at most 2^53 octets")
        require(utf8_size(self.path) <= PATH_MAX, f"a path has at most {PATH_MAX} octets")
        names = self.components
        require(len(names) <= DEPTH_MAX, f"a path has at most {DEPTH_MAX} components")
        require(all(map(name_fits, names)), "a path is made of plain names")

    @property
    def components(self) -> tuple[str, ...]:
        """The path's names; none for the first entry."""
        return tuple(self.path.split("/")) if self.path else ()

    def encode(self) -> bytes:
        """Kind, mode, time, size, path."""
        return Writer().u8(self.kind).u16(self.mode).u64(self.mtime).u64(self.size).v16(self.path.encode()).getvalue()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole list that keeps the rules.

    Attributes:
        entries: In their order.
        size: Octets of all files together: the content of the transfer is their octets in this order.
    """

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        require(1 <= len(self.entries) <= ENTRIES_MAX, f"a transfer has 1 to {ENTRIES_MAX} entries")
        require(not self.entries[0].path, "the first entry is the transfer itself")
        # Directories by number: a set of whole paths, cut into names, would take a hundred megabytes.
        directories: dict[str, int] = {}
        names = set()
        before: tuple[bytes, ...] | None = None
        for number, entry in enumerate(self.entries):
            place = tuple(entry.path.encode().split(b"/")) if entry.path else ()
            parent, _, name = entry.path.rpartition("/")
            if before is not None and not before < place:
                raise Misuse(f"{entry.path!r} is not in order")
            if before is not None and parent not in directories:
                raise Misuse(f"{entry.path!r} is in no directory")
            folded = (directories.get(parent), _folded(name))
            if folded in names:
                raise Misuse(f"{entry.path!r} differs from another name only by case or composition")
            names.add(folded)
            if entry.kind is EntryKind.DIRECTORY:
                directories[entry.path] = number
            before = place
        require(self.size <= _SIZE_MAX, "a transfer has at most 2^53 octets")

    @property
    def size(self) -> int:
        """See the class."""
        return sum(entry.size for entry in self.entries)

    @property
    def files(self) -> int:
        """How many of the entries are files."""
        return sum(entry.kind is EntryKind.FILE for entry in self.entries)

    @property
    def directories(self) -> int:
        """How many of them are directories, the transfer itself not counted."""
        return sum(entry.kind is EntryKind.DIRECTORY for entry in self.entries[1:])

    def encode(self) -> bytes:
        """One entry after another."""
        data = b"".join(entry.encode() for entry in self.entries)
        require(len(data) <= MANIFEST_MAX, f"a manifest has at most {MANIFEST_MAX} octets")
        return data


def _folded(name: str) -> str:
    """What names have in common that some file system takes for one."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def in_order(entries: Iterable[Entry]) -> Manifest:
    """The manifest of entries that were found in any order. Raises Misuse when they break a rule."""
    return Manifest(tuple(sorted(entries, key=lambda entry: tuple(name.encode() for name in entry.components))))


def decode_manifest(data: bytes) -> Manifest:
    """The manifest in ``data``. Raises WireError."""
    reader = Reader(data, "manifest")
    entries: list[Entry] = []
    while reader.remaining:
        if len(entries) == ENTRIES_MAX:
            raise WireError(f"manifest: more than {ENTRIES_MAX} entries")
        entries.append(_entry(reader))
    return built(lambda: Manifest(tuple(entries)))


def _entry(reader: Reader) -> Entry:
    kind = member(EntryKind, reader.u8(), "manifest")
    mode, mtime, size = reader.u16(), reader.u64(), reader.u64()
    path = utf8(reader.v16(), "path")
    return built(lambda: Entry(kind, mode, mtime, size, path))
