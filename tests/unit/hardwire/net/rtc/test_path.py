# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress

import pytest

from hardwire.errors import Misuse
from hardwire.net.rtc.path import Path, PathSettings
from hardwire.net.servers import NO_SERVERS
from support.links import fresh_secrets
from support.netsamples import candidate

HERE = (ipaddress.ip_address("127.0.0.1"),)


def two_paths(**changes) -> tuple[Path, Path]:
    secrets = fresh_secrets()
    return (
        Path(PathSettings(True, secrets.offer, secrets.answer, HERE, NO_SERVERS), **changes),
        Path(PathSettings(False, secrets.answer, secrets.offer, HERE, NO_SERVERS), **changes),
    )


async def test_two_paths_find_each_other():
    first, second = two_paths()
    await asyncio.gather(first.gather(), second.gather())
    assert first.local_address is None
    await first.add_peer(second.candidates)
    await second.add_peer(first.candidates)
    assert await asyncio.wait_for(asyncio.gather(first.find(), second.find()), 5) == [True, True]
    assert first.is_found
    assert first.local_address == "127.0.0.1"
    await asyncio.gather(first.close(), second.close())
    assert first.local_address is None


async def test_addresses_may_come_while_it_is_looked_for():
    first, second = two_paths()
    await asyncio.gather(first.gather(), second.gather())
    finding = asyncio.create_task(first.find())
    await asyncio.sleep(0.05)
    assert not finding.done()
    await first.add_peer(second.candidates)
    assert await asyncio.wait_for(asyncio.gather(finding, second.find()), 5) == [True, True]
    await asyncio.gather(first.close(), second.close())


async def test_a_knock_is_told_once_and_only_one_with_the_password():
    knocks, knocked = [], asyncio.Event()
    first, _ = two_paths()
    _, stranger = two_paths()
    first.connection.on_knock(lambda: knocks.append("knock"))
    await asyncio.gather(first.gather(), stranger.gather())
    await stranger.add_peer(first.candidates)
    looking = asyncio.create_task(stranger.find())
    await asyncio.sleep(0.2)
    assert knocks == []
    await asyncio.gather(stranger.close(), first.close())
    assert await looking is False
    await first.close()

    first, second = two_paths(on_knock=lambda: (knocks.append("knock"), knocked.set()))
    await asyncio.gather(first.gather(), second.gather())
    await second.add_peer(first.candidates)
    looking = asyncio.create_task(second.find())
    await asyncio.wait_for(knocked.wait(), 5)
    assert await asyncio.wait_for(first.find(), 5)
    assert await looking
    assert knocks == ["knock"]
    await asyncio.gather(first.close(), second.close())


async def test_closing_ends_a_search():
    first, _ = two_paths()
    await first.gather()
    await first.add_peer([candidate("192.0.2.1")])
    finding = asyncio.create_task(first.find())
    await asyncio.sleep(0.05)
    await first.close()
    assert await asyncio.wait_for(finding, 2) is False
    first.force_close()


async def test_an_address_that_comes_late_is_looked_from_as_well():
    first, second = two_paths()
    await asyncio.gather(first.gather(), second.gather())
    await first.add_peer([candidate("192.0.2.1")], last=True)  # nobody is there
    finding = asyncio.create_task(first.find())
    await asyncio.sleep(0.1)
    agent = first.connection
    tried = {pair.local_candidate.host for pair in agent._check_list}
    await first.adapt((*HERE, ipaddress.ip_address("127.0.0.2")))
    assert {str(one.address) for one in first.candidates} == {"127.0.0.1", "127.0.0.2"}
    late = [pair for pair in agent._check_list if pair.local_candidate.host not in tried]
    assert late
    assert all(pair.task is not None for pair in late)
    await asyncio.gather(first.close(), second.close())
    assert await finding is False


async def test_a_stun_server_that_is_silent_holds_up_no_address_that_comes_late(monkeypatch):
    first, second = two_paths()
    await asyncio.gather(first.gather(), second.gather())
    await first.add_peer([candidate("192.0.2.1")], last=True)
    finding = asyncio.create_task(first.find())
    await asyncio.sleep(0.1)
    agent, asked = first.connection, asyncio.Event()

    async def silence(hosts, found):
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(agent._helpers, "ask_stun", silence)
    adapting = asyncio.create_task(first.adapt((*HERE, ipaddress.ip_address("127.0.0.2"))))
    await asyncio.wait_for(asked.wait(), 5)
    late = [pair for pair in agent._check_list if pair.local_candidate.host == "127.0.0.2"]
    assert late
    assert all(pair.task is not None for pair in late)
    adapting.cancel()
    await asyncio.gather(first.close(), second.close())
    assert await finding is False


async def test_the_peer_may_tell_its_credentials_later():
    secrets = fresh_secrets()
    first = Path(PathSettings(True, secrets.offer, None, HERE, NO_SERVERS))
    second = Path(PathSettings(False, secrets.answer, secrets.offer, HERE, NO_SERVERS))
    await asyncio.gather(first.gather(), second.gather())
    with pytest.raises(Misuse):
        await first.find()
    await second.add_peer(first.candidates)
    finding = asyncio.create_task(second.find())
    await asyncio.sleep(0.05)  # its checks come early
    assert not first.connection.has_consent
    first.meet(secrets.answer)
    assert await asyncio.wait_for(asyncio.gather(first.find(), finding), 5) == [True, True]
    assert first.connection.has_consent
    await asyncio.gather(first.close(), second.close())
