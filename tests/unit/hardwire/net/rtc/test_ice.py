# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress
import socket
import struct

import aioice
import pytest
from aioice import stun
from aioice.ice import CandidatePair

from hardwire.net.candidate import CandidateKind
from hardwire.net.rtc import datapath
from hardwire.net.rtc import ice as ice_module
from hardwire.net.rtc.datagrams import MAX_DATAGRAM
from hardwire.net.rtc.ice import LineConnection, LineGatherer
from hardwire.net.servers import NO_SERVERS, IceServers
from support.coturn import PASSWORD, USER, coturn, free_port
from support.links import fresh_secrets, gather, open_pair, open_towards
from support.netsamples import candidate
from support.roaming import until


def connection(**changes) -> LineConnection:
    secrets = fresh_secrets()
    settings = {
        "controlling": True,
        "own": secrets.offer,
        "peer": secrets.answer,
        "addresses": [ipaddress.ip_address("127.0.0.1")],
        "servers": NO_SERVERS,
    }
    return LineConnection(**(settings | changes))


async def test_direct_pairs_have_a_head_start_before_a_relay(monkeypatch):
    """The answerer hears nothing, so that no pair is found meanwhile."""
    async with coturn() as port:
        agent = connection(servers=IceServers(turn=f"turn:127.0.0.1:{port}", username=USER, password=PASSWORD))
        await LineGatherer(agent).gather()
        await agent.add_peer([candidate(address="127.0.0.1", port=free_port())])
        connecting = asyncio.create_task(agent.connect())
        await asyncio.sleep(0.2)
        direct, relayed = (
            next(pair for pair in agent._check_list if pair.local_candidate.type == kind) for kind in ("host", "relay")
        )
        assert direct.state == CandidatePair.State.IN_PROGRESS
        assert relayed.state == CandidatePair.State.WAITING
        monkeypatch.setattr(ice_module, "_HEAD_START", 0.0)
        await until(lambda: relayed.state == CandidatePair.State.IN_PROGRESS)
        connecting.cancel()
        await agent.close()


async def test_without_a_rival_a_relay_waits_for_nothing(monkeypatch):
    monkeypatch.setattr(ice_module, "_HEAD_START", 60.0)
    async with coturn() as port:
        servers = IceServers(turn=f"turn:127.0.0.1:{port}", username=USER, password=PASSWORD, relay_only=True)
        async with open_pair(servers) as ends:
            assert all(end.link._path.local_address is None for end in ends)


async def test_only_the_given_addresses_are_bound():
    agent = connection()
    gatherer = LineGatherer(agent)
    await gatherer.gather()
    assert [(one.kind, str(one.address)) for one in agent.own_candidates()] == [(CandidateKind.HOST, "127.0.0.1")]
    assert gatherer._connection is agent
    assert agent.stun_server is None
    await agent.close()


async def test_relay_only_binds_nothing():
    servers = IceServers(turn="turn:127.0.0.1:1", username="u", password="p", relay_only=True)
    agent = connection(servers=servers)
    agent._helpers.servers = NO_SERVERS  # nobody is asked in this test
    await agent.gather_candidates()
    assert agent._protocols == []
    await agent.close()


async def test_both_credentials_follow_from_the_invite():
    secrets = fresh_secrets()
    agent = connection(own=secrets.answer, peer=secrets.offer, controlling=False)
    assert (agent.local_username, agent.local_password) == (secrets.answer.ufrag, secrets.answer.password)
    assert (agent.remote_username, agent.remote_password) == (secrets.offer.ufrag, secrets.offer.password)
    assert agent.ice_controlling is False


async def test_a_closed_agent_says_so_every_time():
    agent = connection()
    await agent.close()
    for _ in range(2):
        assert isinstance(await asyncio.wait_for(agent.get_event(), 1), aioice.ConnectionClosed)


async def test_preference_falls_along_the_list():
    agent = connection()
    await agent.add_peer(
        [candidate("192.0.2.9"), candidate("192.0.2.8"), candidate("192.0.2.7", kind=CandidateKind.RELAY)]
    )
    priorities = [one.priority for one in agent.remote_candidates]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 3
    await agent.close()


async def test_a_failed_check_is_tried_again(monkeypatch):
    monkeypatch.setattr(ice_module, "_RETRY_INTERVAL", 0.05)
    agent = connection()
    await agent.gather_candidates()
    await agent.add_peer([candidate("127.0.0.1", 9)])
    connecting = asyncio.create_task(agent.connect())
    await asyncio.sleep(0.05)
    pair = agent._check_list[0]
    pair.task.cancel()
    pair.task = None
    agent.check_state(pair, CandidatePair.State.FAILED)
    agent.check_complete(pair)
    assert not connecting.done()
    trying = asyncio.create_task(agent.keep_trying())
    await asyncio.sleep(0.15)
    assert pair.state is CandidatePair.State.IN_PROGRESS
    trying.cancel()
    await asyncio.wait({trying})
    await agent.close()
    with pytest.raises(ConnectionError):
        await connecting


async def test_a_check_in_back_off_starts_afresh_when_the_peer_knocks(monkeypatch):
    monkeypatch.setattr(ice_module, "_RESTART_AGE", 0.1)
    secrets = fresh_secrets()
    first, second = [await gather(offerer=offerer, secrets=secrets) for offerer in (True, False)]
    # The answerer's first checks go astray: its agent does not know yet that the offerer is there.
    deaf = first._path.connection.request_received
    monkeypatch.setattr(first._path.connection, "request_received", lambda *args: None)
    knocking = asyncio.create_task(open_towards(second, first))
    await asyncio.sleep(1.2)
    monkeypatch.setattr(first._path.connection, "request_received", deaf)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(open_towards(first, second), knocking)
    assert asyncio.get_running_loop().time() - began < 0.5
    await asyncio.gather(first.close(), second.close())


async def test_knocks_from_everywhere_are_bounded():
    async with open_pair() as (first, _):
        agent = first.link._path.connection
        protocol = agent._protocols[0]
        message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
        message.attributes["PRIORITY"] = 1
        for port in range(1, 300):
            agent.check_incoming(message, ("127.0.0.1", port), protocol)
        assert len(agent.remote_candidates) <= 64


async def test_force_close_drops_the_sockets():
    agent = connection()
    await agent.gather_candidates()
    monitoring = asyncio.create_task(agent.get_event())
    await asyncio.sleep(0)
    transports = [protocol.transport for protocol in agent._protocols]
    agent.force_close()
    assert all(transport.is_closing() for transport in transports)
    assert isinstance(await asyncio.wait_for(monitoring, 1), aioice.ConnectionClosed)
    await asyncio.sleep(0)
    await agent.close()


def stranger_at(link, *datagrams: bytes) -> None:
    """Somebody on the network who has neither code nor password."""
    one = link.candidates[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in datagrams:
            sock.sendto(data, (str(one.address), one.port))


async def test_an_empty_datagram_of_a_stranger_ends_no_line():
    async with open_pair() as (first, second):
        stranger_at(first.link, b"", b"")
        first.link._path.connection.data_received(b"", 1)  # nor does one that claims the peer's address
        await asyncio.sleep(0.1)
        second.link.send(0, b"still here")
        await first.events.until(lambda: first.events.messages == [(0, b"still here")])
        assert first.events.errors == []


async def test_what_strangers_send_while_a_code_is_carried_is_not_kept():
    link = await gather(offerer=True, secrets=fresh_secrets())
    try:
        for _ in range(40):
            stranger_at(link, *[b"\x16" + bytes(1000)] * 10)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert link._path.connection._queue.qsize() == 0
    finally:
        await link.close()


async def test_nor_is_all_of_what_the_peer_sends_before_there_is_a_path():
    agent = connection()
    for _ in range(1000):
        agent.data_received(b"\x16\xfe\xfd" + bytes(8) + (987).to_bytes(2) + bytes(987), 1)
    assert agent._queue.qsize() == datapath._MAX_QUEUED_EARLY
    agent._nominated[1] = object()
    agent.data_received(b"\x16" * (MAX_DATAGRAM + 1), 1)
    assert agent._queue.qsize() == datapath._MAX_QUEUED_EARLY
    agent._nominated.clear()
    check = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    for _ in range(1000):
        agent._early_checks_done = False
        agent.request_received(check, ("192.0.2.1", 1), _Silent())
        agent._early_checks.append((check, ("192.0.2.1", 1), _Silent()))
        if len(agent._early_checks) > ice_module._MAX_EARLY_CHECKS:
            break
    asked = _Silent()
    agent.request_received(check, ("192.0.2.1", 1), asked)
    assert asked.sent == 0
    await agent.close()


class _Silent:
    def __init__(self) -> None:
        self.sent = 0

    def send_stun(self, message, addr) -> None:
        self.sent += 1


async def test_stun_that_cannot_be_read_is_dropped_without_a_word(capfd):
    async with open_pair() as (first, second):
        for attribute, body in ((0x24, b"abcde"), (0x06, b"\xff\xfe"), (0x08, b"x"), (0x8028, b""), (0x20, b"\0\1")):
            octets = struct.pack("!HH", attribute, len(body)) + body + bytes(-len(body) % 4)
            for kind in (0x0001, 0x0101, 0x0111, 0x0002, 0x3FFF):
                stranger_at(first.link, struct.pack("!HHI12s", kind, len(octets), 0x2112A442, bytes(12)) + octets)
        await asyncio.sleep(0.1)
        second.link.send(0, b"still here")
        await first.events.until(lambda: first.events.messages == [(0, b"still here")])
    assert "Traceback" not in capfd.readouterr().err


async def test_sockets_that_are_being_bound_when_it_is_cancelled_are_closed():
    agent = connection(addresses=[ipaddress.ip_address(f"127.0.0.{host}") for host in range(1, 6)])
    gathering = asyncio.create_task(agent.gather_candidates())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gathering.cancel()
    await asyncio.wait({gathering})
    assert len(agent._protocols) == 5
    await agent.close()


async def test_a_path_without_consent_carries_nothing_and_is_waited_for(monkeypatch):
    monkeypatch.setattr(ice_module, "_CONSENT_INTERVAL", 0.01)
    async with open_pair() as (first, second):
        agent = first.link._path.connection
        asked = []

        async def unanswered(*args, **fields):
            asked.append(fields)
            raise stun.TransactionTimeout

        pair = agent._nominated[1]
        monkeypatch.setattr(pair.protocol, "request", unanswered)
        agent._query_consent_task.cancel()
        await asyncio.wait_for(agent.query_consent(), 5)
        assert len(asked) == ice_module._CONSENT_FAILURES
        assert agent._nominated == {}
        first.link.send(0, b"lost on the way")
        second.link.send(0, b"heard all the same")
        await first.events.until(lambda: first.events.messages == [(0, b"heard all the same")])
        assert first.events.errors == []
        agent._nominated[1] = pair


async def test_consent_is_asked_for_and_given():
    async with open_pair() as (first, _):
        agent = first.link._path.connection
        assert await agent._has_consent(agent._nominated[1])
