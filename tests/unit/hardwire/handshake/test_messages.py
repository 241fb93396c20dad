# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import WireError
from hardwire.handshake import Message, Role
from hardwire.handshake.messages import M1, M2, M3, M4, SIZES, Proof, bucket, kind_of

SAMPLES = {
    Message.M1: M1(b"k" * 1216, b"c" * 32, b"t" * 32),
    Message.M2: M2(b"k" * 1120, b"n" * 32, b"t" * 32, b"s" * 4112),
    Message.M3: M3(b"s" * 4112),
    Message.M4: M4(b"s" * 48),
}
CLASSES = {Message.M1: M1, Message.M2: M2, Message.M3: M3, Message.M4: M4}


def test_sizes_are_the_protocols():
    assert SIZES == {1: (1281, 1281), 2: (5299, 17_587), 3: (4115, 16_403), 4: (51, 51)}
    assert [len(SAMPLES[kind].encode()) for kind in Message] == [1281, 5299, 4115, 51]


@pytest.mark.parametrize("kind", Message)
def test_each_message_comes_back_and_no_other_length_does(kind):
    data = SAMPLES[kind].encode()
    assert kind_of(data) is kind
    assert CLASSES[kind].parse(data) == SAMPLES[kind]
    for wrong in (data[:-1], data + b"\x00", b"\x05" + data[1:]):
        with pytest.raises(WireError):
            CLASSES[kind].parse(wrong)


@pytest.mark.parametrize("kind", Message)
def test_the_size_is_judged_first(kind):
    low, high = SIZES[kind]
    for size in (low, high):
        assert kind_of(bytes([kind]).ljust(size, b"\x00")) is kind
    for size in (1, low - 1, high + 1):
        with pytest.raises(WireError) as caught:
            kind_of(bytes([kind]).ljust(size, b"\x00"))
        assert caught.value.code == "message-size"


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x05" * 51, b"\xff" * 1281])
def test_other_octets_are_no_message(data):
    with pytest.raises(WireError):
        kind_of(data)


@pytest.mark.parametrize("size, padded", [(1, 4096), (4096, 4096), (4097, 5120), (5120, 5120), (15_582, 16_384)])
def test_buckets(size, padded):
    assert bucket(size) == padded


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("size", [1, 3000, 4500, 15_000])
def test_a_proof_comes_back(role, size):
    nonce = b"n" * 32 if role is Role.INITIATOR else b""
    proof = Proof(nonce, b"c" * size, 0x0403, b"s" * 512, b"f" * 32)
    data = proof.encode()
    assert len(data) % 1024 == 0
    assert Proof.parse(data, role) == proof
    assert data.startswith(proof.head + b"f" * 32)


GOOD = Proof(b"", b"credential", 0x0403, b"signature", b"f" * 32)


@pytest.mark.parametrize(
    "data",
    [
        b"", GOOD.encode()[:-1], GOOD.encode() + bytes(1024), GOOD.encode()[:-1] + b"\x01", GOOD.encode() + b"\x00",
        Proof(b"", b"", 0x0403, b"s", b"f" * 32).encode(), Proof(b"", b"c", 0x0403, b"", b"f" * 32).encode(),
        Proof(b"", b"c", 0x0403, b"s" * 513, b"f" * 32).encode(), Proof(b"", b"c" * 15_001, 0x0403, b"s", b"f" * 32).encode(),
        bytes(4096), b"\xff" * 4096,
    ],
)  # fmt: skip
def test_a_proof_out_of_bounds_is_refused(data):
    with pytest.raises(WireError):
        Proof.parse(data, Role.RESPONDER)


def test_a_proof_of_the_other_role_is_refused():
    with pytest.raises(WireError):
        Proof.parse(Proof(b"\xff" * 32, b"c", 0x0403, b"s", b"f" * 32).encode(), Role.RESPONDER)
