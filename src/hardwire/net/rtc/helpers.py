# SPDX-License-Identifier: Apache-2.0
"""The STUN and TURN servers that a person asked for, as one agent uses them; what they would not do is told."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, cast

import aioice
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, relayed_candidate

from hardwire.net.servers import IceServers, ServerAddress

_SERVER_TIMEOUT: Final = 5.0
_OTHERS: Final = 0.5
"""Seconds that the other addresses of this machine have when the server answered to one: some lead nowhere."""
_MAPPING_INTERVAL: Final = 15.0
_MAX_REASON: Final = 200


class Helpers:
    """Those of one agent.

    Args:
        servers: Those that the person asked for.
        problems: Where it is told what they would not do, one sentence each.

    Attributes:
        servers: The same.
        seen: By ``stun`` and ``turn``: which addresses of this machine that server saw.
    """

    def __init__(self, servers: IceServers, problems: list[str]) -> None:
        self.servers = servers
        self.seen: dict[str, tuple[str, ...]] = {}
        self._problems = problems
        self._stun: dict[int, tuple[str, int]] = {}

    async def ask_stun(self, hosts: Sequence[StunProtocol], found: list[aioice.Candidate]) -> None:
        """Ask over these sockets what addresses they have outside; those go to what was ``found``."""
        server = self.servers.stun_address
        if server is None or not hosts:
            return
        try:
            async with asyncio.timeout(_SERVER_TIMEOUT):
                endpoints = await _endpoints(server)
        except (OSError, TimeoutError) as error:
            self._problems.append(f"the STUN server {server.host} gave no answer ({reason(error)})")
            return
        asked = [protocol for protocol in hosts if _family(protocol.local_candidate.host) in endpoints]
        mapped = await _answers(
            [_outside(protocol, endpoints[_family(protocol.local_candidate.host)]) for protocol in asked]
        )
        self.seen["stun"] = tuple(dict.fromkeys(one.host for one in mapped))
        if mapped:
            # Of the address that was asked from: behind a translator (NAT64) the outside is of the other family.
            asked_from = {_family(one.related_address or "") for one in mapped}
            self._stun |= {family: endpoints[family] for family in asked_from}
            found.extend(mapped)
        elif asked:
            self._problems.append(f"the STUN server {server.host} gave no answer")
        else:
            self._problems.append(f"the STUN server {server.host} has no address that can be reached from one of ours")

    async def ask_turn(
        self, component: int, make: Callable[[], StunProtocol], found: list[aioice.Candidate]
    ) -> StunProtocol | None:
        """Ask for a relay; it goes to what was ``found``, and the way to it, which ``make`` makes, is the caller's."""
        server = self.servers.turn_address
        if server is None:
            return None
        try:
            async with asyncio.timeout(_SERVER_TIMEOUT):
                candidate, protocol = await relayed_candidate(
                    component=component,
                    hide_related_address=True,
                    protocol_factory=make,
                    turn_server=(server.host, server.port),
                    turn_username=self.servers.username,
                    turn_password=self.servers.password,
                    turn_ssl=cast("bool", self.servers.tls_context() if server.tls else False),
                    turn_transport=server.transport,
                )
        except (OSError, TimeoutError, stun.TransactionError) as error:
            self._problems.append(f"the TURN server {server.host} gave no relay ({reason(error)})")
            return None
        self.seen["turn"] = (protocol.transport.get_extra_info("related_address")[0],)
        found.append(candidate)
        return protocol

    async def keep_mappings(self, protocols: Sequence[StunProtocol]) -> None:
        """Remind the NAT on the way to the STUN server of these sockets (RFC 8445 §11); until it is cancelled.

        Also of a server that answers later, from an address that this machine has only then.
        """
        while self.servers.stun_address is not None:
            await asyncio.sleep(_MAPPING_INTERVAL)
            for protocol in protocols:
                endpoint = self._stun.get(_family(protocol.local_candidate.host))
                if endpoint and protocol.local_candidate.type == "host" and not protocol.transport.is_closing():
                    protocol.send_stun(_binding_request(), endpoint)


def reason(error: BaseException) -> str:
    """For the person. A server's own words in it are a stranger's: STUN answers are not authenticated."""
    words = "time is up" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in words)[:_MAX_REASON]


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def _endpoints(server: ServerAddress) -> dict[int, tuple[str, int]]:
    """By family of addresses: where it is. Raises OSError."""
    known = await asyncio.get_running_loop().getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    return {family: (str(place[0]), server.port) for family, _, _, _, place in reversed(known)}


async def _answers(asking: Sequence[Coroutine[None, None, aioice.Candidate]]) -> list[aioice.Candidate]:
    """What comes of them within the time; the others get little more of it than the first."""
    loop, found = asyncio.get_running_loop(), list[aioice.Candidate]()
    tasks = [asyncio.create_task(one, name="hardwire stun") for one in asking]
    try:
        async with asyncio.timeout(_SERVER_TIMEOUT) as limit:
            for one in asyncio.as_completed(tasks):
                try:
                    found.append(await one)
                except Exception:  # noqa: BLE001, S112  (of whatever kind: this address has no answer)
                    continue
                limit.reschedule(min(limit.when() or 0.0, loop.time() + _OTHERS))
    except TimeoutError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _outside(protocol: StunProtocol, server: tuple[str, int]) -> aioice.Candidate:
    """As aioice's ``server_reflexive_candidate``, which knows IPv4 only. Raises what a server or a socket may do."""
    response, _ = await protocol.request(_binding_request(), server)
    own, outside = protocol.local_candidate, response.attributes["XOR-MAPPED-ADDRESS"]
    return aioice.Candidate(
        foundation=candidate_foundation("srflx", "udp", own.host),
        component=own.component,
        transport=own.transport,
        priority=candidate_priority(own.component, "srflx"),
        host=outside[0],
        port=outside[1],
        type="srflx",
        related_address=own.host,
        related_port=own.port,
    )


def _binding_request() -> stun.Message:
    return stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
