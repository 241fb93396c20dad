# SPDX-License-Identifier: Apache-2.0
"""What two people compare: the short authentication string, and the safety number (protocol.md §12).

The SAS is 48 bits out of the key schedule of one session; it is worth comparing only because the initiator
committed to its nonce and credential in M1, so nobody could choose values after seeing the other side's. The
safety number is the same for every session: it is a slow hash over the two long-term keys, and needs no session.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from hardwire.errors import Misuse

SAS_SIZE: Final = 6
"""Octets of SAS taken from the key schedule; people see the first 39 or 42 bits of them."""

DECIMAL_GROUPS: Final = 3
DECIMAL_BITS: Final = 13
DECIMAL_BASE: Final = 1000
EMOJI_COUNT: Final = 7
EMOJI_BITS: Final = 6

SAFETY_VERSION: Final = b"\x00\x01"
SAFETY_ROUNDS: Final = 5200
SAFETY_GROUPS: Final = 6

# Sixty-four things that most people name alike and that do not look alike on a small screen: index, picture, word.
# The order is part of the protocol: both ends read the same index out of the same octets.
EMOJI: Final = (
    ("🐝", "bee"), ("🦊", "fox"), ("🐢", "turtle"), ("🦉", "owl"),
    ("🐘", "elephant"), ("🦈", "shark"), ("🐌", "snail"), ("🦀", "crab"),
    ("🐪", "camel"), ("🦔", "hedgehog"), ("🐸", "frog"), ("🦢", "swan"),
    ("🦇", "bat"), ("🐍", "snake"), ("🦁", "lion"), ("🐑", "sheep"),
    ("🌵", "cactus"), ("🌻", "sunflower"), ("🍄", "mushroom"), ("🍁", "leaf"),
    ("🍒", "cherries"), ("🍋", "lemon"), ("🍇", "grapes"), ("🥕", "carrot"),
    ("🌽", "corn"), ("🥐", "croissant"), ("🧀", "cheese"), ("🥚", "egg"),
    ("🍩", "doughnut"), ("🍯", "honey"), ("🧂", "salt"), ("🫖", "teapot"),
    ("🌋", "volcano"), ("🌈", "rainbow"), ("🌙", "moon"), ("⚡", "lightning"),
    ("⛄", "snowman"), ("🌊", "wave"), ("🪐", "planet"), ("🔥", "fire"),
    ("⛵", "sailboat"), ("🚜", "tractor"), ("🚲", "bicycle"), ("🎈", "balloon"),
    ("🚁", "helicopter"), ("🛷", "sledge"), ("🏰", "castle"), ("⛺", "tent"),
    ("🧭", "compass"), ("🔔", "bell"), ("🪜", "ladder"), ("🔨", "hammer"),
    ("🧲", "magnet"), ("🕯", "candle"), ("💎", "diamond"), ("👑", "crown"),
    ("🎻", "violin"), ("🥁", "drum"), ("🎲", "dice"), ("🧩", "puzzle"),
    ("🧦", "socks"), ("👓", "glasses"), ("☂", "umbrella"), ("🪣", "bucket"),
)  # fmt: skip
"""The picture table: 64 pairs of (symbol, English name); a translation replaces the names only."""


@dataclass(frozen=True, slots=True)
class Sas:
    """A short authentication string.

    It is not a secret towards the two people, but it must be spoken, never sent over the line.

    Attributes:
        value: 6 octets (``SAS_SIZE``).
    """

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) != SAS_SIZE:
            raise Misuse(f"a short authentication string has {SAS_SIZE} octets, not {len(self.value)}")

    @property
    def decimal(self) -> str:
        """Three groups of four digits from the first 39 bits, each group 1000 to 9191: ``4914 7082 3944``."""
        return " ".join(str(DECIMAL_BASE + group) for group in self._groups(DECIMAL_GROUPS, DECIMAL_BITS))

    @property
    def emoji(self) -> tuple[tuple[str, str], ...]:
        """Seven (symbol, name) pairs from the first 42 bits."""
        return tuple(EMOJI[index] for index in self._groups(EMOJI_COUNT, EMOJI_BITS))

    def _groups(self, count: int, bits: int) -> tuple[int, ...]:
        number = int.from_bytes(self.value)
        width = 8 * SAS_SIZE
        mask = (1 << bits) - 1
        return tuple(number >> (width - bits * (index + 1)) & mask for index in range(count))


def safety_number(spki_a: bytes, spki_b: bytes) -> str:
    """Sixty decimal digits for two long-term keys, the same whichever is named first.

    Args:
        spki_a: DER SubjectPublicKeyInfo of one key.
        spki_b: DER SubjectPublicKeyInfo of the other.

    Returns:
        60 digits without separators; show them in groups of five. Takes about ten milliseconds, by design.
    """
    return "".join(sorted((_half(spki_a), _half(spki_b))))


def _half(spki: bytes) -> str:
    digest = SAFETY_VERSION + spki
    for _ in range(SAFETY_ROUNDS):
        digest = hashlib.sha512(digest + spki).digest()
    groups = (int.from_bytes(digest[5 * index : 5 * index + 5]) % 100_000 for index in range(SAFETY_GROUPS))
    return "".join(f"{group:05d}" for group in groups)
