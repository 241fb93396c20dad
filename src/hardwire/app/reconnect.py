# SPDX-License-Identifier: Apache-2.0
"""What a session does when its line has died: opens the one that was agreed for this case, with the same device.

Which ends are worth it: no path for longer than anybody waits, a peer that fell silent, a rekey that was never
finished, a line that is a day old. Whoever closed a line, or broke the protocol, meant it; and so did a peer that calls
a young line old.

When that one does not come about, the two people may carry codes again (:mod:`hardwire.app.renewal`).

Each line costs both ends a signature, and perhaps a touch. A peer can lose line after line on purpose, so that lines
which die young are followed at growing intervals. Both ends count the same, and wait about as long.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from hardwire.app.entropy import SystemEntropy
from hardwire.app.events import Event, InviteNeeded, Reconnecting
from hardwire.channel import DEFAULT_LIMITS, CloseReason, LineClosed, LineFailed
from hardwire.channel.chat import CHAT_IDS_KEPT
from hardwire.channel.messages import CHAT_ID_SIZE
from hardwire.errors import ConnectionLost, LocalError
from hardwire.net import Line, LineConfig
from hardwire.net.line import NOBODYS_WISH
from hardwire.net.reline import NextLine, same_device

CLOCKS_DIFFER: Final = 3600.0
"""Seconds that a peer may find a line older than it is here: clocks that drift, and some that stop during sleep."""
YOUNG: Final = 600.0
"""Seconds: a line that does not live so long died young."""
AT_ONCE: Final = 2
"""Lines in a row that die young and are followed without a pause."""
FIRST_PAUSE: Final = 2.0
"""Seconds before the next one; it doubles each time."""
LONGEST_PAUSE: Final = 300.0
_DOUBLINGS: Final = 16
_SHARE: Final = 4
"""A pause takes at most this part of the patience, as the peer may be knocking already."""


Ask = Callable[[Callable[[], LineConfig]], Awaitable[Line | None]]


class History:
    """Chat across the lines of a session: what was heard, and what waits for the next line.

    Attributes:
        holding: There is no line: what is said is kept.
        held: (id, text) of what waits, in order.
    """

    def __init__(self) -> None:
        self.holding = False
        self.held: list[tuple[bytes, str]] = []
        self._heard: OrderedDict[bytes, None] = OrderedDict()

    def is_new(self, key: bytes) -> bool:
        """Whether a message of this id is heard for the first time: a line that died may have swallowed its receipt."""
        if key in self._heard:
            return False
        self._heard[key] = None
        if len(self._heard) > CHAT_IDS_KEPT:
            self._heard.popitem(last=False)
        return True

    def hold(self, unconfirmed: tuple[tuple[bytes, str], ...]) -> None:
        """The line is gone; this was not confirmed on it."""
        self.holding = True
        self.held = [*unconfirmed, *self.held]

    def add(self, text: str) -> bytes:
        """Keep what is said meanwhile; its id.

        Raises:
            LocalError: ``chat-backlog``.
        """
        if len(self.held) >= DEFAULT_LIMITS.chats:
            raise LocalError(
                f"{len(self.held)} messages wait to be delivered",
                code="chat-backlog",
                hint="wait until the peer is found again",
            )
        key = SystemEntropy().octets(CHAT_ID_SIZE)
        self.held.append((key, text))
        return key

    def release(self) -> list[tuple[bytes, str]]:
        """There is a line again: what to send on it."""
        self.holding = False
        held, self.held = self.held, []
        return held


class Reconnector:
    """The next line of a session, and the one after that.

    Args:
        make_config: How a line to the same peer is opened; nobody is asked who that is.
        patience: Seconds to look for the peer.
        emit: Where events go.
        ask: Opens a line by codes that people carry, with what it is given; None when nobody is there.
    """

    def __init__(
        self,
        make_config: Callable[[], LineConfig],
        patience: float,
        emit: Callable[[Event], None],
        ask: Ask | None = None,
    ) -> None:
        self._make_config = make_config
        self._patience = patience
        self._emit = emit
        self._ask = ask
        self._hurried = self._asking = False
        self._line: Line | None = None
        self._young = 0
        self._next: NextLine | None = None
        self._opening: asyncio.Task[Line | None] | None = None
        self._closed = False

    def follow(self, line: Line) -> None:
        """Agree on the line after this one."""
        self._line = line
        self._next = NextLine(line, self._make_config)

    def handle(self, event: object) -> bool:
        """Take an event of the line; true when it was about the next one."""
        return self._next is not None and self._next.handle(event)

    def wants(self, ended: LineClosed | LineFailed) -> bool:
        """Whether a line that ended so is followed by another."""
        if self._closed or self._next is None or self._line is None:
            return False
        if isinstance(ended, LineClosed):
            plausible = not ended.by_peer or self._line.life_left <= CLOCKS_DIFFER
            return ended.reason is CloseReason.LIFE and plausible
        return ended.error.code in NOBODYS_WISH

    async def reopen(self, lost: int) -> Line | None:
        """The next line; None when the peer was not found, or nobody waits for it any more. ``lost``: waiting lines.

        Raises:
            HardwireError: The peer was found, and there is no line all the same.
        """
        following, self._next = self._next, None
        if following is None:
            return None
        line = None
        try:
            if not self._hurried:
                self._emit(Reconnecting(lost))
                line = await self._outcome(following.open(self._patience, self._pause()))
        finally:
            await following.close()
        if line is None and not self._closed:
            self._asking = True
            self._emit(InviteNeeded(lost))
            line = await self._outcome(self._by_people())
        self._asking = self._hurried = False
        return line

    async def _outcome(self, opening: Coroutine[None, None, Line | None]) -> Line | None:
        """What comes of it, unless it is given up."""
        self._opening = task = asyncio.create_task(opening, name="hardwire reconnect")
        try:
            await asyncio.wait({task})
            return None if task.cancelled() else task.result()
        except ConnectionLost:
            return None
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _by_people(self) -> Line | None:
        if self._ask is None or self._line is None:
            return None
        device_id = self._line.done.peer.device_id
        return await self._ask(lambda: same_device(self._make_config(), device_id))

    def hurry(self) -> None:
        """Do not look for the line that was agreed any longer: a person wants to make a new invite, or has one."""
        if self._asking:
            return
        self._hurried = True
        if self._opening is not None:
            self._opening.cancel()

    def _pause(self) -> float:
        """Seconds before the line after this one is looked for, so that a peer cannot have signatures as it likes."""
        old = self._line is None or self._line.age >= YOUNG
        self._young = 0 if old else self._young + 1
        if self._young <= AT_ONCE:
            return 0.0
        grown: float = FIRST_PAUSE * 2 ** min(self._young - AT_ONCE - 1, _DOUBLINGS)
        return min(grown, LONGEST_PAUSE, self._patience / _SHARE)

    async def close(self) -> None:
        """Look for nobody any more."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._next is not None:
            await self._next.close()
