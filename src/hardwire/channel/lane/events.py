# SPDX-License-Identifier: Apache-2.0
"""What the negotiation of direct lanes tells the driver of a line (protocol.md §14.8)."""

from dataclasses import dataclass, field

from hardwire.channel.lane.keys import LaneKeys


@dataclass(frozen=True, slots=True)
class LaneWanted:
    """At the initiator: a side has something to carry. ``offer_lane`` when there is a way to make one."""


@dataclass(frozen=True, slots=True)
class LaneOffered:
    """At the responder: ``answer_lane``, or ``end_lane`` to have none.

    Attributes:
        number: Of the lane.
        port: TCP port on which the peer listens, 1024 to 65 535; 0 when it does not.
    """

    number: int
    port: int


@dataclass(frozen=True, slots=True)
class LaneAgreed:
    """At both: connect with these keys; ``end_lane`` when that fails, or when the lane is over.

    Attributes:
        number: Of the lane.
        port: TCP port on which the peer listens; 0 when it does not.
        keys: For the greetings of every connection of this lane.
    """

    number: int
    port: int
    keys: LaneKeys = field(repr=False)


@dataclass(frozen=True, slots=True)
class LaneEnded:
    """At both: the peer refused the lane, or is done with it."""

    number: int


LaneEvent = LaneWanted | LaneOffered | LaneAgreed | LaneEnded
