# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import Misuse
from hardwire.handshake import Sas, safety_number
from hardwire.handshake.sas import EMOJI


@pytest.mark.parametrize(
    "octets, decimal",
    [
        (bytes(6), "1000 1000 1000"),
        (b"\xff" * 6, "9191 9191 9191"),
        (b"\x00\x08\x00\x40\x02\x00", "1001 1001 1001"),
        (b"\x00\x00\x00\x00\x01\xff", "1000 1000 1000"),
    ],
)
def test_decimal_takes_the_first_39_bits(octets, decimal):
    assert Sas(octets).decimal == decimal


def test_emoji_take_the_first_42_bits():
    picked = Sas(bytes.fromhex("000108310518")).emoji
    assert picked == tuple(EMOJI[n] for n in (0, 0, 4, 8, 12, 16, 20))
    assert Sas(b"\x00" * 5 + b"\x3f").emoji == Sas(bytes(6)).emoji


def test_the_table_has_64_different_pictures_and_names():
    assert len(EMOJI) == len({symbol for symbol, _ in EMOJI}) == len({name for _, name in EMOJI}) == 64
    assert all(name.isascii() and name.islower() and name.isalpha() for _, name in EMOJI)
    assert all(len(symbol) == 1 for symbol, _ in EMOJI)


@pytest.mark.parametrize("size", [0, 5, 7])
def test_six_octets_exactly(size):
    with pytest.raises(Misuse):
        Sas(bytes(size))


def test_it_does_not_slip_into_a_log():
    assert repr(Sas(b"secret")) == "Sas()"


def test_the_safety_number_is_symmetric_and_has_60_digits():
    number = safety_number(b"key a", b"key b")
    assert number == safety_number(b"key b", b"key a")
    assert len(number) == 60
    assert number.isdecimal()
    assert number != safety_number(b"key a", b"key c")
    assert safety_number(b"key a", b"key a")[:30] in number


def test_the_safety_number_is_the_protocols():
    import hashlib

    halves = []
    for key in (b"key a", b"key b"):
        h = b"\x00\x01" + key
        for _ in range(5200):
            h = hashlib.sha512(h + key).digest()
        halves.append("".join(f"{int.from_bytes(h[n : n + 5], 'big') % 100000:05}" for n in range(0, 30, 5)))
    assert safety_number(b"key a", b"key b") == "".join(sorted(halves))
