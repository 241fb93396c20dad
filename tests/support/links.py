# SPDX-License-Identifier: Apache-2.0
"""Links over loopback, and a record of what they told."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hardwire.errors import HardwireError
from hardwire.net.invite import InviteSecrets, derive_secrets
from hardwire.net.rtc import DtlsFacts, LinkSettings, RtcLink
from hardwire.net.servers import IceServers


class Recorder:
    """A LinkEvents that keeps everything."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes]] = []
        self.errors: list[HardwireError] = []
        self.octets = 0
        self.changed = asyncio.Event()

    def message(self, channel: int, data: bytes) -> None:
        self.messages.append((channel, data))
        self.octets += len(data)
        self.changed.set()

    def writable(self) -> None:
        self.changed.set()

    def closed(self, error: HardwireError) -> None:
        self.errors.append(error)
        self.changed.set()

    async def until(self, condition, within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class End:
    link: RtcLink
    events: Recorder
    facts: DtlsFacts


def fresh_secrets() -> InviteSecrets:
    return derive_secrets(os.urandom(16))


async def gather(
    *, offerer: bool, secrets: InviteSecrets, servers: IceServers | None = None, loopback: bool = True
) -> RtcLink:
    return await RtcLink.gather(
        LinkSettings(offerer=offerer, secrets=secrets, servers=servers or IceServers(), loopback=loopback)
    )


async def open_towards(link: RtcLink, peer: RtcLink, within: float = 10.0) -> End:
    events = Recorder()
    facts = await link.open(fingerprint=peer.fingerprint, candidates=peer.candidates, events=events, within=within)
    return End(link, events, facts)


def between(link: RtcLink, meddle: Callable[[bytes, Callable[[bytes], None]], None]) -> Callable[[], None]:
    """Each DTLS datagram that arrives at an open link goes through ``meddle(datagram, pass_on)``; the way to undo that."""
    agent = link._path.connection
    plain = agent.train_received

    def train_received(protocol, data, segment, source):
        def pass_on(one: bytes) -> None:
            plain(protocol, memoryview(bytearray(one)), len(one), source)
            agent._drain_soon()

        for at in range(0, len(data), segment):
            one = bytes(data[at : at + segment])
            (meddle if one[0] in range(20, 64) else lambda one, on: on(one))(one, pass_on)

    agent.train_received = train_received
    return lambda: delattr(agent, "train_received")


def deafen(monkeypatch, agent) -> None:
    """Nothing of the line that arrives at this agent is heard any more; ICE goes on."""
    plain = agent.train_received

    def train_received(protocol, data, segment, source):
        if data[0] not in range(20, 64):
            plain(protocol, data, segment, source)

    monkeypatch.setattr(agent, "train_received", train_received)


@asynccontextmanager
async def open_pair(servers: IceServers | None = None) -> AsyncIterator[tuple[End, End]]:
    """Offerer and answerer, open."""
    secrets = fresh_secrets()
    first, second = [await gather(offerer=offerer, secrets=secrets, servers=servers) for offerer in (True, False)]
    try:
        yield tuple(await asyncio.gather(open_towards(first, second), open_towards(second, first)))
    finally:
        await asyncio.gather(first.close(), second.close())
