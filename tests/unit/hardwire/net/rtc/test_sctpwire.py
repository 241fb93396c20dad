# SPDX-License-Identifier: Apache-2.0
import pytest
from aiortc.rtcsctptransport import HeartbeatChunk, SackChunk, parse_packet, serialize_packet

from hardwire.net.rtc.sctpwire import COMMON_SIZE, MOST_GAPS, close_packet, open_packet, put_sack, read_gaps


def test_packets_are_those_of_aiortc():
    theirs = serialize_packet(5000, 5001, 0x01020304, HeartbeatChunk())
    view = memoryview(bytearray(100))
    view[COMMON_SIZE : len(theirs)] = theirs[COMMON_SIZE:]
    close_packet(view, len(theirs), ports=(5000, 5001), tag=0x01020304)
    assert bytes(view[: len(theirs)]) == theirs
    opened = open_packet(view, len(theirs))
    assert opened == theirs[:8] + bytes(4) + theirs[12:]


@pytest.mark.parametrize("place", range(16))
def test_a_flipped_bit_or_a_stump_is_no_packet(place):
    theirs = bytearray(serialize_packet(5000, 5001, 1, HeartbeatChunk()))
    theirs[place] ^= 1
    assert open_packet(memoryview(theirs), len(theirs)) is None
    assert open_packet(memoryview(bytearray(16)), place) is None


@pytest.mark.parametrize("gaps, duplicates", [([], []), ([(2, 3), (5, 5)], []), ([(2, 65_535)], [1, 2**32 - 1])])
def test_sacks_are_read_as_they_were_written(gaps, duplicates):
    view = memoryview(bytearray(200))
    end = put_sack(view, COMMON_SIZE, tsn=7, window=100_000, gaps=gaps, duplicates=duplicates)
    close_packet(view, end, ports=(1, 2), tag=3)
    chunk = parse_packet(bytes(view[:end]))[3][0]
    assert isinstance(chunk, SackChunk)
    assert (chunk.cumulative_tsn, chunk.advertised_rwnd) == (7, 100_000)
    assert (chunk.gaps, chunk.duplicates) == (gaps, duplicates)
    assert read_gaps(bytes(view), COMMON_SIZE + 16, len(gaps)) == gaps


def test_no_more_gaps_are_looked_at_than_we_would_send():
    assert len(read_gaps(bytes(20_000), 0, 4000)) == MOST_GAPS
