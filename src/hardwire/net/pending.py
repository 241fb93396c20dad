# SPDX-License-Identifier: Apache-2.0
"""A line that waits for the other side's code: :class:`PendingOffer` here, :class:`PendingAnswer` there.

Either is good for one attempt. A code that is refused before anything was sent (a typing error, the answer to
another offer) is no attempt: the person may paste again. Whatever happens after that, a new offer is needed.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final, Self

from hardwire.errors import InviteRefused, LineTimeout, Misuse, NetworkFailed
from hardwire.handshake import Binding, HandshakeDone, Initiator, Responder
from hardwire.net import carriers
from hardwire.net.candidate import Candidate
from hardwire.net.config import LineConfig, Stage
from hardwire.net.driver import CONTROL
from hardwire.net.inbox import Inbox
from hardwire.net.invite import MAX_LIFE, Answer, InviteSecrets, Offer, derive_secrets, offer_ref
from hardwire.net.line import Line, Timings
from hardwire.net.rtc import DtlsFacts, LinkSettings, RtcLink
from hardwire.net.settle import SettleDriver
from hardwire.net.shake import HandshakeDriver

PATH_TIMEOUT: Final = 30.0
"""Seconds the offerer looks for a path: the answerer is already knocking when the answer is pasted."""
GRACE: Final = 30.0
"""Seconds the answerer knocks beyond the expiry of the offer, for clocks that differ."""


class Pending:
    """What both sides of an unopened line share: the link, the codes, one attempt.

    Attributes:
        expiry: Unix seconds: how long the code is good.
        may_find: Set before the attempt: the peer may be :meth:`found` elsewhere than where its code says.
    """

    def __init__(self, config: LineConfig, link: RtcLink, secrets: InviteSecrets, expiry: int) -> None:
        self.expiry = expiry
        self._config = config
        self._link = link
        self._secrets = secrets
        self._used = False
        self._inbox = Inbox()
        self.may_find = False

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Our addresses, as the code tells them to whoever reads it."""
        return self._link.candidates

    @property
    def problems(self) -> tuple[str, ...]:
        """What a STUN or TURN server would not do."""
        return self._link.problems

    @property
    def used(self) -> bool:
        """The one attempt was made, or given up."""
        return self._used

    @property
    def has_path(self) -> bool:
        """The peer was found."""
        return self._link.has_path

    def found(self, candidates: tuple[Candidate, ...]) -> None:
        """The peer may be there, too; while it is looked for."""
        self._link.found(candidates)

    def on_knock(self, knocked: Callable[[], None]) -> None:
        """Call this once, when the peer looks for a path before this side does: it has the secret."""
        self._link.on_knock(knocked)

    @property
    def seen(self) -> Mapping[str, tuple[str, ...]]:
        """By ``stun`` and ``turn``: which addresses of this machine that server saw."""
        return self._link.seen

    async def close(self) -> None:
        """Give up: the code is worth nothing from now on. A line that came of it lives on."""
        if not self._used:
            self._used = True
            await self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def _use(self) -> None:
        if self._used:
            raise InviteRefused(
                "this code has been used already", code="invite-used", hint="each code opens one line: make a new one"
            )
        self._used = True

    async def _open(
        self, *, offer: bytes, answer: bytes, peer: tuple[bytes, tuple[Candidate, ...]], offerer: bool, within: float
    ) -> Line:
        """Path, DTLS, binding, handshake; closes the link without a word when any of them fails."""
        began = time.perf_counter()
        self._inbox = inbox = Inbox()
        fingerprint, candidates = peer
        try:
            self._config.on_stage(Stage.CONNECTING)
            facts = await self._link.open(
                fingerprint=fingerprint, candidates=candidates, events=inbox, within=within, more=self.may_find
            )
            opened = time.perf_counter()
            self._config.on_stage(Stage.SECURING)
            binding = _binding(offer, answer, facts, self._secrets.inv_secret, offerer=offerer)
            lines: list[Line] = []

            settling: list[SettleDriver] = []

            def start_line(done: HandshakeDone) -> None:
                lines.append(Line(done, self._link, inbox, self._config))

            def settle(done: HandshakeDone) -> None:
                settling.append(SettleDriver(done, self._link, self._config, start_line))
                inbox.attach(settling[0], (CONTROL,))
                settling[0].begin()

            driver = HandshakeDriver(self._machine(binding, offerer=offerer), self._link, self._config, settle)
            inbox.attach(driver, (CONTROL,))
            await driver.run()
            await settling[0].run()
        except BaseException:
            await self._link.close()
            raise
        line = lines[0]
        line.timings = Timings(
            open_ms=1e3 * (opened - began),
            handshake_ms=1e3 * (time.perf_counter() - opened),
            asked_ms=1e3 * (driver.asked_seconds + settling[0].asked_seconds),
        )
        self._config.on_stage(Stage.OPEN)
        return line

    def _machine(self, binding: Binding, *, offerer: bool) -> Initiator | Responder:
        config = self._config
        role = Responder if offerer else Initiator
        return role(
            binding,
            config.credential,
            entropy=config.entropy,
            now=config.clock.monotonic(),
            secrets=config.contacts,
            scheme=config.scheme,
        )


class PendingOffer(Pending):
    """An offer that was handed out and waits for its answer."""

    def __init__(self, config: LineConfig, link: RtcLink, offer: Offer, secrets: InviteSecrets) -> None:
        super().__init__(config, link, secrets, offer.expiry)
        self._offer = offer
        self.blob = offer.encode()
        self.text = carriers.to_text(self.blob)

    @classmethod
    async def make(cls, config: LineConfig) -> Self:
        """Bind addresses and make a fresh offer.

        Raises:
            NetworkFailed: There is no address to put into it.
        """
        if not 0 < config.life <= MAX_LIFE:
            raise Misuse(f"an offer lives at most {MAX_LIFE} s, not {config.life}")
        secret = config.entropy.octets(16)
        secrets = derive_secrets(secret)
        link = await _gather(config, secrets, offerer=True)
        offer = Offer(secret, int(config.clock.wall()) + config.life, link.fingerprint, link.candidates)
        return cls(config, link, offer, secrets)

    def check(self, answer: bytes) -> Answer:
        """Whether a code answers this offer, and may still be used.

        Raises:
            InviteRefused: It is no answer, belongs to another offer, or came too late.
        """
        read = Answer.decode(answer, offer=self.blob, loopback=self._config.loopback)
        self._offer.check_time(self._config.clock.wall())
        return read

    async def accept(self, answer_text: str, within: float = PATH_TIMEOUT) -> Line:
        """Take the peer's answer and open the line. One attempt; a code refused as such is none.

        Args:
            answer_text: The peer's code.
            within: Seconds that a path is looked for.

        Raises:
            InviteRefused: The text is no answer, belongs to another offer, came too late, or a second time.
            HardwireError: Why there is no line.
        """
        blob = carriers.from_text(answer_text)
        answer = self.check(blob)
        self._use()
        return await self._open(
            offer=self.blob,
            answer=blob,
            peer=(answer.fingerprint, answer.candidates),
            offerer=True,
            within=within,
        )


class PendingAnswer(Pending):
    """An answer that was made and waits until the offerer takes it."""

    def __init__(
        self, config: LineConfig, link: RtcLink, offer: Offer, offer_blob: bytes, secrets: InviteSecrets
    ) -> None:
        super().__init__(config, link, secrets, offer.expiry)
        self._offer = offer
        self._offer_blob = offer_blob
        self.blob = Answer(offer_ref(offer_blob), link.fingerprint, link.candidates).encode()
        self.text = carriers.to_text(self.blob)

    @classmethod
    async def make(cls, config: LineConfig, offer_text: str) -> Self:
        """Read an offer, bind addresses and make the answer. Nothing is sent to the offerer yet.

        Raises:
            InviteRefused: The text is no offer, or one that may not be used (any more).
            NetworkFailed: There is no address to put into the answer.
        """
        blob = carriers.from_text(offer_text)
        offer = Offer.decode(blob, loopback=config.loopback)
        offer.check_time(config.clock.wall())
        secrets = derive_secrets(offer.secret)
        return cls(config, await _gather(config, secrets, offerer=False), offer, blob, secrets)

    async def connect(self, within: float = MAX_LIFE) -> Line:
        """Knock until the offerer has taken the answer, at most until the offer expires; then open the line.

        Args:
            within: Seconds to knock at most.

        Raises:
            LineTimeout: ``answer-unused``: nobody took it.
            HardwireError: Why there is no line.
        """
        self._use()
        within = min(within, max(0.0, self.expiry - self._config.clock.wall()) + GRACE)
        try:
            return await self._open(
                offer=self._offer_blob,
                answer=self.blob,
                peer=(self._offer.fingerprint, self._offer.candidates),
                offerer=False,
                within=within,
            )
        except NetworkFailed as error:
            if error.code != "no-path" or self._config.clock.wall() < self.expiry:
                raise
            raise LineTimeout(
                "nobody took the answer before the code expired",
                code="answer-unused",
                hint="was the answer pasted at the other end? ask for a new code; behind two NATs add --stun or --turn",
            ) from error


async def host(config: LineConfig) -> PendingOffer:
    """Make an offer: this side publishes the invitation, and shows itself first in the handshake."""
    return await PendingOffer.make(config)


async def join(config: LineConfig, offer_text: str) -> PendingAnswer:
    """Accept an offer: this side sees the other's verified identity before it shows its own."""
    return await PendingAnswer.make(config, offer_text)


async def _gather(config: LineConfig, secrets: InviteSecrets, *, offerer: bool) -> RtcLink:
    return await RtcLink.gather(
        LinkSettings(offerer=offerer, secrets=secrets, servers=config.servers, loopback=config.loopback)
    )


def _binding(offer: bytes, answer: bytes, facts: DtlsFacts, inv_secret: bytes, *, offerer: bool) -> Binding:
    """What this side itself observed, in the order of the protocol (docs/protocol.md §7 and §8)."""
    own, peer = facts.own_fingerprint, facts.peer_fingerprint
    fp_offer, fp_answer = (own, peer) if offerer else (peer, own)
    return Binding(
        offer=offer, answer=answer, fp_offer=fp_offer, fp_answer=fp_answer, cb=facts.exporter, inv_secret=inv_secret
    )
