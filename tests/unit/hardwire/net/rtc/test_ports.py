# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.net.rtc.ports import HostProtocol


class Agent:
    def __init__(self):
        self.heard = []

    def train_received(self, protocol, data, segment, source):
        self.heard.append((bytes(data), segment, source))

    def drained(self):
        self.heard.append("drained")

    def unblocked(self):
        self.heard.append("unblocked")

    def protocol_lost(self, protocol):
        self.heard.append("lost")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_one_socket_is_one_candidate_and_its_agent_hears_everything(host):
    agent = Agent()
    protocol = HostProtocol(agent, host, 1)
    candidate = protocol.local_candidate
    assert (candidate.host, candidate.type, candidate.component) == (host, "host", 1)
    assert protocol.transport is protocol.port
    assert candidate.port == protocol.port.get_extra_info("sockname")[1]
    # Four-tuples of IPv6 become two-tuples, as aioice knows addresses.
    protocol.received(memoryview(b"data"), 4, ("::1", 7, 0, 0))
    protocol.drained()
    protocol.unblocked()
    assert agent.heard == [(b"data", 4, ("::1", 7)), "drained", "unblocked"]
    await protocol.close()
    assert agent.heard[-1] == "lost"


async def test_an_address_of_somebody_else_is_an_error():
    with pytest.raises(OSError, match="assign"):
        HostProtocol(Agent(), "192.0.2.1", 1)
