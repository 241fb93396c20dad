# SPDX-License-Identifier: Apache-2.0
"""What needs no real server; with coturn: tests/net/test_turn.py."""

import asyncio
import socket
from types import SimpleNamespace

import aioice
from aioice import stun
from aioice.ice import StunProtocol

from hardwire.net.rtc import helpers
from hardwire.net.rtc.helpers import Helpers
from hardwire.net.servers import NO_SERVERS, IceServers
from support.coturn import free_port


def test_a_servers_words_cannot_steer_a_terminal():
    answer = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.ERROR)
    answer.attributes["ERROR-CODE"] = (401, "no\x1b[2J\u202e" + "a" * 1000)
    words = helpers.reason(stun.TransactionFailed(answer))
    assert words.isprintable()
    assert len(words) == helpers._MAX_REASON


async def test_nobody_is_asked_without_servers():
    problems, found = [], []
    nobody = Helpers(NO_SERVERS, problems)
    await nobody.ask_stun([], found)
    assert await nobody.ask_turn(1, lambda: StunProtocol(None), found) is None
    await nobody.keep_mappings([])
    assert (problems, found, nobody.seen) == ([], [], {})


async def test_a_turn_server_that_is_not_there_is_told():
    problems, found = [], []
    servers = IceServers(turn=f"turn:127.0.0.1:{free_port()}?transport=tcp", username="u", password="p")
    assert await Helpers(servers, problems).ask_turn(1, lambda: StunProtocol(None), found) is None
    assert problems[0].startswith("the TURN server 127.0.0.1 gave no relay (")
    assert found == []


class Bound:
    """A socket of this machine, as far as a STUN server is asked over it; ``outside``: what that one sees."""

    def __init__(self, host, outside=None):
        self.local_candidate = aioice.Candidate("1", 1, "udp", 1, host, 1000, "host")
        self.asked = []
        self._outside = outside

    async def request(self, message, server):
        self.asked.append(server)
        if isinstance(self._outside, Exception):
            raise self._outside
        if self._outside is None:
            await asyncio.sleep(60)
        return SimpleNamespace(attributes={"XOR-MAPPED-ADDRESS": (self._outside, 4000)}), server


def known_at(monkeypatch, *places):
    """The name of the server stands for these."""
    families = {False: socket.AF_INET, True: socket.AF_INET6}
    known = [(families[":" in place], socket.SOCK_DGRAM, 17, "", (place, 3478)) for place in places]

    async def look_up(*name, **what):
        return known

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    return Helpers(IceServers(stun="stun:stun.example"), [])


async def test_a_stun_server_is_asked_from_every_address_that_may_reach_it(monkeypatch):
    one, found = known_at(monkeypatch, "192.0.2.1", "2001:db8::1", "192.0.2.2"), []
    bound = [Bound("10.0.0.1", "198.51.100.9"), Bound("2001:db8:1::1", "2001:db8:2::1")]
    await one.ask_stun(bound, found)
    assert [asked for each in bound for asked in each.asked] == [("192.0.2.1", 3478), ("2001:db8::1", 3478)]
    assert [(each.type, each.host, each.related_address) for each in found] == [
        ("srflx", "198.51.100.9", "10.0.0.1"),
        ("srflx", "2001:db8:2::1", "2001:db8:1::1"),
    ]
    assert set(one.seen["stun"]) == {"198.51.100.9", "2001:db8:2::1"}
    assert one._problems == []


async def test_an_address_that_leads_nowhere_takes_no_answer_away_from_others(monkeypatch):
    monkeypatch.setattr(helpers, "_OTHERS", 0.05)
    one, found = known_at(monkeypatch, "192.0.2.1", "2001:db8::1"), []
    refusing = Bound("10.0.0.3", OSError("no way"))
    async with asyncio.timeout(helpers._SERVER_TIMEOUT - 1):
        await one.ask_stun([Bound("10.0.0.2"), refusing, Bound("10.0.0.1", "198.51.100.9"), Bound("fd00::1")], found)
    assert [each.host for each in found] == ["198.51.100.9"]
    assert one._problems == []
    assert list(one._stun) == [socket.AF_INET]


async def test_a_stun_server_of_another_family_is_told(monkeypatch):
    one, found = known_at(monkeypatch, "192.0.2.1"), []
    await one.ask_stun([Bound("2001:db8:1::1")], found)
    assert "no address that can be reached" in one._problems[0]
    assert found == []


async def test_a_server_that_sees_an_address_of_the_other_family_is_reminded_where_it_was_asked(monkeypatch):
    """As behind NAT64; or it says whatever it likes."""
    one, found = known_at(monkeypatch, "2001:db8::1"), []
    await one.ask_stun([Bound("2001:db8:1::1", "198.51.100.9")], found)
    assert [each.host for each in found] == ["198.51.100.9"]
    assert one._stun == {socket.AF_INET6: ("2001:db8::1", 3478)}
