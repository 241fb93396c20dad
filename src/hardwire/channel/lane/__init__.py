# SPDX-License-Identifier: Apache-2.0
"""The direct lane, pure: how it is agreed, its keys, its greetings, its frames (protocol.md §14.8)."""

from hardwire.channel.lane.events import LaneAgreed, LaneEnded, LaneEvent, LaneOffered, LaneWanted
from hardwire.channel.lane.frames import LaneKind, LaneOpener, LaneRecord, LaneSealer
from hardwire.channel.lane.keys import GREETING_SIZE, NONCE_SIZE, ConnectionKeys, LaneKeys
from hardwire.channel.lane.messages import PORT_MIN
from hardwire.channel.lane.negotiation import Lanes

__all__ = [
    "GREETING_SIZE",
    "NONCE_SIZE",
    "PORT_MIN",
    "ConnectionKeys",
    "LaneAgreed",
    "LaneEnded",
    "LaneEvent",
    "LaneKeys",
    "LaneKind",
    "LaneOffered",
    "LaneOpener",
    "LaneRecord",
    "LaneSealer",
    "LaneWanted",
    "Lanes",
]
