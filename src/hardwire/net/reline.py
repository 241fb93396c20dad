# SPDX-License-Identifier: Apache-2.0
"""The line after this one: agreed inside this one in good time, opened when it has died (docs/protocol.md §14.10, §15).

::

    following = NextLine(line, make_config)         begins to agree, a moment after the line opened
    following.handle(event)                         each event of the line; true when it was about this
    line = await following.open(within)             after the line was lost: path, DTLS, and the whole handshake
    await following.close()

The responder makes an offer and tells it on the line, the initiator answers; both keep what they would keep while a
person carried the codes: bound sockets, a certificate, the secret, which here nobody else has seen. When the line is
lost both knock, from whatever addresses they have then; an end that has not noticed is told by that. Who is there is
proved all over again, and must be the same device: another one is a hard stop, whatever it can prove.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from hardwire.certs import GatedCertificate, VerifiedIdentity
from hardwire.channel import NextAnswered, NextOffered
from hardwire.errors import ConnectionLost, HardwireError, IdentityChanged, InviteRefused, NetworkFailed
from hardwire.handshake import Credential, Role
from hardwire.net import carriers
from hardwire.net.config import LineConfig, Verify
from hardwire.net.line import Line
from hardwire.net.paths import PathFound
from hardwire.net.pending import PendingAnswer, PendingOffer, host, join

FIRST_OFFER: Final = 2.0
"""Seconds that a young line goes without one."""
BETWEEN_OFFERS: Final = 20.0
"""Seconds: each costs both ends sockets and a certificate."""
LIFE: Final = 82_800
"""Seconds that a next offer lives: an hour less than any code may, for clocks that differ."""


class NextLine:
    """What one end holds of the line after ``line``.

    Args:
        line: Open.
        make_config: How the next one is opened; asked for each attempt, as a policy judges one line.
    """

    def __init__(self, line: Line, make_config: Callable[[], LineConfig]) -> None:
        self._line = line
        self._make_config = make_config
        self._offerer = line.done.role is Role.RESPONDER
        self._offer: PendingOffer | None = None
        self._answer: PendingAnswer | None = None
        self._answer_text: str | None = None
        self._wanted = asyncio.Event()
        self._offered: NextOffered | None = None
        if self._offerer:
            self._wanted.set()
        self._task = asyncio.create_task(self._agree(), name="hardwire next line")

    @property
    def agreed(self) -> bool:
        """Both ends hold what it takes."""
        return self._answer is not None if not self._offerer else self._answer_text is not None

    def handle(self, event: object) -> bool:
        """Take an event of the line that is about the next one, or changes where this end can be found."""
        match event:
            case NextOffered():
                self._offered = event
                self._wanted.set()
            case NextAnswered(code=code):
                self._answer_text = carriers.to_text(code)
            case PathFound(moved=True):
                if self._offerer:  # the addresses in the last codes are those of another network
                    self._wanted.set()
                return False
            case _:
                return False
        return True

    async def open(self, within: float, pause: float = 0.0) -> Line:
        """Knock for ``within`` seconds, while the peer does so as well, and open the line; before that, ``pause``.

        Raises:
            ConnectionLost: ``no-next-line``: nothing was agreed, or nobody was found.
            IdentityChanged: Another device is there.
            HardwireError: Why there is no line.
        """
        await self._stop()
        await asyncio.sleep(pause)
        try:
            if self._offer is not None and self._answer_text is not None:
                return await self._offer.accept(self._answer_text, within=within)
            if self._answer is not None:
                return await self._answer.connect(within=within)
        except (NetworkFailed, InviteRefused) as error:
            raise ConnectionLost(
                "the peer was not found again", code="no-next-line", hint="make a new invite when you reach each other"
            ) from error
        raise ConnectionLost(
            "the line ended before the next one was agreed", code="no-next-line", hint="make a new invite"
        )

    async def close(self) -> None:
        """Give everything back; a line that came of it lives on."""
        await self._stop()
        await self._drop()

    # ------------------------------------------------------------------ agreeing

    async def _agree(self) -> None:
        await asyncio.sleep(FIRST_OFFER if self._offerer else 0)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            # A code that cannot be used, an address that is not there yet: the next telling is another chance.
            with suppress(HardwireError):
                await (self._make_offer() if self._offerer else self._make_answer())
            await asyncio.sleep(BETWEEN_OFFERS)

    async def _make_offer(self) -> None:
        made = await host(replace(self._config(), life=LIFE))
        made.on_knock(self._knocked)
        before, self._offer, self._answer_text = self._offer, made, None
        await self._tell(made.blob, before)

    async def _make_answer(self) -> None:
        if self._offered is None:
            return
        made = await join(self._config(), carriers.to_text(self._offered.code))
        made.on_knock(self._knocked)
        before, self._answer = self._answer, made
        await self._tell(made.blob, before)

    async def _tell(self, code: bytes, replaced: PendingOffer | PendingAnswer | None) -> None:
        self._line.tell_next(code)
        if replaced is not None:
            await replaced.close()

    def _knocked(self) -> None:
        """The peer looks for the next line: for it this one is lost, whatever it looks like from here."""
        self._line.closed(ConnectionLost("connection lost: the peer is opening another line", code="path-lost"))

    def _config(self) -> LineConfig:
        config = self._make_config()
        return replace(config, verify=_the_same(config.verify, self._line.done.peer.device_id))

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _drop(self) -> None:
        offer, answer = self._offer, self._answer
        self._offer = self._answer = self._answer_text = None
        for pending in (offer, answer):
            if pending is not None:
                await pending.close()


def _the_same(verify: Verify, device_id: bytes) -> Verify:
    async def decide(credential: Credential, leaf: GatedCertificate, role: Role) -> VerifiedIdentity:
        peer = await verify(credential, leaf, role)
        if peer.device_id != device_id:
            raise IdentityChanged(
                "another device than that of the line before answered",
                evidence={"before": device_id.hex(), "now": peer.device_id.hex()},
            )
        return peer

    return decide
