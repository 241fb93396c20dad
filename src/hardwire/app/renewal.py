# SPDX-License-Identifier: Apache-2.0
"""When a line is lost for good: another one to the same device, by codes that two people carry once more.

::

    line = await Renewal(make_config, face, tell).open()         None when nobody is there to carry codes

Either person makes the new invite, or both do; what is pasted says by itself what it is. What went wrong is shown, and
the next code is another attempt. While the peer's invite is knocked at, another code takes its place: it may have been
the wrong one. Another device than before ends it.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from hardwire.app.events import AnswerReady, Event, InviteReady
from hardwire.errors import HardwireError, IdentityChanged, InviteRefused, PeerNotVerified
from hardwire.net import Dialling, Line, LineConfig, PendingAnswer, PendingOffer, carriers
from hardwire.net import host as net_host
from hardwire.net import take as net_take
from hardwire.net.invite import is_answer
from hardwire.net.pending import Pending


class CodeFace(Protocol):
    """The person, as far as this goes."""

    def emit(self, event: Event) -> None:
        """Show an event."""
        ...

    async def another_code(self, *, invited: bool, waiting: bool = False) -> bytes | None:
        """A code of the peer's; empty for an invite of one's own; None when nobody is there, or wants to.

        Args:
            invited: An own invite was made, and can be answered.
            waiting: The peer's invite was taken, and what comes now takes its place.
        """
        ...

    def refused(self, problem: HardwireError) -> bool:
        """It came to nothing, and why."""
        ...


class Renewal:
    """One time that a line was lost for good.

    Args:
        make_config: How a line to the same device is opened; asked for each attempt.
        face: The person.
        tell: Says which helpers were asked for a code, and what they learned.
    """

    def __init__(self, make_config: Callable[[], LineConfig], face: CodeFace, tell: Callable[[Pending], None]) -> None:
        self._make_config = make_config
        self._face = face
        self._tell = tell
        self._own: PendingOffer | None = None
        self._made: set[bytes] = set()

    async def open(self) -> Line | None:
        """Make and take codes until a line is open.

        Raises:
            IdentityChanged: Another device is there.
            PeerNotVerified: It may not be talked to any more.
        """
        try:
            code = await self._another()
            while code is not None:
                try:
                    came = await self._attempt(code)
                except (IdentityChanged, PeerNotVerified):
                    raise
                except HardwireError as problem:
                    self._face.refused(problem)
                    came = None
                if isinstance(came, Line):
                    return came
                code = await self._another() if came is None else came
            return None
        finally:
            await self._drop()

    async def _another(self, *, waiting: bool = False) -> bytes | None:
        return await self._face.another_code(invited=self._own is not None, waiting=waiting)

    async def _attempt(self, code: bytes) -> Line | bytes | None:
        """A line, or the code that took the place of this one, or neither."""
        self._check(code)
        if not code:
            await self._drop()
            self._own = await net_host(self._make_config())
            self._made.add(self._own.blob)
            self._tell(self._own)
            self._face.emit(InviteReady(self._own.text, self._own.expiry))
            return None
        text = carriers.to_text(code)
        if self._own is not None and is_answer(code):
            return await self._answered(self._own, text)
        async with await net_take(self._make_config(), text) as pending:
            self._tell(pending)
            if pending.text is not None:
                self._face.emit(AnswerReady(pending.text))
            return await self._connect(pending, code)

    def _check(self, code: bytes) -> None:
        """Refuse what can be no attempt."""
        if code in self._made:
            wanted = "invite" if self._own is None else "answer"
            raise InviteRefused(
                f"this is your own invite; your peer's {wanted} is wanted here",
                code="invite-own",
                hint="it goes to your peer, and what they send back is pasted here",
            )
        if not is_answer(code):
            return
        if self._own is None:
            raise InviteRefused(
                "that is an answer, and no invite was made here",
                code="invite-kind",
                hint="paste your peer's invite, or press Enter to make one here",
            )
        self._own.check(code)

    async def _connect(self, pending: PendingAnswer | Dialling, code: bytes) -> Line | bytes:
        """Knock until there is a line, or a person has another code."""
        connecting = asyncio.create_task(pending.connect(), name="hardwire connect")
        try:
            other = await self._unless(connecting, pending, code)
        except BaseException:
            if await _stopped(connecting):
                await connecting.result().close()
            raise
        opened = await _stopped(connecting)
        return connecting.result() if opened or other is None else other

    async def _unless(
        self, connecting: asyncio.Task[Line], pending: PendingAnswer | Dialling, code: bytes
    ) -> bytes | None:
        """Wait for the line; another code that came before it and can be used."""
        while not connecting.done():
            asking = asyncio.create_task(self._another(waiting=True), name="hardwire another code")
            await _first(connecting, asking)
            other = None if asking.cancelled() else asking.result()
            if other is None:
                await asyncio.wait({connecting})
            elif other == code:
                if pending.text is not None:
                    self._face.emit(AnswerReady(pending.text))
            else:
                try:
                    self._check(other)
                except InviteRefused as problem:
                    self._face.refused(problem)
                else:
                    return other
        return None

    async def _answered(self, own: PendingOffer, text: str) -> Line:
        try:
            return await own.accept(text)
        finally:
            if own.used:
                self._own = None

    async def _drop(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            await own.close()


async def _stopped(connecting: asyncio.Task[Line]) -> bool:
    """End it; whether it had come to a line."""
    connecting.cancel()
    await asyncio.wait({connecting})
    return not connecting.cancelled() and connecting.exception() is None


async def _first(connecting: asyncio.Task[Line], asking: asyncio.Task[bytes | None]) -> None:
    """Wait for one of the two; nobody is asked any more when there is a line."""
    try:
        await asyncio.wait({connecting, asking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asking.cancel()
        await asyncio.wait({asking})
