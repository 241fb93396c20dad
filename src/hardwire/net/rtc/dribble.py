# SPDX-License-Identifier: Apache-2.0
"""When it pays to look at the socket less often: bulk that comes, or leaves, a few packets at a time.

A sender of ours and a kernel that glues datagrams make trains, and a train is read in one call. Other stacks send
packet by packet, and acknowledge every second one: then each packet wakes this process, which takes it, answers and
sleeps again, on a busy machine in the peer's own time. A network card has the same trouble, and the same answer: wait
a moment, and take all that has come.

What is waited for must be sure to come: part of a message is here, or many octets of ours are out. Round trips of small
messages never wait.

Pure: the clock is a parameter.
"""

from typing import Final

FEW: Final = 16
"""Packets of a batch, in either direction: more of them are a train already."""
DENSE: Final = 8
WHILE: Final = 0.002
"""Seconds: fewer than :data:`DENSE` packets in that time are not worth it."""
BULK: Final = 32_768
"""Octets that are out: acknowledgements of them will come."""


class Dribble:
    """The packets of one association, batch by batch.

    Attributes:
        came: Packets of this batch; whoever takes one counts it here.
        left: Packets that were sent since the batch began.
    """

    __slots__ = ("_packets", "_since", "came", "left")

    def __init__(self) -> None:
        self.came = self.left = 0
        self._packets = 0
        self._since = 0.0

    def begin(self, now: float) -> None:
        """A batch of packets begins; ``now`` is seconds of the clock."""
        self.came = self.left = 0
        if now > self._since + WHILE:
            self._since, self._packets = now, 0

    def end(self, *, pieces: int, flight: int) -> bool:
        """The batch is answered: whether to wait for more to come.

        Args:
            pieces: Fragments here whose message is not whole.
            flight: Octets that are out.
        """
        self._packets += self.came + self.left
        is_dribble = self.came < FEW and self.left < FEW and self._packets >= DENSE
        return is_dribble and (pieces > 0 or flight > BULK)
