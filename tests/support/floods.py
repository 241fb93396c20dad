# SPDX-License-Identifier: Apache-2.0
"""What a hostile peer, or a stranger, can send by the megabyte: each flood by its name, without end.

Those of :data:`FLOODS` are SCTP packets under the keys of an open line, with the right tag and checksum, so all of it
gets as far as a peer's packets can get. Packets are full ones, 1200 octets: what a flood costs is told for octets on
the wire.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from itertools import islice
from struct import pack

from hardwire.net.rtc.outbound import MOST_OUT
from support.forge import BODY, FIRST, IN_A_TURN, LAST, UNORDERED, Aim, Sealer, again, chunk, data, packed, sack

FULL = BODY - 16
CRUMB = b"x"


def nothing(aim: Aim) -> Iterator[bytes]:
    """The wrong tag: what a packet costs that is dropped."""
    return itertools.repeat(aim.packet(bytes(BODY), tag=aim.tag ^ 1))


def broken(aim: Aim) -> Iterator[bytes]:
    """The wrong checksum."""
    return itertools.repeat(aim.packet(bytes(BODY))[:-1] + b"\x01")


def bulk(aim: Aim, size: int = 65_536) -> Iterator[bytes]:
    """What an honest peer sends: messages of 64 KiB."""
    for place in itertools.count():
        for at in range(0, size, FULL):
            flags = (FIRST if at == 0 else 0) | (LAST if at + FULL >= size else 0)
            yield aim.packet(data(aim.tsn, bytes(min(FULL, size - at)), flags=flags, stream=1, place=place))
            aim.tsn += 1


def over_limit(aim: Aim) -> Iterator[bytes]:
    """A message without an end."""
    for number in itertools.count():
        yield aim.packet(data(aim.tsn + number, bytes(FULL), flags=0 if number else FIRST))


def window_ignored(aim: Aim) -> Iterator[bytes]:
    """The first packet is missing, and all the others come."""
    for number in itertools.count(1):
        yield aim.packet(data(aim.tsn + number, bytes(FULL), flags=0))


def held_again(aim: Aim) -> Iterator[bytes]:
    """As many as the window holds beyond a missing one, again and again."""
    for number in itertools.cycle(range(1, 8000)):
        yield aim.packet(data(aim.tsn + number, bytes(FULL), place=number))


def crumbs(aim: Aim, *, step: int = 1, flags: int = 0, streams: int = 1) -> Iterator[bytes]:
    """Fragments of one octet whose messages never end; the first is missing."""
    return packed(
        aim,
        (
            data(aim.tsn + 1 + number, CRUMB, flags=flags, stream=number % streams)
            for number in itertools.cycle(range(0, 8000, step))
        ),
    )


def crumbs_begun(aim: Aim) -> Iterator[bytes]:
    """The same, from the first one on."""
    return packed(aim, (data(aim.tsn + number, CRUMB, flags=0 if number else FIRST) for number in itertools.count()))


def in_order(aim: Aim, make: Callable[[int], bytes]) -> Iterator[bytes]:
    """Chunks by number, from where the other end is: whoever wants to be heard sends again what was dropped."""
    while True:
        begin = aim.there()
        numbers = itertools.cycle(range(begin, begin + MOST_OUT))
        yield from islice(packed(aim, map(make, numbers)), IN_A_TURN)


def crumb_pairs(aim: Aim) -> Iterator[bytes]:
    """Messages of two octets in two fragments."""
    return in_order(aim, lambda at: data(aim.tsn + at, CRUMB, flags=LAST if at & 1 else FIRST, place=at >> 1))


def small_messages(aim: Aim, size: int = 1) -> Iterator[bytes]:
    """Whole messages of an octet, in order: nothing of it is forbidden."""
    return in_order(aim, lambda at: data(aim.tsn + at, bytes(size), place=at))


def duplicates(aim: Aim, size: int = FULL) -> Iterator[bytes]:
    """One packet that was there long ago."""
    return again(aim, data(aim.tsn - 1, bytes(size)))


def far_ahead(aim: Aim) -> Iterator[bytes]:
    """Numbers that no honest peer has reached."""
    chance = random.Random(1)
    return packed(aim, (data(aim.tsn + chance.randrange(2**30), CRUMB) for _ in itertools.count()))


def holes(aim: Aim, size: int = 1) -> Iterator[bytes]:
    """Every other packet, and then the missing ones in any order, the very first at last: over and over."""
    chance = random.Random(2)

    def chunks() -> Iterator[bytes]:
        while True:
            begin, evens = aim.there(), list(range(1, 3999, 2))
            chance.shuffle(evens)
            for number in [*range(2, 3998, 2), *evens, 0]:
                yield data(aim.tsn + begin + number, bytes(size), place=begin + number)

    return packed(aim, chunks())


def sacks_of_the_future(aim: Aim) -> Iterator[bytes]:
    """Acknowledgements of what was never sent."""
    return again(aim, sack(aim.cumulative + 100_000))


def sack_gaps(aim: Aim) -> Iterator[bytes]:
    """One SACK a packet, with as many gap blocks as fit."""
    most = (BODY - 16) // 4
    blocks = [(2 + 2 * number, 2 + 2 * number) for number in range(most)]
    return itertools.repeat(aim.packet(sack(aim.cumulative, blocks)))


def sack_duplicates(aim: Aim) -> Iterator[bytes]:
    """One SACK a packet, with as many duplicates as fit."""
    return itertools.repeat(aim.packet(sack(aim.cumulative, again=[aim.cumulative] * ((BODY - 16) // 4))))


def parameters(kind: int, value: int = 0) -> Callable[[Aim], Iterator[bytes]]:
    """One chunk a packet, with as many parameters as fit."""
    return lambda aim: again(aim, chunk(kind, pack("!HH", 1, 4 + value) + bytes(value)) if value else _filled(kind))


def _filled(kind: int) -> bytes:
    return chunk(kind, pack("!HH", 1, 4) * ((BODY - 4) // 4))


def tiny(kind: int, body: bytes = b"") -> Callable[[Aim], Iterator[bytes]]:
    """As many chunks of a kind as fit."""
    return lambda aim: again(aim, chunk(kind, body))


def big(kind: int) -> Callable[[Aim], Iterator[bytes]]:
    """One chunk of a kind that fills a packet, with one parameter."""
    return lambda aim: again(aim, chunk(kind, pack("!HH", 1, BODY - 4) + bytes(BODY - 8)))


def resets(aim: Aim) -> Iterator[bytes]:
    """Requests to reset a stream, each a new one."""
    return packed(
        aim,
        (
            chunk(130, pack("!HHLLLHH", 13, 18, (aim.tsn + number) % 2**32, 0, (aim.tsn - 1) % 2**32, 1, 0))
            for number in itertools.count()
        ),
    )


def forward(aim: Aim) -> Iterator[bytes]:
    """Everything is given up, packet by packet."""
    streams = b"".join(pack("!HH", number, 0) for number in range(280))
    for number in itertools.count():
        yield aim.packet(chunk(192, pack("!L", (aim.tsn + number) % 2**32) + streams))


def inits(aim: Aim) -> Iterator[bytes]:
    """The INIT of somebody else, with as many parameters as fit."""
    return itertools.repeat(aim.packet(chunk(1, pack("!LLHHL", 7, 1 << 20, 9, 9, 7) + pack("!HH", 1, 4) * 290), tag=0))


def lengths(aim: Aim) -> Iterator[bytes]:
    """A chunk that says it is empty."""
    return itertools.repeat(aim.packet(bytes(BODY)))


HONEST: dict[str, Callable[[Aim], Iterator[bytes]]] = {
    "nothing: the wrong tag": nothing,
    "nothing: the wrong checksum": broken,
    "honest: messages of 64 KiB": bulk,
    "honest: messages of 400 octets": lambda aim: small_messages(aim, 400),
    "honest: messages of 100 octets": lambda aim: small_messages(aim, 100),
}

FLOODS: dict[str, Callable[[Aim], Iterator[bytes]]] = {
    "a message over the limit": over_limit,
    "the window ignored": window_ignored,
    "the window filled, again and again": held_again,
    "crumbs without a beginning": crumbs,
    "crumbs with gaps": lambda aim: crumbs(aim, step=2),
    "crumbs, unordered": lambda aim: crumbs(aim, flags=UNORDERED),
    "crumbs in both streams": lambda aim: crumbs(aim, streams=2),
    "crumbs in all streams": lambda aim: crumbs(aim, streams=65_535),
    "crumbs without an end": crumbs_begun,
    "crumbs, two a message": crumb_pairs,
    "messages of an octet": small_messages,
    "duplicates": duplicates,
    "duplicates of an octet": lambda aim: duplicates(aim, 1),
    "numbers far ahead": far_ahead,
    "holes": holes,
    "holes in full packets": lambda aim: holes(aim, FULL),
    "SACK of what was never sent": sacks_of_the_future,
    "SACK of gaps": sack_gaps,
    "SACK of duplicates": sack_duplicates,
    "HEARTBEAT": big(4),
    "HEARTBEAT, tiny": tiny(4),
    "HEARTBEAT of parameters": parameters(4),
    "HEARTBEAT ACK": big(5),
    "HEARTBEAT ACK, tiny": tiny(5),
    "RE-CONFIG in a loop": resets,
    "FORWARD TSN": forward,
    "INIT": inits,
    "INIT ACK": big(2),
    "COOKIE ECHO": big(10),
    "COOKIE ECHO, tiny": tiny(10),
    "COOKIE ACK, tiny": tiny(11),
    "ABORT": big(6),
    "SHUTDOWN": tiny(7, bytes(4)),
    "SHUTDOWN ACK, tiny": tiny(8),
    "ERROR, tiny": tiny(9),
    "an unknown chunk": big(0xC7),
    "unknown chunks, tiny": tiny(0xC7),
    "padding": big(0x84),
    "a chunk of no length": lengths,
}


# ------------------------------------------------------------------ datagrams of those who have no keys


def trains(size: int, source: tuple[str, int], make: Callable[[int], bytes]) -> Iterator[tuple[int, int, list]]:
    """Turns of a flood of datagrams of one size; its size comes first."""
    yield size
    for turn in itertools.count():
        many = max(1, 60_000 // size)
        whole = [
            bytearray(b"".join(make(turn * 8 * many + at + one) for one in range(many)))
            for at in range(0, 8 * many, many)
        ]
        yield 8 * many, 8 * many * size, [(memoryview(one), size, source) for one in whole]


STRANGER = ("127.0.0.9", 4242)


def _stun(kind: int, size: int, number: int, *attributes: bytes) -> bytes:
    body = b"".join(attributes)
    room = size - 20 - len(body)
    body += pack("!HH", 0x8022, room - 4) + b"x" * (room - 4) if room >= 4 else b""
    return pack("!HHL", kind, len(body), 0x2112A442) + number.to_bytes(12) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _login(link) -> bytes:
    agent = link._path.connection
    return _attribute(6, f"{agent.local_username}:{agent.remote_username}".encode())


STRANGERS: dict[str, Callable] = {
    "stranger: DTLS records": lambda one, _: trains(
        1200, STRANGER, lambda _: b"\x17\xfe\xfd" + bytes(8) + pack("!H", 1187) + bytes(1187)
    ),
    "stranger: handshakes of DTLS": lambda one, _: trains(
        1200, STRANGER, lambda _: b"\x16\xfe\xff" + bytes(8) + pack("!H", 1187) + b"\x01" + bytes(1186)
    ),
    "stranger: one octet (each 1 octet)": lambda one, _: trains(1, STRANGER, lambda _: b"\x17"),
    "stranger: nothing of STUN": lambda one, _: trains(1200, STRANGER, lambda _: bytes(1200)),
    "stranger: STUN without a name": lambda one, _: trains(1200, STRANGER, lambda n: _stun(1, 1200, n)),
    "stranger: STUN of many attributes": lambda one, _: trains(
        1200, STRANGER, lambda n: _stun(1, 1200, n, _attribute(0x8022, b"") * 280)
    ),
    "stranger: STUN, the wrong password": lambda one, _: trains(
        1200, STRANGER, lambda n: _stun(1, 1200, n, _login(one), _attribute(8, bytes(20)))
    ),
    "stranger: STUN answers": lambda one, _: trains(1200, STRANGER, lambda n: _stun(0x101, 1200, n)),
}


# ------------------------------------------------------------------ datagrams of a peer that has the keys


def sealed(make: Callable[[Sealer, Aim], bytes], *, whole: bool = True) -> Callable:
    """Turns of datagrams that ``make`` makes, each with new numbers."""

    def flood(attacker, victim) -> Iterator:
        sealer, aim = Sealer(attacker), Aim.at(victim._sctp)
        size = len(make(sealer, aim))
        yield size
        many = max(1, 60_000 // size)
        while True:
            turn = [b"".join(make(sealer, aim) for _ in range(many)) for _ in range(8)]
            yield 8 * many, 8 * many * size, [(memoryview(bytearray(one)), size) for one in turn]

    return flood


def repeated(make: Callable[[Sealer, Aim], bytes]) -> Callable:
    """The same datagram for ever."""

    def flood(attacker, victim) -> Iterator:
        one = make(Sealer(attacker), Aim.at(victim._sctp))
        many = max(1, 60_000 // len(one))
        yield len(one)
        turn = [(memoryview(bytearray(one * many)), len(one))] * 8
        while True:
            yield 8 * many, 8 * many * len(one), turn

    return flood


def _small(sealer: Sealer, aim: Aim) -> bytes:
    return sealer(aim.packet(chunk(0xC7)))


DATAGRAMS: dict[str, Callable] = {
    "datagrams of many records": sealed(lambda sealer, aim: b"".join(_small(sealer, aim) for _ in range(22))),
    "datagrams of many empty records": sealed(lambda sealer, _: b"".join(sealer(b"") for _ in range(32))),
    "datagrams of many records of a handshake": sealed(
        lambda sealer, _: b"".join(sealer(bytes(12), 22) for _ in range(24))
    ),
    "records that were there before": repeated(lambda sealer, aim: sealer(aim.packet(bytes(1150)))),
    "records that do not verify": sealed(lambda sealer, aim: sealer(aim.packet(bytes(1150)))[:-1] + b"\x00"),
    "records of no known kind": sealed(lambda sealer, _: sealer(bytes(1160), 60)),
    "warnings": sealed(lambda sealer, _: sealer(b"\x01\x64", 21) * 8),
    "datagrams of nonsense": repeated(lambda *_: b"\x16" * 1200),
    "datagrams of an octet (each 1 octet)": repeated(lambda *_: b"\x17"),
    "a small chunk in a datagram (each 53 octets)": sealed(_small),
    "a record of a handshake in a datagram (each 49 octets)": sealed(lambda sealer, _: sealer(bytes(12), 22)),
    "an empty record in a datagram (each 37 octets)": sealed(lambda sealer, _: sealer(b"")),
}
