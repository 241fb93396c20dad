# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextlib
import gc
import os
import socket
import warnings

import pytest

from hardwire.channel.lane import LaneKind, LaneSealer
from hardwire.errors import Misuse, NetworkFailed
from hardwire.handshake import Role
from hardwire.net.lane.door import Door
from hardwire.net.lane.meeting import UNPROVEN_MAX, Meeting, Met
from support.lanes import LOOPBACK, keys_of, meetings, met_pair, stream_to
from support.lines import KernelEntropy

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names


def close(*mets):
    for met in mets:
        met.connection.close()


async def frame_across(sending, receiving):
    """One frame over the connection that both sides settled on."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sending.connection, sending.sealer.seal(LaneKind.CHUNK, b"octets"))
    record = None
    while record is None:
        block = bytearray()
        while len(block) < receiving.opener.wants:
            block += await loop.sock_recv(receiving.connection, receiving.opener.wants - len(block))
        record = receiving.opener.receive(bytes(block))
    return bytes(record.payload)


@pytest.mark.parametrize("doors, dials", [("i", "r"), ("r", "i"), ("ir", "ir"), ("ir", "i"), ("ir", "r")])
async def test_they_meet_on_one_connection_whoever_dials(doors, dials):
    for _ in range(5):
        here, there = await met_pair(doors=doors, dials=dials)
        assert here.connection.getsockname() == there.connection.getpeername()
        assert await frame_across(here, there) == await frame_across(there, here) == b"octets"
        close(here, there)


async def test_the_door_is_shut_and_the_keys_are_gone_afterwards():
    keys = keys_of()
    both = meetings(keys)
    ports = [meeting._door.port for meeting in both.values()]
    close(*await asyncio.gather(*(meeting.run() for meeting in both.values())))
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await stream_to(port)
    for role in Role:
        with pytest.raises(Misuse):
            keys[role].hello(bytes(32))


async def test_with_other_keys_nobody_meets():
    one, other = keys_of(), keys_of()
    both = meetings({I: one[I], R: other[R]})
    outcomes = await asyncio.gather(*(meeting.run(within=0.5) for meeting in both.values()), return_exceptions=True)
    assert [getattr(outcome, "code", outcome) for outcome in outcomes] == ["no-lane", "no-lane"]


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.0\r\n\r\n", os.urandom(64), bytes(200)])
async def test_a_scanner_hears_nothing_and_is_in_nobodys_way(first):
    both = meetings(keys_of(), doors="r", dials="i")
    waiting = asyncio.create_task(both[R].run())
    await asyncio.sleep(0)
    scanner = await stream_to(both[R]._door.port)
    if first:
        await asyncio.get_running_loop().sock_sendall(scanner, first)
    here, there = await asyncio.gather(both[I].run(), waiting)
    heard = b"?"
    try:
        heard = await asyncio.get_running_loop().sock_recv(scanner, 100)
    except ConnectionResetError:
        heard = b""
    assert heard == b""
    scanner.close()
    close(here, there)


async def test_slow_callers_do_not_keep_the_peer_out():
    both = meetings(keys_of(), doors="r", dials="i")
    waiting = asyncio.create_task(both[R].run())
    slow = []
    for _ in range(3 * UNPROVEN_MAX):
        slow.append(await stream_to(both[R]._door.port))
        await asyncio.get_running_loop().sock_sendall(slow[-1], b"\0")
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert len(both[R]._open) <= UNPROVEN_MAX
    here, there = await asyncio.gather(both[I].run(), waiting)
    close(here, there)
    for one in slow:
        one.close()


async def test_a_listener_that_does_not_know_the_lane_learns_noise():
    """What a wrong host gets: 64 octets that are different each time, and nothing after them."""
    heard = []
    for _ in range(8):
        stranger = socket.create_server(("127.0.0.1", 0))
        stranger.setblocking(False)
        meeting = Meeting(keys_of(bytes(range(32)))[I], LOOPBACK, None, stranger.getsockname()[1], KernelEntropy())
        dialling = asyncio.create_task(meeting.run(within=0.3))
        connection, _ = await asyncio.get_running_loop().sock_accept(stranger)
        await asyncio.get_running_loop().sock_sendall(connection, os.urandom(64))
        with pytest.raises(NetworkFailed):
            await dialling
        octets = b""
        while block := await asyncio.get_running_loop().sock_recv(connection, 1000):
            octets += block
        heard.append(octets)
        connection.close()
        stranger.close()
    assert {len(octets) for octets in heard} == {64}
    assert all(len({octets[place] for octets in heard}) > 3 for place in range(64))


async def test_a_replayed_hello_proves_nothing():
    """Somebody on the way copied a greeting, and is first at the door with it: it gets an answer it cannot use."""
    keys = keys_of()
    hello = keys[I].hello(os.urandom(32))
    both = meetings(keys, doors="r", dials="i")
    waiting = asyncio.create_task(both[R].run())
    copier = await stream_to(both[R]._door.port)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(copier, hello)
    assert len(await loop.sock_recv(copier, 100)) == 64
    await loop.sock_sendall(copier, os.urandom(289))
    here, there = await asyncio.gather(both[I].run(), waiting)
    assert here.connection.getsockname() == there.connection.getpeername()
    copier.close()
    close(here, there)


async def test_the_first_frame_must_be_taken():
    keys = keys_of()
    door = Door.open(LOOPBACK)
    meeting = Meeting(keys[R], LOOPBACK, door, 0, KernelEntropy())
    waiting = asyncio.create_task(meeting.run(within=1))
    connection = await stream_to(door.port)
    loop = asyncio.get_running_loop()
    nonce = os.urandom(32)
    await loop.sock_sendall(connection, keys[I].hello(nonce))
    chains = keys[I].complete(nonce, await loop.sock_recv(connection, 64))
    await loop.sock_sendall(connection, LaneSealer(chains.outgoing).seal(LaneKind.CHUNK, bytes(12)))
    assert await loop.sock_recv(connection, 1) == b""
    with pytest.raises(NetworkFailed):
        await waiting
    connection.close()


async def test_a_second_taken_connection_is_not_believed():
    keys = keys_of()
    door = Door.open(LOOPBACK)
    meeting = Meeting(keys[R], LOOPBACK, door, 0, KernelEntropy())
    waiting = asyncio.create_task(meeting.run())
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(2):
        connections.append(await stream_to(door.port))
        nonce = os.urandom(32)
        await loop.sock_sendall(connections[-1], keys[I].hello(nonce))
        chains = keys[I].complete(nonce, await loop.sock_recv(connections[-1], 64))
        connections.append(chains)
    for place in (0, 2):
        await loop.sock_sendall(connections[place], LaneSealer(connections[place + 1].outgoing).seal(LaneKind.TAKEN))
    there = await waiting
    assert there.connection.getpeername() in {connections[0].getsockname(), connections[2].getsockname()}
    ended = [one for one in (connections[0], connections[2]) if one.getsockname() != there.connection.getpeername()]
    with contextlib.suppress(ConnectionResetError):
        assert await loop.sock_recv(ended[0], 1) == b""
    for one in (connections[0], connections[2]):
        one.close()
    close(there)


async def test_given_up_it_leaves_nothing():
    both = meetings(keys_of(), doors="ir", dials="")
    running = asyncio.create_task(both[I].run())
    await asyncio.sleep(0.01)
    caller = await stream_to(both[I]._door.port)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not both[I]._tasks
    assert not both[I]._open
    assert both[I]._door._listener.fileno() == -1
    caller.close()
    both[R]._door.close()


async def test_given_up_before_a_greeting_began_it_says_nothing():
    class Hurried(Door):
        async def accept(self):
            connection = await super().accept()
            running.cancel()
            return connection

    door = Hurried.open(LOOPBACK)
    meeting = Meeting(keys_of()[R], LOOPBACK, door, 0, KernelEntropy())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        running = asyncio.create_task(meeting.run())
        caller = await stream_to(door.port)
        await asyncio.wait({running})
        assert running.cancelled()
        gc.collect()
    assert not said
    assert not meeting._open
    assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
    caller.close()


@pytest.mark.parametrize("role", list(Role))
async def test_given_up_while_it_cleans_up_it_keeps_no_connection(role):
    for turns in range(12):
        both = meetings(keys_of())
        other = asyncio.create_task(both[R if role is I else I].run())
        running = asyncio.create_task(both[role].run())
        while not both[role]._met.done():  # noqa: ASYNC110 (the very turn of the loop counts)
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        outcomes = await asyncio.gather(running, other, return_exceptions=True)
        close(*(met for met in outcomes if isinstance(met, Met)))
        assert isinstance(outcomes[0], Met) or both[role]._met.cancelled() or _fileno(both[role]) == -1


def _fileno(meeting: Meeting) -> int:
    return meeting._met.result().connection.fileno()


async def test_nowhere_to_go():
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    with pytest.raises(NetworkFailed) as caught:
        await Meeting(keys_of()[I], LOOPBACK, None, port, KernelEntropy()).run(within=0.2)
    assert caught.value.code == "no-lane"


async def test_a_system_without_linuxs_flags(monkeypatch):
    monkeypatch.delattr(socket, "SOCK_CLOEXEC")  # as on macOS
    mets = await met_pair()
    assert not any(met.connection.get_inheritable() for met in mets)
    close(*mets)
