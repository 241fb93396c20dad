# SPDX-License-Identifier: Apache-2.0
"""Every number a line obeys while it is open (protocol.md §14), in one frozen value.

The defaults are the protocol's. Tests pass smaller ones, so that a day or a gibibyte fits into a millisecond; a peer
with other numbers still understands this one, because each side enforces only what it sees.
"""

from dataclasses import dataclass
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in octets, counts over both directions together.

    Attributes:
        rekey_seconds: The initiator changes keys when an epoch with traffic is this old.
        rekey_frames: Or has carried this many frames.
        rekey_octets: Or this many octets of frames.
        rekey_idle: Or is this old without traffic (keepalives are not traffic).
        rekey_pause: Requests of the peer start no rekey in an epoch younger than this.
        rekey_answer: A rekey that is not finished this long after it began ends the line.
        request_factor: The responder asks for a rekey at this multiple of the four triggers.
        stop_seconds: No frame is sent or accepted this long after the first traffic of an epoch.
        stop_frames: Nor beyond this many frames in one epoch.
        stop_octets: Nor beyond this many octets in one epoch.
        old_epoch_seconds: Keys of the last epoch are erased when none of its frames came for this long.
        life: A line is closed at this age; both devices then prove themselves again.
        keepalive: A keepalive goes out when nothing else did for this long.
        silence: The line ends when no frame came in for this long, although there is a path (§14.10).
        window: Octets of a file that the peer may send ahead of what was written here.
        queue: Octets of sealed chunks waiting for ``data_to_send``, beyond which no room is given for more.
        transfers: Transfers not yet ended, in each direction.
        chats: Chat messages the peer has not acknowledged yet.
        ack_delay: Longest that a chat message waits for its acknowledgement, so that an answer can go first.
    """

    rekey_seconds: float = 60.0
    rekey_frames: int = 1024
    rekey_octets: int = 64 * MIB
    rekey_idle: float = 900.0
    rekey_pause: float = 1.0
    rekey_answer: float = 120.0
    request_factor: float = 2.0
    stop_seconds: float = 600.0
    stop_frames: int = 1 << 16
    stop_octets: int = GIB
    old_epoch_seconds: float = 30.0
    life: float = 86_400.0
    keepalive: float = 2.0
    silence: float = 15.0
    window: int = 16 * MIB
    queue: int = MIB
    transfers: int = 16
    chats: int = 256
    ack_delay: float = 0.025


DEFAULT_LIMITS: Final = Limits()
