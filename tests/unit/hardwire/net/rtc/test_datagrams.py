# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc.datagrams import MAX_DATA, MAX_DATAGRAM, all_records, is_dtls, is_framed, is_readable
from support.links import open_pair

DATA, HANDSHAKE, ALERT = 23, 22, 21


def record(kind: int, size: int, version: int = 0xFEFD) -> bytes:
    return bytes([kind]) + version.to_bytes(2) + bytes(8) + size.to_bytes(2) + bytes(size)


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


def test_a_flight_has_so_many_records():
    assert is_readable(record(HANDSHAKE, 0) * 8)
    assert not is_readable(record(HANDSHAKE, 0) * 9)


def test_when_it_is_connected_a_record_of_data_may_be_large():
    assert is_framed(record(DATA, 16_000))
    assert not is_framed(record(DATA, 10) * 2)


def test_of_an_older_version_may_be_what_begins_a_connection():
    assert is_readable(record(HANDSHAKE, 200, 0xFEFF))
    assert not is_framed(record(HANDSHAKE, 200, 0xFEFF))


@pytest.mark.parametrize("version", [0, 0xFEFF, 0xFEFC, 0xFDFD, 0x0303])
def test_another_version_would_be_a_header_without_a_body(version):
    data = record(DATA, 1200, version)
    assert not is_framed(data)
    assert not is_readable(data)
    assert not all_records(memoryview(data), len(data))
    assert not is_framed(record(HANDSHAKE, 40) + record(HANDSHAKE, 40, version))
    for place in range(3):
        train = [record(DATA, 1200)] * 3
        train[place] = data
        assert not all_records(memoryview(b"".join(train)), 1213)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x80" * 40, b"\x17", record(DATA, 40)[:-1], b"\x16" * MAX_DATAGRAM + b"x"]
)
def test_what_is_none_of_dtls(data):
    assert not is_readable(data)


@given(st.binary(max_size=200))
def test_any_octets_have_an_answer(data):
    assert is_readable(data) in {True, False}


@pytest.mark.parametrize("count, last", [(1, 1200), (20, 1200), (20, 300), (3, 1)])
def test_a_train_of_whole_records_is_read_in_one_go(count, last):
    whole = record(DATA, 1200) * (count - 1) + record(DATA, last)
    assert all_records(memoryview(whole), 1213)


@pytest.mark.parametrize(
    "data, whole",
    [
        (record(DATA, 1), True),
        (record(DATA, 0), False),
        (record(HANDSHAKE, 40), False),
        (record(DATA, 40, 0xFEFF), False),
        (record(DATA, 40)[:-1], False),
        (record(DATA, 40) + b"x", False),
        (record(DATA, 40)[:12], False),
        (record(DATA, MAX_DATAGRAM), False),
    ],
)
def test_a_datagram_on_its_own(data, whole):
    assert all_records(memoryview(data), len(data)) is whole


@pytest.mark.parametrize("place, value", [(0, HANDSHAKE), (1213, ALERT), (12, 7), (1213 + 11, 9), (2426 + 12, 1)])
def test_a_train_with_anything_else_in_it_is_not(place, value):
    whole = bytearray(record(DATA, 1200) * 3)
    whole[place] = value
    assert not all_records(memoryview(whole), 1213)


@pytest.mark.parametrize("whole, segment", [(b"", 0), (b"", 40), (record(DATA, 40) + b"\x17", 53), (b"\x17" * 13, 13)])
def test_a_stump_at_the_end_is_no_record(whole, segment):
    assert not all_records(memoryview(whole), segment)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_train_has_an_answer(data, segment):
    assert all_records(memoryview(data), segment) in {True, False}


def test_what_dtls_may_be():
    assert is_dtls(b"\x14")
    assert not is_dtls(b"")
    assert not is_dtls(b"\x13" * 20)
    assert not is_dtls(b"\x17" * (MAX_DATAGRAM + 1))


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
