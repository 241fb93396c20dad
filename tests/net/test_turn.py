# SPDX-License-Identifier: Apache-2.0
"""STUN and TURN with a real coturn on loopback, and nothing without being asked."""

import asyncio
import datetime as dt
import ipaddress
import socket
import time
from pathlib import Path

import aioice.stun
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hardwire.channel import ChatReceived
from hardwire.errors import NetworkFailed
from hardwire.net import carriers
from hardwire.net.candidate import CandidateKind
from hardwire.net.invite import Answer, Offer
from hardwire.net.pending import host, join
from hardwire.net.rtc import helpers
from hardwire.net.servers import IceServers
from support.coturn import PASSWORD, USER, coturn, free_port
from support.lines import config_for_test, next_of
from support.links import fresh_secrets, gather, open_pair


def relay_authority(folder: Path, host: str = "127.0.0.1") -> tuple[str, tuple[Path, Path]]:
    """PEM of a private authority, and the files of a server's certificate of it."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("relay authority", "relay")]
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    made = [
        x509.CertificateBuilder(names[0], name, key.public_key(), serial)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(extension, critical=serial == 1)
        .sign(keys[0], hashes.SHA256())
        for name, key, serial, extension in zip(
            names, keys, (1, 2), (x509.BasicConstraints(ca=True, path_length=0), alternative), strict=True
        )
    ]
    files = folder / "relay.pem", folder / "relay.key"
    files[0].write_bytes(made[1].public_bytes(Encoding.PEM))
    files[1].write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made[0].public_bytes(Encoding.PEM).decode(), files


def tls_servers(port: int, authority: str | None, host: str = "127.0.0.1") -> IceServers:
    return IceServers(None, f"turns:{host}:{port}", USER, PASSWORD, relay_only=True, turn_ca=authority)


async def test_turn_over_tls_with_a_private_authority(tmp_path):
    authority, files = relay_authority(tmp_path)
    async with coturn(tls=files) as port:
        servers = tls_servers(port, authority)
        offer = await host(config_for_test(servers=servers))
        answer = await join(config_for_test(servers=servers), offer.text)
        assert {one.kind for one in (*offer.candidates, *answer.candidates)} == {CandidateKind.RELAY}
        assert offer.seen == {"turn": ("127.0.0.1",)}
        first, second = await asyncio.wait_for(asyncio.gather(offer.accept(answer.text), answer.connect()), 30)
        first.send_chat("over TLS")
        assert (await next_of(second, ChatReceived)).text == "over TLS"
        await asyncio.gather(first.close(), second.close())


async def test_a_tls_server_that_nobody_vouches_for_or_under_another_name_gets_no_password(tmp_path):
    authority, files = relay_authority(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = relay_authority(tmp_path / "other")
    async with coturn(tls=files) as port:
        for servers in (
            tls_servers(port, None),
            tls_servers(port, other),
            tls_servers(port, authority, host="localhost"),
        ):
            with pytest.raises(NetworkFailed, match="CERTIFICATE_VERIFY_FAILED") as caught:
                await host(config_for_test(servers=servers))
            assert caught.value.code == "no-relay"


def relay_servers(port: int, transport: str = "udp", *, relay_only: bool = True) -> IceServers:
    return IceServers(
        turn=f"turn:127.0.0.1:{port}?transport={transport}", username=USER, password=PASSWORD, relay_only=relay_only
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_relay_only_works_and_tells_no_address_of_ours(transport):
    async with coturn() as port:
        servers = relay_servers(port, transport)
        offer = await host(config_for_test(servers=servers))
        answer = await join(config_for_test(servers=servers), offer.text)
        told = Offer.decode(offer.blob, loopback=True).candidates
        told += Answer.decode(answer.blob, offer=offer.blob, loopback=True).candidates
        assert [one.kind for one in told] == [CandidateKind.RELAY] * 2
        # On loopback coturn's address is ours; what must not appear is a socket of this process.
        own = {
            protocol.transport.get_extra_info("socket").getsockname()[1]
            for pending in (offer, answer)
            for protocol in pending._link._path.connection._protocols
            if protocol.transport.get_extra_info("socket") is not None
        }
        assert own == set()
        first, second = await asyncio.wait_for(asyncio.gather(offer.accept(answer.text), answer.connect()), 30)
        assert first._link.direct_path is second._link.direct_path is None  # no direct lane beside a relay
        first.send_chat("through the relay")
        assert (await next_of(second, ChatReceived)).text == "through the relay"
        began = time.perf_counter()
        await asyncio.gather(first.close(), second.close())
        assert time.perf_counter() - began < 2.5


async def test_a_relay_beside_direct_addresses_comes_last_in_the_code():
    async with coturn() as port:
        offer = await host(config_for_test(servers=relay_servers(port, relay_only=False)))
        kinds = [one.kind for one in offer.candidates]
        assert kinds[-1] is CandidateKind.RELAY
        assert CandidateKind.HOST in kinds
        await offer.close()


async def test_wrong_credentials_are_told():
    async with coturn() as port:
        servers = IceServers(turn=f"turn:127.0.0.1:{port}", username=USER, password="wrong", relay_only=True)
        with pytest.raises(NetworkFailed, match="gave no relay") as caught:
            await host(config_for_test(servers=servers))
        assert caught.value.code == "no-relay"
        beside = IceServers(turn=f"turn:127.0.0.1:{port}", username=USER, password="wrong")
        async with await host(config_for_test(servers=beside)) as offer:
            assert "TURN server 127.0.0.1" in offer.problems[0]


async def test_a_dead_turn_server_is_told_in_time(monkeypatch):
    monkeypatch.setattr(helpers, "_SERVER_TIMEOUT", 0.5)
    servers = IceServers(turn=f"turn:127.0.0.1:{free_port()}", username="u", password="p", relay_only=True)
    with pytest.raises(NetworkFailed):
        await asyncio.wait_for(host(config_for_test(servers=servers)), 5)


async def test_gathering_can_be_cancelled_while_a_server_is_silent():
    servers = IceServers(turn=f"turn:127.0.0.1:{free_port()}", username="u", password="p")
    tasks = len(asyncio.all_tasks())
    task = asyncio.create_task(host(config_for_test(servers=servers)))
    await asyncio.sleep(0.3)
    task.cancel()
    began = time.perf_counter()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - began < 2.5
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == tasks


async def test_coturn_as_a_stun_server_has_nothing_to_add_on_loopback():
    async with coturn() as port:
        offer = await host(config_for_test(servers=IceServers(stun=f"stun:127.0.0.1:{port}")))
        assert {one.kind for one in offer.candidates} == {CandidateKind.HOST}
        assert offer.problems == ()
        await offer.close()


class FarSideOfANat(asyncio.DatagramProtocol):
    """A STUN server that sees everybody behind one address."""

    def __init__(self, outside="192.0.2.77"):
        self.asked = 0
        self.outside = outside
        self.is_away = False

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if self.is_away:
            return
        request = aioice.stun.parse_message(data)
        self.asked += 1
        response = aioice.stun.Message(request.message_method, aioice.stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = (self.outside, 4000)
        self.transport.sendto(bytes(response), addr)


async def test_a_public_address_goes_into_the_code_and_its_mapping_is_kept(monkeypatch):
    monkeypatch.setattr(helpers, "_MAPPING_INTERVAL", 0.1)
    loop = asyncio.get_running_loop()
    transport, nat = await loop.create_datagram_endpoint(FarSideOfANat, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        servers = IceServers(stun=f"stun:localhost:{port}")
        offer = await host(config_for_test())
        answer = await join(config_for_test(servers=servers), offer.text)
        told = Answer.decode(carriers.from_text(answer.text), offer=offer.blob, loopback=True).candidates
        assert (CandidateKind.SRFLX, ipaddress.ip_address("192.0.2.77"), 4000) in [
            (one.kind, one.address, one.port) for one in told
        ]
        assert set(answer.seen["stun"]) == {"192.0.2.77"}
        assert offer.seen == {}
        asked = nat.asked
        await asyncio.sleep(0.3)
        assert nat.asked > asked  # while the answer is carried to the other end
        asked = nat.asked
        knocking = asyncio.create_task(answer.connect())
        await asyncio.sleep(0.3)
        assert nat.asked > asked  # while nobody has taken it
        first, second = await asyncio.gather(offer.accept(answer.text), knocking)
        await asyncio.gather(first.close(), second.close())
    finally:
        transport.close()


async def test_a_mapping_that_is_learned_late_is_kept_too(monkeypatch):
    """Nobody answers while the code is made, and then this machine gets another address, from where somebody does."""
    monkeypatch.setattr(helpers, "_MAPPING_INTERVAL", 0.1)
    monkeypatch.setattr(helpers, "_SERVER_TIMEOUT", 0.3)
    loop = asyncio.get_running_loop()
    transport, nat = await loop.create_datagram_endpoint(FarSideOfANat, local_addr=("127.0.0.1", 0))
    nat.is_away = True
    try:
        servers = IceServers(stun=f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}")
        async with await host(config_for_test(servers=servers)) as offer:
            assert offer.problems
            nat.is_away, found = False, []
            agent = offer._link._path.connection
            await agent._helpers.ask_stun(agent._protocols, found)
            assert [one.host for one in found] == ["192.0.2.77"]
            asked = nat.asked
            await asyncio.sleep(0.3)
            assert nat.asked > asked
    finally:
        transport.close()


async def test_a_stun_server_on_ipv6_is_asked_from_there():
    loop = asyncio.get_running_loop()
    transport, nat = await loop.create_datagram_endpoint(lambda: FarSideOfANat("2001:db8::77"), local_addr=("::1", 0))
    try:
        servers = IceServers(stun=f"stun:[::1]:{transport.get_extra_info('sockname')[1]}")
        async with await host(config_for_test(servers=servers)) as offer:
            outside = [one for one in offer.candidates if one.kind is CandidateKind.SRFLX]
            assert [(str(one.address), one.port) for one in outside] == [("2001:db8::77", 4000)]
            assert (nat.asked, offer.problems, offer.seen) == (1, (), {"stun": ("2001:db8::77",)})
    finally:
        transport.close()


async def test_a_silent_stun_server_is_told_and_the_line_goes_on(monkeypatch):
    monkeypatch.setattr(helpers, "_SERVER_TIMEOUT", 0.3)
    async with await host(config_for_test(servers=IceServers(stun=f"stun:127.0.0.1:{free_port()}"))) as offer:
        assert offer.candidates
        assert "STUN server 127.0.0.1 gave no answer" in offer.problems[0]


async def test_nobody_is_asked_unless_the_person_did(monkeypatch):
    def no_names(*args, **kwargs):
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    monkeypatch.setattr(socket, "gethostbyname", no_names)
    link = await gather(offerer=True, secrets=fresh_secrets())
    assert link._path.connection.stun_server is None
    assert link._path.connection.turn_server is None
    assert {str(one.address) for one in link.candidates} <= {"127.0.0.1", "::1"}
    await link.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_what_was_cut_for_a_wider_direct_path_arrives_over_the_relay(transport):
    """Fragments keep their size for life, and the path that carried it is gone."""
    async with coturn() as port, open_pair(relay_servers(port, transport)) as (first, second):
        sctp, agent = first.link._sctp, first.link._path.connection
        for payload in (1384, 8000):
            message = bytes([payload & 0xFF]) * 40_000
            second.events.messages.clear()
            agent.send_records = lambda data, sizes: None  # the direct path, which nothing leaves any more
            sctp._out.payload = payload
            first.link.send(1, message)
            del agent.send_records
            sctp.path_changed()
            await second.events.until(lambda: second.events.messages)
            assert second.events.messages == [(1, message)]
