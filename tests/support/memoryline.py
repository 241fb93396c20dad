# SPDX-License-Identifier: Apache-2.0
"""Two ends of a real secure channel without a network between them: for what a network cannot be told to do.

An end has the verbs of ``hardwire.net.Line`` that transfers use. Frames and events move when the event loop turns;
``hold`` keeps the events of one end back, as a busy event loop would.
"""

import asyncio
from functools import partial

from hardwire.app.transfers import Transfers
from hardwire.channel import LineClosed, SecureChannel
from hardwire.errors import ConnectionLost, TransferIncomplete
from hardwire.handshake import Role
from support.channelpair import CountedEntropy, finished
from support.people import Person

_VERBS = (
    "offer_file", "decline_file", "cancel_file", "send_chunk", "count_chunk", "rewind_file",
    "receive_chunk", "finish_stream", "acknowledge_written",
)  # fmt: skip


class NoLanes:
    """Everything goes over the line; what was expected is remembered."""

    def __init__(self) -> None:
        self.expected: list[int] = []

    def expect(self, size: int) -> None:
        self.expected.append(size)

    def carried(self, transfer: int) -> dict[str, int]:
        return {}


class MemoryEnd:
    def __init__(self, role: Role) -> None:
        self.channel = SecureChannel(finished(role), entropy=CountedEntropy(role.value), now=0.0)
        self.person = Person()
        self.transfers = Transfers(self, self.person.emit, "ab" * 32)
        self.peer: MemoryEnd | None = None
        self.hold = False
        self.cut = False
        self.held: list[object] = []
        self.beside = NoLanes()
        self._turning = False

    def __getattr__(self, name: str):
        if name not in _VERBS:
            raise AttributeError(name)
        return partial(self._verb, getattr(self.channel, name))

    def chunk_room(self, transfer: int, chunk_size: int | None = None) -> int:
        return self.channel.chunk_room(transfer, chunk_size)

    def chunk_position(self, transfer: int) -> int:
        return self.channel.chunk_position(transfer)

    def accept_file(self, transfer: int, start: int = 0) -> None:
        self.channel.accept_file(transfer, start, 0.0)
        self._turn()

    def pause_file(self, transfer: int, *, on: bool) -> None:
        self.channel.pause_file(transfer, on=on, now=0.0)
        self._turn()

    def confirm_file(self, transfer: int, *, ok: bool) -> None:
        self.channel.confirm_file(transfer, ok=ok, now=0.0)
        self._turn()

    async def delivered(self) -> bool:
        """What was said before arrives with the next turn; nothing does while :attr:`cut`, or after an end."""
        await asyncio.sleep(0)
        if self.cut or None in (self.channel.next_timeout(), self.peer.channel.next_timeout()):
            raise ConnectionLost("the line is over")
        return True

    def close(self) -> None:
        self.channel.close(0.0)
        self._turn()

    def release(self) -> None:
        """Handle what was held back, in one go."""
        self.hold = False
        held, self.held = self.held, []
        for event in held:
            self._take(event)

    def _verb(self, verb, *arguments: object):
        result = verb(*arguments, 0.0)
        self._turn()
        return result

    def _turn(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._move)

    def _move(self) -> None:
        self._turning = False
        while (frame := self.channel.data_to_send()) is not None:
            self.peer.channel.receive_data(*frame, 0.0)
        for end in (self, self.peer):
            while (event := end.channel.next_event()) is not None:
                end.held.append(event) if end.hold else end._take(event)
        if self.peer.channel._queues[0] or self.peer.channel._queues[1]:
            self.peer._turn()

    def _take(self, event: object) -> None:
        if not self.transfers.handle(event) and isinstance(event, LineClosed):
            self.transfers.abandon(TransferIncomplete("the line is over", code="closed"))


def memory_pair() -> tuple[MemoryEnd, MemoryEnd]:
    first, second = MemoryEnd(Role.INITIATOR), MemoryEnd(Role.RESPONDER)
    first.peer, second.peer = second, first
    return first, second
