# SPDX-License-Identifier: Apache-2.0
"""The STUN and TURN servers that a person asked for, as one agent uses them; what they would not do is told."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, cast

import aioice
from aioice import stun
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate

from hardwire.net.servers import IceServers

_SERVER_TIMEOUT: Final = 5.0
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
        self._stun_endpoint: tuple[str, int] | None = None

    async def ask_stun(self, hosts: Sequence[StunProtocol], found: list[aioice.Candidate]) -> None:
        """Ask over these sockets what addresses they have outside; those go to what was ``found``."""
        server = self.servers.stun_address
        ipv4 = [protocol for protocol in hosts if ":" not in protocol.local_candidate.host]
        if server is None or not ipv4:
            return
        try:
            async with asyncio.timeout(_SERVER_TIMEOUT):
                loop = asyncio.get_running_loop()
                known = await loop.getaddrinfo(server.host, server.port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
                endpoint = (str(known[0][4][0]), server.port)
                answers = await asyncio.gather(
                    *(server_reflexive_candidate(protocol, endpoint) for protocol in ipv4), return_exceptions=True
                )
        except (OSError, TimeoutError) as error:
            self._problems.append(f"the STUN server {server.host} gave no answer ({reason(error)})")
            return
        mapped = [answer[0] for answer in answers if isinstance(answer, tuple)]
        self.seen["stun"] = tuple(dict.fromkeys(one.host for one in mapped))
        if mapped:
            self._stun_endpoint = endpoint
            found.extend(mapped)
        else:
            self._problems.append(f"the STUN server {server.host} gave no answer")

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
        """Remind the NAT on the way to the STUN server of these sockets (RFC 8445 §11); until it is cancelled."""
        while self._stun_endpoint is not None:
            await asyncio.sleep(_MAPPING_INTERVAL)
            for protocol in protocols:
                own = protocol.local_candidate
                if own.type == "host" and ":" not in own.host and not protocol.transport.is_closing():
                    protocol.send_stun(_binding_request(), self._stun_endpoint)


def reason(error: BaseException) -> str:
    """For the person. A server's own words in it are a stranger's: STUN answers are not authenticated."""
    words = "time is up" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in words)[:_MAX_REASON]


def _binding_request() -> stun.Message:
    return stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
