# SPDX-License-Identifier: Apache-2.0
"""aioice's STUN protocol on a socket of ours (:mod:`hardwire.net.rtc.udp`).

One socket serves ICE and the line: what is STUN goes to aioice, what is DTLS of the peer goes to the line in whole
trains, and all the rest falls on the floor. The agent decides; this is the socket with its address.
"""

from typing import Any, Protocol, cast

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import StunProtocol

from hardwire.net.rtc.udp import Address, UdpPort


class Agent(Protocol):
    """The ICE agent, as a socket sees it."""

    def train_received(self, protocol: StunProtocol, data: memoryview, segment: int, source: tuple[str, int]) -> None:
        """Datagrams of ``segment`` octets each."""

    def drained(self) -> None:
        """That was all for now."""

    def unblocked(self) -> None:
        """There is room to send again."""


class HostProtocol(StunProtocol):
    """One of this machine's addresses.

    Args:
        agent: The ICE agent.
        address: To bind.
        component: Of ICE.
        port: To bind; 0 takes a free one.

    Raises:
        OSError: The address cannot be bound.
    """

    def __init__(self, agent: Agent, address: str, component: int, port: int = 0) -> None:
        super().__init__(cast("Any", agent))
        self._agent = agent
        self.port = UdpPort.bind(address, self, lambda: self.connection_lost(None), port)
        self.connection_made(self.port)
        host, number = self.port.get_extra_info("sockname")[:2]
        self.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host"),
            host=host,
            port=number,
            type="host",
        )

    def received(self, data: memoryview, segment: int, source: Address) -> None:
        """From the socket."""
        self._agent.train_received(self, data, segment, (source[0], source[1]))

    def drained(self) -> None:
        """From the socket."""
        self._agent.drained()

    def unblocked(self) -> None:
        """From the socket."""
        self._agent.unblocked()
