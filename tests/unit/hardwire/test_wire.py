# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import Misuse, WireError
from hardwire.wire import U8_MAX, U16_MAX, U32_MAX, U64_MAX, Reader, Writer


def test_fields_in_order() -> None:
    message = Writer().u8(1).u16(2).u32(3).u64(4).v8(b"five").v16(b"six").raw(b"end").getvalue()
    assert message.hex() == "01000200000003000000000000000404666976650003736978656e64"
    reader = Reader(message)
    assert (reader.position, reader.remaining) == (0, len(message))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 2, 3, 4)
    assert (reader.v8(), reader.v16()) == (b"five", b"six")
    assert (reader.position, reader.remaining) == (len(message) - 3, 3)
    assert reader.rest() == b"end"
    reader.end()


@pytest.mark.parametrize("verb, top", [("u8", U8_MAX), ("u16", U16_MAX), ("u32", U32_MAX), ("u64", U64_MAX)])
def test_integers_at_their_bounds(verb: str, top: int) -> None:
    for value in (0, top):
        message = getattr(Writer(), verb)(value).getvalue()
        assert getattr(Reader(message), verb)() == value
    for value in (-1, top + 1):
        with pytest.raises(Misuse, match="does not fit"):
            getattr(Writer(), verb)(value)
    with pytest.raises(WireError, match="ends early"):
        getattr(Reader(message[:-1]), verb)()


@pytest.mark.parametrize("verb, top", [("v8", U8_MAX), ("v16", U16_MAX)])
def test_vectors_at_their_bounds(verb: str, top: int) -> None:
    message = getattr(Writer(), verb)(bytes(top)).getvalue()
    assert getattr(Reader(message), verb)() == bytes(top)
    with pytest.raises(WireError, match=f"a field of {top} octets, 0 to {top - 1} allowed"):
        getattr(Reader(message), verb)(high=top - 1)
    with pytest.raises(WireError, match="ends early"):
        getattr(Reader(message[:-1]), verb)()
    with pytest.raises(Misuse):
        getattr(Writer(), verb)(bytes(top + 1))


@pytest.mark.parametrize("verb, message", [("v8", b"\x02ab"), ("v16", b"\x00\x02ab")])
def test_vectors_have_a_smallest_size(verb: str, message: bytes) -> None:
    assert getattr(Reader(message), verb)(low=2, high=2) == b"ab"
    with pytest.raises(WireError, match="3 to 255 allowed"):
        getattr(Reader(message), verb)(low=3, high=255)


def test_take_is_bounded() -> None:
    reader = Reader(b"abc", "greeting")
    assert reader.take(0) == b""
    assert reader.take(2) == b"ab"
    with pytest.raises(WireError, match="greeting: ends early, 2 octets wanted and 1 left"):
        reader.take(2)
    assert reader.take(1) == b"c"


def test_rest_may_be_empty() -> None:
    assert Reader(b"").rest() == b""


def test_expect() -> None:
    Reader(b"\x07").expect(7)
    with pytest.raises(WireError, match="0x07 wanted, 0x08 found"):
        Reader(b"\x08").expect(7)
    with pytest.raises(WireError, match="ends early"):
        Reader(b"").expect(7)


def test_zeros() -> None:
    Reader(b"").zeros()
    reader = Reader(bytes(9))
    reader.zeros()
    reader.end()
    with pytest.raises(WireError, match="padding is not zero"):
        Reader(bytes(8) + b"\x01").zeros()


def test_end() -> None:
    Reader(b"").end()
    with pytest.raises(WireError, match="message: 2 octets too many") as caught:
        Reader(b"ab").end()
    assert caught.value.code == "malformed"
    assert caught.value.exit_code == 20
