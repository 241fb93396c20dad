# SPDX-License-Identifier: Apache-2.0
"""What arrived whole, while its sender may not know it yet.

The verdict on a transfer is the last word about it, and the line may end before it is heard. Then the sender offers the
same again: on the next line of this session, or to another process later. Neither may get it twice. So a finished
transfer is remembered until the peer's machine has had the verdict for a moment, or the peer is done: here in memory
for the lines of this session, and by a note in its place for other processes (``place.py``).
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

from hardwire.app.events import FileDone
from hardwire.app.moving import Transfer
from hardwire.channel import Offer
from hardwire.errors import ConnectionLost, TransferIncomplete
from hardwire.net import Line

_LOOK_AGAIN: Final = 0.2
"""Seconds until it is asked again whether the peer has everything."""
LAST_WORDS: Final = 1.0
"""Seconds that a line which is to be closed here stays open for that."""


class Unheard:
    """The finished transfers of one line and of those before it.

    Args:
        line: The open line.
        start: Runs something beside it.
        before: Those of earlier lines; the peer offers them again at once if it does not know.
    """

    def __init__(
        self,
        line: Line,
        start: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        before: Iterable[Transfer] = (),
    ) -> None:
        self._line = line
        self._start = start
        self._before = list(before)
        self._again: dict[int, Transfer] = {}
        self._told: list[Transfer] = []
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def left(self) -> tuple[Transfer, ...]:
        """All of them, for the next line."""
        return (*self._before, *self._again.values(), *self._told)

    def confirm(self, transfer: Transfer, key: int) -> None:
        """Tell the peer that all of it is in its place, under its number on this line."""
        self._told.append(transfer)
        with contextlib.suppress(ConnectionLost, TransferIncomplete):  # over, or taken back just before: not heard then
            self._line.confirm_file(key, ok=True)
            asking = self._start(self._until_heard(transfer))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)

    def offered(self, key: int, offer: Offer) -> bool:
        """Whether an offer is of what is here already; it is answered then, and nobody is asked."""
        one = next((one for one in self._before if one.offer == offer and _is_there(one)), None)
        if one is None:
            return False
        self._before.remove(one)
        self._again[key] = one
        with contextlib.suppress(ConnectionLost, TransferIncomplete):
            self._line.accept_file(key, one.finished[0] if offer.end is None else offer.end)
        return True

    def whole(self, key: int) -> None:
        """Everything of a transfer came; if it was here before, that is all there is to it."""
        if (one := self._again.pop(key, None)) is not None:
            self.confirm(one, key)

    async def heard(self) -> None:
        """The peer was done: nothing of its own was without a verdict."""
        for one in self.left:
            await _forget(one)
        self._before.clear()
        self._again.clear()
        self._told.clear()

    async def last_words(self) -> None:
        """Before this side closes the line: what was told a moment ago shall be heard, and no note of it stay here."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=LAST_WORDS)

    async def _until_heard(self, transfer: Transfer) -> None:
        with contextlib.suppress(ConnectionLost):
            while not await self._line.delivered():  # noqa: ASYNC110 (only asking moves it on)
                await asyncio.sleep(_LOOK_AGAIN)
            # Its machine has it; its program may be about to end all the same. Then the line is over by now.
            await asyncio.sleep(_LOOK_AGAIN)
            await self._line.delivered()
            if transfer in self._told:
                self._told.remove(transfer)
                await _forget(transfer)


def _is_there(transfer: Transfer) -> bool:
    """What somebody took away since is offered as anything is."""
    path = transfer.outcome.path if isinstance(transfer.outcome, FileDone) else None
    return path is None or path.exists()


async def _forget(transfer: Transfer) -> None:
    if transfer.sink is not None:
        await asyncio.to_thread(transfer.sink.told)
