# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import Misuse, WireError
from hardwire.handshake import Credential


def test_the_encoding_is_the_protocols():
    credential = Credential((b"leaf", b"issuer"), (b"evidence",))
    assert credential.encode() == b"\x01\x02\x00\x04leaf\x00\x06issuer\x01\x00\x08evidence"
    assert Credential.decode(credential.encode()) == credential
    assert credential.leaf == b"leaf"


@pytest.mark.parametrize(
    "parts",
    [
        ((), ()),
        ((b"a",) * 5, ()),
        ((b"a",), (b"b",) * 5),
        ((b"",), ()),
        ((b"a",), (b"",)),
        ((b"a" * 8193,), ()),
        ((b"a" * 8000, b"b" * 7000), ()),
    ],
)
def test_what_cannot_be_sent_cannot_be_built(parts):
    with pytest.raises(Misuse):
        Credential(*parts)


GOOD = Credential((b"leaf",), (b"evidence",)).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", GOOD[:-1], GOOD + b"\x00", b"\x02" + GOOD[1:],
        b"\x01\x00\x00", b"\x01\x05" + b"\x00\x01a" * 5 + b"\x00", b"\x01\x01\x00\x01a\x05" + b"\x00\x01a" * 5,
        b"\x01\x01\x00\x00\x00", b"\x01\x01\x20\x01" + bytes(8193) + b"\x00", b"\x01\x01\x00\x01a\x01\x00\x00",
        b"\x01\x02" + (b"\x1d\x4c" + bytes(7500)) * 2 + b"\x00",
    ],
)  # fmt: skip
def test_what_no_honest_peer_sends_is_refused(data):
    with pytest.raises(WireError):
        Credential.decode(data)


def test_the_limit_of_the_whole_is_exact():
    def of(size: int) -> bytes:
        return b"\x01\x02\x1d\x4c" + bytes(7500) + (size - 7507).to_bytes(2, "big") + bytes(size - 7507) + b"\x00"

    assert len(of(15_000)) == 15_000
    assert len(Credential.decode(of(15_000)).encode()) == 15_000
    with pytest.raises(WireError, match="at most 15000"):
        Credential.decode(of(15_001))
