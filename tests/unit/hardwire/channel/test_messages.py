# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel import messages as m
from hardwire.channel.records import PAYLOAD_MAX
from hardwire.errors import Misuse, WireError

ID = bytes(range(16))


def test_chat():
    payload = m.encode_chat(ID, "grüß dich\n")
    assert payload == ID + "grüß dich\n".encode()
    assert m.decode_chat(payload) == (ID, "grüß dich\n")
    assert m.decode_chat(ID + b"x" * m.TEXT_MAX) == (ID, "x" * m.TEXT_MAX)
    for payload in (b"", ID[:-1], ID, ID + b"\xff", ID + b"\xed\xa0\x80", ID + b"x" * (m.TEXT_MAX + 1)):
        with pytest.raises(WireError):
            m.decode_chat(payload)
    for identity, text in [(ID[1:], "x"), (ID, ""), (ID, "x" * (m.TEXT_MAX + 1)), (ID, "\ud800")]:
        with pytest.raises(Misuse):
            m.encode_chat(identity, text)


def test_small_payloads():
    assert m.decode_acks(ID) == (ID,)
    assert m.decode_acks(ID * 15) == (ID,) * 15
    assert m.decode_verification(b"\x01") is True
    assert m.decode_verification(b"\x00") is False
    assert [m.decode_close(bytes([n])) for n in range(4)] == list(m.CloseReason)
    m.decode_empty(b"")
    for decode, payload in [
        (m.decode_acks, ID + b"x"), (m.decode_acks, ID[1:]), (m.decode_acks, b""), (m.decode_acks, ID * 16),
        (m.decode_verification, b""), (m.decode_verification, b"\x02"), (m.decode_verification, b"\x01\x01"),
        (m.decode_close, b""), (m.decode_close, b"\x04"), (m.decode_close, b"\x00\x00"),
        (m.decode_empty, b"\x00"),
    ]:  # fmt: skip
        with pytest.raises(WireError):
            decode(payload)


def test_chunks_fill_a_frame():
    assert len(m.chunk_head(1, 2)) == m.CHUNK_HEAD.size
    assert m.CHUNK_SIZE + m.CHUNK_HEAD.size == PAYLOAD_MAX
    assert m.decode_chunk(m.chunk_head(7, 1 << 40) + b"data") == m.Chunk(7, 1 << 40, b"data")
    with pytest.raises(WireError):
        m.decode_chunk(bytes(11))


def test_rekey_payloads():
    init, ack = m.RekeyInit(3, b"p" * 1216), m.RekeyAck(3, b"c" * 1120)
    assert init.encode() == b"\x00\x00\x00\x03" + b"p" * 1216
    assert m.decode_rekey_init(init.encode()) == init
    assert m.decode_rekey_ack(ack.encode()) == ack
    for decode, payload in [(m.decode_rekey_init, init.encode()), (m.decode_rekey_ack, ack.encode())]:
        for wrong in (payload[:-1], payload + b"\x00", b""):
            with pytest.raises(WireError):
                decode(wrong)


def test_code_points():
    assert {kind.name: kind.value for kind in m.Kind} == {
        "CHAT": 0x01, "FILE": 0x02, "CHUNK": 0x03, "ACK": 0x04, "KEEPALIVE": 0x05, "DUMMY": 0x06, "VERIFICATION": 0x07,
        "PATH": 0x09, "LANE": 0x0A, "NEXT": 0x0B,
        "CLOSE": 0x0F, "REKEY_INIT": 0xF0, "REKEY_ACK": 0xF1, "REKEY_FIN": 0xF2, "REKEY_REQUEST": 0xF3,
    }  # fmt: skip
