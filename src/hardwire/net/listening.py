# SPDX-License-Identifier: Apache-2.0
"""A line by one code: :class:`Listening` where it was made, :class:`Dialling` where it was read.

The side that listens learns of the other from ICE's own checks, which only a holder of the invite can make. Whoever
comes so far as to send its first message of the handshake has used the invite up, whatever comes of it. Somebody who
knocks and breaks off before that has not: this side goes on listening at the same addresses until the code expires.
"""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.errors import HandshakeRefused, LineTimeout, Misuse, NetworkFailed, UsageError
from hardwire.net import carriers
from hardwire.net.candidate import Candidate, CandidateKind, IPAddress, select
from hardwire.net.config import LineConfig, Stage
from hardwire.net.interfaces import usable_addresses
from hardwire.net.invite import MAX_LIFE, is_one_way
from hardwire.net.line import Line
from hardwire.net.oneway import KeyAndCertificate, OneWay, derive, expiry_after
from hardwire.net.pending import PATH_TIMEOUT, Pending, PendingAnswer
from hardwire.net.rtc import LinkSettings, RtcLink

_LOOK_AT_CLOCK: Final = 1.0
"""Seconds between two looks at the wall clock while nobody comes."""
_GONE: Final = 3
"""Looks in a row at which this machine has other addresses than the code names, and none that it does."""
_TRIES: Final = 16
_NO_ANSWER: Final = b""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a side listens, when the person said so.

    Args:
        port: The UDP port at every address of this machine; 0 chooses one.
        announced: What to write into the code instead of this machine's own addresses, such as a router's outside.
    """

    port: int = 0
    announced: tuple[Candidate, ...] = ()


async def listen(config: LineConfig, listen: Listen | None = None) -> "Listening":
    """Make a one-way invite: this side must be reachable, and shows itself first in the handshake."""
    return await Listening.make(config, listen or Listen())


async def take(config: LineConfig, code: str) -> "PendingAnswer | Dialling":
    """Accept whichever kind of invite this is."""
    blob = carriers.from_text(code)
    return await Dialling.make(config, code) if is_one_way(blob) else await PendingAnswer.make(config, code)


class Listening(Pending):
    """A one-way invite that was handed out and waits for somebody who dials."""

    def __init__(
        self, config: LineConfig, link: RtcLink, invite: OneWay, *, settings: LinkSettings, peer: bytes
    ) -> None:
        super().__init__(config, link, settings.secrets, invite.expiry)
        self._settings = settings
        self._peer = peer
        self._invite = invite
        here = {one.address for one in link.candidates if one.kind is CandidateKind.HOST}
        self._own = here & {one.address for one in invite.candidates}
        self.blob = invite.encode()
        self.text = carriers.to_text(self.blob)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Where the code says that this side is reached."""
        return self._invite.candidates

    @classmethod
    async def make(cls, config: LineConfig, listen: Listen) -> Self:
        """Bind addresses and make a fresh invite.

        Raises:
            UsageError: A relay cannot be dialled.
            NetworkFailed: There is no address to put into it, or the port is taken.
        """
        if not 0 < config.life <= MAX_LIFE:
            raise Misuse(f"an invite lives at most {MAX_LIFE} s, not {config.life}")
        if config.servers.turn is not None:
            raise UsageError(
                "a TURN server lets nobody in whom it was not told of, so it is of no use to a one-way invite",
                code="one-way-relay",
                hint="leave --turn away here (your peer may use it), or make an ordinary invite",
            )
        addresses = usable_addresses(loopback=config.loopback)
        port = listen.port or _free_port(addresses)
        secret, expiry = config.entropy.octets(16), expiry_after(config.clock.wall(), config.life)
        derived = derive(secret, expiry)
        settings = LinkSettings(
            offerer=True,
            secrets=derived.ice,
            servers=config.servers,
            loopback=config.loopback,
            shown=(derived.offer.key, derived.offer.certificate),
            port=port,
        )
        link = await RtcLink.gather(settings)
        try:
            invite = OneWay(secret, expiry, select(listen.announced or link.candidates))
        except BaseException:
            await link.close()
            raise
        return cls(config, link, invite, settings=settings, peer=_fingerprint(derived.answer))

    async def accept(self) -> Line:
        """Wait until somebody dials, and open the line. New addresses of this machine are listened at as well.

        Raises:
            LineTimeout: ``invite-unanswered``: nobody came before the code expired.
            NetworkFailed: ``address-gone``: the code leads nowhere any more, as this machine has moved.
            HardwireError: Why there is no line.
        """
        self._use()
        self._config.on_stage(Stage.LISTENING)
        try:
            while True:
                await self._knock()
                try:
                    return await self._attempt()
                except (NetworkFailed, HandshakeRefused, LineTimeout):
                    if self._inbox.heard:
                        raise
                self._config.on_stage(Stage.LISTENING)
                self._link = await self._listen_again()
        except BaseException:
            await self._link.close()
            raise

    async def _listen_again(self) -> RtcLink:
        """What made somebody break off may have been this machine's network, which comes back."""
        while True:
            try:
                return await RtcLink.gather(self._settings)
            except NetworkFailed:
                if self._config.clock.wall() >= self.expiry:
                    raise
            await asyncio.sleep(_LOOK_AT_CLOCK)

    async def _attempt(self) -> Line:
        return await self._open(
            offer=self.blob, answer=_NO_ANSWER, peer=(self._peer, ()), offerer=True, within=PATH_TIMEOUT
        )

    async def _knock(self) -> None:
        """Return when somebody who holds the invite checks a path; the wall clock ends the wait, or a move."""
        knocked = asyncio.Event()
        self._link.on_knock(knocked.set)
        gone = 0
        while self._config.clock.wall() < self.expiry:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(knocked.wait(), _LOOK_AT_CLOCK)
                return
            now = await self._link.rebind()
            # Without any address there is nothing better than to wait: it may come back.
            gone = gone + 1 if now and self._own and self._own.isdisjoint(now) else 0
            if gone == _GONE:
                raise NetworkFailed(
                    "the address in the code is no longer this machine's",
                    code="address-gone",
                    hint="make a new one-way invite",
                )
        raise LineTimeout(
            "nobody came before the invite expired",
            code="invite-unanswered",
            hint="can your peer reach this machine? forward a UDP port and name it with --port and --address, "
            "or make an ordinary invite",
        )


class Dialling(Pending):
    """A one-way invite that was read."""

    text: None = None
    """Nothing goes back."""

    def __init__(
        self, config: LineConfig, link: RtcLink, invite: OneWay, *, settings: LinkSettings, peer: bytes
    ) -> None:
        super().__init__(config, link, settings.secrets, invite.expiry)
        self._invite = invite
        self._peer = peer

    @classmethod
    async def make(cls, config: LineConfig, code: str) -> Self:
        """Read the invite and bind addresses. Nothing is sent to the other side yet.

        Raises:
            InviteRefused: The text is no one-way invite, or one that may not be used (any more).
        """
        blob = carriers.from_text(code)
        invite = OneWay.decode(blob, loopback=config.loopback)
        invite.check_time(config.clock.wall())
        derived = derive(invite.secret, invite.expiry)
        settings = LinkSettings(
            offerer=False,
            secrets=derived.ice,
            servers=config.servers,
            loopback=config.loopback,
            shown=(derived.answer.key, derived.answer.certificate),
        )
        link = await RtcLink.gather(settings)
        return cls(config, link, invite, settings=settings, peer=_fingerprint(derived.offer))

    async def connect(self) -> Line:
        """Dial, and open the line.

        Raises:
            NetworkFailed: ``not-reached``: nobody answers at any address of the invite.
            HardwireError: Why there is no line.
        """
        self._use()
        peer = (self._peer, self._invite.candidates)
        try:
            return await self._open(
                offer=self._invite.encode(), answer=_NO_ANSWER, peer=peer, offerer=False, within=PATH_TIMEOUT
            )
        except NetworkFailed as error:
            if error.code != "no-path":
                raise
            raise NetworkFailed(
                "nobody answers at the addresses of this one-way invite",
                code="not-reached",
                hint="the inviter must be reachable: on the same network, at a public address, or through a "
                "forwarded port; was the invite used already? otherwise ask for an ordinary invite",
            ) from error


def _fingerprint(shown: KeyAndCertificate) -> bytes:
    return hashlib.sha256(shown.certificate.public_bytes(Encoding.DER)).digest()


def _free_port(addresses: Sequence[IPAddress]) -> int:
    """One number that is free at every address, so that one rule of a firewall or router is enough; 0 if none is."""
    for _ in range(_TRIES):
        port = 0
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for address in addresses:
                family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  (the IP version)
                bound = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                bound.bind((str(address), port))
                port = bound.getsockname()[1]
            return port
    return 0
