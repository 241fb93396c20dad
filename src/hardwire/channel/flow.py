# SPDX-License-Identifier: Apache-2.0
"""The counting of one transfer: what was sent, what came, what may still come (protocol.md §14.7)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from hardwire.channel.bulk import due
from hardwire.channel.filecontrol import FILE_SIZE_MAX, FileFinish
from hardwire.channel.messages import Chunk
from hardwire.errors import WireError

REPEATS_MAX: Final = 8
"""Windows of octets that may come again without a chunk that is all new: a way that breaks while a disk is busy costs
one of them."""
STEP_MAX: Final = 2 << 20
"""Octets that the window is widened by, at most a quarter of it: it also is how finely a sender sees its progress, and
what comes again when a way breaks."""


class State(Enum):
    """Where a transfer is; one that has ended is no longer kept."""

    OFFERED = "offered"
    MOVING = "moving"
    WHOLE = "whole"


@dataclass(slots=True)
class Flow:
    """What both directions count.

    Attributes:
        end: Octets of the whole stream; None while a stream of unknown length has not ended.
        state: See the class.
        window: Octets that may be ahead of what is written.
        held: This side paused it.
    """

    end: int | None
    state: State = State.OFFERED
    window: int = 0
    held: bool = False

    def due(self, offset: int, chunk_size: int) -> int:
        """Octets of the one chunk that may come at ``offset`` on a way with that chunk size."""
        return due(offset, FILE_SIZE_MAX if self.end is None else self.end, min(chunk_size, self.window))

    @property
    def accepted(self) -> bool:
        """It was not only offered."""
        return self.state is not State.OFFERED


@dataclass(slots=True)
class Outgoing(Flow):
    """One that this side sends.

    Attributes:
        sent: Where the next chunk begins.
        highest: Where it would begin if no way had broken.
        written: What the peer has, as far as it said.
        starved: Somebody waits for room.
        stopped: The peer paused it.
    """

    sent: int = 0
    highest: int = 0
    written: int = 0
    starved: bool = False
    stopped: bool = False

    def go_to(self, offset: int) -> None:
        """The next chunk begins at ``offset``: forward with each one, back when another way is taken."""
        self.sent = offset
        self.highest = max(self.highest, offset)
        self.state = State.WHOLE if offset == self.end else State.MOVING

    def acknowledge(self, written: int) -> bool:
        """The peer has that much; False when it cannot have."""
        if not self.accepted or not self.written < written <= self.highest:
            return False
        self.written = written
        if self.sent < written:  # a way that broke had carried more than was known
            self.go_to(written)
        return True


@dataclass(slots=True)
class Incoming(Flow):
    """One that this side receives.

    Attributes:
        received: Octets that came, without a gap.
        written: Octets that are off this side's hands.
        told: What the peer knows of that.
        repeated: Octets that came again since the last chunk that was all new.
        short: A chunk came that only the last of a stream may be.
    """

    received: int = 0
    written: int = 0
    told: int = 0
    repeated: int = 0
    short: bool = False

    @property
    def credit(self) -> int:
        """Octets the peer may still send."""
        allowed = self.told + self.window
        return (allowed if self.end is None else min(self.end, allowed)) - self.received

    def take(self, chunk: Chunk, chunk_size: int) -> bytes | memoryview:
        """The octets of a chunk that are new; none when all were here already.

        Raises:
            WireError: It was not due, or is beyond the window.
        """
        if not self.accepted or chunk.offset > self.received:
            raise wrong(chunk.id, f"a chunk at {chunk.offset} that was not due")
        size = len(chunk.data)
        wanted = self.due(chunk.offset, chunk_size)
        less = self.end is None and 0 < size < wanted
        if not size or (size != wanted and not less):
            raise wrong(chunk.id, f"a chunk of {size} octets")
        fresh = max(0, chunk.offset + size - self.received)
        if fresh > self.credit or (fresh and self.short):
            raise wrong(chunk.id, "more than the window allows")
        # Not by every new octet: chunks that bring one each would fit into a window by the million.
        self.repeated = 0 if fresh == size else self.repeated + size - fresh
        if self.repeated > REPEATS_MAX * self.window:
            raise wrong(chunk.id, "the same octets again and again")
        self.short = self.short or (less and fresh > 0)
        self.received += fresh
        # A view of some octets of a chunk would hold all of it, and the window counts only those.
        return chunk.data if fresh == size else bytes(chunk.data[size - fresh :])

    def finish(self, finish: FileFinish) -> None:
        """A stream ends there. Raises WireError when it cannot."""
        if not self.accepted or self.end is not None or finish.size < self.received:
            raise wrong(finish.id, "the end of a stream where there is none")
        if self.short and finish.size != self.received:
            raise wrong(finish.id, "a stream that goes on behind its last chunk")
        self.end = finish.size

    def news(self) -> bool:
        """Whether it is time to widen the window: a step of it at a time, and at the end; never while paused."""
        step = self.written - self.told
        last = self.written == self.received == self.end
        return step > 0 and not self.held and (last or step >= min(self.window // 4, STEP_MAX))


def wrong(transfer: int, what: str) -> WireError:
    """What is said of a peer that counts otherwise."""
    return WireError(f"transfer {transfer}: the peer sent {what}", code="transfer")
