# SPDX-License-Identifier: Apache-2.0
"""Text that came from a peer, made safe to show; and numbers made pleasant to read."""

import unicodedata
from typing import Final

# Cc: control characters (a terminal obeys them). Cf: format characters, bidirectional overrides among them.
# Cs, Co, Cn: surrogates, private use, unassigned. Zl and Zp break lines where the reader does not expect it.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# Zero-width joiner and the variation selectors build ordinary emoji and scripts; alone they do no harm.
_HARMLESS: Final = frozenset({"\u200d", "\ufe0f", "\ufe0e"})


def printable(text: str, *, newlines: bool = False) -> str:
    """``text`` with every character that could steer a terminal or reorder a line replaced by U+FFFD.

    Args:
        text: Anything from the peer.
        newlines: Keep line feeds (chat), instead of replacing them (names).
    """
    return "".join(
        char
        if char in _HARMLESS or (newlines and char == "\n") or unicodedata.category(char) not in _HIDDEN
        else _REPLACEMENT
        for char in text
    )


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


def grouped(digits: str, size: int = 5) -> str:
    """``digits`` in groups of ``size``, for reading aloud."""
    return " ".join(digits[start : start + size] for start in range(0, len(digits), size))
