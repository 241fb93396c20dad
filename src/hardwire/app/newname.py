# SPDX-License-Identifier: Apache-2.0
"""One step that gives a file a name only if that is free, where there are no hard links (FAT).

Linux has renameat2(2) with RENAME_NOREPLACE, macOS renameatx_np(2) with RENAME_EXCL; Python has neither, so the C
library is asked. Not every system, library and file system knows them.
"""

import ctypes
import errno
import os
import sys
from pathlib import Path
from typing import Final

_NOREPLACE: Final = 1
_EXCL: Final = 4
_UNKNOWN: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})

_CALL, _FLAG = ("renameatx_np", _EXCL) if sys.platform == "darwin" else ("renameat2", _NOREPLACE)
_HERE: Final = -2 if sys.platform == "darwin" else -100
"""AT_FDCWD: a relative path begins at the current directory."""


def can_rename_new() -> bool:
    """Whether the C library knows of it; the file system may not."""
    return hasattr(ctypes.CDLL(None), _CALL)


def rename_new(source: Path, target: Path, inside: int | None = None) -> bool | None:
    """Rename in one step, and replace nothing.

    Args:
        source: What there is.
        target: What it shall be called, on the same file system.
        inside: Descriptor of the directory that a relative ``source`` is in, instead of the current one.

    Returns:
        Whether the name was free; None when the system or the file system cannot do this, and nothing was done.

    Raises:
        OSError: It refused for another reason.
    """
    if not can_rename_new():
        return None
    call = getattr(ctypes.CDLL(None, use_errno=True), _CALL)
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    begin = _HERE if inside is None else inside
    if not call(begin, os.fsencode(source), _HERE, os.fsencode(target), _FLAG):
        return True
    number = ctypes.get_errno()
    if number == errno.EEXIST:
        return False
    if number in _UNKNOWN:
        return None
    raise OSError(number, os.strerror(number), str(target))
