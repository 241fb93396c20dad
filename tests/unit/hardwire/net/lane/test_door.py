# SPDX-License-Identifier: Apache-2.0
import asyncio
import gc
import ipaddress
import socket
import warnings

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


async def test_a_wait_that_is_given_up_loses_nobody():
    """Whenever it is given up: a connection is accepted and handed over, or it is not accepted."""
    loop = asyncio.get_running_loop()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for turns in range(8):
            door = Door.open(LOOPBACK)
            accepting = asyncio.create_task(door.accept())
            await asyncio.sleep(0)
            caller = socket.create_connection(("127.0.0.1", door.port))
            for _ in range(turns):
                await asyncio.sleep(0)
            loop.call_soon(accepting.cancel)
            (outcome,) = await asyncio.gather(accepting, return_exceptions=True)
            if isinstance(outcome, socket.socket):
                outcome.close()
            door.close()
            caller.close()
            del accepting, outcome
        gc.collect()
    assert not told


async def test_a_door_that_is_shut_is_no_longer_waited_at():
    door = Door.open(LOOPBACK)
    accepting = asyncio.create_task(door.accept())
    await asyncio.sleep(0.01)
    door.close()
    with pytest.raises(OSError, match="descriptor"):
        await asyncio.wait_for(accepting, 5)
