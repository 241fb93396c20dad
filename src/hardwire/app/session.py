# SPDX-License-Identifier: Apache-2.0
"""An open line and what runs over it, to the last event, for whichever face asked for it.

::

    async with session:                         from hardwire.app.opening
        asyncio.create_task(session.run())      events go to face.emit until the line ends
        session.say(...), session.offer(...), session.verify(...)

When the line dies for want of a path, another one to the same device takes its place, if the session was given the
means (:mod:`hardwire.app.reconnect`).
"""

import contextlib
import re
from typing import Protocol, Self

from hardwire.app.events import (
    Delivered,
    EpochChanged,
    Event,
    LineClosed,
    LineOpen,
    PathFound,
    PathLost,
    PeerSeen,
    Reconnected,
    Said,
    Verified,
)
from hardwire.app.outgoing import OutgoingFile
from hardwire.app.pipes import PipeSource
from hardwire.app.reconnect import History, Reconnector
from hardwire.app.transfers import Transfers
from hardwire.channel import TEXT_MAX, CloseReason
from hardwire.channel import events as line_events
from hardwire.errors import (
    ConnectionLost,
    HardwireError,
    PeerNotVerified,
    TransferIncomplete,
    UsageError,
)
from hardwire.net import Line, paths


class Face(Protocol):
    """The person, as a line sees them."""

    def emit(self, event: Event) -> None:
        """Show an event; called on the event loop, returns at once."""
        ...

    async def code(self, wanted: str) -> bytes | None:
        """The other side's ``invite`` or ``answer``; None when the person gave up."""
        ...

    async def another_code(self, *, invited: bool, waiting: bool = False) -> bytes | None:
        """The line is lost for good: see :class:`hardwire.app.renewal.CodeFace`."""
        ...

    def refused(self, problem: HardwireError) -> bool:
        """A code could not be used, or came to nothing; True to ask for another."""
        ...

    async def accept_inviter(self, seen: PeerSeen) -> bool:
        """Joining: may this side show itself to that inviter?"""
        ...


class Session:
    """An open line and what runs over it; made by :mod:`hardwire.app.opening`.

    Args:
        line: Open.
        face: Where events go.
        peer: What the policy saw.
        again: Opens another line to the same peer when this one dies; None leaves it at that.

    Attributes:
        peer: Who is there.
        transfers: Files, both ways.
        verified: A person here compared the strings, or the peer is the one that was asked for.
    """

    def __init__(self, line: Line, face: Face, peer: PeerSeen, again: Reconnector | None = None) -> None:
        self.peer = peer
        self.verified = peer.pinned or bool(peer.organisation)
        self.transfers = Transfers(line, face.emit, peer.device_id)
        line.beside.serve(self.transfers)
        self._line = line
        self._face = face
        self._sas = line.done.sas
        self._history = History()
        self._again = again
        if again is not None:
            again.follow(line)
        face.emit(
            LineOpen(
                sas=self._sas.decimal,
                words=_words(line),
                sid=line.done.sid.hex(),
                open_ms=line.timings.open_ms,
                handshake_ms=line.timings.handshake_ms - line.timings.asked_ms,
                verified_by=peer.organisation,
                pinned=peer.pinned,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def run(self) -> None:
        """Carry the line's events to the face until the line ends, and those of the lines that follow it.

        Raises:
            ConnectionLost: It ended without a close frame.
            PeerError: The peer broke the protocol.
        """
        while True:
            ended = await self._carry()
            if not await self._reconnected(ended):
                await self._end(ended)
                return

    async def _carry(self) -> line_events.LineClosed | line_events.LineFailed:
        """Everything up to the last event of one line, which is given back."""
        async for event in self._line:
            if isinstance(event, line_events.LineClosed | line_events.LineFailed):
                return event
            if self._again is None or not self._again.handle(event):
                self._show(event)
        raise ConnectionLost("the line is over", code="line-over")

    def _show(self, event: object) -> None:
        match event:
            case line_events.ChatReceived(id=key, text=text):
                if self._history.is_new(key):
                    self._face.emit(Said("peer", key.hex(), text))
            case line_events.ChatDelivered(id=key):
                self._face.emit(Delivered(key.hex()))
            case line_events.PeerVerified(matched=matched):
                self._face.emit(Verified("peer", matched))
            case line_events.EpochAdvanced(number=number):
                self._face.emit(EpochChanged(number))
            case paths.PathLost():
                self._face.emit(PathLost(len(self._line.unacknowledged)))
            case paths.PathFound(moved=moved, seconds=seconds):
                self._face.emit(PathFound(moved, seconds))
            case _:
                self.transfers.handle(event)

    async def _reconnected(self, ended: line_events.LineClosed | line_events.LineFailed) -> bool:
        """Whether another line goes on where this one ended."""
        if self._again is None or not self._again.wants(ended):
            return False
        self._history.hold(self._line.unacknowledged)
        before, left = self.transfers, await self.transfers.leave()
        line = None
        try:
            line = await self._again.reopen(len(self._history.held))
        finally:
            if line is None:
                before.give_up(left, ConnectionLost("the line was lost before the file was through"))
                await before.settled()
        if line is None:
            return False
        self._line, self._sas = line, line.done.sas
        self._again.follow(line)
        self._face.emit(Reconnected(self._sas.decimal, _words(line), line.done.sid.hex()))
        self.transfers = Transfers(line, self._face.emit, self.peer.device_id, before.last)
        self.transfers.offered = before.offered  # whoever waits for offers goes on waiting
        line.beside.serve(self.transfers)
        self.transfers.take_over(left)
        self._say_again(line)
        return True

    def _say_again(self, line: Line) -> None:
        """What waited for this line. If it is over already, the rest waits for the next one."""
        waiting = self._history.release()
        for place, (key, text) in enumerate(waiting):
            try:
                line.send_chat(text, key)
            except ConnectionLost:
                self._history.held = waiting[place:]
                return

    @property
    def is_lost(self) -> bool:
        """Nothing is heard of the peer: what is said waits."""
        return self._history.holding or self._line.path_is_lost

    def renew(self) -> None:
        """Look for the peer no longer: there will be a new invite.

        Raises:
            UsageError: The line is not lost, or this session cannot be given another one.
        """
        if self._again is None or not self.is_lost:
            raise UsageError("the line is open: a new invite is of use when it is lost", code="line-open")
        self._again.hurry()
        if not self._history.holding:
            self._line.closed(ConnectionLost("connection lost: a new invite is wanted", code="path-lost"))

    def say(self, text: str) -> str:
        """Send a chat line; returns its id in hex. :class:`Delivered` follows when the peer's device has it.

        Raises:
            UsageError: Empty, too long, or no text at all.
            LocalError: ``chat-backlog``, when the peer acknowledges nothing.
            ConnectionLost: The line is over.
        """
        try:
            octets = len(text.encode())
        except UnicodeEncodeError:
            raise UsageError("that line is not text but octets that are no utf-8", hint="send it as a file") from None
        if not 1 <= octets <= TEXT_MAX:
            raise UsageError(
                f"a line of chat has 1 to {TEXT_MAX} octets, and this one has {octets}",
                hint="send it in pieces, or as a file",
            )
        try:
            key = self._history.add(text) if self._history.holding else self._line.send_chat(text)
        except ConnectionLost:
            if self._again is None:
                raise
            key = self._history.add(text)  # its end is on its way to run(), which says whether there will be another
        self._face.emit(Said("here", key.hex(), text, queued=self.is_lost))
        return key.hex()

    def offer(self, file: OutgoingFile | PipeSource) -> int:
        """Offer a file, a directory or a pipe; returns its number.

        Raises:
            UsageError: There is no line to the peer right now, and another one is being opened.
        """
        if self._history.holding:
            raise UsageError("there is no line right now", hint="offer it again when your peer is found")
        return self.transfers.offer(file)

    def matches(self, heard: str) -> bool:
        """Whether what the person heard from the peer is this side's string: all three numbers, or all seven words.

        All of it, because a part is worth only its own bits against somebody in between: one number would be found in
        8192 tries. The software never compares two strings by itself; it compares what a *person* heard.
        """
        digits = "".join(char for char in heard if char.isascii() and char.isdigit())
        words = re.findall(r"[a-z]+", heard.lower())
        named = [name for _, name in self._sas.emoji]
        return digits == self._sas.decimal.replace(" ", "") or (not digits and words == named)

    async def verify(self, *, matched: bool) -> None:
        """The person has compared. A string that differs ends the line.

        Raises:
            PeerNotVerified: They differ: somebody is in between.
            ConnectionLost: They are the same, and the line is over.
        """
        # A person who saw that the strings differ is heard, whether or not the line is still there to be ended.
        heard = not matched or self._again is not None
        with contextlib.suppress(ConnectionLost) if heard else contextlib.nullcontext():
            self._line.send_verification(matched=matched)
        self._face.emit(Verified("here", matched))
        if not matched:
            await self._line.close(CloseReason.NOT_VERIFIED)
            raise _differ()
        self.verified = True

    async def close(self) -> None:
        """Say goodbye and give everything back; safe to call twice."""
        if self._again is not None:
            await self._again.close()
        try:
            await self.transfers.last_words()
        finally:  # the goodbye leaves at once, however impatient somebody is
            # What it did not hear of it will offer again, and the peer shall not get it twice.
            await self._line.close(CloseReason.SHUTDOWN if self.transfers.unjudged else CloseReason.NORMAL)
        await self._give_up_files(_closed())

    async def _give_up_files(self, error: HardwireError) -> None:
        self.transfers.abandon(error)
        await self.transfers.settled()

    async def _end(self, event: line_events.LineClosed | line_events.LineFailed) -> None:
        if isinstance(event, line_events.LineFailed):
            await self._give_up_files(event.error)
            self._face.emit(LineClosed(clean=False, reason=event.error.message))
            raise event.error
        reason = _CLOSED[event.reason] if event.by_peer else "closed here"
        if event.by_peer and event.reason is CloseReason.NORMAL:
            await self.transfers.goodbye()
        await self._give_up_files(_closed())
        self._face.emit(LineClosed(clean=True, reason=reason))
        if event.reason is CloseReason.NOT_VERIFIED:  # whoever waits for the line to end hears of it, too
            raise _differ("your peer says that the strings differ, and closed the line") if event.by_peer else _differ()


def _closed() -> TransferIncomplete:
    return TransferIncomplete("the line was closed before the file was through", code="closed")


def _words(line: Line) -> tuple[str, ...]:
    return tuple(f"{symbol} {name}" for symbol, name in line.done.sas.emoji)


def _differ(
    words: str = "the strings differ: somebody is in between, and read what was said so far",
) -> PeerNotVerified:
    return PeerNotVerified(words, hint="exchange the codes over another medium, and compare again")


_CLOSED = {
    CloseReason.NORMAL: "your peer closed the line",
    CloseReason.LIFE: "your peer says that the line reached its greatest age",
    CloseReason.NOT_VERIFIED: "your peer says that the strings differ",
    CloseReason.SHUTDOWN: "your peer's program ended",
}
