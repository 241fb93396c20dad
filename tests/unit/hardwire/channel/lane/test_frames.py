# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hardwire.channel.bulk import PATH_CHUNK_MAX
from hardwire.channel.lane import frames
from hardwire.channel.lane.frames import (
    BUCKETS,
    CHUNK_HEAD,
    HEAD_SIZE,
    PAYLOAD_MAX,
    PREFIX,
    LaneKind,
    LaneOpener,
    LaneRecord,
    LaneSealer,
    bucket_number,
)
from hardwire.channel.lane.keys import LaneKeys, lane_root, lane_secret
from hardwire.channel.ratchet import Chain
from hardwire.errors import Misuse, RecordRefused
from hardwire.handshake import Role
from vectors import check_lane

SECRET = bytes(range(32))


def ends():
    return LaneSealer(Chain(SECRET)), LaneOpener(Chain(SECRET))


def feed(opener, stream):
    """Give a stream to an opener, block by block; the records, or the code of what refused it."""
    records, position = [], 0
    while position + opener.wants <= len(stream):
        block = stream[position : position + opener.wants]
        position += len(block)
        try:
            record = opener.receive(block)
        except RecordRefused as error:
            return error.code
        if record is not None:
            records.append((record.kind, bytes(record.payload)))
    assert position == len(stream)
    return records


def sealed_by_hand(plain, number=0, *, skip=0):
    """A frame of any octets, sealed as the document says."""
    chain = Chain(SECRET)
    for _ in range(skip):
        chain.step()
    key, iv = chain.step()
    second = iv[:-1] + bytes([iv[-1] ^ 1])
    return AESGCM(key).encrypt(iv, bytes([number]), None) + AESGCM(key).encrypt(second, plain, None)


@pytest.mark.parametrize("size", [0, 1, 251, 252, 1019, 1020, 65_531, 65_532, PATH_CHUNK_MAX, PAYLOAD_MAX])
def test_what_goes_in_comes_out_in_the_smallest_bucket(size):
    sealer, opener = ends()
    payload = bytes(n % 251 for n in range(size))
    frame = bytes(sealer.seal(LaneKind.CHUNK, payload[:7], memoryview(payload)[7:]))
    bucket = min(bucket for bucket in BUCKETS if bucket >= size + 5)
    assert len(frame) == HEAD_SIZE + bucket + 16
    assert feed(opener, frame) == [(LaneKind.CHUNK, payload)]
    assert opener.between_frames


def test_frames_in_a_row_use_memory_again_and_keys_never():
    sealer, opener = ends()
    stream = b"".join(bytes(sealer.seal(LaneKind.CHUNK, bytes([n]) * (600 >> n))) for n in range(4))
    assert feed(opener, stream) == [(LaneKind.CHUNK, bytes([n]) * (600 >> n)) for n in range(4)]
    assert sealer.sealed == 4
    one, two = (bytes(sealer.seal(LaneKind.END)) for _ in range(2))
    assert one != two


def test_nothing_in_a_frame_stands_still():
    streams = [bytes(LaneSealer(Chain(bytes([n]) * 32)).seal(LaneKind.TAKEN)) for n in range(64)]
    assert all(len({one[place] for one in streams}) > 40 for place in range(len(streams[0])))


@pytest.mark.parametrize("place", [0, 16, 17, 100, 17 + 256, 17 + 256 + 15])
def test_an_octet_that_was_changed(place):
    sealer, opener = ends()
    frame = bytearray(sealer.seal(LaneKind.CHUNK, b"octets"))
    frame[place] ^= 0x10
    assert feed(opener, bytes(frame)) == "lane-forged"
    with pytest.raises(Misuse):
        opener.receive(bytes(opener.wants))  # its keys are gone


def test_frames_that_are_repeated_left_out_or_out_of_place():
    sealer, _ = ends()
    first, second, third = (bytes(sealer.seal(LaneKind.CHUNK, bytes([n]))) for n in range(3))
    for stream in (first + first, second, first + third, second + first):
        assert feed(LaneOpener(Chain(SECRET)), stream) == "lane-forged"
    assert feed(LaneOpener(Chain(bytes(32))), first) == "lane-forged"


def test_a_head_of_one_frame_and_the_body_of_another():
    sealer, opener = ends()
    one = bytes(sealer.seal(LaneKind.CHUNK, b"one"))
    two = bytes(sealer.seal(LaneKind.CHUNK, b"two"))
    assert feed(opener, one[:HEAD_SIZE] + two[HEAD_SIZE:]) == "lane-forged"


@pytest.mark.parametrize(
    "plain, number, code",
    [
        (PREFIX.pack(3, 1) + b"x" + bytes(250), 7, "lane-frame"),
        (PREFIX.pack(3, 1) + b"x" + bytes(249) + b"\1", 0, "lane-padding"),
        (PREFIX.pack(3, 252) + bytes(251), 0, "lane-padding"),
        (PREFIX.pack(3, 1) + b"x" + bytes(1018), 1, "lane-padding"),
        (PREFIX.pack(3, PAYLOAD_MAX + 1) + bytes(251), 0, "lane-padding"),
        (PREFIX.pack(4, 0) + bytes(251), 0, "lane-frame"),
    ],
    ids=["no such bucket", "padding not zero", "longer than its bucket", "bucket too large", "longer than any", "kind"],
)
def test_what_no_honest_peer_seals(plain, number, code):
    frame = sealed_by_hand(plain, number)
    opener = LaneOpener(Chain(SECRET))
    assert feed(opener, frame if number < len(BUCKETS) else frame[:HEAD_SIZE]) == code
    with pytest.raises(Misuse):
        opener.receive(bytes(opener.wants))


def test_a_lane_carries_so_many_frames_and_no_more(monkeypatch):
    monkeypatch.setattr(frames, "FRAMES_MAX", 2)
    sealer, opener = ends()
    for _ in range(2):
        assert len(feed(opener, bytes(sealer.seal(LaneKind.TAKEN)))) == 1
    with pytest.raises(Misuse, match="no more"):
        sealer.seal(LaneKind.END)
    beyond = sealed_by_hand(PREFIX.pack(0x0F, 0) + bytes(251), skip=2)
    assert feed(opener, beyond[:HEAD_SIZE]) == "lane-frames"


def test_chunks():
    record = LaneRecord(LaneKind.CHUNK, memoryview(CHUNK_HEAD.pack(7, 1 << 40) + b"data"))
    transfer, offset, data = record.chunk()
    assert (transfer, offset, bytes(data)) == (7, 1 << 40, b"data")
    assert "data" not in repr(record)
    for wrong in (LaneRecord(LaneKind.CHUNK, memoryview(bytes(11))), LaneRecord(LaneKind.END, memoryview(bytes(12)))):
        with pytest.raises(RecordRefused) as caught:
            wrong.chunk()
        assert caught.value.code == "lane-frame"


def test_what_the_caller_may_not_ask():
    sealer, opener = ends()
    with pytest.raises(Misuse):
        sealer.seal(LaneKind.CHUNK, bytes(PAYLOAD_MAX + 1))
    with pytest.raises(Misuse):
        opener.receive(bytes(opener.wants - 1))
    assert bucket_number(PAYLOAD_MAX) == len(BUCKETS) - 1
    sealer.erase()
    with pytest.raises(Misuse):
        sealer.seal(LaneKind.END)


def test_vectors_agree_with_an_independent_reading():
    assert check_lane.verify(check_lane.load()) == 34


def test_vectors_are_what_the_code_makes():
    vector = check_lane.load()
    root = lane_root(bytes.fromhex(vector["epoch_secret"]))
    assert root.hex() == vector["lane_root"]
    for entry in vector["connections"]:
        secret = lane_secret(root, bytes.fromhex(vector["shared"]), entry["lane"], b"\x11" * 1216, b"\x22" * 1120)
        dialler = Role(entry["dialler"])
        listener = Role.RESPONDER if dialler is Role.INITIATOR else Role.INITIATOR
        hello, reply = bytes.fromhex(entry["hello"]), bytes.fromhex(entry["reply"])
        made, there = LaneKeys(listener, secret).answer(hello, reply[:32])
        assert made == reply
        here = LaneKeys(dialler, secret).complete(hello[:32], reply)
        for role, keys in ((dialler, here), (listener, there)):
            sealer = LaneSealer(keys.outgoing)
            for one in entry["frames"][role.value]:
                frame = sealer.seal(LaneKind(one["kind"]), bytes(n & 0xFF for n in range(one["size"])))
                shown = frame.hex() if "frame" in one else hashlib.sha256(frame).hexdigest()
                assert shown == one.get("frame", one.get("frame_sha256"))
