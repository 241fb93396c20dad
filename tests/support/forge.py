# SPDX-License-Identifier: Apache-2.0
"""SCTP packets and DTLS records made by hand, for one open line: as a peer could make them who has its keys."""

import hmac
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from struct import pack

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google_crc32c import value as crc32c

from hardwire.net.rtc.fastsctp import FastSctp

PACKET = 1200
BODY = PACKET - 12
IN_A_TURN = 400
"""Packets that the socket hands on in one turn of the loop."""
FIRST, LAST, UNORDERED = 2, 1, 4
NUMBERS = itertools.count((1 << 48) + (1 << 32))
"""Of records: epoch 1, and far beyond those that OpenSSL has sent."""
BINARY = 53


@dataclass
class Aim:
    """What the peer of an association knows of it."""

    tag: int
    tsn: int
    cumulative: int
    there: Callable[[], int]
    port: int = 5000

    @classmethod
    def at(cls, sctp: FastSctp) -> "Aim":
        """``there`` tells how many packets in a row have arrived since, as SACKs would."""
        begin, out = sctp._in.cumulative, sctp._out
        return cls(
            sctp._local_verification_tag,
            (sctp._in.tsn + 1) % 2**32,
            out.tsn(out.cumulative),
            lambda: sctp._in.cumulative - begin,
        )

    def packet(self, chunks: bytes, tag: int | None = None) -> bytes:
        head = pack("!HHL", self.port, self.port, self.tag if tag is None else tag)
        return head + pack("<L", crc32c(head + bytes(4) + chunks)) + chunks


def chunk(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    return pack("!BBH", kind, flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def data(tsn: int, octets: bytes, *, flags: int = FIRST | LAST, stream: int = 0, place: int = 0) -> bytes:
    return chunk(0, pack("!LHHL", tsn % 2**32, stream, place % 2**16, BINARY) + octets, flags)


def sack(tsn: int, gaps: Iterable[tuple[int, int]] = (), again: Iterable[int] = (), window: int = 1 << 20) -> bytes:
    blocks, tsns = list(gaps), list(again)
    words = b"".join(pack("!HH", *one) for one in blocks) + b"".join(pack("!L", one % 2**32) for one in tsns)
    return chunk(3, pack("!LLHH", tsn % 2**32, window, len(blocks), len(tsns)) + words)


def packed(aim: Aim, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """As many chunks as fit into each packet."""
    body = b""
    for one in chunks:
        if len(body) + len(one) > BODY:
            yield aim.packet(body)
            body = b""
        body += one
    if body:
        yield aim.packet(body)


def again(aim: Aim, *chunks: bytes) -> Iterator[bytes]:
    """The same chunks in every packet, as often as they fit."""
    whole = b"".join(chunks)
    return itertools.repeat(aim.packet(whole * (BODY // len(whole))))


class Sealer:
    """Records of DTLS 1.2 under the keys of an open line, made by hand: OpenSSL would not make such."""

    def __init__(self, link) -> None:
        connection = link._dtls._ssl
        seed = b"key expansion" + connection.server_random() + connection.client_random()
        master, block, a = connection.master_key(), b"", seed
        while len(block) < 40:
            a = hmac.digest(master, a, "sha256")
            block += hmac.digest(master, a + seed, "sha256")
        own = 1 if link._dtls._role == "server" else 0
        self._key = AESGCM(block[16 * own : 16 * own + 16])
        self._salt = block[32 + 4 * own : 36 + 4 * own]

    def __call__(self, content: bytes, kind: int = 23) -> bytes:
        number = next(NUMBERS).to_bytes(8)
        head = pack("!BH", kind, 0xFEFD)
        sealed = self._key.encrypt(self._salt + number, content, number + head + pack("!H", len(content)))
        return head + number + pack("!H", 8 + len(sealed)) + number + sealed
