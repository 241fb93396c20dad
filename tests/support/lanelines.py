# SPDX-License-Identifier: Apache-2.0
"""Two real secure channels without a network, each with a keeper of lanes that uses real sockets on loopback."""

import asyncio
import time
from contextlib import contextmanager, suppress

from hardwire.channel import LineClosed, LineFailed, SecureChannel
from hardwire.channel.lane import LaneAgreed, LaneEnded, LaneOffered, LaneWanted
from hardwire.errors import ConnectionLost
from hardwire.handshake import Role
from hardwire.net.lane.keeper import LaneKeeper
from support.channelpair import CountedEntropy, finished
from support.lanes import LOOPBACK
from support.lines import KernelEntropy

LANE_EVENTS = (LaneWanted, LaneOffered, LaneAgreed, LaneEnded)


class LaneEnd:
    """One side: what a keeper asks of its line, and who is told of ways."""

    def __init__(self, role: Role, clock) -> None:
        self.channel = SecureChannel(finished(role), entropy=CountedEntropy(role.value), now=0.0)
        self.direct_path = LOOPBACK
        self.keeper = LaneKeeper(self, KernelEntropy(), clock)
        self.keeper.serve(self)
        self.peer: LaneEnd | None = None
        self.said: list[object] = []
        self.sent = 0
        self.ways: list[str] = []
        self.path = None
        self.chunks: list[tuple[int, int, bytes]] = []
        self.deaf = False
        self.changed = asyncio.Event()

    @contextmanager
    def lanes(self):
        with self.channel.lanes(0.0) as lanes:
            yield lanes
        asyncio.get_running_loop().call_soon(self.pump)

    def pump(self) -> None:
        while (frame := self.channel.data_to_send()) is not None:
            self.sent += 1
            if not self.peer.deaf:
                self.peer.channel.receive_data(*frame, 0.0)
                asyncio.get_running_loop().call_soon(self.peer.pump)
        while (event := self.channel.next_event()) is not None:
            self.said.append(event)
            if isinstance(event, LANE_EVENTS):
                with suppress(ConnectionLost):  # then the line's last event is the next one
                    self.keeper.handle(event)
            elif isinstance(event, (LineClosed, LineFailed)):
                self.keeper.stop()
        self.changed.set()

    def receive_chunk(self, transfer, offset, data, chunk_size) -> None:
        self.chunks.append((transfer, offset, bytes(data), chunk_size))
        self.changed.set()

    def open_path(self, path) -> None:
        self.path = path
        self.ways.append("open")
        self.changed.set()

    def path_writable(self) -> None:
        self.ways.append("writable")
        self.changed.set()

    def close_path(self, path) -> None:
        assert path is self.path
        self.path = None
        self.ways.append("close")
        self.changed.set()

    async def until(self, condition, within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()

    async def stop(self) -> None:
        self.channel.abort(ConnectionLost("the test is over"))
        self.pump()
        await self.keeper.settled()


class Hours:
    """A clock that runs, and that the test moves ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def lane_ends() -> tuple[LaneEnd, LaneEnd, Hours]:
    """The initiator's end, the responder's, and their clock."""
    hours = Hours()
    first, second = LaneEnd(Role.INITIATOR, hours), LaneEnd(Role.RESPONDER, hours)
    first.peer, second.peer = second, first
    return first, second, hours
