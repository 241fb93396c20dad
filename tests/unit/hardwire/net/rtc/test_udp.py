# SPDX-License-Identifier: Apache-2.0
import asyncio
import errno
import socket
import sys

import pytest

from hardwire.net.rtc import udp as udp_module
from hardwire.net.rtc.udp import MOST_SEGMENTS, MOST_TRAIN, Departure, UdpPort, train_length

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")


class Heard:
    def __init__(self):
        self.datagrams = []
        self.calls = 0
        self.drains = 0
        self.free = 0
        self.closed = 0
        self.changed = asyncio.Event()

    def received(self, data, segment, source):
        self.calls += 1
        self.datagrams += [bytes(data[at : at + segment]) for at in range(0, len(data), segment)]
        self.source = source

    def drained(self):
        self.drains += 1
        self.changed.set()

    def unblocked(self):
        self.free += 1
        self.changed.set()

    def on_closed(self):
        self.closed += 1

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def port(host="127.0.0.1"):
    heard = Heard()
    return UdpPort.bind(host, heard, heard.on_closed), heard


def address(one):
    return one.get_extra_info("sockname")


def train(sizes):
    parts = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    return parts, memoryview(b"".join(parts))


SIZES = [1200] * 100 + [300] + [1200] * 3 + [1300, 40, 40, 1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("help_out, help_in", [(True, True), (True, False), (False, True), (False, False)])
async def test_a_train_arrives_datagram_by_datagram_with_or_without_the_kernels_help(
    monkeypatch, host, help_out, help_in
):
    if not help_in:
        monkeypatch.setattr(UdpPort, "_use_kernel_help", lambda self: None)
    one, _ = port(host)
    two, heard = port(host)
    one.segments_out = one.segments_out and help_out
    parts, data = train(SIZES)
    one.send_train(data, SIZES, address(two))
    await heard.until(lambda: len(heard.datagrams) == len(parts))
    assert heard.datagrams == parts
    assert heard.source[:2] == address(one)[:2]
    assert heard.drains >= 1
    if sys.platform == "linux" and help_out and help_in:
        assert heard.calls < 20
    one.close()
    two.close()
    await asyncio.sleep(0)
    assert heard.closed == 1


@linux
async def test_a_kernel_that_refuses_trains_is_asked_once(monkeypatch):
    one, _ = port()
    two, heard = port()
    asked = []

    class Refusing:
        def __init__(self, inner, code):
            self.inner, self.code = inner, code

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def sendmsg(self, *words):
            asked.append(words)
            raise OSError(self.code, "no")

    plain = one._socket
    parts, data = train([100] * 5)
    for code, still in ((errno.EMSGSIZE, True), (errno.EIO, False)):
        one._socket = Refusing(plain, code)
        one.send_train(data, [100] * 5, address(two))
        assert one.segments_out is still
    await heard.until(lambda: len(heard.datagrams) == 10)
    assert heard.datagrams == parts + parts
    # A size that this route does not carry says nothing about the next train; anything else does.
    assert len(asked) == 5
    one.close()
    two.close()


@linux
async def test_a_moment_without_a_route_says_nothing_about_trains():
    """The same datagram does not go alone either: from a loopback address nothing leaves the machine."""
    one, _ = port()
    two, heard = port()
    parts, data = train([100] * 5)
    one.send_train(data, [100] * 5, ("192.0.2.1", 9))
    assert one.segments_out
    one.send_train(data, [100] * 5, address(two))
    await heard.until(lambda: len(heard.datagrams) == 5)
    assert heard.datagrams == parts
    one.close()
    one.send_train(data, [100] * 5, address(two))
    two.close()


async def test_what_the_socket_has_no_room_for_waits_in_order():
    one, told = port()
    two, heard = port()

    class Full:
        full = True

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def sendto(self, *words):
            if self.full:
                raise BlockingIOError
            return self.inner.sendto(*words)

        sendmsg = sendto

    one._socket = full = Full(one._socket)
    parts, data = train([50] * 4)
    one.send_train(data, [50] * 4, address(two))
    one.sendto(b"last", address(two))
    assert one.is_blocked
    assert one.send_whole(data, address(two)) is Departure.NOT_NOW
    one.send_in_pieces(memoryview(b"cut for another path"), address(two))
    await asyncio.sleep(0.01)
    assert heard.datagrams == []
    full.full = False
    await told.until(lambda: told.free == 1)
    await heard.until(lambda: len(heard.datagrams) == 6)
    assert heard.datagrams == [*parts, b"last", b"cut for another path"]
    assert not one.is_blocked
    full.full = True
    for _ in range(udp_module._MOST_WAITING + 10):
        one.sendto(b"x", address(two))
    assert len(one._waiting) == udp_module._MOST_WAITING
    one.close()
    two.close()


@linux
async def test_a_datagram_goes_whole_or_not_at_all():
    one, _ = port()
    two, heard = port()
    assert one.may_discover
    assert one.send_whole(memoryview(bytes(16_000)), address(two)) is Departure.LEFT
    # Beyond what loopback carries: the system says so at once.
    assert one.send_whole(memoryview(bytes(65_530)), address(two)) is Departure.TOO_LARGE
    one.send_in_pieces(memoryview(bytes(9000)), address(two))
    await heard.until(lambda: len(heard.datagrams) == 2)
    assert [len(one) for one in heard.datagrams] == [16_000, 9000]
    one.close()
    two.close()
    assert one.send_whole(memoryview(b"x"), address(two)) is Departure.NOT_NOW
    one.send_in_pieces(memoryview(b"x"), address(two))


async def test_what_icmp_reports_is_no_reason_to_stop():
    one, heard = port()
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    nobody = gone.getsockname()
    gone.close()
    two, _ = port()
    one.sendto(b"x", nobody)
    await asyncio.sleep(0.01)
    two.sendto(b"still here", address(one))
    await heard.until(lambda: heard.datagrams == [b"still here"])
    one.close()
    two.close()


async def test_closing_is_once_and_silent():
    one, heard = port()
    one.close()
    one.close()
    one.abort()
    assert one.is_closing()
    one.sendto(b"x", ("127.0.0.1", 9))
    one.send_train(memoryview(bytes(10)), [5, 5], ("127.0.0.1", 9))
    await asyncio.sleep(0)
    assert heard.closed == 1
    assert one._socket.fileno() == -1


def test_an_address_of_somebody_else_is_an_error():
    with pytest.raises(OSError, match="assign"):
        UdpPort.bind("192.0.2.1", Heard.__new__(Heard), lambda: None)


@pytest.mark.parametrize(
    "sizes, many",
    [([5], 1), ([5, 5, 5], 3), ([5, 5, 4, 5], 3), ([5, 6], 1), ([6, 5, 5], 2), ([5] * 100, MOST_SEGMENTS)],
)
def test_equal_ones_and_then_maybe_a_shorter_one(sizes, many):
    assert train_length(sizes, 0) == many


def test_a_train_is_not_longer_than_a_datagram_can_be():
    assert train_length([16_000] * 10, 0) * 16_000 <= MOST_TRAIN
    assert train_length([16_000] * 10, 0) == 4


async def test_an_empty_datagram_is_nothing():
    (one, heard), (two, _) = port(), port()
    two.sendto(b"", address(one))
    two.sendto(b"after", address(one))
    await heard.until(lambda: heard.datagrams)
    assert (heard.datagrams, heard.calls) == ([b"after"], 1)
    one.close()
    two.close()


async def test_who_lingers_reads_later_and_then_all_in_one_go(monkeypatch):
    loop, (one, heard), (two, _) = asyncio.get_running_loop(), port(), port()
    plain_drained, drained_with = heard.drained, []
    plain_later, later = loop.call_later, []

    def call_later(delay, callback, *args, **how):
        return later.append(callback) if delay == udp_module.LINGER else plain_later(delay, callback, *args, **how)

    def drained():
        drained_with.append(len(heard.datagrams))
        if len(drained_with) == 1:
            one.linger()
        plain_drained()

    monkeypatch.setattr(loop, "call_later", call_later)
    heard.drained = drained
    two.sendto(b"0", address(one))
    await heard.until(lambda: drained_with)
    for number in range(1, 40):
        two.sendto(b"%d" % number, address(one))
        await asyncio.sleep(0)
    assert heard.datagrams == [b"0"]
    one.sendto(b"still sends", address(two))
    [look_again] = later
    look_again()
    assert drained_with == [1, 40]
    two.sendto(b"at once again", address(one))
    await heard.until(lambda: len(drained_with) == 3)
    one.close()
    two.close()


async def test_a_port_may_be_closed_while_it_lingers(monkeypatch):
    monkeypatch.setattr(udp_module, "LINGER", 0.02)
    (one, heard), (two, _) = port(), port()
    plain = heard.drained
    heard.drained = lambda: (one.linger(), plain())
    two.sendto(b"x", address(one))
    await heard.until(lambda: heard.drains)
    two.sendto(b"y", address(one))
    one.close()
    await asyncio.sleep(0.05)
    assert (heard.datagrams, heard.closed) == ([b"x"], 1)
    two.close()


async def test_single_datagrams_of_a_size_are_put_together(monkeypatch):
    monkeypatch.setattr(UdpPort, "_use_kernel_help", lambda self: None)
    (one, heard), (two, _), (three, _) = port(), port(), port()
    trains, plain = [], heard.received

    def received(data, segment, source):
        trains.append((len(data), segment))
        plain(data, segment, source)

    heard.received = received
    sent = [bytes([number]) * 100 for number in range(5)] + [b"shorter", bytes(100), bytes(101), bytes(101)]
    for data in sent:
        two.sendto(data, address(one))
    three.sendto(bytes(101), address(one))
    two.sendto(bytes(101), address(one))
    many = [bytes([number % 256]) * 1200 for number in range(70)]
    await heard.until(lambda: len(heard.datagrams) == len(sent) + 2)
    assert heard.datagrams == [*sent, bytes(101), bytes(101)]
    assert trains == [(507, 100), (100, 100), (202, 101), (101, 101), (101, 101)]
    trains.clear()
    for data in many:
        two.sendto(data, address(one))
    await heard.until(lambda: len(heard.datagrams) == len(sent) + 2 + len(many))
    assert heard.datagrams[-len(many) :] == many
    assert len(trains) < 10
    assert {segment for _, segment in trains} == {1200}
    for each in (one, two, three):
        each.close()


async def test_what_was_read_is_not_handed_on_to_who_has_closed(monkeypatch):
    monkeypatch.setattr(UdpPort, "_use_kernel_help", lambda self: None)
    (one, heard), (two, _) = port(), port()
    plain = heard.received

    def received(data, segment, source):
        plain(data, segment, source)
        one.close()

    heard.received = received
    for size in (10, 20, 30):
        two.sendto(bytes(size), address(one))
    await asyncio.sleep(0.05)
    assert (heard.datagrams, heard.drains) == ([bytes(10)], 0)
    two.close()
