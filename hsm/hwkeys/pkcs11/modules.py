# SPDX-License-Identifier: Apache-2.0
"""The vendors' libraries: where they are, which package brings them, and the one worker for each."""

import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from hwkeys.errors import ModuleMissing
from hwkeys.pkcs11.binding import Library, TokenRecord, is_software, is_ykcs11
from hwkeys.pkcs11.session import TokenSessions, token_name
from hwkeys.worker import Worker, worker_for

_P = ParamSpec("_P")
_T = TypeVar("_T")

_DIRECTORIES = (
    "/usr/lib/softhsm",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/softhsm",
    "/usr/lib/aarch64-linux-gnu/softhsm",
    "/usr/lib64",
    "/usr/lib64/pkcs11",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/local/lib/softhsm",
    "/opt/homebrew/lib",
    "/opt/homebrew/lib/softhsm",
)
_PACKAGES = {
    "libsofthsm2.so": "softhsm2",
    "opensc-pkcs11.so": "opensc-pkcs11",
    "libykcs11.so": "ykcs11",
    "libykcs11.so.2": "ykcs11",
}


# Where p11-kit keeps what is installed, the administrator's first (pkcs11.conf(5)), and the modules of its own.
_REGISTRIES = ("/etc/pkcs11/modules", "/usr/share/p11-kit/modules")
_NOT_FOR_KEYS = ("p11-kit-trust.so", "p11-kit-proxy.so")


class Module:
    """One vendor's library in this process: loaded on its own worker thread, kept for ever.

    Args:
        path: The real path, so that two links to one library do not initialise it twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.worker: Worker = worker_for(str(path))
        self.sessions = TokenSessions()
        self._seen: dict[int, str] = {}
        self._programs_only = False

    @cached_property
    def library(self) -> Library:
        """The library; only ever asked for on the worker's thread."""
        return Library(self.path)

    def tokens(self) -> tuple[TokenRecord, ...]:
        """The tokens that are there now. Runs on the worker.

        A session of a token that is not in its slot any more is closed at once. ykcs11 does not notice by itself that
        one card was exchanged for another while nobody looked: it would show the old one's keys under the new one's
        serial number. So it is made to start again then, and every key opens its session anew.
        """
        found = self.library.tokens()
        if any(is_ykcs11(record) and self._seen.get(record.slot, record.serial) != record.serial for record in found):
            self.sessions.keep(())
            self.library.start_again()
            found = self.library.tokens()
        self._seen.update((record.slot, record.serial) for record in found)
        self._programs_only = bool(found) and all(is_software(record.manufacturer, record.model) for record in found)
        self.sessions.keep({(token_name(record), record.slot) for record in found})
        return found

    def call(self, function: Callable[Concatenate["Module", _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``function(module, …)`` with nobody else in the module.

        On the worker's thread; or, when all tokens that were seen last are programs, on this one.

        Raises:
            ForkRefused: The module was loaded by this process's parent.
        """
        run = self.worker.here if self._programs_only else self.worker.call
        return run(function, self, *args, **kwargs)


_modules: dict[Path, Module] = {}
_by_name: dict[Path, Module] = {}
_lock = threading.Lock()


def module_for(path: Path) -> Module:
    """The module at a path.

    Raises:
        ModuleMissing: There is no such file.
        ForkRefused: It was loaded by this process's parent.
    """
    # Without the lock, which in a forked child may be locked for ever.
    known = _by_name.get(path)
    if known is not None:
        known.worker.refuse_fork()
        return known
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        package = _PACKAGES.get(path.name)
        hint = f"install it: apt-get install {package}" if package else "check module-path in the URI"
        raise ModuleMissing(f"there is no PKCS#11 module at {path}", hint=hint) from error
    worker_for(str(real))
    with _lock:
        if real not in _modules:
            _modules[real] = Module(real)
        # It is not loaded a second time, whatever becomes of the file: its name need not be followed again.
        _by_name[path] = _modules[real]
        return _modules[real]


def registered() -> Iterator[Path]:
    """The modules that p11-kit's registry names and that exist: a vendor's own, wherever it is.

    A module's name without a directory is looked for where modules usually are. A file that cannot be read is passed
    over: it is p11-kit's to complain about.
    """
    for registry in _REGISTRIES:
        for entry in sorted(Path(registry).glob("*.module")):
            try:
                lines = entry.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            named = [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == "module"]
            for name in named[:1]:
                places = [Path(directory, sub) for directory in _DIRECTORIES for sub in ("pkcs11", "")]
                paths = [Path(name)] if Path(name).is_absolute() else [place / name for place in places]
                found = next((path for path in paths if path.is_file()), None)
                if found is not None and found.name not in _NOT_FOR_KEYS:
                    yield found


def default_modules() -> tuple[Module, ...]:
    """The well-known modules that are installed here and those p11-kit knows of, each library once.

    Raises:
        ModuleMissing: None is.
    """
    found: dict[Path, None] = {}
    seen: set[str] = set()
    for name, package in _PACKAGES.items():
        for directory in _DIRECTORIES:
            path = Path(directory, name)
            if package not in seen and path.exists():
                found[path.resolve()] = None
                seen.add(package)
    found.update((path.resolve(), None) for path in registered())
    if not found:
        raise ModuleMissing(
            "no PKCS#11 module is installed",
            hint="apt-get install opensc-pkcs11 (smart cards), ykcs11 (YubiKey) or softhsm2 (software token), "
            "or give module-path in the URI",
        )
    return tuple(module_for(path) for path in found)
