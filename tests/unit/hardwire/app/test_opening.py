# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hardwire.app.attestation import Trust
from hardwire.app.events import (
    AnswerReady,
    Delivered,
    DeviceAsked,
    HelperUsed,
    InviteGone,
    InviteReady,
    LineClosed,
    LineOpen,
    Opening,
    PeerSeen,
    Said,
)
from hardwire.app.opening import host, join
from hardwire.app.verdict import Verifier
from hardwire.errors import (
    ConnectionLost,
    DeviceFailed,
    IdentityChanged,
    InviteRefused,
    PeerNotVerified,
    UsageError,
)
from hardwire.net import IceServers, Listen, listening
from hardwire.net.config import Clock
from hardwire.net.pending import host as net_host
from hardwire.net.rtc import link
from support.coturn import PASSWORD, USER, coturn
from support.lines import config_for_test
from support.people import Person, configs, meet, talking

pytestmark = pytest.mark.device("softhsm")


async def test_a_line_from_the_first_code_to_the_goodbye(tmp_path):
    async with talking(tmp_path) as (alice, bob):
        for end in (alice, bob):
            names = [type(event) for event in end.person.events]
            assert names.index(PeerSeen) < names.index(LineOpen)
            assert names.count(DeviceAsked) == 1
        opened = [await end.person.until(LineOpen) for end in (alice, bob)]
        assert opened[0].sas == opened[1].sas
        assert opened[0].words == opened[1].words
        assert opened[0].sid == opened[1].sid
        assert len(opened[0].words) == 7
        assert all(0 < one.open_ms < 30_000 and 0 < one.handshake_ms < 30_000 for one in opened)
        assert alice.session.peer.assurance == bob.session.peer.assurance == "SOFTWARE TOKEN"
        assert alice.session.peer.safety_number == bob.session.peer.safety_number
        assert len(bob.person.asked) == 1
        assert alice.person.asked == []

        key = alice.session.say("hello bob")
        assert (await bob.person.until(Said, by="peer")).text == "hello bob"
        await alice.person.until(Delivered, id=key)
        bob.session.say("grüß dich")
        assert (await alice.person.until(Said, by="peer")).text == "grüß dich"

        await alice.session.close()
        await alice.session.close()
        assert await bob.ended() is None
        assert await alice.ended() is None
        assert await bob.person.until(LineClosed) == LineClosed(clean=True, reason="your peer closed the line")
        assert await alice.person.until(LineClosed) == LineClosed(clean=True, reason="closed here")


async def test_both_are_the_expected_ones(tmp_path):
    async with configs(tmp_path) as (first, second):
        pinned = replace(second, expected=first.identity.own.did)
        alice, bob = Person(), Person(accepts=False)
        one, two = await meet(first, pinned, alice, bob)
        async with one, two:
            assert two.verified
            assert not one.verified
            assert (await bob.until(LineOpen)).pinned
            assert not (await alice.until(LineOpen)).pinned
            assert bob.asked == [], "somebody who named the peer is not asked whether it is the one"


async def test_another_one_than_expected(tmp_path):
    async with configs(tmp_path) as (first, second):
        wanted = second.identity.own.did  # anybody but alice
        alice = Person()
        one, two = await meet(first, replace(second, expected=wanted), alice, Person())
        assert isinstance(two, IdentityChanged)
        assert two.exit_code == 21
        assert two.evidence == {"wanted": wanted, "got": first.identity.own.did}
        assert isinstance(one, ConnectionLost)
        assert alice.all(PeerSeen) == [], "the joiner had not shown itself"


async def test_an_inviter_who_is_not_accepted_sees_nothing(tmp_path):
    async with configs(tmp_path) as (first, second):
        alice, bob = Person(), Person(accepts=False)
        one, two = await meet(first, second, alice, bob)
        assert isinstance(two, PeerNotVerified)
        assert two.exit_code == 20
        assert isinstance(one, ConnectionLost)
        assert one.exit_code == 30
        assert alice.all(PeerSeen) == []
        assert bob.all(DeviceAsked) == [], "and nothing was signed"


async def test_an_inviter_in_software_sees_nothing_of_whoever_requires_hardware(tmp_path):
    async with configs(tmp_path) as (first, second):
        strict = replace(second, verifier=Verifier(Trust(require_attested=True)))
        alice, bob = Person(), Person()
        one, two = await meet(first, strict, alice, bob)
        assert isinstance(two, PeerNotVerified)
        assert (two.code, two.exit_code) == ("attestation-software", 20)
        assert isinstance(one, ConnectionLost)
        assert alice.all(PeerSeen) == []
        assert bob.asked == []
        assert bob.all(DeviceAsked) == [], "and nothing was signed"


async def test_a_device_that_will_not_sign(tmp_path):
    async with configs(tmp_path) as (first, second):
        await second.key.close()
        one, two = await meet(first, second, Person(), Person())
        assert isinstance(two, DeviceFailed)
        assert two.exit_code == 10
        assert "closed" in two.message
        assert isinstance(one, ConnectionLost)


async def test_nobody_gives_a_code(tmp_path):
    async with configs(tmp_path) as (first, second):
        for opening in (host, join):
            person = Person()
            person.codes.put_nowait(None)
            with pytest.raises(UsageError, match="was given"):
                await opening(first if opening is host else second, person)


async def test_a_wrong_code_is_asked_for_again(tmp_path):
    async with configs(tmp_path) as (first, second):
        alice, bob = Person(), Person()
        bob.codes.put_nowait(b"no invite at all")
        alice.codes.put_nowait(b"no answer either")
        one, two = await meet(first, second, alice, bob)
        async with one, two:
            assert [len(person.refusals) for person in (alice, bob)] == [1, 1]


async def test_a_wrong_code_and_nobody_to_ask(tmp_path):
    async with configs(tmp_path) as (first, second):
        for opening, config in ((host, first), (join, second)):
            person = Person(patient=False)
            person.codes.put_nowait(b"nonsense")
            with pytest.raises(InviteRefused) as caught:
                await opening(config, person)
            assert caught.value.exit_code == 2


async def test_an_invite_from_a_clock_two_hours_behind(tmp_path):
    async with configs(tmp_path) as (_, second):
        late = await net_host(config_for_test(clock=Clock(wall=lambda: time.time() - 7200)))
        async with late:
            bob = Person(patient=False)
            bob.give(late.text)
            with pytest.raises(InviteRefused) as caught:
                await join(second, bob)
    assert caught.value.code == "invite-expired"
    assert "by this machine's clock" in caught.value.message
    assert "clock" in caught.value.hint
    assert "\n" not in caught.value.message


class Broken(Person):
    """A face whose output went away."""

    def emit(self, event):
        if isinstance(event, LineOpen):
            raise BrokenPipeError
        super().emit(event)


async def test_a_face_that_fails_leaves_no_line_behind(tmp_path):
    async with configs(tmp_path) as (first, second):
        bob = Person()
        one, two = await meet(first, second, Broken(), bob)
        assert isinstance(one, BrokenPipeError)
        async with two:
            await asyncio.wait_for(two.run(), 10)
        assert (await bob.until(LineClosed)).clean


async def test_an_offer_that_is_given_up_gives_its_sockets_back(tmp_path):
    async with configs(tmp_path) as (first, _):
        before = sockets()
        alice = Person()
        hosting = asyncio.create_task(host(first, alice))
        await alice.until(InviteReady)
        assert sockets() > before
        hosting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hosting
        assert sockets() == before


def sockets() -> int:
    return sum(str(fd.readlink()).startswith("socket:") for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink())


async def test_a_one_way_invite_needs_no_answer(tmp_path):
    async with configs(tmp_path) as (first, second):
        alice, bob = Person(), Person()
        hosting = asyncio.create_task(host(replace(first, listen=Listen()), alice))
        ready = await alice.until(InviteReady)
        assert len(ready.listens) >= 1
        bob.give(ready.code)
        here, there = await asyncio.gather(hosting, join(second, bob))
        try:
            assert not bob.all(AnswerReady)
            assert [event.stage for event in alice.all(Opening)][:2] == ["listening", "connecting"]
            assert len(bob.asked) == 1
        finally:
            await asyncio.gather(here.close(), there.close())


async def test_which_helper_saw_which_address_is_told(tmp_path):
    async with coturn() as port, configs(tmp_path) as (first, _):
        turn = f"turn:127.0.0.1:{port}"
        servers = IceServers(f"stun:127.0.0.1:{port}", turn, USER, PASSWORD)
        alice = Person()
        hosting = asyncio.create_task(host(replace(first, servers=servers), alice))
        assert (await alice.until(HelperUsed, server=turn)).addresses == ("127.0.0.1",)
        assert (await alice.until(HelperUsed, server=servers.stun)).addresses == ("127.0.0.1",)
        await alice.until(InviteReady)
        hosting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hosting


async def test_who_listens_and_moves_makes_another_code(tmp_path, monkeypatch):
    now = [ipaddress.ip_address("127.0.0.1")]
    for module in (listening, link):
        monkeypatch.setattr(module, "usable_addresses", lambda **_: tuple(now))
    monkeypatch.setattr(listening, "_LOOK_AT_CLOCK", 0.05)
    async with configs(tmp_path) as (hosting, joining):
        inviter, guest = Person(), Person()
        waiting = asyncio.create_task(host(replace(hosting, listen=Listen()), inviter))
        first = await inviter.until(InviteReady)
        now[:] = [ipaddress.ip_address("127.0.0.2")]
        gone = await inviter.until(InviteGone)
        assert gone.listens == first.listens
        async with asyncio.timeout(10):
            while len(inviter.all(InviteReady)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        another = inviter.all(InviteReady)[1]
        assert another.listens[0].startswith("127.0.0.2:")
        guest.give(another.code)
        async with await join(joining, guest), await waiting:
            assert inviter.all(LineOpen)
