# SPDX-License-Identifier: Apache-2.0
"""The path: aioice's agent with our addresses, our helpers and our patience.

What differs from aioice 0.13, each in one override:

* the addresses to bind come from :mod:`hardwire.net.interfaces`; aioice would take every interface and no loopback;
* STUN and TURN are asked from here (``helpers.py``), as children of one task group, and cancelled when we are;
* a check that failed is tried again. The answerer runs its checks while a person still carries the answer back, so
  "nobody replied for a minute" is the normal case; how long to try is the caller's deadline, not aioice's;
* mappings in a NAT on the way to the STUN server are kept alive for that time;
* what does not come from an address that proved the invite's password is dropped unread, and so is what cannot be
  read: the sockets are open to everybody for as long as a person carries a code, and aioice would keep all of it;
* direct pairs have a head start before those over a relay, because the first pair that works is the line's;
* a closed agent says so instead of answering ``None`` for ever;
* an agent can take over from another one, under the association that the other one carried (:meth:`take_over`);
* a path without consent (RFC 7675) carries nothing any more, but it does not end what might move to another one.
"""

import asyncio
import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import aioice
from aioice import stun
from aioice.candidate import candidate_priority
from aioice.ice import CandidatePair, StunProtocol
from aiortc import RTCIceGatherer

from hardwire.net.candidate import Candidate, CandidateKind, IPAddress, select
from hardwire.net.invite import IceCredentials
from hardwire.net.rtc.datapath import DatagramAgent
from hardwire.net.rtc.helpers import Helpers, reason
from hardwire.net.rtc.ports import HostProtocol
from hardwire.net.servers import IceServers

_RETRY_INTERVAL: Final = 2.0
_RESTART_AGE: Final = 1.0
_CONSENT_INTERVAL: Final = 5.0
_CONSENT_FAILURES: Final = 6
_HEAD_START: Final = 0.5
"""Seconds that direct pairs have before those over a relay are checked: the first pair that works is taken for good."""
_MAX_REMOTE: Final = 64
_MAX_OWN: Final = 32
_MAX_EARLY_CHECKS: Final = 64
_KINDS: Final = {"host": CandidateKind.HOST, "srflx": CandidateKind.SRFLX, "relay": CandidateKind.RELAY}
_COMPONENT: Final = 1


class LineConnection(DatagramAgent):
    """One ICE agent for one line.

    Args:
        controlling: The offerer controls (RFC 8445 §6.1.1); fixed by who made the offer.
        own: The ICE credentials of this side.
        peer: Those of the other side; on a line both follow from the invite, and are known from the start.
        addresses: What to bind; ignored with ``relay_only``, which binds nothing but the way to the TURN server.
        servers: The helpers the person asked for.
        port: To bind at each of the addresses; 0 takes free ones.
    """

    def __init__(
        self,
        *,
        controlling: bool,
        own: IceCredentials,
        peer: IceCredentials | None,
        addresses: Sequence[IPAddress],
        servers: IceServers,
        port: int = 0,
    ) -> None:
        super().__init__(ice_controlling=controlling, local_username=own.ufrag, local_password=own.password)
        if peer is not None:
            self.meet(peer)
        self.problems: list[str] = []
        self._helpers = Helpers(servers, self.problems)
        self._port = port
        self._addresses = [] if servers.relay_only else [str(address) for address in addresses]
        self._started_at: dict[CandidatePair, float] = {}
        self._first_start: float | None = None
        self._knocked: Callable[[], None] | None = None

    def meet(self, peer: IceCredentials) -> None:
        """The credentials of the other side; checks that it sent before are judged when this side looks for a path."""
        self.remote_username, self.remote_password = peer.ufrag, peer.password

    @property
    def seen(self) -> Mapping[str, tuple[str, ...]]:
        """By ``stun`` and ``turn``: which addresses of this machine that server saw."""
        return self._helpers.seen

    @property
    def has_consent(self) -> bool:
        """There is a path, and within half a minute the peer agreed to it (RFC 7675)."""
        return bool(self._nominated)

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],  # noqa: ARG002  (aioice's own choice, replaced by ours: this is the one place)
        timeout: int = 5,  # noqa: ASYNC109  (aioice's signature)
    ) -> list[aioice.Candidate]:
        """Bind our addresses, then ask the helpers."""
        found = await super().get_component_candidates(component, [], timeout)
        hosts = self._bind_all(self._addresses)
        found += [protocol.local_candidate for protocol in hosts]
        async with asyncio.TaskGroup() as group:
            if self._helpers.servers.stun is not None and hosts:
                group.create_task(self._helpers.ask_stun(hosts, found))
            if self._helpers.servers.turn is not None:
                group.create_task(self._ask_turn(component, found))
        return found

    async def adapt(self, addresses: Sequence[IPAddress]) -> None:
        """This machine has these addresses now: bind the new ones, in the middle of whatever is going on.

        Sockets stay where they are: those of addresses that remain are known to the peer, and an address that is gone
        may come back. Only what is bound now is told (:meth:`own_candidates`).
        """
        self._addresses = [str(address) for address in addresses]
        bound = {one.host for one in self._local_candidates if one.type == "host"}
        room = max(0, _MAX_OWN - len(bound))
        new = self._bind_all([address for address in self._addresses if address not in bound][:room])
        self._local_candidates += [protocol.local_candidate for protocol in new]
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        if self._early_checks_done and not self._check_list_done:
            # Checks are under way, and aioice starts none of its own once it has begun all that it knew of.
            for pair in [pair for pair in self._check_list if pair.state is CandidatePair.State.FROZEN]:
                self.check_state(pair, CandidatePair.State.WAITING)
                self.check_start_task(pair)
        # Last: a new address from which no STUN server answers must not hold up what is tried from it.
        await self._helpers.ask_stun(new, self._local_candidates)

    async def get_event(self) -> aioice.ice.ConnectionEvent:
        """Like aioice's, but a closed agent gives its last event again: aiortc's monitor would spin on ``None``."""
        return await super().get_event() or aioice.ConnectionClosed()

    async def recvfrom(self) -> tuple[bytes, int]:
        """Like aioice's, but a path that lost consent is waited for: it is not the end of the association."""
        item = await self._queue.get()
        if item is None:
            raise ConnectionError("the agent was closed")
        return item

    async def query_consent(self) -> None:
        """RFC 7675: without an answer for half a minute nothing is sent here any more. The agent stays open."""
        failures = 0
        while failures < _CONSENT_FAILURES:
            await asyncio.sleep(_CONSENT_INTERVAL * random.uniform(0.8, 1.2))  # noqa: S311  (spreads load, hides nothing)
            for pair in list(self._nominated.values()):
                failures = 0 if await self._has_consent(pair) else failures + 1
        self.fall_silent()

    async def close(self) -> None:
        """Close it; whoever took over is not told."""
        if self._replaced:
            self._queue = asyncio.Queue()
        await super().close()

    def fall_silent(self) -> None:
        """Send nothing of the association any more; the agent stays open."""
        self._nominated.clear()

    def protocol_lost(self, protocol: StunProtocol) -> None:
        """A socket is gone; that ends an association which nobody took over."""
        if not self._replaced:
            super().protocol_lost(protocol)

    def own_candidates(self) -> tuple[Candidate, ...]:
        """What goes into the invite: each address once, an address that a STUN server merely confirmed left out."""
        found = [
            Candidate(_KINDS[one.type], ipaddress.ip_address(one.host), one.port)
            for one in self.local_candidates
            if one.type == "relay" or (one.host if one.type == "host" else one.related_address) in self._addresses
        ]
        hosts = {(one.address, one.port) for one in found if one.kind is CandidateKind.HOST}
        kept = [one for one in found if one.kind is CandidateKind.HOST or (one.address, one.port) not in hosts]
        return select(one for one in kept if one.refusal(loopback=True) is None)

    def direct_pair(self) -> tuple[IPAddress, IPAddress] | None:
        """This side's and the peer's address of the path in use; None without one, or with a relay at an end."""
        pair = self._nominated.get(_COMPONENT)
        if pair is None or pair.local_candidate.type == "relay":
            return None
        own, peer = pair.local_addr[0], pair.remote_addr[0]
        # A relay may send from a port that no code named: its address tells it as well.
        if any(one.type == "relay" and one._network_host == peer for one in self._remote_candidates):  # noqa: SLF001
            return None
        return ipaddress.ip_address(own), ipaddress.ip_address(peer)

    @property
    def local_address(self) -> str | None:
        """The own address of the pair in use; None without one, and when it is a relay's."""
        pair = self._nominated.get(_COMPONENT)
        own = pair and pair.local_candidate
        return own.host if own and own.type == "host" else None

    async def add_peer(self, candidates: Sequence[Candidate], *, last: bool = True) -> None:
        """Take the peer's candidates, within bounds; preference falls along the list. ``last``: no others come."""
        for position, one in enumerate(candidates):
            if len(self._remote_candidates) >= _MAX_REMOTE:
                break
            name = one.kind.name.lower()
            preference = 65_535 - position
            await self.add_remote_candidate(
                aioice.Candidate(
                    foundation=f"{name}{one.address.version}",
                    component=_COMPONENT,
                    transport="udp",
                    priority=candidate_priority(_COMPONENT, name, preference),
                    host=str(one.address),
                    port=one.port,
                    type=name,
                )
            )
        if last:
            await self.add_remote_candidate(None)

    async def keep_trying(self) -> None:
        """From gathering until there is a path; cancel it then.

        Failed checks are repeated, and the NAT is reminded of us while a person still carries a code around.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._retry_failed())
            group.create_task(self._helpers.keep_mappings(self._protocols))

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check from the peer: it is reachable now, so a check of ours that waits in back-off starts afresh."""
        known = next((one for one in self._remote_candidates if (one._network_host, one.port) == addr), None)  # noqa: SLF001
        if known is None and len(self._remote_candidates) >= _MAX_REMOTE:
            return
        pair = known and self._find_pair(protocol, known)
        if pair and pair.task and pair.state == CandidatePair.State.IN_PROGRESS and self._age(pair) > _RESTART_AGE:
            pair.task.cancel()
            pair.task = None
            self.check_state(pair, CandidatePair.State.WAITING)
        super().check_incoming(message, addr, protocol)

    def request_received(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check from whoever: aioice keeps those that come before it knows the peer, and would keep any number.

        The code of a one-way invite is all that it takes to be whoever. One who comes from elsewhere while the peer is
        heard gets no answer, and no path; when the peer falls silent it may be the peer, from behind another NAT.
        """
        if self._hears_peer() and not self._is_peer(addr):
            return
        if self._early_checks_done or len(self._early_checks) < _MAX_EARLY_CHECKS:
            super().request_received(message, addr, protocol)
        self._tell_knock()

    def on_knock(self, knocked: Callable[[], None]) -> None:
        """Call this once, when somebody who knows the credentials checks us before we look for them; if so, at once."""
        self._knocked = knocked
        self._tell_knock()

    def _tell_knock(self) -> None:
        if self._early_checks and self._knocked is not None:
            knocked, self._knocked = self._knocked, None
            knocked()

    def check_start_task(self, pair: CandidatePair) -> None:
        """Remember when, for :meth:`check_incoming`. Pairs over a relay wait a little if there are others."""
        now = asyncio.get_running_loop().time()
        self._first_start = self._first_start or now
        has_rivals = _is_relayed(pair) and not all(map(_is_relayed, self._check_list))
        if has_rivals and now < self._first_start + _HEAD_START:
            return  # it stays the one to check next, and aioice asks again, every 20 ms
        self._started_at[pair] = now
        super().check_start_task(pair)

    def force_close(self) -> None:
        """Drop every socket at once, when a regular close took too long."""
        for protocol in self._protocols:
            inner = getattr(protocol.transport, "_TurnTransport__inner_protocol", None)
            (protocol.transport if inner is None else inner.transport).close()
        self._protocols.clear()
        if not self._closed:  # aiortc's monitor waits for that event, and a close that was cut short did not send it
            self._closed = True
            self._emit_event(aioice.ConnectionClosed())

    def _check_list_maybe_fail(self) -> None:
        """Never: the caller's deadline decides, see :meth:`keep_trying`."""

    def _bind_all(self, addresses: Sequence[str]) -> list[HostProtocol]:
        """Sockets at these addresses; one that is just gone is told, and left out."""
        bound: list[HostProtocol] = []
        for address in addresses:
            try:
                bound.append(HostProtocol(self, address, _COMPONENT, self._port))
            except OSError as error:
                self.problems.append(f"the address {address} cannot be used ({reason(error)})")
        self._protocols += bound
        return bound

    def _guard(self, protocol: StunProtocol) -> None:
        # The agent makes its protocols itself; this is the one place where another way in can be given to them.
        setattr(protocol, "datagram_received", partial(self._datagram, protocol))  # noqa: B010

    async def _has_consent(self, pair: CandidatePair) -> bool:
        password = self.remote_password or ""
        try:
            await pair.protocol.request(
                self.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=password.encode(),
                retransmissions=0,
            )
        except stun.TransactionError:
            return False
        return True

    def _age(self, pair: CandidatePair) -> float:
        return asyncio.get_running_loop().time() - self._started_at.get(pair, 0.0)

    async def _retry_failed(self) -> None:
        while True:
            await asyncio.sleep(_RETRY_INTERVAL)
            for pair in self._check_list:
                if pair.state == CandidatePair.State.FAILED and not self._closing:
                    self.check_state(pair, CandidatePair.State.WAITING)
                    self.check_start_task(pair)

    async def _ask_turn(self, component: int, found: list[aioice.Candidate]) -> None:
        protocol = await self._helpers.ask_turn(component, lambda: StunProtocol(self), found)
        if protocol is not None:
            self._guard(protocol)
            self._protocols.append(protocol)


class LineGatherer(RTCIceGatherer):
    """aiortc's gatherer around our agent; its own default would ask a public STUN server, hence the empty list."""

    def __init__(self, connection: LineConnection) -> None:
        super().__init__([])
        self._connection = connection


def _is_relayed(pair: CandidatePair) -> bool:
    return "relay" in {pair.local_candidate.type, pair.remote_candidate.type}
