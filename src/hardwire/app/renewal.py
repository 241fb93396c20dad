# SPDX-License-Identifier: Apache-2.0
"""When a line is lost for good: another one to the same device, by codes that two people carry once more.

::

    line = await Renewal(make_config, face, tell).open()         None when nobody is there to carry codes

Either person makes the new invite, or both do; what is pasted says by itself what it is. What went wrong is shown, and
the next code is another attempt. Another device than before ends it.
"""

from collections.abc import Callable
from typing import Protocol

from hardwire.app.events import AnswerReady, Event, InviteReady
from hardwire.errors import HardwireError, IdentityChanged, InviteRefused, PeerNotVerified
from hardwire.net import Line, LineConfig, PendingOffer, carriers
from hardwire.net import host as net_host
from hardwire.net import take as net_take
from hardwire.net.invite import is_answer
from hardwire.net.pending import Pending


class CodeFace(Protocol):
    """The person, as far as this goes."""

    def emit(self, event: Event) -> None:
        """Show an event."""
        ...

    async def another_code(self, *, invited: bool) -> bytes | None:
        """A code of the peer's; empty for an invite of one's own; None when nobody is there, or wants to.

        Args:
            invited: An own invite was made, and can be answered.
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

    async def open(self) -> Line | None:
        """Make and take codes until a line is open.

        Raises:
            IdentityChanged: Another device is there.
            PeerNotVerified: It may not be talked to any more.
        """
        try:
            while (code := await self._face.another_code(invited=self._own is not None)) is not None:
                try:
                    line = await self._attempt(code)
                except (IdentityChanged, PeerNotVerified):
                    raise
                except HardwireError as problem:
                    self._face.refused(problem)
                else:
                    if line is not None:
                        return line
            return None
        finally:
            await self._drop()

    async def _attempt(self, code: bytes) -> Line | None:
        if not code:
            await self._drop()
            self._own = await net_host(self._make_config())
            self._tell(self._own)
            self._face.emit(InviteReady(self._own.text, self._own.expiry))
            return None
        text = carriers.to_text(code)
        if is_answer(code):
            return await self._answered(text)
        async with await net_take(self._make_config(), text) as pending:
            self._tell(pending)
            if pending.text is not None:
                self._face.emit(AnswerReady(pending.text))
            return await pending.connect()

    async def _answered(self, text: str) -> Line:
        if self._own is None:
            raise InviteRefused(
                "that is an answer, and no invite was made here",
                code="invite-kind",
                hint="paste your peer's invite, or press Enter to make one here",
            )
        own = self._own
        try:
            return await own.accept(text)
        finally:
            if own.used:
                self._own = None

    async def _drop(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            await own.close()
