# SPDX-License-Identifier: Apache-2.0
"""What is told of an open line itself: what is said and compared, its keys, its end."""

from dataclasses import dataclass

from hardwire.app.events.event import Event


@dataclass(frozen=True, slots=True)
class Verified(Event):
    """A person compared the strings: ``by`` is ``here`` or ``peer``."""

    by: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A chat line; ``by`` is ``peer``, or ``here`` when it was handed to the line.

    Attributes:
        by: Whose it is.
        id: Hex of its 16 octets.
        text: What was said.
        queued: There is no path to the peer at the time: it goes out when there is one.
    """

    by: str
    id: str
    text: str
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """The peer's device has a chat line."""

    id: str


@dataclass(frozen=True, slots=True)
class EpochChanged(Event):
    """The line changed its keys (a fresh post-quantum exchange)."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the person should know, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class LineClosed(Event):
    """The end. ``clean`` is false when the line broke: there may have been more."""

    clean: bool
    reason: str
