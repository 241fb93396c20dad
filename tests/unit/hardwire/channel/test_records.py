# SPDX-License-Identifier: Apache-2.0
import copy
import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hardwire.channel.ratchet import Epoch
from hardwire.channel.records import BUCKETS, FRAME_MAX, HEADER, PAYLOAD_MAX, RecordLayer, bucket_of
from hardwire.errors import Misuse, RecordRefused
from hardwire.handshake import Role
from vectors import check_records

SECRET = bytes(range(32))


def pair():
    return RecordLayer(Role.INITIATOR, Epoch(0, SECRET)), RecordLayer(Role.RESPONDER, Epoch(0, SECRET))


def code(layer, channel, data):
    with pytest.raises(RecordRefused) as caught:
        layer.open(channel, data)
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 251, 252, 507, 508, 4091, 32_763, 32_764, PAYLOAD_MAX])
def test_what_is_sealed_opens(size):
    sender, receiver = pair()
    payload = bytes(index & 0xFF for index in range(size))
    for channel in (0, 1):
        frame = sender.seal(channel, 0x42, payload[:10], payload[10:])
        record = receiver.open(channel, frame)
        assert (record.kind, record.payload, record.moved) == (0x42, payload, False)
        assert len(frame) - 32 in BUCKETS
        assert len(frame) - 32 == bucket_of(size)


def test_prepared_keys_change_no_frame_and_no_answer():
    for size in (0, 5000):
        frames = []
        for prepared in (False, True):
            sender, receiver = pair()
            for layer in (sender, receiver) * prepared:
                layer.prepare(0)
            frames.append([sender.seal(0, 1, bytes(size)), sender.seal(0, 1), sender.seal(1, 3)])
            assert [receiver.open(number // 2, frame).kind for number, frame in enumerate(frames[-1])] == [1, 1, 3]
        assert frames[0] == frames[1]


def test_a_key_is_prepared_once_and_its_chain_value_is_gone():
    layer, _ = pair()
    position = layer._outgoing[0]
    layer.prepare(0)
    after = Epoch(0, SECRET).chain(Role.INITIATOR, 0)
    after.step()
    assert position.chain._secret == after._secret
    kept = position.prepared
    layer.prepare(0)
    assert position.prepared is kept
    layer.seal(0, 1)
    assert position.prepared is None
    assert position.chain._secret == after._secret


def test_prepared_keys_are_erased_with_the_others():
    following = Epoch(0, SECRET).following(bytes(32), b"", b"")
    for erase in (
        lambda layer: layer.erase(),
        lambda layer: (layer.advance(0, following), layer.enter(0)),
        lambda layer: (layer.advance(0, following), layer.drop_old(0)),
    ):
        layer, _ = pair()
        layer.expect(following)
        layer.prepare(0)
        erase(layer)
        assert layer._outgoing[0].prepared is layer._incoming[0].prepared is None
    layer.prepare(0)  # nothing, where there is no key
    assert layer._incoming[0].prepared is None


def test_a_frame_has_at_most_64_kib():
    sender, _ = pair()
    assert len(sender.seal(1, 3, bytes(PAYLOAD_MAX))) == FRAME_MAX == 65_536
    with pytest.raises(Misuse, match="at most 65499"):
        sender.seal(1, 3, bytes(PAYLOAD_MAX + 1))


def test_the_header_is_as_written():
    sender, _ = pair()
    sender.seal(1, 3)
    assert sender.seal(1, 3)[:16] == bytes.fromhex("01 10 0001 00000000 0000000000000001")


def test_each_changed_octet_is_refused():
    sender, receiver = pair()
    frame = sender.seal(0, 1, b"hello")
    for index in range(len(frame)):
        for bit in (0x01, 0x80):
            changed = bytearray(frame)
            changed[index] ^= bit
            # A layer is dead after an error, so each attempt gets one of its own.
            fresh = pair()[1]
            assert code(fresh, 0, bytes(changed)) in {
                "frame-header", "frame-channel", "frame-epoch", "frame-sequence", "frame-forged",
            }  # fmt: skip
    assert receiver.open(0, frame).payload == b"hello"


def test_replay_gap_reorder_and_other_places():
    sender, receiver = pair()
    frames = [sender.seal(0, 1, bytes([n])) for n in range(3)]
    assert code(pair()[1], 0, frames[1]) == "frame-sequence"
    receiver.open(0, frames[0])
    assert code(receiver, 0, frames[0]) == "frame-sequence"
    assert code(pair()[1], 1, frames[0]) == "frame-channel"
    assert code(pair()[1], 2, frames[0]) == "frame-channel"
    assert code(pair()[0], 0, frames[0]) == "frame-forged"  # reflected to its sender


@pytest.mark.parametrize("size", [0, 1, 15, 287, 289, 65_535, 65_537, 1 << 20])
def test_no_other_size_is_looked_at(size):
    assert code(pair()[1], 0, bytes(size)) == "frame-size"


def test_a_truncated_or_extended_frame_is_refused():
    frame = pair()[0].seal(0, 1, b"x" * 300)
    assert len(frame) == 544
    assert code(pair()[1], 0, frame[:-1]) == "frame-size"
    assert code(pair()[1], 0, frame[:288]) == "frame-forged"
    assert code(pair()[1], 0, frame + bytes(512)) == "frame-forged"


@pytest.mark.parametrize(
    "size,rest",
    [
        (251, bytes(507)),  # would have fitted the bucket below
        (508, bytes(507)),  # longer than its bucket
        (0xFFFF_FFFF, bytes(507)),
        (300, bytes(506) + b"\x01"),  # the last octet of the padding
        (300, bytes(300) + b"\x80" + bytes(206)),  # the first one
    ],
)
def test_padding_is_exact(size, rest):
    header = HEADER.pack(1, 0x10, 0, 0, 0)
    key, iv = Epoch(0, SECRET).chain(Role.INITIATOR, 0).step()
    frame = header + AESGCM(key).encrypt(iv, b"\x01" + size.to_bytes(4) + rest, header)
    assert len(frame) == 544
    assert code(pair()[1], 0, frame) == "frame-padding"


def test_two_epochs_for_a_channel_until_it_moves():
    sender, receiver = pair()
    late = sender.seal(1, 3, b"late")
    ours, theirs = (Epoch(0, SECRET).following(b"s" * 32, b"", b"") for _ in range(2))
    receiver.expect(theirs)
    assert receiver.behind == (0, 1)
    sender.advance(0, ours)
    sender.advance(1, ours)
    assert receiver.open(0, sender.seal(0, 0xF2)).moved
    assert receiver.behind == (1,)
    with pytest.raises(Misuse, match="not reached"):
        receiver.expect(theirs)
    assert not receiver.open(1, late).moved
    assert receiver.open(1, sender.seal(1, 0xF2)).moved
    assert not receiver.open(1, sender.seal(1, 3)).moved
    assert receiver.behind == ()
    assert code(receiver, 1, late) == "frame-epoch"


def test_an_expected_epoch_starts_at_frame_zero():
    sender, receiver = pair()
    receiver.expect(Epoch(0, SECRET).following(b"s" * 32, b"", b""))
    sender.advance(0, Epoch(0, SECRET).following(b"s" * 32, b"", b""))
    sender.seal(0, 0xF2)
    assert code(receiver, 0, sender.seal(0, 1)) == "frame-sequence"


def test_entering_needs_an_expected_epoch():
    with pytest.raises(Misuse, match="no epoch"):
        pair()[0].enter(0)


def test_a_captured_state_opens_no_earlier_frame():
    sender, receiver = pair()
    earlier = sender.seal(0, 1, b"earlier")
    receiver.open(0, earlier)
    captured = copy.deepcopy(receiver)
    captured._incoming[0].seq = 0
    assert code(captured, 0, earlier) == "frame-forged"


def test_an_old_epoch_is_closed_with_the_move():
    sender, receiver = pair()
    earlier = sender.seal(0, 1, b"earlier")
    old_chain = receiver._incoming[0].chain
    receiver.expect(Epoch(0, SECRET).following(b"s" * 32, b"", b""))
    receiver.enter(0)
    with pytest.raises(Misuse):
        old_chain.step()
    assert code(receiver, 0, earlier) == "frame-epoch"


def test_erased_layers_do_nothing():
    sender, receiver = pair()
    frame = sender.seal(0, 1)
    following = Epoch(0, SECRET).following(b"s" * 32, b"", b"")
    receiver.expect(following)
    sender.erase()
    receiver.erase()
    with pytest.raises(Misuse):
        sender.seal(0, 1)
    with pytest.raises(Misuse):
        receiver.open(0, frame)
    with pytest.raises(Misuse):
        following.chain(Role.INITIATOR, 0).step()


def test_vectors_agree_with_an_independent_reading():
    assert check_records.verify(check_records.load()) == 44


def test_vectors_are_what_the_code_makes():
    vector = check_records.load()
    secret = bytes.fromhex(vector["epoch_secret"])
    layers = {role.value: RecordLayer(role, Epoch(0, secret)) for role in Role}
    for entry in vector["frames"][:22]:
        frame = layers[entry["role"]].seal(
            entry["channel"], entry["kind"], bytes(n & 0xFF for n in range(entry["size"]))
        )
        if "frame" in entry:
            assert frame.hex() == entry["frame"]
        else:
            assert hashlib.sha256(frame).hexdigest() == entry["frame_sha256"]


@pytest.mark.parametrize("version,frame_type", [(2, 0x10), (1, 0x11), (0, 0x10)])
def test_another_version_or_type_is_refused_even_when_well_sealed(version, frame_type):
    header = HEADER.pack(version, frame_type, 0, 0, 0)
    key, iv = Epoch(0, SECRET).chain(Role.INITIATOR, 0).step()
    frame = header + AESGCM(key).encrypt(iv, bytes(256), header)
    assert code(pair()[1], 0, frame) == "frame-header"
