# SPDX-License-Identifier: Apache-2.0
"""One caller at a time in each device library: its lock, and a thread for what may take long.

Why: a PKCS#11 module is initialised here without locking functions and releases the GIL in every call; eight threads
inside SoftHSM at once return each other's errors and now and then abort the process. A TPM has three object slots and
answers one command at a time. So every call into a library is made with that library's lock in hand, and a caller that
is slow at typing a PIN holds nobody up, because questions are asked without it.

``call`` hands over to the library's own thread. The person at the keyboard can interrupt the wait for a card that wants
to be touched, or for a TPM, and a device that hangs for ever does not keep the program from ending. ``here`` stays on
the caller's thread: two turns between threads take longer than SoftHSM takes to sign. It is for a library whose
"devices" are programs, which wait for nobody. See docs/adr/0007.

After a fork the child has a copy of the library's login and of our handles, but not the thread. It is refused.
"""

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from hwkeys.errors import ForkRefused

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Job:
    """One call, and what came of it.

    A bare lock to wait on and not a ``Future``, whose condition variable takes longer than SoftHSM takes to sign.
    """

    __slots__ = ("_done", "_error", "_function", "_result")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def run(self) -> None:
        """On the worker's thread."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            self._error = error
        self._done.release()

    def wait(self) -> Any:
        """On the caller's thread: what the function returned, or raise what it raised."""
        self._done.acquire()
        if self._error is None:
            return self._result
        try:
            raise self._error
        finally:
            # The traceback holds this frame, and this frame the error.
            self._error = None


class Worker:
    """A library's lock and thread. The thread is a daemon: a hung device must not keep a program from ending."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pid = os.getpid()
        self._alone = threading.RLock()
        self._inside = 0
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"hwkeys {name}", daemon=True)
        self._thread.start()

    def call(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run on the worker's thread; wait; return or raise what the function does.

        Raises:
            ForkRefused: This process is a fork of the one that opened the device.
        """
        self.refuse_fork()
        if self._inside == threading.get_ident():
            # Whoever is inside must not wait for the thread, which waits for the lock.
            return function(*args, **kwargs)
        job = _Job(lambda: self.here(function, *args, **kwargs))
        self._jobs.put(job)
        found: _T = job.wait()
        return found

    def here(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run on this thread as soon as nobody else is inside; return or raise what the function does.

        Raises:
            ForkRefused: This process is a fork of the one that opened the device.
        """
        self.refuse_fork()
        with self._alone:
            before = self._inside
            # Within: Ctrl-C must not leave this thread noted as inside when it has let go of the lock.
            try:
                self._inside = threading.get_ident()
                return function(*args, **kwargs)
            finally:
                self._inside = before

    def post(self, function: Callable[[], object]) -> None:
        """Run on the worker's thread some time, wait for nothing, drop what it returns or raises.

        For clean-up from a finaliser, which may run on any thread at any moment; in a forked child it does nothing.
        """
        if not self.forked:
            self._jobs.put(_Job(lambda: self.here(function)))

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one that opened the device."""
        return os.getpid() != self._pid

    def refuse_fork(self) -> None:
        """Compare process ids; a forked child has no thread to call.

        Raises:
            ForkRefused: This process is a fork of the one that opened the device.
        """
        if self.forked:
            raise ForkRefused("this process is a fork of the one that opened the device")

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            job.run()
            # A result that lingered here would keep a device's object alive until the next job.
            del job


_workers: dict[str, Worker] = {}
_lock = threading.Lock()


def worker_for(name: str) -> Worker:
    """The one worker of this process for a library or a TPM.

    Args:
        name: A module's real path, or a TCTI string.

    Raises:
        ForkRefused: The worker is a parent process's.
    """
    with _lock:
        worker = _workers.get(name)
        if worker is None:
            worker = _workers[name] = Worker(name)
    worker.refuse_fork()
    return worker


# A lock held by another thread at the moment of the fork would stay locked in the child for ever.
os.register_at_fork(
    before=_lock.acquire,
    after_in_parent=_lock.release,
    after_in_child=_lock.release,
)
