# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress

import pytest

from hardwire.net.rtc import search as module
from hardwire.net.rtc.path import Path, PathSettings
from hardwire.net.rtc.search import Search
from hardwire.net.servers import NO_SERVERS
from support.links import fresh_secrets

HERE = ipaddress.ip_address("127.0.0.1")
ELSEWHERE = ipaddress.ip_address("127.0.0.2")


def two_paths(addresses=(HERE,)) -> tuple[Path, Path]:
    secrets = fresh_secrets()
    return (
        Path(PathSettings(True, secrets.offer, secrets.answer, addresses, NO_SERVERS)),
        Path(PathSettings(False, secrets.answer, secrets.offer, (HERE,), NO_SERVERS)),
    )


@pytest.mark.parametrize("late", [False, True], ids=["told before", "told while it runs"])
async def test_it_ends_with_a_pair(late):
    first, second = two_paths()
    await asyncio.gather(first.gather(), second.gather())
    searches = Search(first, lambda: (HERE,)), Search(second, None)
    if not late:
        searches[0].add(second.candidates, last=True)
    running = [asyncio.create_task(search.run()) for search in searches]
    if late:
        await asyncio.sleep(0.1)
        assert not first.is_found
        searches[0].add(())
        searches[0].add(second.candidates)
    await asyncio.wait_for(asyncio.gather(*running), 5)
    assert first.is_found
    assert second.is_found
    await asyncio.gather(first.close(), second.close())
    assert not [task for task in asyncio.all_tasks() if "watch" in task.get_name()]


async def test_it_looks_from_where_the_machine_is_now(monkeypatch):
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.02)
    first, second = two_paths(addresses=())
    await asyncio.gather(first.gather(), second.gather())
    addresses = []
    searches = Search(first, lambda: tuple(addresses)), Search(second, None)
    searches[0].add(second.candidates)
    running = [asyncio.create_task(search.run()) for search in searches]
    await asyncio.sleep(0.2)
    assert first.candidates == ()
    addresses.append(ELSEWHERE)
    await asyncio.wait_for(asyncio.gather(*running), 5)
    assert first.local_address == str(ELSEWHERE)
    await asyncio.gather(first.close(), second.close())


async def test_given_up_it_leaves_no_task():
    first, second = two_paths()
    await asyncio.gather(first.gather(), second.gather())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Search(first, lambda: (HERE,)).run(), 0.1)
    await asyncio.gather(first.close(), second.close())
    assert not [task for task in asyncio.all_tasks() if "watch" in task.get_name()]
