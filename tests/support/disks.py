# SPDX-License-Identifier: Apache-2.0
"""Small disks that exist for one test: a tmpfs in a mount namespace, and a process of its own that works on it."""

import asyncio
import inspect
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

NOBODY = 65_534


@cache
def namespace() -> tuple[str, ...]:
    """Words that start a program where it may mount, as root or as anybody; empty when the kernel says no."""
    for words in (("unshare", "--mount"), ("unshare", "--mount", "--map-root-user")):
        if (
            shutil.which("unshare")
            and not subprocess.run([*words, "true"], check=False, capture_output=True).returncode
        ):
            return words
    return ()


def on_disk(directory: Path, options: str, call: Callable[[Path], object], *, user: int = 0) -> None:
    """Mount a tmpfs at ``directory`` where only ``call(directory)`` sees it; what that asserts is asserted here.

    Args:
        directory: An empty one.
        options: Of mount(8) for a tmpfs, as ``size=8m,nr_inodes=40``; none mounts nothing.
        call: A function, or coroutine function, of a test's module. It is loaded anew in another process.
        user: Who that process is in the end; only root can become another.
    """
    mount = f'mount -t tmpfs -o {options} none "$1" && ' if options else ""
    code = "import sys; sys.path[:0] = sys.argv[5:]; from support import disks; disks.run(*sys.argv[1:5])"
    words = [sys.executable, "-c", code, inspect.getfile(call), call.__name__, str(directory), str(user), *sys.path]
    shell = [*namespace(), "sh", "-c", f'{mount}shift && exec "$@"', "sh", str(directory), *words]
    run = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr


def run(module: str, name: str, directory: str, user: str) -> None:
    """The other process."""
    call = runpy.run_path(module)[name]
    if int(user):
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    outcome = call(Path(directory))
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)
