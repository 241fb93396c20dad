# SPDX-License-Identifier: Apache-2.0
"""Direct lanes over loopback without a line: keys of both sides, meetings, and who is told."""

import asyncio
import ipaddress
import os
import socket

from hardwire.channel.lane import LaneKeys
from hardwire.handshake import Role
from hardwire.net.lane.direct import DirectLane
from hardwire.net.lane.door import Door
from hardwire.net.lane.meeting import Meeting
from hardwire.net.lane.path import LanePath
from support.lines import KernelEntropy

HERE = ipaddress.ip_address("127.0.0.1")
LOOPBACK = LanePath(HERE, HERE)


def keys_of(secret: bytes | None = None) -> dict[Role, LaneKeys]:
    """The keys of one lane at both ends."""
    secret = secret or os.urandom(32)
    return {role: LaneKeys(role, secret) for role in Role}


def meetings(keys: dict[Role, LaneKeys], *, doors: str = "ir", dials: str = "ir") -> dict[Role, Meeting]:
    """Both sides' attempts; letters say who listens and who dials."""
    letters = {Role.INITIATOR: "i", Role.RESPONDER: "r"}
    opened = {role: Door.open(LOOPBACK) if letters[role] in doors else None for role in Role}
    made = {}
    for role in Role:
        theirs = opened[Role.RESPONDER if role is Role.INITIATOR else Role.INITIATOR]
        port = theirs.port if theirs is not None and letters[role] in dials else 0
        made[role] = Meeting(keys[role], LOOPBACK, opened[role], port, KernelEntropy())
    return made


async def met_pair(**how):
    """Both ends of one connection that was agreed on."""
    both = meetings(keys_of(), **how)
    return await asyncio.gather(both[Role.INITIATOR].run(), both[Role.RESPONDER].run())


class Told:
    """Who is told what a lane does."""

    def __init__(self) -> None:
        self.chunks: list[tuple[int, int, bytes]] = []
        self.writables = 0
        self.ends: list[object] = []
        self.changed = asyncio.Event()

    def chunk(self, transfer: int, offset: int, data: memoryview) -> None:
        self.chunks.append((transfer, offset, bytes(data)))
        self.changed.set()

    def writable(self) -> None:
        self.writables += 1
        self.changed.set()

    def over(self, error) -> None:
        self.ends.append(error)
        self.changed.set()

    async def until(self, condition, within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()


async def lane_pair():
    """((lane, told), (lane, told)), the initiator's first."""
    ends = []
    for met in await met_pair():
        told = Told()
        ends.append((DirectLane(met, told), told))
    return ends


async def stream_to(port: int) -> socket.socket:
    """A connection of a stranger on this machine."""
    connection = socket.socket()
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, (str(HERE), port))
    except OSError:
        connection.close()
        raise
    return connection
