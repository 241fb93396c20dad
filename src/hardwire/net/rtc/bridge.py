# SPDX-License-Identifier: Apache-2.0
"""Data channels to a browser, or to any WebRTC peer that speaks SDP, over our transports (docs/adr/0022-sdp-bridge.md).

::

    bridge = await SdpBridge.offer(settings)           or  await SdpBridge.answer(settings, their_offer)
    their_answer = …carry(bridge.description)…         the same
    await bridge.accept(their_answer)                  nothing: an answer ends the exchange
    await bridge.open(events, within=30)
    channel = bridge.channels.create("files")          or wait for events.opened
    bridge.channels.send(channel, octets_or_text)      events.writable() says when the queue is short again
    await bridge.close()

**It proves nobody's identity.** What holds is what the two descriptions said, and they are as good as whoever carried
them. No command offers it, and no line of hardwire runs over it: a line has its own codes and its own handshake
(:mod:`hardwire.net.rtc.link`). It is there to talk to other people's WebRTC, in tests and in programs that know what
they do. On aiortc's own transports (docs/adr/0014-plain-transport.md) it works as well, without the limits of ours.
"""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import Final, Self

from aiortc import RTCSctpCapabilities, RTCSctpTransport

from hardwire.errors import ConnectionLost, HardwireError, Misuse, NetworkFailed, WireError
from hardwire.net.interfaces import usable_addresses
from hardwire.net.invite import SECRET_SIZE, derive_secrets
from hardwire.net.rtc.channels import MOST_CHANNELS, WITNESS, ChannelEvents, Channels
from hardwire.net.rtc.dtls import DtlsFacts, LineCertificate, LineDtls, agree
from hardwire.net.rtc.fastsctp import MOST_MESSAGE, FastSctp
from hardwire.net.rtc.fasttest import is_fast
from hardwire.net.rtc.path import Path, PathSettings
from hardwire.net.rtc.plain import PlainDtls
from hardwire.net.rtc.sctp import MAX_MESSAGE, SCTP_PORT
from hardwire.net.rtc.sdp import RankedCandidate, SessionDescription, Setup, Side, parse, read_candidate, write
from hardwire.net.rtc.selftest import self_test
from hardwire.net.rtc.terms import ASSOCIATE_TIMEOUT, CLOSE_TIMEOUT
from hardwire.net.servers import IceServers

_LOOK_INTERVAL: Final = 1.0
_MID: Final = "0"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """What a bridge is made from.

    Args:
        servers: Helpers, if the person asked for any.
        loopback: Bind this machine's loopback addresses, and only those; such candidates of the peer are taken.
        active: Begin DTLS, when the other side's offer leaves that to us.
        agreed: Numbers of channels that both sides agreed on beforehand, at most 64, below 65 534.
    """

    servers: IceServers = field(default_factory=IceServers)
    loopback: bool = False
    active: bool = True
    agreed: tuple[int, ...] = ()


class SdpBridge:
    """One side of a data-channel transport; made by :meth:`offer` or :meth:`answer`."""

    def __init__(self, settings: BridgeSettings, offered: SessionDescription | None) -> None:
        derived = derive_secrets(secrets.token_bytes(SECRET_SIZE))
        own = derived.offer if offered is None else derived.answer
        addresses = usable_addresses(loopback=settings.loopback)
        self._settings = settings
        self._offered = offered
        self._peer = offered
        self._path = Path(PathSettings(offered is None, own, None, addresses, settings.servers))
        self._credentials = own
        self._certificate = LineCertificate.of(None)
        self._session = secrets.randbits(63)
        self._dtls: LineDtls | PlainDtls | None = None
        self._sctp: RTCSctpTransport | None = None
        self._channels: Channels | None = None
        self._events: ChannelEvents | None = None
        self._established: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._told = False
        self._error: HardwireError | None = None

    @classmethod
    async def offer(cls, settings: BridgeSettings) -> Self:
        """Begin: bind addresses and ask the helpers; :meth:`accept` is the next step.

        Raises:
            NetworkFailed: ``no-address`` or ``no-relay``.
            LocalError: ``rtc-self-test``.
        """
        return await cls._gather(settings, None)

    @classmethod
    async def answer(cls, settings: BridgeSettings, offer: str) -> Self:
        """Take an offer, which is read before anything is bound; :meth:`open` is the next step.

        Raises:
            WireError: ``sdp-malformed`` or ``sdp-unsupported``.
            NetworkFailed, LocalError: As for :meth:`offer`.
        """
        return await cls._gather(settings, parse(offer, Side.OFFER, loopback=settings.loopback))

    @classmethod
    async def _gather(cls, settings: BridgeSettings, offered: SessionDescription | None) -> Self:
        self_test()
        if not all(0 <= number < WITNESS for number in settings.agreed) or len(settings.agreed) > MOST_CHANNELS:
            raise Misuse(f"channels {settings.agreed} cannot be agreed on")
        bridge = cls(settings, offered)
        try:
            await bridge._path.gather()
            bridge._path.require_candidates()
            if offered is not None:
                await bridge._meet(offered)
        except BaseException:
            await bridge.close()
            raise
        return bridge

    @property
    def description(self) -> str:
        """The session description of this side."""
        return write(self._describe(), self._session)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Candidates of the peer that were left out, with the reason for each."""
        return () if self._peer is None else self._peer.skipped

    @property
    def channels(self) -> Channels:
        """What messages go over; there when DTLS is, before the first event."""
        if self._channels is None:
            raise Misuse("channels come after open")
        return self._channels

    async def accept(self, answer: str) -> None:
        """Take the answer to our offer; :meth:`open` is the next step.

        Raises:
            WireError: ``sdp-malformed`` or ``sdp-unsupported``; another answer may be tried.
        """
        if self._peer is not None:
            raise Misuse("an answer is taken once, and by the side that offered")
        answered = parse(answer, Side.ANSWER, loopback=self._settings.loopback)
        if answered.mid != _MID:
            raise WireError(
                "the session description cannot be used: it answers another offer",
                code="sdp-malformed",
                hint="hand over the answer to this very offer",
            )
        await self._meet(answered)

    async def add_candidate(self, text: str) -> str | None:
        """Take one of the peer's addresses that came late (RFC 8838); why it was left out, if it was.

        Args:
            text: ``candidate:…`` as a browser hands it out; empty when there are no others.

        Raises:
            WireError: ``sdp-malformed``.
        """
        found = read_candidate(text, loopback=self._settings.loopback) if text else None
        if isinstance(found, RankedCandidate):
            await self._path.add_peer([found.candidate])
            return None
        return found

    async def open(self, events: ChannelEvents, *, within: float) -> DtlsFacts:
        """Find a path, run DTLS with the certificates that were described, begin SCTP. Once; on failure all is closed.

        Args:
            events: Who is told from now on.
            within: Seconds until a path must be there. What comes after has :data:`ASSOCIATE_TIMEOUT`.

        Raises:
            NetworkFailed: ``no-path`` or ``no-association``.
            HandshakeRefused: One of the ``binding-`` codes.
        """
        if self._events is not None or self._closing is not None or self._peer is None:
            raise Misuse("a bridge is opened once, when both descriptions are there")
        self._events = events
        try:
            await self._path.require_found(self._path.find(), within)
            try:
                async with asyncio.timeout(ASSOCIATE_TIMEOUT):
                    facts = await self._secure(self._peer)
                    await self._associate(self._peer, events)
            except TimeoutError as error:
                raise NetworkFailed("the path broke while it was being opened", code="no-association") from error
        except BaseException:
            self._told = True
            await self.close()
            raise
        self._watch = asyncio.create_task(self._watch_consent(), name="hardwire bridge watch")
        return facts

    async def close(self) -> None:
        """End it: SCTP ABORT, DTLS close_notify, sockets and relay given back. At most :data:`CLOSE_TIMEOUT`."""
        await asyncio.shield(self._begin_close())

    # ------------------------------------------------------------------ opening

    def _describe(self) -> SessionDescription:
        own = SessionDescription(
            side=Side.OFFER,
            mid=_MID,
            credentials=self._credentials,
            fingerprint=self._certificate.fingerprint,
            setup=Setup.ACTPASS,
            candidates=self._path.candidates,
            sctp_port=SCTP_PORT,
            most=MOST_MESSAGE if is_fast() else MAX_MESSAGE,
        )
        if self._offered is None:
            return own
        setup = Setup.PASSIVE if self._is_server else Setup.ACTIVE
        return replace(own, side=Side.ANSWER, mid=self._offered.mid, setup=setup, bundled=self._offered.bundled)

    @property
    def _is_server(self) -> bool:
        """Who does not begin DTLS is its server; an offer may leave the choice to who answers (RFC 8842 §5)."""
        if self._offered is not None and self._offered.setup is Setup.ACTPASS:
            return not self._settings.active
        return self._peer is not None and self._peer.setup is Setup.ACTIVE

    async def _meet(self, peer: SessionDescription) -> None:
        self._peer = peer
        self._path.meet(peer.credentials)
        # Never the last ones: a hidden address is known only when the checks of its owner come.
        await self._path.add_peer(peer.candidates)

    async def _secure(self, peer: SessionDescription) -> DtlsFacts:
        self._dtls = (LineDtls if is_fast() else PlainDtls)(
            self._path.transport,
            self._path.connection,
            self._certificate,
            server=self._is_server,
            on_closed=lambda: self._ended(ConnectionLost("the peer went away")),
        )
        return await agree(self._dtls, own=self._certificate.fingerprint, peer=peer.fingerprint)

    async def _associate(self, peer: SessionDescription, events: ChannelEvents) -> None:
        if self._dtls is None:
            raise Misuse("SCTP comes after DTLS")
        if isinstance(self._dtls, LineDtls):
            self._sctp = FastSctp(self._dtls, SCTP_PORT)
        else:
            self._sctp = RTCSctpTransport(self._dtls, SCTP_PORT)
        self._channels = Channels(self._sctp, events, most=peer.most, on_open=self._associated, on_end=self._ended)
        for number in self._settings.agreed:
            self._channels.agree(number)
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=peer.most), peer.sctp_port)
        await self._established
        if self._told:
            raise self._error or ConnectionLost("the bridge was closed while it was being opened")

    def _associated(self) -> None:
        if not self._established.done():
            self._established.set_result(None)

    # ------------------------------------------------------------------ the end

    async def _watch_consent(self) -> None:
        while self._path.connection.has_consent:  # noqa: ASYNC110  (aioice tells nobody)
            await asyncio.sleep(_LOOK_INTERVAL)
        self._ended(ConnectionLost("no sign of the peer for half a minute"))

    def _refusal(self) -> WireError | None:
        refusal = self._sctp.refusal if isinstance(self._sctp, FastSctp) else None
        return None if refusal is None else WireError(f"the peer sent {refusal}", code="transport-limit")

    def _ended(self, reason: HardwireError) -> None:
        """Whatever ended it, everything is closed; told once, to whoever opens it or uses it."""
        if self._told:
            return
        self._error, was_open = self._refusal() or reason, self._established.done()
        self._begin_close()
        if was_open and self._events is not None:
            self._events.closed(self._error)

    def _begin_close(self) -> asyncio.Task[None]:
        if self._closing is None:
            self._told = True
            if self._channels is not None:
                self._channels.stop()
            self._associated()
            self._closing = asyncio.create_task(self._close(), name="hardwire bridge close")
        return self._closing

    async def _close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self._path.close_below([one.stop for one in (self._sctp, self._dtls) if one is not None], CLOSE_TIMEOUT)
