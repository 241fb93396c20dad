# SPDX-License-Identifier: Apache-2.0
"""What happens on a line, as values that every face renders and ``--json`` prints.

Each event has a stable kebab-case name (its class's) and plain fields; :func:`to_json` is the one encoding.
Nothing here is secret: invites are shown to the person who carries them, and to nobody else.
"""

from hardwire.app.events.event import Event, event_name, to_json
from hardwire.app.events.files import (
    FileDone,
    FileFailed,
    FileMoved,
    FileOffer,
    FilePaused,
    FileProgress,
    FileStarted,
    PeerFlood,
    WayChanged,
)
from hardwire.app.events.line import Delivered, EpochChanged, LineClosed, Notice, Said, Verified
from hardwire.app.events.loss import InviteNeeded, PathFound, PathLost, Reconnected, Reconnecting
from hardwire.app.events.opening import (
    AnswerReady,
    DeviceAsked,
    HelperUsed,
    InviteGone,
    InviteReady,
    LineOpen,
    Opening,
    PeerSeen,
    RevocationJudged,
)

__all__ = [
    "AnswerReady",
    "Delivered",
    "DeviceAsked",
    "EpochChanged",
    "Event",
    "FileDone",
    "FileFailed",
    "FileMoved",
    "FileOffer",
    "FilePaused",
    "FileProgress",
    "FileStarted",
    "HelperUsed",
    "InviteGone",
    "InviteNeeded",
    "InviteReady",
    "LineClosed",
    "LineOpen",
    "Notice",
    "Opening",
    "PathFound",
    "PathLost",
    "PeerFlood",
    "PeerSeen",
    "Reconnected",
    "Reconnecting",
    "RevocationJudged",
    "Said",
    "Verified",
    "WayChanged",
    "event_name",
    "to_json",
]
