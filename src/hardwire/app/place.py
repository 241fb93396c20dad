# SPDX-License-Identifier: Apache-2.0
"""Where a transfer lies that is not whole: its private directory, and what is noted in it.

::

    DIR/.hardwire-partial/            0700, so that nobody else sees even the names below; gone when it is empty
        5f0c…/                        16 octets in hex: a hash over the root of the transfer and the key of its sender
            preface                   manifest and hash list, written whole, once they agreed with the root
            data                      the file or the directory, growing; moved to its name when all of it is proved
            mark                      how many leaves were on the disk for certain: 12 octets each time it was noted
            given                     the name that it is about to get or has got, and what it is known again by
            old                       empty: since when nobody touched it, as far as anybody noticed (``partials.py``)

Nobody's name is stored: who sent it, when and from where is not on the disk. The names inside a directory are.

**Order of things on the disk.** A mark is noted after the leaves that it counts were put on the disk; so leaves below
the last valid mark are never read again. What was written after it is read and hashed once when the transfer goes on,
and counts as far as it is right: after a kill that is nearly all, after a power cut what had got there. A name is noted
before it is given, and the note stays until the sender knows that everything arrived: whoever offers the same again in
between is told so, and nothing comes twice.
"""

import contextlib
import errno
import hashlib
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import Final

from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.paths import absence
from hardwire.app.sidedir import FLAGS, Twin, claim, let_go, read_note, remove, wipe

MARK: Final = "mark"
GIVEN: Final = "given"
PREFACE: Final = "preface"
_RECORD: Final = struct.Struct(">QI")
_TWINS: Final = 16
"""As many as a line takes at a time."""


class Place:
    """The private directory of one partial transfer, locked for this process while it is open.

    Args:
        directory: Where the transfer shall end up.
        name: 32 hex digits.

    Attributes:
        path: Where it is, for whoever is told.
        inside: Its descriptor: what ``dir_fd`` is to be for everything in it.
        data: The file or directory that grows, from there.

    Raises:
        OSError: It cannot be made, or the side directory is somebody else's.
        TransferIncomplete: ``busy``: the very same thing is received here, by another process or by this one.
    """

    data: Final = Path("data")

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / SIDE_DIRECTORY / name
        self.inside = claim(self.path)

    def marked(self) -> int | None:
        """The last number of leaves that was noted as being on the disk; None before the first note. Raises OSError."""
        return last_mark(self.inside)

    def mark(self, leaves: int) -> None:
        """Note that so many leaves are on the disk, on the disk. Raises OSError."""
        head = leaves.to_bytes(8)
        note = head + zlib.crc32(head).to_bytes(4)
        descriptor = os.open(MARK, os.O_WRONLY | os.O_CREAT | FLAGS, 0o600, dir_fd=self.inside)
        try:
            end = os.fstat(descriptor).st_size
            # Over what is left of a note that a full disk or the end of power cut short.
            if os.pwrite(descriptor, note, end - end % _RECORD.size) < len(note):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not end:
            os.fsync(self.inside)

    def preface(self) -> bytes:
        """What :meth:`keep_preface` kept. Raises OSError."""
        return read_note(PREFACE, self.inside)

    def keep_preface(self, data: bytes) -> None:
        """Keep manifest and hash list, whole or not at all. Raises OSError."""
        self._keep(PREFACE, data)

    def note_name(self, name: str) -> None:
        """``data`` is about to be called ``name``, beside the side directory. On the disk. Raises OSError."""
        info = os.stat(self.data, dir_fd=self.inside, follow_symlinks=False)
        self._keep(GIVEN, "\n".join([*_known_by(info), name]).encode())

    def given(self) -> Path | None:
        """Where it lies if it got its name, and nobody has moved, changed or replaced it since. Raises OSError."""
        with absence(), contextlib.suppress(UnicodeDecodeError):
            *known_by, name = read_note(GIVEN, self.inside).decode().split("\n")
            final = self.path.parents[1] / Path(name).name
            if _known_by(final.lstat()) == known_by:
                return final
        return None

    def keep_name(self) -> None:
        """It got its name: nothing but the note of that is wanted any more. Raises OSError."""
        wipe(self.inside, but=GIVEN)

    def _keep(self, name: str, data: bytes) -> None:
        growing = f"{name}.part"
        descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, 0o600, dir_fd=self.inside)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(growing, name, src_dir_fd=self.inside, dst_dir_fd=self.inside)
        os.fsync(self.inside)

    def wipe(self) -> None:
        """Begin anew: nothing is kept. Raises OSError."""
        wipe(self.inside)

    def leave(self) -> None:
        """Let others at it; safe to call twice."""
        descriptor, self.inside = self.inside, -1
        if descriptor >= 0:
            let_go(descriptor, held=True)

    def remove(self) -> None:
        """It is not needed any more; safe to call twice."""
        if self.inside >= 0:
            remove(self.path, self.inside)
        self.leave()


def open_place(directory: Path, owner: str, root: bytes) -> Place:
    """The place of a transfer; another one for each twin that this very process receives at the same time.

    Raises:
        OSError: See :class:`Place`.
        TransferIncomplete: ``busy``: another process receives the very same thing here, or this one does many times.
    """
    for twin in range(_TWINS - 1):
        with contextlib.suppress(Twin):
            return Place(directory, place_name(owner, root, twin))
    return Place(directory, place_name(owner, root, _TWINS - 1))


def last_mark(inside: int) -> int | None:
    """See :meth:`Place.marked`; for whoever does not hold the place."""
    notes, found = b"", None
    with absence():
        notes = read_note(MARK, inside)
    for start in range(0, len(notes) - _RECORD.size + 1, _RECORD.size):
        leaves, check = _RECORD.unpack_from(notes, start)
        if check == zlib.crc32(notes[start : start + 8]):  # otherwise the power went in the middle of this note
            found = leaves
    return found


def place_name(owner: str, root: bytes, twin: int = 0) -> str:
    """How a transfer is called on this disk.

    Args:
        owner: Hex of the sender's device id.
        root: Of the transfer; two files that differ by nothing but where they lie at the sender have the same.
        twin: How many of that root are under way already.
    """
    number = bytes([twin]) if twin else b""
    return hashlib.sha256(b"hardwire partial" + bytes.fromhex(owner) + root + number).digest()[:16].hex()


def _known_by(info: os.stat_result) -> list[str]:
    """What a file or directory is known again by under another name; what is in a directory may change."""
    whole = () if stat.S_ISDIR(info.st_mode) else (info.st_size, info.st_mtime_ns)
    return [str(number) for number in (info.st_dev, info.st_ino, *whole)]
