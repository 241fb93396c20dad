# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from hardwire.channel import filecontrol as f
from hardwire.channel.filecontrol import Offer, StopReason, TransferKind
from hardwire.errors import Misuse, WireError

HASH = bytes(range(32))
OFFER = Offer(TransferKind.FILE, 5, 1, 21, HASH, "é.txt")
HEX = "01 00000001 01 0000000000000005 00000001 00000000 00000015" + HASH.hex()

CONTROLS = [
    (f.FileOffer(1, OFFER), HEX + "06 c3a92e747874"),
    (
        f.FileOffer(1, replace(OFFER, kind=TransferKind.DIRECTORY, files=2, directories=3, name="a")),
        "01 00000001 02 0000000000000005 00000002 00000003 00000015" + HASH.hex() + "01 61",
    ),
    (f.FileAccept(2, f.WINDOW_MAX, 7), "02 00000002 04000000 0000000000000007"),
    (f.FileDecline(3, StopReason.NO_SPACE), "03 00000003 01"),
    (f.FileWritten(4, 9), "04 00000004 0000000000000009"),
    (f.FileConfirm(5, ok=True), "05 00000005 01"),
    (f.FileConfirm(5, ok=False), "05 00000005 00"),
    (f.FileCancel(6, StopReason.FAILED), "06 00000006 05"),
    (f.FilePause(7, on=True), "07 00000007 01"),
    (f.FileFinish(8, 3, HASH), "08 00000008 0000000000000003" + HASH.hex()),
]


@pytest.mark.parametrize("value,octets", CONTROLS)
def test_file_control_as_written(value, octets):
    octets = bytes.fromhex(octets)
    assert value.encode() == octets
    assert f.decode_file_control(octets) == value
    for cut in range(len(octets)):
        with pytest.raises(WireError):
            f.decode_file_control(octets[:cut])
    with pytest.raises(WireError):
        f.decode_file_control(octets + b"\x00")


@pytest.mark.parametrize(
    "octets",
    [
        "00 00000001", "09 00000001 00", "ff",
        "03 00000001 06", "06 00000001 ff",  # reasons outside the list
        "05 00000001 02", "07 00000001 02",
        "02 00000001 0000ffce" + "00" * 8, "02 00000001 04000001" + "00" * 8,  # a window too small, too large
        "08 00000001 0020000000000001" + HASH.hex(),  # 2^53 + 1
        "01 00000001 04 0000000000000005 00000001 00000000 00000015" + HASH.hex() + "01 61",  # no such kind
        HEX + "00", HEX + "02 c328",
    ],
)  # fmt: skip
def test_file_control_out_of_range(octets):
    with pytest.raises(WireError):
        f.decode_file_control(bytes.fromhex(octets))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\x00b", "a\nb", "\x7f", "a\x9bb", "\udc80"])
def test_names_that_are_no_name(name):
    with pytest.raises(Misuse):
        replace(OFFER, name=name)
    encoded = name.encode("utf-8", "surrogatepass")
    with pytest.raises(WireError):
        f.decode_file_control(bytes.fromhex(HEX) + bytes([len(encoded)]) + encoded)


@pytest.mark.parametrize("name", ["a", "...", "-rf", "a b", "é" * 127 + "x", "a\\b", "CON"])
def test_names_that_pass(name):
    assert f.decode_file_control(f.FileOffer(1, replace(OFFER, name=name)).encode()).offer.name == name


@pytest.mark.parametrize(
    "fields",
    [
        {"size": -1}, {"size": f.FILE_SIZE_MAX + 1}, {"root": HASH[1:]}, {"files": 0}, {"files": 2}, {"manifest": 0},
        {"manifest": (16 << 20) + 1},
        {"kind": TransferKind.DIRECTORY, "files": 1 << 17}, {"directories": 1}, {"directories": -1},
        {"kind": TransferKind.DIRECTORY, "files": 1, "directories": -1},
        {"kind": TransferKind.DIRECTORY, "files": 1 << 16, "directories": 1 << 16},
        {"kind": TransferKind.STREAM}, {"kind": TransferKind.STREAM, "manifest": 0}, {"kind": TransferKind.STREAM, "size": 0},
    ],
)  # fmt: skip
def test_what_may_not_be_offered(fields):
    with pytest.raises(Misuse):
        replace(OFFER, **fields)


def test_what_is_said_of_a_stream_at_its_end():
    for size, root in [(-1, HASH), (f.FILE_SIZE_MAX + 1, HASH), (1, HASH[1:])]:
        with pytest.raises(Misuse):
            f.FileFinish(1, size, root)


def test_lengths():
    assert (OFFER.preface, OFFER.end, OFFER.leaf_size) == (21 + 32, 21 + 32 + 5, 1 << 20)
    stream = Offer(TransferKind.STREAM, 0, 1, 0, HASH, "a")
    assert (stream.preface, stream.end, stream.leaf_size) == (0, None, 1 << 20)
    empty = replace(OFFER, size=0)
    assert (empty.preface, empty.end) == (21, 21)
    assert replace(OFFER, size=1 << 53).leaf_size == 64 << 30


def test_code_points():
    assert [op.value for op in f.FileOp] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [reason.value for reason in StopReason] == [0, 1, 2, 3, 4, 5]
    assert [kind.value for kind in TransferKind] == [1, 2, 3]
