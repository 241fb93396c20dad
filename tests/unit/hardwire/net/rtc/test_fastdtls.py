# SPDX-License-Identifier: Apache-2.0
import asyncio
import os

import pytest

from hardwire.net.rtc import fastdtls
from hardwire.net.rtc.fastdtls import RECORD_OVERHEAD, PacketReceiver, run_now
from hardwire.net.rtc.udp import Departure
from support.links import between, open_pair


class Heard(PacketReceiver):
    """In the place of SCTP."""

    def __init__(self):
        self.packets = []
        self.batches = 0
        self.free = 0
        self.changed = asyncio.Event()

    def packet(self, view, size):
        self.packets.append(bytes(view[:size]))
        self.changed.set()

    def batch_ended(self):
        self.batches += 1

    def unblocked(self):
        self.free += 1

    async def until(self, count):
        async with asyncio.timeout(5):
            while len(self.packets) < count:
                self.changed.clear()
                await self.changed.wait()


def listen(link):
    heard = Heard()
    link._dtls._data_receiver = None
    link._dtls._register_data_receiver(heard)
    return heard


def put(dtls, data):
    dtls.plain[: len(data)] = data
    dtls.seal(len(data))


async def test_packets_of_a_batch_arrive_one_by_one_in_few_batches():
    async with open_pair() as (first, second):
        heard = listen(second.link)
        sizes = [1188] * 120 + [40, 900, 900, 16_000, 16]
        sent = [os.urandom(size) for size in sizes]
        for data in sent:
            put(first.link._dtls, data)
        first.link._dtls.flush()
        await heard.until(len(sent))
        assert heard.packets == sent
        assert 1 <= heard.batches < 30
        second.link._dtls.unblocked()
        assert heard.free == 1


async def test_one_record_is_one_datagram_of_a_known_size():
    async with open_pair() as (first, second):
        sizes = []
        between(second.link, lambda data, pass_on: sizes.append(len(data)))
        for size in (16, 1188, 16_000):
            put(first.link._dtls, bytes(size))
        first.link._dtls.flush()
        await asyncio.sleep(0.05)
        assert sizes == [size + RECORD_OVERHEAD for size in (16, 1188, 16_000)]


async def test_what_is_broken_on_its_way_does_not_take_its_neighbours_along():
    async with open_pair() as (first, second):
        heard = listen(second.link)
        trains, whole = [], asyncio.Event()
        agent = second.link._path.connection
        segment = 1000 + RECORD_OVERHEAD

        def keep(protocol, data, segment, source):
            trains.append(bytes(data))
            if sum(map(len, trains)) == 30 * segment:
                whole.set()

        agent.train_received = keep
        for number in range(30):
            put(first.link._dtls, bytes([number]) * 1000)
        first.link._dtls.flush()
        await asyncio.wait_for(whole.wait(), 5)
        del agent.train_received
        data = bytearray(b"".join(trains))
        protocol, source = agent._nominated[1].protocol, agent._nominated[1].remote_addr
        data[segment * 4 + 500] ^= 1  # the content
        data[segment * 7 + 11] ^= 4  # the length
        data[segment * 9] = 99  # the type
        data[segment * 12 + 2] ^= 2  # the version: DTLS 1.0
        agent.train_received(protocol, memoryview(data), segment, source)
        agent.drained()
        await heard.until(26)
        assert [packet[0] for packet in heard.packets] == [n for n in range(30) if n not in {4, 7, 9, 12}]


async def test_a_receiver_that_is_aiortcs_gets_its_packets_too():
    got = asyncio.Queue()

    class Theirs:
        async def _handle_data(self, data):
            got.put_nowait(data)

    async with open_pair() as (first, second):
        second.link._dtls._data_receiver = None
        second.link._dtls._register_data_receiver(Theirs())
        put(first.link._dtls, b"plain")
        first.link._dtls.flush()
        assert await asyncio.wait_for(got.get(), 5) == b"plain"
        second.link._dtls.unblocked()


async def test_a_probe_passes_everything_else_and_says_whether_it_left():
    async with open_pair() as (first, second):
        heard = listen(second.link)
        put(first.link._dtls, b"first")
        first.link._dtls.plain[:2000] = bytes(2000)
        assert first.link._dtls.probe(2000) is Departure.LEFT
        first.link._dtls.send_in_pieces(2001)
        await heard.until(3)
        assert [len(packet) for packet in heard.packets] == [5, 2000, 2001]
        first.link._path.connection._nominated.clear()
        assert first.link._dtls.probe(2000) is Departure.NOT_NOW


async def test_after_the_end_nothing_can_be_sealed_or_read():
    async with open_pair() as (first, second):
        dtls = first.link._dtls
        heard = listen(first.link)
        await first.link.close()
        with pytest.raises(ConnectionError):
            dtls.seal(5)
        assert dtls.probe(5) is Departure.NOT_NOW
        dtls.send_in_pieces(5)
        dtls.train(memoryview(bytearray(100)), 100)
        dtls.single(bytes(100))
        assert heard.packets == []
        await second.events.until(lambda: second.events.errors)


async def test_junk_is_dropped_and_changes_nothing():
    async with open_pair() as (first, second):
        dtls = second.link._dtls
        heard = listen(second.link)
        for junk in (b"", b"\x17", bytes(13), b"\x17\xfe\xfd" + bytes(60), b"\x16\xfe\xfd" + bytes(300), b"\x15" * 40):
            dtls.single(junk)
        put(first.link._dtls, b"after it")
        first.link._dtls.flush()
        await heard.until(1)
        assert heard.packets == [b"after it"]


async def test_the_buffers_are_those_of_one_record_and_are_used_again():
    async with open_pair() as (first, _):
        dtls = first.link._dtls
        assert len(dtls.plain) == fastdtls.MOST_PLAIN
        view = dtls.plain
        put(dtls, b"x")
        assert dtls.plain is view


async def test_a_send_that_would_wait_is_a_bug_and_says_so():
    async def waits():
        await asyncio.get_running_loop().create_future()

    async def does_not():
        return None

    run_now(does_not())
    with pytest.raises(RuntimeError, match="waited"):
        run_now(waits())


async def test_reading_less_often_reaches_the_socket():
    async with open_pair() as (first, _):
        port = first.link._path.connection._nominated[1].protocol.port
        assert not port._lingers
        first.link._dtls.linger()
        assert port._lingers
