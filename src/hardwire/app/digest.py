# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of a whole file, as ``sha256sum`` prints it, taken while the file passes by anyway.

A transfer is judged by its root (``channel/tree.py``), which no other program computes; this is for whoever compares
with another program, or with what somebody published. It is taken in order on a thread of its own, and still costs
half a second of processor time for a gigabyte at each end: for those who ask for it (docs/adr/0015).
"""

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Self

_BATCH: Final = 1 << 20
"""Octets that are handed over at a time: a thread is not woken for a small piece."""
_BEHIND: Final = 32
"""Batches that may wait; whoever adds another one waits as well, so that memory stays bounded."""


class FileHash:
    """The SHA-256 of octets that are added in order; by one thread at a time."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "hardwire sha256")
        self._batch: list[bytes | memoryview] = []
        self._size = 0
        self._running: deque[Future[None]] = deque()

    def update(self, data: bytes | memoryview) -> None:
        """The next octets, which must not change any more."""
        self._batch.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            self._hand_over()

    def hexdigest(self) -> str:
        """64 hex digits, of everything that was added; waits for the thread, which ends."""
        self._hand_over()
        self.close()
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the thread end; safe to call twice."""
        self._thread.shutdown(wait=True)

    def _hand_over(self) -> None:
        if len(self._running) > _BEHIND:
            self._running.popleft().result()
        self._running.append(self._thread.submit(self._take, self._batch))
        self._batch, self._size = [], 0

    def _take(self, batch: list[bytes | memoryview]) -> None:
        for piece in batch:
            self._hash.update(piece)
