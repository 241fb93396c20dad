# SPDX-License-Identifier: Apache-2.0
"""Which datagrams reach DTLS, and which fall on the floor; sockets themselves are in test_udp.py."""

import asyncio

from aioice import stun

from hardwire.net.rtc.datapath import MOST_EARLY, DatagramAgent
from hardwire.net.rtc.udp import Departure
from support.links import open_pair


class Sink:
    def __init__(self):
        self.heard = []

    def train(self, data, segment):
        self.heard.append((len(data), segment))

    def single(self, data):
        self.heard.append(data)

    def drained(self):
        self.heard.append("drained")

    def unblocked(self):
        self.heard.append("unblocked")


def record(size: int, kind: int = 23) -> bytes:
    return bytes([kind, 0xFE, 0xFD]) + bytes(8) + size.to_bytes(2) + bytes(size)


def agent():
    return DatagramAgent(ice_controlling=True, local_username="user", local_password="password" * 3)


def receive(one, data, segment, source):
    one.train_received(None, memoryview(data), segment, source)


async def test_strangers_reach_nobody_and_the_peer_reaches_the_sink():
    async with open_pair() as (first, _):
        one = first.link._path.connection
        peer = one._nominated[1].remote_addr
        sink = Sink()
        one.attach(sink)
        receive(one, record(100) * 3, 113, ("192.0.2.1", 7))
        receive(one, record(100), 113, (peer[0], peer[1] + 1))
        await asyncio.sleep(0.01)
        assert [one for one in sink.heard if one != "drained"] == []
        receive(one, record(100) * 3, 113, peer)
        receive(one, record(100) + record(100, kind=22), 113, peer)
        one.drained()
        one.unblocked()
        data = [one for one in sink.heard if one != "drained"]
        assert data == [(339, 113), record(100), record(100, kind=22), "unblocked"]


async def test_stun_is_never_dtls_and_junk_is_nothing():
    async with open_pair() as (first, second):
        one = first.link._path.connection
        peer = one._nominated[1].remote_addr
        sink = Sink()
        one.attach(sink)
        heard = []
        protocol = one._nominated[1].protocol
        one.request_received = lambda message, addr, protocol: heard.append(addr)
        for password in ("a stranger's", one.local_password):
            message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            message.add_message_integrity(password.encode())
            request = bytes(message)
            one.train_received(protocol, memoryview(bytearray(request)), len(request), peer)
        for junk in (b"", b"\x00", b"\x80" * 40, b"\xff" * 20, b"\x01" * 30):
            one.train_received(protocol, memoryview(bytearray(junk)), max(1, len(junk)), peer)
        await asyncio.sleep(0.01)
        assert heard == [peer]
        assert [one for one in sink.heard if one != "drained"] == []
        assert second.events.errors == []


async def test_what_waited_for_a_sink_comes_first_and_the_end_stays_in_the_queue():
    one, sink = agent(), Sink()
    one.data_received(record(10), 1)
    one._queue.put_nowait(None)
    one.attach(sink)
    await asyncio.sleep(0.01)
    assert sink.heard == [record(10), "drained"]
    assert one._queue.get_nowait() is None
    one.data_received(record(20), 1)
    one.data_received(b"", 1)
    await asyncio.sleep(0.01)
    assert sink.heard[2:] == [record(20), "drained"]
    one.attach(None)
    one.drained()
    one.unblocked()
    one.data_received(record(30), 1)
    assert one._queue.qsize() == 1


async def test_records_in_bulk_reach_the_sink_one_in_a_datagram():
    one, sink = agent(), Sink()
    one.attach(sink)
    one.data_received(record(10) + record(10), 1)
    one.data_received(record(10, kind=22) * 30, 1)
    one.data_received(record(2000), 1)
    one.data_received(record(10, kind=22) * 5, 1)
    await asyncio.sleep(0.01)
    assert [data for data in sink.heard if data != "drained"] == [record(2000), record(10, kind=22) * 5]


async def test_only_so_much_is_taken_for_the_handshake():
    one, flooded = agent(), []
    flight = record(1000, kind=22)
    for _ in range(MOST_EARLY // len(flight)):
        one.data_received(flight, 1)
        one._queue.get_nowait()
    one.data_received(flight, 1)
    assert one._queue.empty()
    one.on_flood = lambda: flooded.append(one.unread)
    one.data_received(flight, 1)
    assert one._queue.empty()
    assert len(flooded) == 1
    # Whoever takes over keeps the limit.
    two = agent()
    one.most_unread = 1e9
    two.take_over(one)
    assert (two.most_unread, two.on_flood) == (1e9, one.on_flood)


async def test_an_agent_that_takes_over_feeds_the_same_sink():
    one, two, sink = agent(), agent(), Sink()
    one.attach(sink)
    await asyncio.sleep(0.01)
    two.data_received(record(5), 1)
    two.take_over(one)
    assert two._queue is one._queue
    two.data_received(record(10), 1)
    one.data_received(record(20), 1)
    assert [data for data in sink.heard if data != "drained"] == [record(10), record(20)]


async def test_without_a_path_datagrams_are_lost_and_nothing_is_blocked():
    one = agent()
    one.send_records(memoryview(record(10)), [23])
    assert one.send_probe(memoryview(record(10))) is Departure.NOT_NOW
    one.send_in_pieces(memoryview(record(10)))
    assert not one.is_blocked
    one.linger()


async def test_a_relay_gets_datagrams_one_by_one():
    class Relay:
        def __init__(self, broken=False):
            self.sent, self.broken = [], broken

        def sendto(self, data, addr):
            if self.broken:
                raise RuntimeError("closed")
            self.sent.append((data, addr))

    class Pair:
        remote_addr = ("192.0.2.1", 7)

        def __init__(self, transport):
            self.protocol = type("Protocol", (), {"transport": transport})()

    one, relay = agent(), Relay()
    one._nominated[1] = Pair(relay)
    one.send_records(memoryview(b"onetwo!"), [3, 4])
    assert relay.sent == [(b"one", Pair.remote_addr), (b"two!", Pair.remote_addr)]
    assert not one.is_blocked
    one.linger()  # a relay's connection is read as it comes
    # No size is tried; but what was cut for a direct path has to arrive over the relay as well.
    assert one.send_probe(memoryview(b"x")) is Departure.TOO_LARGE
    one.send_in_pieces(memoryview(b"cut for another"))
    assert relay.sent[2:] == [(b"cut for another", Pair.remote_addr)]
    one._nominated[1] = Pair(Relay(broken=True))
    one.send_records(memoryview(b"one"), [3])
    one.send_in_pieces(memoryview(b"x"))
