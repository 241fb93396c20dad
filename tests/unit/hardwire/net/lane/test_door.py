# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress

import pytest

from hardwire.errors import NetworkFailed
from hardwire.net.lane import door as door_module
from hardwire.net.lane.door import Door
from hardwire.net.lane.path import LanePath
from support.lanes import HERE, LOOPBACK, stream_to


async def test_it_listens_on_the_address_of_the_path_and_no_other():
    door = Door.open(LOOPBACK)
    port = door.port
    assert door._listener.getsockname()[0] == str(HERE)
    assert port >= 1024
    caller = await stream_to(port)
    connection = await door.accept()
    assert not connection.getblocking()
    for one in (caller, connection):
        one.close()
    door.close()
    door.close()
    with pytest.raises(ConnectionRefusedError):
        await stream_to(port)


async def test_an_address_that_is_not_here_has_no_door():
    elsewhere = ipaddress.ip_address("192.0.2.1")
    assert Door.open(LanePath(elsewhere, elsewhere)) is None


async def test_ipv6():
    here = ipaddress.ip_address("::1")
    door = Door.open(LanePath(here, here))
    if door is not None:  # a machine without IPv6
        assert door._listener.getsockname()[0] == "::1"
        door.close()


async def test_strangers_are_closed_unread_and_too_many_shut_it(monkeypatch):
    monkeypatch.setattr(door_module, "ACCEPTED_MAX", 3)
    door = Door.open(LanePath(HERE, ipaddress.ip_address("192.0.2.1")))
    accepting = asyncio.create_task(door.accept())
    callers = [await stream_to(door.port) for _ in range(3)]
    for caller in callers:
        assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
        caller.close()
    with pytest.raises(NetworkFailed):
        await accepting
    assert door._listener.fileno() == -1
