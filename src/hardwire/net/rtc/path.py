# SPDX-License-Identifier: Apache-2.0
"""One way to the peer: an ICE agent with its own sockets and credentials, from gathering to its end.

::

    path = Path(settings)
    await path.gather()              sockets are bound, helpers asked; path.candidates may be told to the peer
    path.meet(credentials)           unless they were known from the start
    path.add_peer(candidates)        any number of times, also while it is being found
    found = await path.find()        checks until there is a pair, or until it is closed or cancelled
    await path.close()

A line begins with one and may go on over others (:mod:`hardwire.net.rtc.roam`). Which association travels over it, if
any, is not known here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiortc import RTCIceParameters, RTCIceTransport

from hardwire.errors import Misuse, NetworkFailed
from hardwire.net.candidate import Candidate, IPAddress
from hardwire.net.invite import IceCredentials
from hardwire.net.rtc.ice import LineConnection, LineGatherer
from hardwire.net.servers import IceServers


@dataclass(frozen=True, slots=True)
class PathSettings:
    """What a path is made from.

    Args:
        controlling: The offerer of the line controls ICE, on every path of it.
        own: The ICE credentials of this side.
        peer: Those of the other side; None if it has yet to tell (:meth:`Path.meet`).
        addresses: What to bind.
        servers: Helpers, if the person asked for any.
        port: To bind at every address; 0 takes free ones.
    """

    controlling: bool
    own: IceCredentials
    peer: IceCredentials | None
    addresses: tuple[IPAddress, ...]
    servers: IceServers
    port: int = 0


class Path:
    """One way to the peer, or the attempt at one.

    Args:
        settings: What it is made from.
        on_knock: Told when somebody who knows the credentials checks this path before :meth:`find` was called.

    Attributes:
        addresses: What it was told to bind.
        connection: Its ICE agent.
        transport: aiortc's transport around it.
    """

    def __init__(self, settings: PathSettings, on_knock: Callable[[], None] | None = None) -> None:
        self.addresses = settings.addresses
        self.connection = LineConnection(
            controlling=settings.controlling,
            own=settings.own,
            peer=settings.peer,
            addresses=settings.addresses,
            servers=settings.servers,
            port=settings.port,
        )
        if on_knock is not None:
            self.connection.on_knock(on_knock)
        self._peer = settings.peer
        self._relay_only = settings.servers.relay_only
        # The transport takes its agent from the gatherer, whose replacement happened before.
        self._gatherer = LineGatherer(self.connection)
        self.transport = RTCIceTransport(self._gatherer)
        self._trying: asyncio.Task[None] | None = None

    async def gather(self) -> None:
        """Bind sockets, ask the helpers, and keep NAT mappings alive from now on."""
        await self._gatherer.gather()
        self._trying = asyncio.create_task(self.connection.keep_trying(), name="hardwire path trying")

    async def adapt(self, addresses: tuple[IPAddress, ...]) -> None:
        """This machine has these addresses now: new ones are bound, and what is bound stays."""
        self.addresses = addresses
        await self.connection.adapt(addresses)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Those of our addresses that this machine still has, best first."""
        return self.connection.own_candidates()

    def require_candidates(self) -> None:
        """There must be an address to tell.

        Raises:
            NetworkFailed: ``no-address`` or ``no-relay``.
        """
        if self.candidates:
            return
        reasons = "; ".join(self.connection.problems)
        if self._relay_only:
            raise NetworkFailed(
                f"no relay, and relay-only was asked for: {reasons or 'the TURN server gave none'}",
                code="no-relay",
                hint="check the TURN server's name and credentials",
            )
        raise NetworkFailed(
            "this machine has no address that a peer could reach" + (f"; {reasons}" if reasons else ""),
            code="no-address",
            hint="is the network up? for two lines inside one machine ask for loopback",
        )

    @property
    def is_found(self) -> bool:
        """There is a pair of addresses that works, or did."""
        return self.transport.state == "completed"

    @property
    def local_address(self) -> str | None:
        """The own address of the pair in use; none without a pair, nor for a relay's, which is no address of ours."""
        return self.connection.local_address

    def meet(self, peer: IceCredentials) -> None:
        """The peer told its credentials; before :meth:`find`."""
        self._peer = peer
        self.connection.meet(peer)

    async def add_peer(self, candidates: Sequence[Candidate], *, last: bool = False) -> None:
        """Take addresses of the peer; preference falls along the list. ``last``: there will be no others."""
        await self.connection.add_peer(candidates, last=last)

    async def find(self) -> bool:
        """Look for a pair that works; whether there is one. Ends by itself only with success, or when closed."""
        if self._peer is None:
            raise Misuse("a path is looked for when the credentials of the peer are known")
        try:
            await self.transport.start(RTCIceParameters(self._peer.ufrag, self._peer.password))
        finally:
            await self._stop_trying()
        return self.is_found

    async def require_found(self, looking: Awaitable[object], within: float) -> None:
        """Let ``looking`` go on for ``within`` seconds, or until it ends. Raises NetworkFailed: ``no-path``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await looking
        if not self.is_found:
            raise NetworkFailed("no path to the peer was found", code="no-path")

    async def close_below(self, stops: Sequence[Callable[[], Awaitable[None]]], within: float) -> None:
        """End what goes over it, one after the other, and then it; after ``within`` seconds its sockets are dropped."""
        try:
            async with asyncio.timeout(within):
                for stop in stops:
                    await stop()
                await self.close()
        except TimeoutError:
            self.force_close()

    async def close(self) -> None:
        """Give sockets and relay back."""
        await self._stop_trying()
        await self.transport.stop()
        await self.connection.close()

    def force_close(self) -> None:
        """Drop the sockets at once."""
        self.connection.force_close()

    async def _stop_trying(self) -> None:
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait({self._trying})
