# SPDX-License-Identifier: Apache-2.0
"""Files over one line: the pure transfer machine below, the disk here, progress for the face.

A sender reads a piece only when the line has room for it, and the receiver widens the window only for what it has
written, so that neither side holds more than a window in memory, whatever the size of the file.

Each transfer that touches the disk has one task (``moving.py``), and each touch runs on a worker thread: reserving a
gigabyte on a memory stick, or waiting until it is written, takes longer than a peer waits for a sign of life. Whoever
ends a transfer only says so; its task gives the files back and *then* tells the face, so that a transfer which is said
to have failed has left nothing behind but what it says is kept.

**Another line.** When a line breaks and another one to the same peer takes its place, ``left = await leave()`` on the
old and ``take_over(left)`` on the new one carry every unfinished transfer across: senders offer again under a new
number (they go on from line to line), receivers take up what they consented to without asking anybody, from the octet
they have.

What the peer does with them: ``exchange.py``.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from hardwire.app import events
from hardwire.app.entropy import monotonic
from hardwire.app.events import FileDone, FileFailed
from hardwire.app.exchange import Exchange, offer_event
from hardwire.app.moving import Destination, Transfer
from hardwire.app.outgoing import OutgoingFile
from hardwire.app.pipes import PipeSource
from hardwire.app.progress import Meter
from hardwire.app.unheard import LAST_WORDS, Unheard
from hardwire.errors import ConnectionLost, HardwireError, TransferIncomplete, UsageError


@dataclass(frozen=True, slots=True)
class Left:
    """What a line that is over left unfinished, for the next one with the same peer.

    Attributes:
        peer: Hex of the peer's device id.
        transfers: Each with what it has open.
        unheard: What is finished here, and the peer may not know it.
    """

    peer: str
    transfers: tuple[Transfer, ...]
    unheard: tuple[Transfer, ...] = ()


class Transfers(Exchange):
    """All transfers of one line, both ways.

    Args:
        line: The open line.
        emit: Where events for the face go.
        peer: Hex of the peer's device id.
        before: The last number of the lines before.

    Attributes:
        offered: Set whenever the peer offers a file; whoever waits for it clears it.
    """

    @property
    def unjudged(self) -> bool:
        """Whether the peer took anything of this side's, and its verdict was not heard."""
        return any(one.accepted and one.direction == "out" for one in self._active.values())

    @property
    def outgoing(self) -> tuple[int, ...]:
        """Own offers that have not ended."""
        return tuple(key for key, one in self._active.items() if one.direction == "out")

    @property
    def waiting(self) -> tuple[int, ...]:
        """Offers of the peer that nobody has answered."""
        return tuple(key for key, one in self._active.items() if one.direction == "in" and not one.answered)

    @property
    def moving(self) -> bool:
        """Whether anything was accepted and has not ended."""
        return any(one.accepted for one in self._active.values())

    def offer(self, source: OutgoingFile | PipeSource) -> int:
        """Offer something; it goes out when the peer accepts. Returns the transfer's number.

        Raises:
            LocalError: ``too-many-transfers``.
            ConnectionLost: The line is over.
        """
        key = self._line.offer_file(source.offer)
        meter = Meter(source.offer.size, monotonic())
        self._add(transfer := Transfer(key, "out", source.offer, meter, source=source, before=self._before))
        return transfer.number

    async def outcome(self, key: int) -> FileDone | FileFailed:
        """How an own offer, or an offer of the peer that is under way, ends; waits for it.

        Raises:
            UsageError: No such transfer.
        """
        if key not in self._outcomes:
            raise UsageError(f"there is no transfer {key}")
        return await asyncio.shield(self._outcomes[key])

    def accept(self, key: int, destination: Destination, *, sha256: bool = False) -> None:
        """Take what is offered, into a directory or a descriptor. When that will not take it, FileFailed follows.

        Args:
            key: Number of the offer.
            destination: Where it shall go.
            sha256: Say its SHA-256 at the end, as well as that can be had.

        Raises:
            UsageError: No such offer.
        """
        transfer = self._waiting(key)
        transfer.answered, transfer.destination, transfer.sha256 = True, destination, sha256
        self._start(transfer, partial(self._receive, transfer, destination))

    def describe(self, key: int) -> events.FileOffer:
        """What an offer is that waits for an answer.

        Raises:
            UsageError: No such offer.
        """
        return offer_event(self._waiting(key))

    def decline(self, key: int, why: TransferIncomplete | None = None) -> None:
        """Do not take an offered file; ``why`` unless a person said so.

        Raises:
            UsageError: No such offer.
        """
        no = TransferIncomplete("declined here", code="declined", hint="")
        self._stop(self._waiting(key), why or no)

    def cancel(self, key: int | None = None) -> int:
        """Stop one transfer, or all; what had arrived is removed. A file that is whole is kept. How many there were.

        Raises:
            UsageError: No such transfer.
        """
        found = self._named(key)
        for one in found:
            self._stop(one, TransferIncomplete("stopped here", code="cancelled", hint=""))
        return len(found)

    def pause(self, key: int | None = None, *, on: bool = True) -> int:
        """Hold one transfer, or all that move; or let them go on. How many that were.

        Raises:
            UsageError: No such transfer, or one that is not under way.
        """
        found = [one for one in self._named(key) if one.accepted and ("here" in one.held) != on]
        if key is not None and not self._active[key].accepted:
            raise UsageError(f"transfer {key} is not under way yet")
        for one in found:
            self._tell(self._line.pause_file, one.key, on=on)
            self._held(one, "here", on=on)
        return len(found)

    # The end of a line.

    def abandon(self, problem: HardwireError) -> None:
        """The line is gone: every transfer fails. :meth:`settled` waits until the disk has let go."""
        for transfer in [*self._active.values(), *self._consented]:
            self._fail(transfer, problem)

    def give_up(self, left: Left, problem: HardwireError) -> None:
        """No other line came: what was left fails; what arrived of it is kept as after any broken line."""
        for transfer in left.transfers:
            transfer.detached = False
            self._fail(transfer, problem)

    async def leave(self) -> Left:
        """The line is gone, and another may come: every unfinished transfer stays as it is, for ``take_over``."""
        left = [one for one in (*self._active.values(), *self._consented) if not one.finishing]
        for transfer in left:
            transfer.detached = True
            transfer.wake.set()
        await self.settled()
        self._active = {key: one for key, one in self._active.items() if not one.detached}
        return Left(self._peer, tuple(left), self._unheard.left)

    async def last_words(self) -> None:
        """This side is about to end the line: wait a moment for what the peer may not know yet.

        What is being put in its place will be kept: the peer shall hear so while it can.
        """
        if finishing := {one.over for one in self._active.values() if one.finishing}:
            await asyncio.wait(finishing, timeout=LAST_WORDS)
        await self._unheard.last_words()

    async def goodbye(self) -> None:
        """The peer ended the line in order: it knows how everything ended."""
        await self._unheard.heard()

    def take_over(self, left: Left) -> None:
        """Go on with what another line with the same peer left.

        Raises:
            UsageError: It was another peer's.
        """
        if left.peer != self._peer:
            raise UsageError("these transfers are another peer's")
        self._unheard = Unheard(self._line, self._beside, left.unheard)
        for transfer in left.transfers:
            transfer.detached = transfer.whole = transfer.accepted = False
            transfer.held.clear()
            transfer.pieces.clear()
            if transfer.direction == "out":
                was = transfer.number
                try:
                    transfer.key, transfer.before = self._line.offer_file(transfer.offer), self._before
                except ConnectionLost:  # that line is over as well: for the one after it, or for its end
                    self._consented.append(transfer)
                    continue
                self._add(transfer)
                self._emit(events.FileMoved(transfer.number, was, transfer.offer.name, "out"))
            elif transfer.answered:
                self._consented.append(transfer)

    def _waiting(self, key: int) -> Transfer:
        if key not in self.waiting:
            which = ", ".join(map(str, self.waiting))
            hint = f"what waits for an answer: {which}" if which else "nothing is offered to you right now"
            raise UsageError(f"there is no file {key} to answer for", hint=hint)
        return self._active[key]

    def _named(self, key: int | None) -> list[Transfer]:
        if key is not None and key not in self._active:
            raise UsageError(f"there is no transfer {key}")
        return [self._active[key]] if key is not None else list(self._active.values())
