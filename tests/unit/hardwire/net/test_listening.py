# SPDX-License-Identifier: Apache-2.0
"""What happens before anybody dials; lines are in tests/net/test_oneway.py."""

import asyncio
import ipaddress

import pytest

from hardwire.errors import InviteRefused, Misuse, NetworkFailed
from hardwire.net import carriers, listening
from hardwire.net.config import Clock
from hardwire.net.invite import MAX_LIFE
from hardwire.net.listening import listen, take
from hardwire.net.oneway import OneWay
from hardwire.net.rtc import link as link_module
from support.lines import config_for_test
from support.netsamples import candidate


async def test_one_port_at_all_addresses_and_nothing_else_in_the_code():
    async with await listen(config_for_test()) as made:
        assert len({one.port for one in made.candidates}) == 1
        decoded = OneWay.decode(carriers.from_text(made.text), loopback=True)
        assert (decoded.candidates, decoded.expiry) == (made.candidates, made.expiry)


async def test_two_invites_share_nothing():
    async with await listen(config_for_test()) as one, await listen(config_for_test()) as other:
        first, second = (OneWay.decode(each.blob, loopback=True) for each in (one, other))
        assert first.secret != second.secret
        assert not set(first.candidates) & set(second.candidates)


@pytest.mark.parametrize("life", [0, -1, MAX_LIFE + 1])
async def test_no_invite_lives_longer_than_a_day(life):
    with pytest.raises(Misuse):
        await listen(config_for_test(life=life))


async def test_an_expired_one_is_refused_before_anything_is_sent():
    async with await listen(config_for_test()) as made:
        with pytest.raises(InviteRefused) as caught:
            await take(config_for_test(clock=Clock(wall=lambda: made.expiry)), made.text)
        assert caught.value.code == "invite-expired"
        with pytest.raises(InviteRefused, match="own machine"):
            await take(config_for_test(loopback=False), made.text)


async def test_what_was_given_up_is_used():
    made = await listen(config_for_test())
    dialling = await take(config_for_test(), made.text)
    await dialling.close()
    await made.close()
    for again in (made.accept, dialling.connect):
        with pytest.raises(InviteRefused) as caught:
            await again()
        assert caught.value.code == "invite-used"


def test_no_port_is_free_at_an_address_that_is_not_here():
    assert listening._free_port([ipaddress.ip_address("192.0.2.7")]) == 0
    assert listening._free_port([]) == 0


HERE, ELSEWHERE = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("127.0.0.2")


@pytest.fixture
def addresses(monkeypatch) -> list:
    """What this machine has; a test changes it."""
    now = [HERE]
    for module in (listening, link_module):
        monkeypatch.setattr(module, "usable_addresses", lambda **_: tuple(now))
    monkeypatch.setattr(listening, "_LOOK_AT_CLOCK", 0.02)
    return now


async def test_a_machine_that_moved_says_that_its_code_leads_nowhere(addresses):
    made = await listen(config_for_test())
    waiting = asyncio.create_task(made.accept())
    addresses[:] = [ELSEWHERE]
    with pytest.raises(NetworkFailed) as caught:
        await asyncio.wait_for(waiting, 10)
    assert caught.value.code == "address-gone"
    assert not made._link._path.connection._protocols


@pytest.mark.parametrize("now", [[], [HERE, ELSEWHERE], [ELSEWHERE, HERE]], ids=["none", "one more", "another first"])
async def test_a_code_that_may_still_lead_here_is_waited_with(addresses, now):
    made = await listen(config_for_test())
    waiting = asyncio.create_task(made.accept())
    addresses[:] = now
    await asyncio.sleep(0.3)
    assert not waiting.done()
    bound = {one.local_candidate.host for one in made._link._path.connection._protocols}
    assert bound == {"127.0.0.1", *map(str, now)}
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_routers_outside_is_not_this_machines_to_lose(addresses):
    outside = candidate("127.0.0.9", 4000)
    made = await listen(config_for_test(), listening.Listen(announced=(outside,)))
    waiting = asyncio.create_task(made.accept())
    addresses[:] = [ELSEWHERE]
    await asyncio.sleep(0.3)
    assert not waiting.done()
    protocols = made._link._path.connection._protocols
    assert len({one.local_candidate.port for one in protocols}) == 1  # where the router sends what comes in
    assert {one.local_candidate.host for one in protocols} == {"127.0.0.1", "127.0.0.2"}
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
