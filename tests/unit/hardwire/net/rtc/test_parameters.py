# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from aiortc import rtcsctptransport
from aiortc.rtcsctptransport import HeartbeatChunk, InitChunk, encode_params, parse_packet, serialize_packet
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from hardwire.errors import LocalError
from hardwire.net.rtc import parameters, selftest
from support.links import open_pair


def packet(kind: int, body: bytes, tag: int = 0) -> bytes:
    chunk = struct.pack("!BBH", kind, 0, 4 + len(body)) + body
    head = struct.pack("!HHL", 5000, 5000, tag)
    return head + struct.pack("<L", crc32c(head + bytes(4) + chunk)) + chunk


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", [HeartbeatChunk.type, 5, 6, 9, 130])
@pytest.mark.parametrize("length", [0, 1, 3, 5, 0xFFFF])
def test_a_parameter_that_leads_nowhere_is_no_packet(kind, length):
    with pytest.raises(ValueError, match="parameter of"):
        parse_packet(packet(kind, struct.pack("!HH", 1, length)))


@pytest.mark.timeout(10)
def test_nor_does_one_behind_a_good_one_or_in_an_init():
    body = struct.pack("!LLHHL", 1, 2, 3, 4, 5) + struct.pack("!HH4s", 7, 8, b"good") + bytes(4)
    with pytest.raises(ValueError, match="parameter of 0"):
        parse_packet(packet(InitChunk.type, body))


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=6))
def test_honest_parameters_are_read_as_they_were_written(params):
    assert parameters.decode_params(encode_params(params)) == params


@pytest.mark.timeout(20)
async def test_a_line_outlives_such_a_packet():
    async with open_pair() as (first, second):
        sctp = first.link._sctp
        await first.link._dtls._send_data(packet(HeartbeatChunk.type, bytes(4), sctp._remote_verification_tag))
        first.link.send(0, b"after it")
        await second.events.until(lambda: second.events.messages == [(0, b"after it")])
        assert len(serialize_packet(1, 2, 3, HeartbeatChunk())) == 16


def test_without_it_no_line_is_opened(monkeypatch):
    monkeypatch.setattr(rtcsctptransport, "decode_params", lambda body: [])
    with pytest.raises(LocalError, match="parameters"):
        selftest._check_names()
