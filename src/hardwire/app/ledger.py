# SPDX-License-Identifier: Apache-2.0
"""What an authority did, as a file that only grows: one line an act, each with the hash of the line before it.

The rules, so that a kill or a power cut at any moment loses nothing that was reported as done:

* A line is on the disk (fsync) before anybody is told. A line without its newline never happened; it is cut off before
  the next one is written.
* Lines are never changed. A line that does not continue the one before it is damage, and nothing is done any more.
* How far the file had come is remembered outside of it, too (the *mark*, in the state directory of the person who runs
  the authority). A file that is shorter than its mark was put back from a backup: what happened since then, revocations
  perhaps, is missing, and that is said before anything else is done.
* One program at a time: the file is locked while it is open.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from hardwire.app.paths import sync_directory, write_private
from hardwire.errors import LocalError

MAX_LEDGER: Final = 256 << 20
"""Octets; a hundred thousand certificates."""
_NOTHING: Final = sha256(b"hardwire ledger").hexdigest()

Row = Mapping[str, object]


class Ledger:
    """The open file; made by :func:`open_ledger`.

    Attributes:
        rows: What happened, in order; each has ``kind`` and ``at``.
    """

    def __init__(self, path: Path, mark: Path, descriptor: int) -> None:
        self.rows: list[Row] = []
        self._path = path
        self._mark = mark
        self._descriptor = descriptor
        self._heads: list[str] = [_NOTHING]
        self._end = 0
        self._read()

    @property
    def behind(self) -> bool:
        """The mark has seen more than the file holds, or something else: an older state was put back."""
        count, head = self._marked()
        return count >= len(self._heads) or self._heads[count] != head

    def marked_number(self) -> int:
        """The highest list number that the mark has seen; 0 when there is no mark."""
        return int(cast("int", self._mark_fields().get("number", 0)))

    def append(self, row: Row, *, number: int = 0) -> None:
        """Write one act; when this returns it will be there after any crash.

        Args:
            row: ``kind`` and what belongs to it.
            number: The number of the list that was signed, for the mark.

        Raises:
            LocalError: ``disk``; it did not happen, unless only the mark could not be written, which the hint says.
        """
        line = _encode({**row, "before": self._heads[-1]})
        number = max(number, self.marked_number())
        try:
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
        except OSError as problem:
            with suppress(OSError):  # what is there of the line may be all of it
                os.ftruncate(self._descriptor, self._end)
            raise _disk(self._path, problem) from None
        self._take(line)
        self._remember(number)

    def accept(self) -> None:
        """Go on from an older state that was put back; the person has been told what that means."""
        number = self.marked_number()
        self.append({"kind": "restored", "number": number}, number=number)

    def _read(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size > MAX_LEDGER:
            raise _damaged(self._path, "it is too large")
        data = b""
        while len(data) < size and (more := os.pread(self._descriptor, size - len(data), len(data))):
            data += more
        for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            before = row.pop("before")
        except (ValueError, AttributeError, KeyError, TypeError):
            raise _damaged(self._path, f"line {len(self._heads)} is not what was written") from None
        if before != self._heads[-1] or _encode({**row, "before": before}) != line:
            raise _damaged(self._path, f"line {len(self._heads)} does not continue the one before it")
        self.rows.append(row)
        self._heads.append(sha256(line).hexdigest())
        self._end += len(line)

    def _mark_fields(self) -> Row:
        try:
            return cast("Row", json.loads(self._mark.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            raise _damaged(self._mark, "it cannot be read") from None

    def _marked(self) -> tuple[int, object]:
        fields = self._mark_fields()
        return int(cast("int", fields.get("count", 0))), fields.get("head", _NOTHING)

    def _remember(self, number: int) -> None:
        fields = {"count": len(self.rows), "head": self._heads[-1], "number": number}
        try:
            write_private(self._mark, json.dumps(fields).encode())
        except OSError as problem:
            raise _disk(self._mark, problem, _WRITTEN) from None


@contextmanager
def open_ledger(path: Path, mark: Path) -> Iterator[Ledger]:
    """Lock and read the file; it is made when it is not there yet.

    Args:
        path: The file.
        mark: Where it is remembered how far the file had come.

    Raises:
        LocalError: ``disk``, ``ledger-busy`` or ``ledger-damaged``.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise _disk(path, problem) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LocalError(
                f"another program is at work with {path.parent}", code="ledger-busy", hint="wait until it is done"
            ) from None
        sync_directory(path.parent)
        yield Ledger(path, mark, descriptor)
    finally:
        os.close(descriptor)


def _encode(row: Row) -> bytes:
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _damaged(path: Path, why: str) -> LocalError:
    return LocalError(
        f"{path} is damaged: {why}",
        code="ledger-damaged",
        hint="nothing was done; restore it from a backup, and say --after-restore once",
    )


_WRITTEN: Final = "it is in the ledger all the same; make room there: the next command brings both into step"


def _disk(path: Path, problem: OSError, hint: str = "nothing was done; make room there") -> LocalError:
    reason = (problem.strerror or str(problem)).lower()
    return LocalError(f"{path} cannot be written: {reason}", code="disk", hint=hint)
