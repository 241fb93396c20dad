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
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from hardwire.certs import GatedCertificate, VerifiedIdentity
from hardwire.channel import Announcer, NextAnswered, NextOffered, Sought
from hardwire.errors import ConnectionLost, HardwireError, IdentityChanged, InviteRefused, LineTimeout, NetworkFailed
from hardwire.handshake import Credential, Role
from hardwire.net import carriers
from hardwire.net.announcing import Announcing, Place
from hardwire.net.candidate import MAX_CANDIDATES
from hardwire.net.config import LineConfig, Verify
from hardwire.net.line import Line
from hardwire.net.paths import PathFound
from hardwire.net.pending import Pending, PendingAnswer, PendingOffer, host, join

FIRST_OFFER: Final = 2.0
"""Seconds that a young line goes without one."""
BETWEEN_OFFERS: Final = 20.0
"""Seconds: each costs both ends sockets and a certificate."""
LIFE: Final = 82_800
"""Seconds that a next offer lives: an hour less than any code may, for clocks that differ."""
RENEW_AFTER: Final = LIFE // 4
"""Seconds after which it is replaced: a line may live longer than any code, and is followed when it is a day old."""
LOOK_AT_CLOCK: Final = 60.0
"""Seconds between two looks whether that time has come. The wall clock decides, as it does for every code."""


MOST_HELD: Final = 4
"""Sets of sockets of codes that may still be needed, on a line that is lost and found again and again."""


class NextLine:
    """What one end holds of the line after ``line``.

    Codes that were replaced are held until the other end is known to have the new ones: a line may die between the
    two, and then both must still have something in common.

    Args:
        line: Open.
        make_config: How the next one is opened; asked for each attempt, as a policy judges one line.
    """

    def __init__(self, line: Line, make_config: Callable[[], LineConfig]) -> None:
        self._line = line
        self._make_config = make_config
        self._offerer = line.done.role is Role.RESPONDER
        self._offers: list[PendingOffer] = []
        self._answers: list[PendingAnswer] = []
        self._answered: tuple[PendingOffer, str] | None = None
        self._wanted = asyncio.Event()
        self._offered: NextOffered | None = None
        if self._offerer:
            self._wanted.set()
        self._task = asyncio.create_task(self._agree(), name="hardwire next line")

    @property
    def agreed(self) -> bool:
        """Both ends hold what it takes, as far as this one knows."""
        return bool(self._answers) if not self._offerer else self._answered is not None

    def handle(self, event: object) -> bool:
        """Take an event of the line that is about the next one, or changes where this end can be found."""
        match event:
            case NextOffered():
                self._offered = event
                self._wanted.set()
            case NextAnswered(code=code):
                self._take_answer(code)
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
            if self._answered is not None:
                offer, text = self._answered
                with self._announced([offer]):
                    return await offer.accept(text, within=within)
            if self._answers:
                with self._announced(self._answers):
                    return await first_line([answer.connect(within=within) for answer in self._answers])
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
        held: list[PendingOffer | PendingAnswer] = [*self._offers, *self._answers]
        self._answered = None
        self._offers.clear()
        self._answers.clear()
        for pending in held:
            await pending.close()

    # ------------------------------------------------------------------ agreeing

    async def _agree(self) -> None:
        await asyncio.sleep(FIRST_OFFER if self._offerer else 0)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOK_AT_CLOCK)
            if not (self._wanted.is_set() or self._grows_old()):
                continue
            self._wanted.clear()
            # A code that cannot be used, an address that is not there yet: the next telling is another chance.
            with suppress(HardwireError):
                await (self._make_offer() if self._offerer else self._make_answer())
            await asyncio.sleep(BETWEEN_OFFERS)
            await self._forget()

    def _grows_old(self) -> bool:
        """Whether the last offer made here is to be replaced; also one whose time a clock that was set has taken."""
        if not self._offers:
            return False
        left = self._offers[-1].expiry - self._make_config().clock.wall()
        return not LIFE - RENEW_AFTER < left <= LIFE

    async def _make_offer(self) -> None:
        made = await host(replace(self._config(), life=LIFE))
        made.on_knock(self._knocked)
        self._offers.append(made)
        self._line.tell_next(made.blob)

    async def _make_answer(self) -> None:
        if self._offered is None:
            return
        made = await join(self._config(), carriers.to_text(self._offered.code))
        made.on_knock(self._knocked)
        self._answers.append(made)
        self._line.tell_next(made.blob)

    def _take_answer(self, code: bytes) -> None:
        """To the last offer, or to the one before it, which is better than none. What answers no offer is dropped."""
        for offer in reversed(self._offers):
            with suppress(HardwireError):
                offer.check(code)
                self._answered = offer, carriers.to_text(code)
                return

    async def _forget(self) -> None:
        """What the peer has replaced as well. On a line that is alive it had the time to."""
        if self._line.path_is_lost and len(self._offers) + len(self._answers) < MOST_HELD:
            return
        kept = self._answered[0] if self._answered is not None else None
        old: list[PendingOffer | PendingAnswer] = [*self._answers[:-1]]
        old += [offer for offer in self._offers[:-1] if offer is not kept]
        self._answers = self._answers[-1:]
        self._offers = [offer for offer in self._offers if offer not in old]
        for pending in old:
            await pending.close()

    def _knocked(self) -> None:
        """The peer looks for the next line: for it this one is lost, whatever it looks like from here."""
        self._line.closed(ConnectionLost("connection lost: the peer is opening another line", code="path-lost"))

    def _config(self) -> LineConfig:
        return same_device(self._make_config(), self._line.done.peer.device_id)

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    # ------------------------------------------------------------------ looking for each other

    @contextmanager
    def _announced(self, sought: Sequence[Pending]) -> Iterator[None]:
        """Call for the peer on the networks that this machine is on, too."""
        config = self._make_config()
        if not config.announces:
            yield
            return

        def own() -> Place:
            addresses = (one for pending in sought if not pending.has_path for one in pending.candidates)
            return 0, tuple(addresses)[:MAX_CANDIDATES]

        def found(place: Place) -> None:
            for pending in sought:
                if not pending.has_path:
                    pending.found(place[1])

        for pending in sought:
            pending.may_find = True
        done = self._line.done
        announcing = Announcing(
            Announcer(done.exporter, done.role, Sought.NEXT_LINE), config.entropy, own=own, found=found
        )
        announcing.start()
        try:
            yield
        finally:
            announcing.stop()


async def first_line(attempts: Iterable[Coroutine[None, None, Line]]) -> Line:
    """The line of whichever attempt comes to one. A peer answers to one of them; whoever it turns out to be counts.

    Raises:
        HardwireError: Why there is none.
    """
    tasks = [asyncio.create_task(attempt, name="hardwire next line attempt") for attempt in attempts]
    lines: list[Line] = []
    try:
        for ending in asyncio.as_completed(tasks):
            try:
                lines.append(await ending)
            except (NetworkFailed, LineTimeout) as error:
                nobody = error
                continue
            return lines[0]
        raise nobody
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Line) and outcome not in lines:
                await outcome.close()


def same_device(config: LineConfig, device_id: bytes) -> LineConfig:
    """A configuration under which nobody but that device is talked to, whatever another one proves."""
    verify: Verify = config.verify

    async def decide(credential: Credential, leaf: GatedCertificate, role: Role) -> VerifiedIdentity:
        peer = await verify(credential, leaf, role)
        if peer.device_id != device_id:
            raise IdentityChanged(
                "another device than that of the line before answered",
                evidence={"before": device_id.hex(), "now": peer.device_id.hex()},
            )
        return peer

    return replace(config, verify=decide)
