# SPDX-License-Identifier: Apache-2.0
"""The times and the bounds; real networks are in tests/net/test_moving_networks.py."""

import asyncio
import ipaddress
import os
import socket
from contextlib import asynccontextmanager

import pytest

from hardwire.channel import Announcer, Sought
from hardwire.handshake import Role
from hardwire.net import announcing as module
from hardwire.net.announcing import Announcing
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.interfaces import InterfaceAddress
from support.lines import KernelEntropy
from support.netsamples import candidate

HERE = ipaddress.ip_address("192.0.2.7")
GAP = 0.02


class Air:
    """Everybody on one network: datagrams over loopback instead of a group, and how many of them."""

    def __init__(self) -> None:
        self.ears: list[socket.socket] = []
        self.said: list[bytes] = []
        self.addresses = [HERE]
        self.down = False

    def listener(self, entry: InterfaceAddress) -> socket.socket:
        if self.down:
            raise OSError("no multicast here")
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.settimeout(0.0)
        ear.bind(("127.0.0.1", 0))
        self.ears = [one for one in self.ears if one.fileno() >= 0] + [ear]
        return ear

    def send(self, datagram: bytes, entry: InterfaceAddress) -> None:
        if self.down:
            raise OSError("no multicast here")
        self.said.append(datagram)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for ear in self.ears:
                if ear.fileno() >= 0:
                    sender.sendto(datagram, ear.getsockname())


@pytest.fixture
def air(monkeypatch) -> Air:
    made = Air()
    monkeypatch.setattr(module, "FIRST_GAP", GAP)
    monkeypatch.setattr(module, "multicast", made)
    monkeypatch.setattr(module, "usable_addresses", lambda: tuple(made.addresses))
    monkeypatch.setattr(
        module, "usable_interfaces", lambda: tuple(InterfaceAddress("eth0", one) for one in made.addresses)
    )
    return made


class End:
    def __init__(self, exporter: bytes, role: Role) -> None:
        self.own = (1, (candidate(str(HERE), 4000),))
        self.found: list[tuple[int, tuple[Candidate, ...]]] = []
        self.announcing = Announcing(
            Announcer(exporter, role, Sought.PATH), KernelEntropy(), own=lambda: self.own, found=self.found.append
        )


@asynccontextmanager
async def two_ends():
    exporter = os.urandom(32)
    made = [End(exporter, role) for role in Role]
    try:
        yield made
    finally:
        for end in made:
            end.announcing.stop()
        await asyncio.sleep(0)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (it lies on both ends)
            await asyncio.sleep(0.005)


async def test_both_find_each_other_and_nothing_is_said_before_or_after(air):
    async with two_ends() as (one, other):
        await asyncio.sleep(3 * GAP)
        assert (air.said, air.ears) == ([], [])
        for end in (one, other):
            end.announcing.start()
            end.announcing.start()
        await until(lambda: one.found and other.found)
        assert (one.found, other.found) == ([other.own], [one.own])
        for end in (one, other):
            end.announcing.stop()
            end.announcing.stop()
        said = len(air.said)
        await asyncio.sleep(5 * GAP)
        assert len(air.said) == said
        assert all(ear.fileno() == -1 for ear in air.ears)
        one.found.clear()
        for end in (one, other):
            end.announcing.start()
        await until(lambda: one.found)  # the next time that they lose each other, at the same place


async def test_it_is_said_ever_more_seldom(air, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_GAP", 8 * GAP)
    async with two_ends() as (one, _):
        one.announcing.start()
        await asyncio.sleep(64 * GAP)
        # After 1, 2, 4, 8, 16, 24 … at most; a machine that is held up says it less often.
        assert 3 <= len(air.said) <= 11


async def test_new_addresses_are_said_at_once_and_those_that_are_gone_are_not(air, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_GAP", 1e9)
    async with two_ends() as (one, other):
        new, relay = ipaddress.ip_address("192.0.2.8"), Candidate(CandidateKind.RELAY, HERE, 5000)
        one.announcing.start()
        other.announcing.start()
        await until(lambda: other.found)
        one.own = (2, (*one.own[1], candidate(str(new), 4001), relay))
        await until(lambda: len(other.found) == 2)
        assert other.found[-1] == (2, (candidate(str(HERE), 4000),))
        air.addresses[:] = [new]
        await until(lambda: len(other.found) == 3)
        assert other.found[-1] == (2, (candidate(str(new), 4001),))
        air.addresses.clear()
        await asyncio.sleep(4 * GAP)
        assert len(other.found) == 3


async def test_nobody_else_is_answered(air, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_GAP", 1e9)
    async with two_ends() as (one, other):
        one.announcing.start()
        other.announcing.start()
        await until(lambda: one.found and other.found)
        await asyncio.sleep(16 * GAP)
        recorded = list(air.said)
        for _ in range(3):
            for datagram in (*recorded, os.urandom(len(recorded[0])), b"", os.urandom(1400)):
                air.send(datagram, None)
            await asyncio.sleep(2 * GAP)
        own = len(air.said) - 3 * (len(recorded) + 3) - len(recorded)
        assert own <= 2  # what was due by itself
        assert (len(one.found), len(other.found)) == (1, 1)


async def test_of_a_flood_a_part_is_looked_at_and_the_other_end_is_heard_all_the_same(air, monkeypatch):
    looked: list[bytes] = []
    monkeypatch.setattr(module, "HEARD_EACH", 5)
    async with two_ends() as (one, other):
        hear = one.announcing._announcer.hear
        one.announcing._announcer.hear = lambda datagram: looked.append(datagram) or hear(datagram)
        one.announcing.start()
        await until(lambda: air.ears)
        monkeypatch.setattr(module, "FIRST_GAP", 0.3)
        await until(lambda: air.said)
        looked.clear()
        for _ in range(100):
            air.send(os.urandom(342), None)
        await asyncio.sleep(0.1)
        assert len(looked) <= 10
        other.announcing.start()
        await until(lambda: one.found)


async def test_addresses_that_no_peer_may_name_are_not_looked_for(air):
    async with two_ends() as (one, other):
        one.announcing.start()
        await until(lambda: air.ears)
        said = other.announcing._announcer.announce(1, bytes.fromhex("04e0000001c350"), os.urandom(12))
        air.send(said, None)
        await asyncio.sleep(2 * GAP)
        assert one.found == []


async def test_a_machine_without_multicast_goes_on_quietly(air):
    async with two_ends() as (one, other):
        air.down = True
        for end in (one, other):
            end.announcing.start()
        await asyncio.sleep(4 * GAP)
        assert not air.said
        air.down = False
        await until(lambda: one.found and other.found)


@pytest.mark.parametrize("failing", ["usable_addresses", "usable_interfaces"])
async def test_a_system_that_does_not_list_its_addresses_for_a_moment_is_asked_again(air, monkeypatch, failing):
    plain, refused = getattr(module, failing), []

    def refuse():
        refused.append(failing)
        raise OSError("too many open files")

    async with two_ends() as (one, other):
        monkeypatch.setattr(module, failing, refuse)
        for end in (one, other):
            end.announcing.start()
        await until(lambda: len(refused) > 4)
        assert not air.said
        monkeypatch.setattr(module, failing, plain)
        await until(lambda: one.found and other.found)
