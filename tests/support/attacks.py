# SPDX-License-Identifier: Apache-2.0
"""A line under attack: one end is silenced, and what the other one gets is put where its socket puts what it read."""

from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice

from OpenSSL._util import ffi, lib

from support.forge import IN_A_TURN, Aim, sack
from support.links import End, open_pair

TRAIN = 50
"""Datagrams that one system call reads."""
_ROOM = 1 << 20


@asynccontextmanager
async def attacked():
    """The end that sends (its own work stopped) and the one that gets it."""
    async with open_pair() as (attacker, victim):
        silence(attacker)
        yield attacker, victim


def silence(attacker) -> None:
    """Its program does nothing any more: what it sends is up to the test."""

    class Nobody:
        train = single = lambda *_: None
        drained = unblocked = lambda *_: None

    link = attacker.link
    link._path.connection.attach(Nobody())
    link._watching.cancel()
    for timer in (link._sctp._mtu_timer, link._sctp._sack_timer, link._sctp._timer):
        if timer is not None:
            timer.cancel()


def grow_flight(link, aim: Aim, least: int = 700) -> None:
    """The victim has much to say, and the peer acknowledges all of it, until so many packets are out at once."""
    sctp = link._sctp
    while sctp._out.number - sctp._out.cumulative < least:
        while sctp.buffered < 1 << 20:
            sctp.send(1, bytes(65_536))
        if sctp._out.number - sctp._out.cumulative < least:
            aim.cumulative = sctp._out.tsn(sctp._out.number)
            packet = aim.packet(sack(aim.cumulative, window=8 << 20))
            sctp.packet(memoryview(bytearray(packet)), len(packet))
            sctp.batch_ended()
    aim.cumulative = sctp._out.tsn(sctp._out.cumulative)


def encrypted(attacker: End, packets: Iterator[bytes]) -> Iterator[tuple[int, int, list]]:
    """Trains of records, a turn's worth at a time."""
    ssl = attacker.link._dtls._ssl
    buffer = ffi.new("char[]", _ROOM)
    view = memoryview(ffi.buffer(buffer)).cast("B")
    while some := list(islice(packets, IN_A_TURN)):
        trains, size = [], 0
        for at in range(0, len(some), TRAIN):
            train = some[at : at + TRAIN]
            for packet in train:
                lib.SSL_write(ssl._ssl, packet, len(packet))
            length = lib.BIO_read(ssl._from_ssl, buffer, _ROOM)
            records = bytearray(view[:length])
            size += length
            trains += split(memoryview(records))
        yield len(some), size, trains


def split(records: memoryview) -> list[tuple[memoryview, int]]:
    """Trains as the kernel makes them: records of one size, and at most one shorter."""
    trains, at = [], 0
    while at < len(records):
        begin, segment = at, 13 + int.from_bytes(records[at + 11 : at + 13])
        size = segment
        while at < len(records) and size == segment:
            at += size
            size = 13 + int.from_bytes(records[at + 11 : at + 13]) if at < len(records) else 0
        if 0 < size < segment:
            at += size
        trains.append((records[begin:at], segment))
    return trains


def from_datagrams(victim: End) -> Callable[[list], None]:
    agent = victim.link._path.connection
    pair = agent._nominated[1]

    def take(trains: list) -> None:
        for records, segment in trains:
            agent.train_received(pair.protocol, records, segment, pair.remote_addr)
        agent.drained()

    return take


def from_packets(victim: End) -> Callable[[list], None]:
    sctp = victim.link._sctp

    def take(packets: list) -> None:
        for view, size in packets:
            sctp.packet(view, size)
        sctp.batch_ended()

    return take


def decrypted(packets: Iterator[bytes]) -> Iterator[tuple[int, int, list]]:
    while some := list(islice(packets, IN_A_TURN)):
        yield len(some), sum(map(len, some)), [(memoryview(bytearray(one)), len(one)) for one in some]


def from_strangers(victim: End) -> Callable[[list], None]:
    agent = victim.link._path.connection
    protocol = agent._nominated[1].protocol

    def take(trains: list) -> None:
        for datagrams, segment, source in trains:
            agent.train_received(protocol, datagrams, segment, source)
        agent.drained()

    return take
