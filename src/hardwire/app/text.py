# SPDX-License-Identifier: Apache-2.0
"""Text that came from a peer, made safe to show; and numbers made pleasant to read."""

import unicodedata
from typing import Final

# Cc: control characters (a terminal obeys them). Cf: format characters, bidirectional overrides among them.
# Cs, Co, Cn: surrogates, private use, unassigned. Zl and Zp break lines where the reader does not expect it.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# Zero-width joiner and the variation selectors build ordinary emoji and scripts. Behind a letter of ASCII they build
# nothing, and only make a second name that looks like the first; a keycap begins with one of the signs below.
_JOINING: Final = frozenset({"\u200d", "\ufe0f", "\ufe0e"})
_TOUCH_WITHIN: Final = 15
"""Seconds that a YubiKey waits for a touch before it gives up."""
_KEYCAPS: Final = frozenset("0123456789#*")
# Letters, marks and signs by their category, and nothing at all to the eye.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc")


def printable(text: str, *, newlines: bool = False) -> str:
    """``text`` with every character that could steer a terminal or reorder a line replaced by U+FFFD.

    Args:
        text: Anything from the peer.
        newlines: Keep line feeds (chat), instead of replacing them (names).
    """
    return "".join(
        char if (newlines and char == "\n") or _visible(char, before) else _REPLACEMENT
        for before, char in zip(" " + text, text, strict=False)
    )


def _visible(char: str, before: str) -> bool:
    if char in _JOINING:
        return not before.isascii() or (char != "\u200d" and before in _KEYCAPS)
    return char not in _BLANK and unicodedata.category(char) not in _HIDDEN


def human_size(octets: int) -> str:
    """``octets`` in the decimal units that disks and networks are sold in: ``64.0 MB``."""
    if octets < 1000:  # noqa: PLR2004 (the unit itself)
        return f"{octets} B"
    value = float(octets)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:  # noqa: PLR2004 (what still rounds to three digits before the point)
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} PB"


def human_duration(seconds: float) -> str:
    """``seconds`` as a person says it: ``850 ms``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {secs} s"
    return f"{secs} s"


def touch_now(device: str) -> str:
    """What a person reads while a device waits to be touched."""
    return f"touch your key now: {device} waits for it, {_TOUCH_WITHIN} s at most"


def grouped(digits: str, size: int = 5) -> str:
    """``digits`` in groups of ``size``, for reading aloud."""
    return " ".join(digits[start : start + size] for start in range(0, len(digits), size))
