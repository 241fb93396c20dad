# SPDX-License-Identifier: Apache-2.0
"""Where hardwire keeps its few files: the identity (public), its settings, lists of revoked certificates.

Nothing about lines or peers is stored.

``HARDWIRE_HOME`` names one directory for everything (try-out shells, tests, portable use); without it the
platform's own places are used (XDG on Linux).
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from hardwire.app.newname import rename_new


def config_dir() -> Path:
    """The directory of the identity and the settings; made with mode 0700 by :func:`write_private`."""
    home = os.environ.get("HARDWIRE_HOME")
    return Path(home) if home else Path(platformdirs.user_config_dir("hardwire"))


def state_dir() -> Path:
    """The directory of what is remembered from line to line: lists of revoked certificates, and their numbers."""
    home = os.environ.get("HARDWIRE_HOME")
    return Path(home) / "state" if home else Path(platformdirs.user_state_dir("hardwire"))


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write ``data`` to ``path`` whole or not at all, readable by the owner only.

    A crash at any moment leaves either the old file or the new one (rename is atomic; the data is on disk first).

    Raises:
        FileExistsError: Without ``replace``, when there is a file already.
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            _claim(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _claim(temporary: Path, path: Path) -> None:
    """Give the file its name if that is free, which link(2) decides, or on FAT a rename that replaces nothing."""
    try:
        os.link(temporary, path)
    except PermissionError:
        free = rename_new(temporary, path)
        if free is False or (free is None and path.exists()):
            raise FileExistsError(path) from None
        if free is None:
            temporary.replace(path)
    else:
        temporary.unlink()


@contextlib.contextmanager
def absence() -> Iterator[None]:
    """Pass over what is not there, or is another kind of thing; what cannot be read just now is an error as ever."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}:
            raise


def sync_directory(path: Path, inside: int | None = None) -> None:
    """Put a directory's entries on disk, so that a rename survives a power cut.

    Args:
        path: Which.
        inside: Descriptor of the directory that a relative path begins at, instead of the current one.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=inside)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
