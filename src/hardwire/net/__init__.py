# SPDX-License-Identifier: Apache-2.0
"""The line between two machines: invites, addresses, the one aiortc adapter, and the driver of a line."""

from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.config import Clock, LineConfig, Sign, Stage, Verify
from hardwire.net.interfaces import usable_addresses
from hardwire.net.invite import DEFAULT_LIFE, MAX_LIFE, Answer, Offer
from hardwire.net.lane.direct import DirectLane
from hardwire.net.line import Line, Timings
from hardwire.net.listening import Dialling, Listen, Listening, listen, take
from hardwire.net.pending import PendingAnswer, PendingOffer, host, join
from hardwire.net.rtc import fast_problem, self_test
from hardwire.net.servers import IceServers

__all__ = [
    "DEFAULT_LIFE",
    "MAX_LIFE",
    "Answer",
    "Candidate",
    "CandidateKind",
    "Clock",
    "Dialling",
    "DirectLane",
    "IceServers",
    "Line",
    "LineConfig",
    "Listen",
    "Listening",
    "Offer",
    "PendingAnswer",
    "PendingOffer",
    "Sign",
    "Stage",
    "Timings",
    "Verify",
    "fast_problem",
    "host",
    "join",
    "listen",
    "self_test",
    "take",
    "usable_addresses",
]
