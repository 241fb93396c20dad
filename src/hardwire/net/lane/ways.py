# SPDX-License-Identifier: Apache-2.0
"""Which way the chunks of each transfer went, and whether there is enough of them for a direct lane."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

DATA_CHANNEL: Final = "data channel"
"""The way that is always there: channel 1 of the line."""
WORTH_A_LANE: Final = 1 << 20
"""Octets that were sent over the data channel before a lane is wished for: a note or a picture needs none."""
TRANSFERS_KEPT: Final = 256
"""Transfers whose figures are remembered."""


class Ways:
    """Octets by transfer and way."""

    def __init__(self) -> None:
        self._octets: dict[int, dict[str, int]] = {}
        self._sent = 0
        self._coming = DATA_CHANNEL

    @property
    def worth_a_lane(self) -> bool:
        """Whether the data channel carries so much that a lane is worth its while."""
        return self._sent >= WORTH_A_LANE

    def sent(self, transfer: int, way: str, size: int) -> None:
        """A chunk was sent that way."""
        self._add(transfer, way, size)
        if way == DATA_CHANNEL:
            self._sent += size

    @contextlib.contextmanager
    def through(self, way: str) -> Iterator[None]:
        """What arrives within came that way."""
        before, self._coming = self._coming, way
        try:
            yield
        finally:
            self._coming = before

    def arrived(self, transfer: int, size: int) -> None:
        """New octets of a transfer came."""
        self._add(transfer, self._coming, size)

    def of(self, transfer: int) -> Mapping[str, int]:
        """Octets of a transfer, by way; those that were sent again count again."""
        return dict(self._octets.get(transfer, {}))

    def _add(self, transfer: int, way: str, size: int) -> None:
        ways = self._octets.setdefault(transfer, {})
        ways[way] = ways.get(way, 0) + size
        while len(self._octets) > TRANSFERS_KEPT:
            del self._octets[next(iter(self._octets))]
