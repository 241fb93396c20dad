# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc.datagrams import MAX_DATA, MAX_DATAGRAM, is_readable
from support.links import open_pair

DATA, HANDSHAKE, ALERT = 23, 22, 21


def record(kind: int, size: int) -> bytes:
    return bytes([kind, 0xFE, 0xFD]) + bytes(8) + size.to_bytes(2) + bytes(size)


def test_one_record_of_data_that_one_read_takes_whole():
    assert is_readable(record(DATA, 1200))
    assert is_readable(record(DATA, MAX_DATA - 13))
    assert not is_readable(record(DATA, MAX_DATA - 12))


def test_no_two_and_none_behind_something_else():
    for first in (DATA, HANDSHAKE, ALERT, 20, 63):
        assert not is_readable(record(first, 10) + record(DATA, 10))
        assert not is_readable(record(first, 0) + record(HANDSHAKE, 10) + record(DATA, 10))


def test_a_flight_may_share_a_datagram():
    assert is_readable(record(HANDSHAKE, 300) + record(20, 1) + record(HANDSHAKE, 40))


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x80" * 40, b"\x17", record(DATA, 40)[:-1], b"\x16" * MAX_DATAGRAM + b"x"]
)
def test_what_is_none_of_dtls(data):
    assert not is_readable(data)


@given(st.binary(max_size=200))
def test_any_octets_have_an_answer(data):
    assert is_readable(data) in {True, False}


async def test_nothing_piles_up_behind_a_peer_that_packs_its_records():
    async with open_pair() as (first, second):
        connection, pair = first.link._dtls._ssl, first.link._path.connection._nominated[1]
        for _ in range(20):
            packed = b""
            for _ in range(12):
                connection.send(bytes(1200))
                packed += connection.bio_read(65_536)
            pair.protocol.transport.sendto(packed, pair.remote_addr)
        first.link.send(0, b"after it")
        await second.events.until(lambda: second.events.messages == [(0, b"after it")])
