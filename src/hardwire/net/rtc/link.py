# SPDX-License-Identifier: Apache-2.0
"""One association between two machines: gather, open, send and receive on two channels, close.

::

    link = await RtcLink.gather(settings)      addresses are bound; own fingerprint and candidates known
    facts = await link.open(peer…, events)     ICE, DTLS, the binding checks, SCTP; or one typed error, all closed
    link.send(0, octets)                       at once or queued; events.writable() says when the queue is short again
    await link.close()                         at most CLOSE_TIMEOUT, any number of times, from any state

A link that ends by itself says so once, through ``events.closed``. After :meth:`RtcLink.roam` a lost path is not the
end: the association moves to another one (:mod:`hardwire.net.rtc.roam`). Every task belongs to the link and is gone
when ``close`` returns.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

from hardwire.errors import ConnectionLost, HardwireError, Misuse, NetworkFailed, WireError
from hardwire.net.candidate import Candidate, IPAddress
from hardwire.net.interfaces import system_addresses, usable_addresses
from hardwire.net.invite import IceCredentials
from hardwire.net.lane.path import LanePath
from hardwire.net.rtc.dtls import DtlsFacts, LineCertificate, LineDtls, agree
from hardwire.net.rtc.fasttest import is_fast
from hardwire.net.rtc.path import Path, PathSettings
from hardwire.net.rtc.plain import PlainDtls, PlainSctp
from hardwire.net.rtc.roam import Roamer, RoamEvents, RoamSettings
from hardwire.net.rtc.sctp import HIGH_WATER, MAX_MESSAGE, STREAMS, LineSctp
from hardwire.net.rtc.search import Search
from hardwire.net.rtc.selftest import self_test
from hardwire.net.rtc.terms import ASSOCIATE_TIMEOUT, CLOSE_TIMEOUT, LinkEvents, LinkSettings
from hardwire.net.rtc.watch import Watch

FLUSH_STALL: Final = 1.0
FLUSH_MOST: Final = 5.0


class RtcLink:
    """One association; made by :meth:`gather`."""

    def __init__(self, settings: LinkSettings) -> None:
        secrets = settings.secrets
        own, peer = (secrets.offer, secrets.answer) if settings.offerer else (secrets.answer, secrets.offer)
        self._settings = settings
        made = PathSettings(settings.offerer, own, peer, self._addresses(), settings.servers, settings.port)
        self._path = Path(made)
        self._search = Search(self._path, None if settings.servers.relay_only else self._addresses)
        self._certificate = LineCertificate.of(settings.shown)
        self._dtls: LineDtls | PlainDtls | None = None
        self._sctp: LineSctp | PlainSctp | None = None
        self._events: LinkEvents | None = None
        self._established: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._roamer: Roamer | None = None
        self._watch: Watch | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._told = False

    @classmethod
    async def gather(cls, settings: LinkSettings) -> Self:
        """Bind addresses, ask the helpers, make a certificate.

        Raises:
            NetworkFailed: ``no-address`` or ``no-relay``: there is nothing to put into an invite.
            LocalError: ``rtc-self-test``: the libraries below are not the ones this adapter knows.
        """
        self_test()
        link = cls(settings)
        try:
            await link._path.gather()
            link._path.require_candidates()
        except BaseException:
            await link.close()
            raise
        return link

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of our DTLS certificate."""
        return self._certificate.fingerprint

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Our addresses, best first."""
        return self._path.candidates

    @property
    def direct_path(self) -> LanePath | None:
        """Where a direct lane may be made; None without a direct path, or when relays were asked for."""
        pair = None if self._settings.servers.relay_only else self._path.connection.direct_pair()
        return None if pair is None else LanePath(*pair)

    @property
    def problems(self) -> tuple[str, ...]:
        """What a STUN or TURN server would not do, one sentence each."""
        return tuple(self._path.connection.problems)

    @property
    def seen(self) -> Mapping[str, tuple[str, ...]]:
        """By ``stun`` and ``turn``: which addresses of this machine that server saw."""
        return self._path.connection.seen

    @property
    def has_path(self) -> bool:
        """A pair of addresses works, or did."""
        return self._path.is_found

    def found(self, candidates: Sequence[Candidate]) -> None:
        """The peer may be there as well; for an :meth:`open` that was told of ``more``."""
        self._search.add(candidates)

    async def rebind(self) -> tuple[IPAddress, ...]:
        """Before :meth:`open`: bind what this machine has got since; its addresses. Told candidates stay bound."""
        if (now := self._addresses()) != self._path.addresses:
            await self._path.adapt(now)
        return now

    def on_knock(self, knocked: Callable[[], None]) -> None:
        """Call this once, when somebody who knows the credentials checks us before :meth:`open`; if so, at once."""
        self._path.connection.on_knock(knocked)

    async def open(
        self,
        *,
        fingerprint: bytes,
        candidates: Sequence[Candidate],
        events: LinkEvents,
        within: float,
        more: bool = False,
    ) -> DtlsFacts:
        """Find a path, run DTLS, check the binding, open both channels. Once; on any failure the link is closed.

        Args:
            fingerprint: Of the peer's DTLS certificate, as its code names it.
            candidates: The peer's addresses, as its code lists them; none if it has knocked (:meth:`on_knock`).
            events: Who is told from now on.
            within: Seconds until a path must be there. What comes after has :data:`ASSOCIATE_TIMEOUT`.
            more: Others may be :meth:`found` meanwhile.

        Raises:
            NetworkFailed: ``no-path`` or ``no-association``.
            HandshakeRefused: One of the ``binding-`` codes.
        """
        if self._events is not None or self._closing is not None:
            raise Misuse("a link is opened once")
        self._events = events
        try:
            await self._find_path(candidates, within, more=more)
            try:
                async with asyncio.timeout(ASSOCIATE_TIMEOUT):
                    facts = await self._secure(fingerprint)
                    sctp = await self._associate()
            except TimeoutError as error:
                raise NetworkFailed("the path broke while the line was being opened", code="no-association") from error
        except BaseException:
            self._told = True
            await self.close()
            raise
        self._watch = Watch(sctp, is_over=lambda: self._told, ended=self._ended)
        self._watching = asyncio.create_task(self._watch.run(), name="hardwire link watch")
        return facts

    def send(self, channel: int, data: bytes) -> None:
        """Queue one message of at most 65 536 octets; what the window allows leaves within this call.

        Raises:
            ConnectionLost: The link is not open (any more).
        """
        if len(data) > MAX_MESSAGE or channel not in STREAMS:
            raise Misuse(f"a message of {len(data)} octets for channel {channel}")
        if self._sctp is None or not self._sctp.is_open:
            raise ConnectionLost("the line is not open")
        try:
            self._sctp.send(channel, data)
        except ConnectionError as error:
            # DTLS broke a moment ago, and the events have not told it yet.
            raise ConnectionLost("the line is not open") from error

    @property
    def may_send(self) -> bool:
        """The send queue is below its high-water mark; otherwise wait for ``events.writable``."""
        return self._sctp is not None and self._sctp.is_open and self._sctp.buffered < HIGH_WATER

    async def flush(self) -> bool:
        """Wait until the peer acknowledged everything; whether it did.

        Given up after :data:`FLUSH_STALL` seconds without any progress, and after :data:`FLUSH_MOST` in any case.
        """
        sctp = self._sctp
        if sctp is None:
            return False
        loop = asyncio.get_running_loop()
        end = loop.time() + FLUSH_MOST
        progress = -1
        while loop.time() < end and sctp.acknowledged != progress:
            progress = sctp.acknowledged
            try:
                async with asyncio.timeout(FLUSH_STALL):
                    await sctp.emptied()
                break
            except TimeoutError:
                continue
        return sctp.is_empty

    def roam(self, credentials: Callable[[int], tuple[IceCredentials, IceCredentials]], events: RoamEvents) -> None:
        """From now on a lost path is no end: another one is looked for, until :meth:`close`. Once, when it is open.

        Args:
            credentials: Of the path of a generation: the offerer's, then the answerer's.
            events: Who is told, and tells the peer.
        """
        if self._watch is None:
            raise Misuse("a link roams when it is open")
        settings = self._settings
        self._roamer = Roamer(
            RoamSettings(settings.offerer, credentials, self._addresses, _present, settings.servers),
            self._path,
            take=self._take_path,
            ready=events.path_ready,
        )
        self._watch.roam(self._roamer, events)

    def peer_path(self, generation: int, candidates: Sequence[Candidate]) -> None:
        """The peer told, inside the line, where it can be found next."""
        if self._roamer is not None:
            self._roamer.peer_ready(generation, candidates)

    def change_path(self) -> None:
        """Move to another path although nothing is wrong with this one."""
        if self._roamer is not None:
            self._roamer.want()

    async def close(self, *, silently: bool = False) -> None:
        """End it: SCTP ABORT, DTLS close_notify, sockets and relay given back. At most :data:`CLOSE_TIMEOUT`.

        Args:
            silently: Without ABORT and close_notify: the peer is not to take this for the end.
        """
        if self._closing is None:
            self._told = True
            if silently:
                self._path.connection.fall_silent()
            self._closing = asyncio.create_task(self._close(), name="hardwire link close")
        await asyncio.shield(self._closing)

    # ------------------------------------------------------------------ opening

    async def _find_path(self, candidates: Sequence[Candidate], within: float, *, more: bool) -> None:
        self._search.add(candidates, last=bool(candidates) and not more)
        await self._path.require_found(self._search.run(), within)

    async def _secure(self, fingerprint: bytes) -> DtlsFacts:
        dtls = (LineDtls if is_fast() else PlainDtls)(
            self._path.transport,
            self._path.connection,
            self._certificate,
            server=self._settings.offerer,
            on_closed=lambda: self._ended(ConnectionLost("the peer went away")),
        )
        self._dtls = dtls
        return await agree(dtls, own=self.fingerprint, peer=fingerprint)

    async def _associate(self) -> LineSctp | PlainSctp:
        if self._dtls is None or self._events is None:
            raise Misuse("SCTP comes after DTLS")
        told = self._events
        if isinstance(self._dtls, PlainDtls):
            self._sctp = PlainSctp(
                self._dtls,
                on_message=told.message,
                on_writable=told.writable,
                on_state=self._association_changed,
            )
        else:
            self._sctp = LineSctp(
                self._dtls,
                on_message=told.message,
                on_writable=told.writable,
                on_state=self._association_changed,
            )
        await self._sctp.open()
        await self._established
        if not self._sctp.is_open:
            raise self._sctp_error()
        return self._sctp

    def _association_changed(self) -> None:
        if not self._established.done():
            self._established.set_result(None)
        elif self._sctp is not None and not self._sctp.is_open:
            self._ended(ConnectionLost("the peer ended the line"))

    # ------------------------------------------------------------------ while it is open

    def _take_path(self, path: Path) -> None:
        """The roamer found a pair: the association goes on over it."""
        if self._dtls is None or self._sctp is None or self._watch is None:
            raise Misuse("there is nothing yet that could move")
        self._path = path
        self._watch.moved = True
        self._dtls.move_to(path.transport, path.connection)
        self._sctp.path_changed()
        self._sctp.probe()

    def _addresses(self) -> tuple[IPAddress, ...]:
        return usable_addresses(loopback=self._settings.loopback)

    def _sctp_error(self) -> HardwireError:
        if self._sctp is not None and self._sctp.refusal is not None:
            return WireError(f"the peer sent {self._sctp.refusal}", code="transport-limit")
        return ConnectionLost("the peer ended the line")

    def _ended(self, lost: ConnectionLost) -> None:
        if not self._established.done():
            self._established.set_result(None)
        elif self._events is not None and not self._told:
            self._told = True
            refused = self._sctp is not None and self._sctp.refusal is not None
            self._events.closed(self._sctp_error() if refused else lost)

    # ------------------------------------------------------------------ closing

    async def _close(self) -> None:
        if self._roamer is not None:
            self._roamer.stop()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        stops = [one.stop for one in (self._sctp, self._dtls) if one is not None]
        if self._roamer is not None:
            stops.append(self._roamer.close)
        await self._path.close_below(stops, CLOSE_TIMEOUT)


def _present() -> frozenset[IPAddress]:
    return frozenset(one.address for one in system_addresses())
