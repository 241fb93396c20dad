# SPDX-License-Identifier: Apache-2.0
"""One-way invites over loopback: one code opens a line, once, and whoever only knocks has not used it up."""

import asyncio
import hashlib

import pytest

from hardwire.channel import ChatReceived
from hardwire.errors import HardwireError, LineTimeout, NetworkFailed, UsageError
from hardwire.handshake import machine
from hardwire.net import listening as listening_module
from hardwire.net.config import Clock, Stage
from hardwire.net.listening import Dialling, Listen, listen, take
from hardwire.net.paths import PathLost
from hardwire.net.pending import PendingAnswer, host
from hardwire.net.rtc import LinkSettings, RtcLink
from hardwire.net.rtc import link as link_module
from hardwire.net.servers import IceServers
from support.coturn import PASSWORD, USER, coturn, free_port
from support.lines import config_for_test, next_of
from support.links import Recorder


async def meet(listening, dialling):
    first, second = await asyncio.wait_for(asyncio.gather(listening.accept(), dialling.connect()), 30)
    first.send_chat("one way")
    assert (await next_of(second, ChatReceived)).text == "one way"
    return first, second


async def test_one_code_opens_a_line_and_nothing_goes_back():
    stages = []
    async with await listen(config_for_test(on_stage=stages.append)) as listening:
        dialling = await take(config_for_test(), listening.text)
        assert isinstance(dialling, Dialling)
        assert dialling.text is None
        first, second = await meet(listening, dialling)
        assert stages[:2] == [Stage.LISTENING, Stage.CONNECTING]
        assert first.done.sas == second.done.sas
        assert first.done.sid == second.done.sid
        await asyncio.gather(first.close(), second.close())


async def test_the_one_way_roads_lead_to_the_ordinary_answer_as_well():
    async with await host(config_for_test()) as offer:
        answer = await take(config_for_test(), offer.text)
        assert isinstance(answer, PendingAnswer)
        await answer.close()


async def test_a_code_is_used_up_by_the_first_who_sends_a_message(monkeypatch):
    monkeypatch.setattr(listening_module, "PATH_TIMEOUT", 1.0)

    async def refuse(credential, leaf, role):
        raise UsageError("not you")

    async with await listen(config_for_test()) as listening:
        accepting = asyncio.create_task(listening.accept())
        declined = await take(config_for_test(verify=refuse), listening.text)
        with pytest.raises(UsageError):
            await declined.connect()
        with pytest.raises(HardwireError):
            await asyncio.wait_for(accepting, 15)
        late = await take(config_for_test(), listening.text)
        with pytest.raises(NetworkFailed) as caught:
            await late.connect()
        assert caught.value.code == "not-reached"
        with pytest.raises(HardwireError) as caught:
            await listening.accept()
        assert caught.value.code == "invite-used"


@pytest.mark.parametrize("is_open", [False, True])
async def test_whoever_dials_behind_the_first_is_in_nobodys_way(is_open, monkeypatch):
    """Before the first is through, whose person is still being asked, or when the line stands."""
    monkeypatch.setattr(listening_module, "PATH_TIMEOUT", 1.0)
    go_on, base = asyncio.Event(), config_for_test()

    async def ask(credential, leaf, role):
        await go_on.wait()
        return await base.verify(credential, leaf, role)

    async with await listen(config_for_test()) as listening:
        first = await take(config_for_test(verify=ask), listening.text)
        opening = asyncio.gather(listening.accept(), first.connect())
        if is_open:
            go_on.set()
            await opening
        else:
            await asyncio.sleep(0.5)
        async with await take(config_for_test(), listening.text) as second:
            with pytest.raises(NetworkFailed) as caught:
                await second.connect()
            assert caught.value.code == "not-reached"
        go_on.set()
        here, there = await asyncio.wait_for(opening, 10)
        here.send_chat("nobody noticed")
        seen = []
        async for event in there:
            seen.append(type(event))
            if isinstance(event, ChatReceived):
                break
        assert PathLost not in seen
        await asyncio.gather(here.close(), there.close())


async def test_whoever_knocks_and_breaks_off_has_not_used_it_up():
    """A holder of the invite whose DTLS certificate is another one, and then the one who was meant."""
    async with await listen(config_for_test()) as listening:
        accepting = asyncio.create_task(listening.accept())
        first_link = listening._link
        broken = await take(config_for_test(), listening.text)
        settings = broken._link._settings
        other = await RtcLink.gather(LinkSettings(False, settings.secrets, settings.servers, loopback=True))
        await broken.close()
        with pytest.raises(HardwireError):
            await other.open(
                fingerprint=hashlib.sha256(b"not it").digest(),
                candidates=listening.candidates,
                events=Recorder(),
                within=10,
            )
        while listening._link is first_link:  # noqa: ASYNC110 (the other end has no event)
            await asyncio.sleep(0.02)
        dialling = await take(config_for_test(), listening.text)
        first, second = await asyncio.wait_for(asyncio.gather(accepting, dialling.connect()), 30)
        await asyncio.gather(first.close(), second.close())


async def test_whoever_comes_in_and_says_nothing_has_not_used_it_up(monkeypatch):
    """Its network broke after DTLS, or it wants to be in the way: no message came, and the wait for one ends."""
    monkeypatch.setattr(machine, "LIMITS", dict.fromkeys(machine.LIMITS, 0.5))
    async with await listen(config_for_test()) as listening:
        accepting = asyncio.create_task(listening.accept())
        first_link = listening._link
        silent = await take(config_for_test(), listening.text)
        await silent._link.open(fingerprint=silent._peer, candidates=listening.candidates, events=Recorder(), within=10)
        async with asyncio.timeout(15):
            while listening._link is first_link:
                assert not accepting.done()
                await asyncio.sleep(0.02)
        await silent.close()
        monkeypatch.undo()
        dialling = await take(config_for_test(), listening.text)
        first, second = await asyncio.wait_for(asyncio.gather(accepting, dialling.connect()), 30)
        await asyncio.gather(first.close(), second.close())


@pytest.mark.parametrize("comes_back", [True, False])
async def test_the_network_is_away_when_somebody_has_broken_off(monkeypatch, comes_back):
    """What broke their attempt was this machine's own network."""
    monkeypatch.setattr(machine, "LIMITS", dict.fromkeys(machine.LIMITS, 0.5))
    monkeypatch.setattr(listening_module, "_LOOK_AT_CLOCK", 0.05)
    now = [1_800_000_000.0]
    clock = Clock(wall=lambda: now[0])
    async with await listen(config_for_test(clock=clock)) as listening:
        accepting = asyncio.create_task(listening.accept())
        silent = await take(config_for_test(clock=clock), listening.text)
        await silent._link.open(fingerprint=silent._peer, candidates=listening.candidates, events=Recorder(), within=10)
        tries = []
        with monkeypatch.context() as away:
            away.setattr(link_module, "usable_addresses", lambda *, loopback: tries.append(loopback) or ())
            async with asyncio.timeout(15):
                while len(tries) < 10:
                    assert not accepting.done()
                    await asyncio.sleep(0.02)
            if not comes_back:
                now[0] = listening.expiry
                with pytest.raises(NetworkFailed):
                    await asyncio.wait_for(accepting, 10)
        await silent.close()
        if not comes_back:
            return
        dialling = await take(config_for_test(clock=clock), listening.text)
        first, second = await asyncio.wait_for(asyncio.gather(accepting, dialling.connect()), 30)
        await asyncio.gather(first.close(), second.close())


async def test_nobody_comes():
    now = [1_800_000_000.0]
    async with await listen(config_for_test(life=60, clock=Clock(wall=lambda: now[0]))) as listening:
        accepting = asyncio.create_task(listening.accept())
        await asyncio.sleep(0.1)
        now[0] = listening.expiry
        with pytest.raises(LineTimeout) as caught:
            await asyncio.wait_for(accepting, 5)
        assert caught.value.code == "invite-unanswered"


async def test_an_own_port_is_bound_at_every_address_and_a_taken_one_is_told():
    port = free_port()
    async with await listen(config_for_test(), Listen(port=port)) as listening:
        assert {one.port for one in listening.candidates} == {port}
        with pytest.raises(NetworkFailed, match="in use"):
            await listen(config_for_test(), Listen(port=port))


async def test_an_announced_address_stands_alone_in_the_code_and_leads_here():
    """A router's outside, forwarded to this machine: played by another name of the same machine."""
    port = free_port()
    async with await listen(config_for_test(), Listen(port=port)) as listening:
        announced = tuple(one for one in listening.candidates if one.address.version == 4)
    async with await listen(config_for_test(), Listen(port=port, announced=announced)) as listening:
        assert listening.candidates == announced
        assert len(listening.text) <= 58
        first, second = await meet(listening, await take(config_for_test(), listening.text))
        await asyncio.gather(first.close(), second.close())


async def test_a_dialler_may_come_through_a_relay():
    async with coturn() as port, await listen(config_for_test()) as listening:
        servers = IceServers(turn=f"turn:127.0.0.1:{port}", username=USER, password=PASSWORD, relay_only=True)
        dialling = await take(config_for_test(servers=servers), listening.text)
        first, second = await meet(listening, dialling)
        assert second._link._path.local_address is None
        await asyncio.gather(first.close(), second.close())


async def test_a_relay_is_of_no_use_to_who_listens():
    servers = IceServers(turn="turn:127.0.0.1:9", username="u", password="p")
    with pytest.raises(UsageError) as caught:
        await listen(config_for_test(servers=servers))
    assert caught.value.code == "one-way-relay"
