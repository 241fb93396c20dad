# SPDX-License-Identifier: Apache-2.0
"""The line after the handshake: records, ratchet, rekey, chat and files (docs/protocol.md §14).

:class:`SecureChannel` is the only machine here that a driver needs; it cannot be built without a finished handshake.
"""

from hardwire.channel.announcement import Announcer, Sought
from hardwire.channel.bulk import PATH_CHUNK_MAX, BulkPath
from hardwire.channel.channel import SecureChannel
from hardwire.channel.events import (
    ChatDelivered,
    ChatReceived,
    EpochAdvanced,
    Event,
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDeclined,
    FileDone,
    FileFinished,
    FileOffered,
    FilePaused,
    FileProgress,
    FileWindow,
    LineClosed,
    LineFailed,
    PeerConfirmed,
    PeerVerified,
)
from hardwire.channel.fields import NAME_MAX
from hardwire.channel.filecontrol import FILE_SIZE_MAX, Offer, StopReason, TransferKind
from hardwire.channel.lane import LaneAgreed, LaneEnded, LaneOffered, LaneWanted
from hardwire.channel.limits import DEFAULT_LIMITS, Limits
from hardwire.channel.messages import CHUNK_SIZE, TEXT_MAX, CloseReason
from hardwire.channel.paths import NextAnswered, NextOffered, PathTold, path_credentials
from hardwire.channel.ratchet import BULK, CHANNELS, CONTROL
from hardwire.channel.records import FRAME_MAX

__all__ = [
    "BULK",
    "CHANNELS",
    "CHUNK_SIZE",
    "CONTROL",
    "DEFAULT_LIMITS",
    "FILE_SIZE_MAX",
    "FRAME_MAX",
    "NAME_MAX",
    "PATH_CHUNK_MAX",
    "TEXT_MAX",
    "Announcer",
    "BulkPath",
    "ChatDelivered",
    "ChatReceived",
    "CloseReason",
    "EpochAdvanced",
    "Event",
    "FileAccepted",
    "FileCancelled",
    "FileChunk",
    "FileComplete",
    "FileDeclined",
    "FileDone",
    "FileFinished",
    "FileOffered",
    "FilePaused",
    "FileProgress",
    "FileWindow",
    "LaneAgreed",
    "LaneEnded",
    "LaneOffered",
    "LaneWanted",
    "Limits",
    "LineClosed",
    "LineFailed",
    "NextAnswered",
    "NextOffered",
    "Offer",
    "PathTold",
    "PeerConfirmed",
    "PeerVerified",
    "SecureChannel",
    "Sought",
    "StopReason",
    "TransferKind",
    "path_credentials",
]
