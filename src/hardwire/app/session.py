# SPDX-License-Identifier: Apache-2.0
"""One line from the first code to the last event, for whichever face asked for it.

::

    session = await host(config, face)          make a code, wait for the answer, prove, open
    session = await join(config, face)          the other end
    async with session:
        asyncio.create_task(session.run())      events go to face.emit until the line ends
        session.say(...), session.offer(...), session.verify(...)

The person and the device are asked through the face and the key; this module only puts the questions in order.
"""

import asyncio
import contextlib
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from hardwire.app.entropy import SystemEntropy
from hardwire.app.events import (
    AnswerReady,
    Delivered,
    DeviceAsked,
    EpochChanged,
    Event,
    HelperUsed,
    InviteReady,
    LineClosed,
    LineOpen,
    Notice,
    Opening,
    PathFound,
    PathLost,
    PeerSeen,
    Said,
    Verified,
)
from hardwire.app.identity import Identity
from hardwire.app.keys import DeviceKey
from hardwire.app.membership import Membership
from hardwire.app.outgoing import OutgoingFile
from hardwire.app.pipes import PipeSource
from hardwire.app.policy import PeerPolicy
from hardwire.app.transfers import Transfers
from hardwire.app.verdict import Verifier
from hardwire.channel import TEXT_MAX, CloseReason
from hardwire.channel import events as line_events
from hardwire.errors import ConnectionLost, InviteRefused, LineTimeout, PeerNotVerified, TransferIncomplete, UsageError
from hardwire.handshake import SignatureScheme
from hardwire.net import IceServers, Line, LineConfig, carriers, paths
from hardwire.net import host as net_host
from hardwire.net import join as net_join
from hardwire.net.config import DEFAULT_PATIENCE, SYSTEM_CLOCK, Stage

_LOOK_AT_CLOCK: Final = 1.0
"""Seconds between two looks at the wall clock while a person is out to fetch a code."""


class Face(Protocol):
    """The person, as a line sees them."""

    def emit(self, event: Event) -> None:
        """Show an event; called on the event loop, returns at once."""
        ...

    async def code(self, wanted: str) -> bytes | None:
        """The other side's ``invite`` or ``answer``; None when the person gave up."""
        ...

    def refused(self, problem: InviteRefused) -> bool:
        """A code could not be used; True to ask for another."""
        ...

    async def accept_inviter(self, seen: PeerSeen) -> bool:
        """Joining: may this side show itself to that inviter?"""
        ...


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What a line needs to know before it opens.

    Attributes:
        identity: This side's.
        key: Its key, open.
        servers: STUN and TURN, if the person asked for any.
        loopback: Both ends are on this machine.
        expected: The peer's did:key, if the person knows it.
        verifier: Whom this side believes about devices and members, and what it holds.
        membership: What an organisation says about this identity, to be shown; None shows the self-signed certificate.
        patience: Seconds that another path is looked for, when the line has lost its own.
    """

    identity: Identity
    key: DeviceKey
    servers: IceServers
    loopback: bool = False
    expected: str | None = None
    verifier: Verifier = field(default_factory=Verifier)
    membership: Membership | None = None
    patience: float = DEFAULT_PATIENCE


async def host(config: SessionConfig, face: Face) -> "Session":
    """Make an invite, wait for its answer, and open the line.

    Raises:
        HardwireError: Why there is no line.
    """
    peer = _Seen(face)
    pending = await net_host(_line_config(config, face, peer))
    async with pending:
        _tell_helpers(config, face, pending.problems)
        face.emit(InviteReady(pending.text, pending.expiry))
        while True:
            text = await _before(pending.expiry, _code(face, "answer"))
            try:
                line = await pending.accept(text)
            except InviteRefused as problem:
                if problem.code in {"invite-used", "invite-expired"} or not face.refused(problem):
                    raise
            else:
                return await _session(line, face, peer)


async def join(config: SessionConfig, face: Face) -> "Session":
    """Take an invite, make the answer, and open the line.

    Raises:
        HardwireError: Why there is no line.
    """
    peer = _Seen(face)
    line_config = _line_config(config, face, peer)
    while True:
        text = await _code(face, "invite")
        try:
            pending = await net_join(line_config, text)
            break
        except InviteRefused as problem:
            if not face.refused(problem):
                raise
    async with pending:
        _tell_helpers(config, face, pending.problems)
        face.emit(AnswerReady(pending.text))
        return await _session(await pending.connect(), face, peer)


class Session:
    """An open line and what runs over it; made by :func:`host` and :func:`join`.

    Args:
        line: Open.
        face: Where events go.
        peer: What the policy saw.

    Attributes:
        peer: Who is there.
        transfers: Files, both ways.
        verified: A person here compared the strings, or the peer is the one that was asked for.
    """

    def __init__(self, line: Line, face: Face, peer: PeerSeen) -> None:
        self.peer = peer
        self.verified = peer.pinned or bool(peer.organisation)
        self.transfers = Transfers(line, face.emit, peer.device_id)
        line.beside.serve(self.transfers)
        self._line = line
        self._face = face
        self._sas = line.done.sas
        face.emit(
            LineOpen(
                sas=self._sas.decimal,
                words=tuple(f"{symbol} {name}" for symbol, name in self._sas.emoji),
                sid=line.done.sid.hex(),
                open_ms=line.timings.open_ms,
                handshake_ms=line.timings.handshake_ms - line.timings.asked_ms,
                verified_by=peer.organisation,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def run(self) -> None:
        """Carry the line's events to the face until the line ends.

        Raises:
            ConnectionLost: It ended without a close frame.
            PeerError: The peer broke the protocol.
        """
        async for event in self._line:
            match event:
                case line_events.ChatReceived(id=key, text=text):
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
                case line_events.LineClosed():
                    await self._end(event)
                case line_events.LineFailed(error=error):
                    self.transfers.abandon(error)
                    await self.transfers.settled()
                    self._face.emit(LineClosed(clean=False, reason=error.message))
                    raise error
                case _:
                    self.transfers.handle(event)

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
        key = self._line.send_chat(text)
        self._face.emit(Said("here", key.hex(), text, queued=self._line.path_is_lost))
        return key.hex()

    def offer(self, file: OutgoingFile | PipeSource) -> int:
        """Offer a file, a directory or a pipe; returns its number on this line."""
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
        with contextlib.nullcontext() if matched else contextlib.suppress(ConnectionLost):
            self._line.send_verification(matched=matched)
        self._face.emit(Verified("here", matched))
        if not matched:
            await self._line.close(CloseReason.NOT_VERIFIED)
            raise _differ()
        self.verified = True

    async def close(self) -> None:
        """Say goodbye and give everything back; safe to call twice."""
        await self._line.close()
        self.transfers.abandon(TransferIncomplete("the line was closed before the file was through", code="closed"))
        await self.transfers.settled()

    async def _end(self, event: line_events.LineClosed) -> None:
        reason = _CLOSED[event.reason] if event.by_peer else "closed here"
        self.transfers.abandon(TransferIncomplete("the line was closed before the file was through", code="closed"))
        await self.transfers.settled()
        self._face.emit(LineClosed(clean=True, reason=reason))
        if event.reason is CloseReason.NOT_VERIFIED:  # whoever waits for the line to end hears of it, too
            raise _differ("your peer says that the strings differ, and closed the line") if event.by_peer else _differ()


def _differ(
    words: str = "the strings differ: somebody is in between, and read what was said so far",
) -> PeerNotVerified:
    return PeerNotVerified(words, hint="exchange the codes over another medium, and compare again")


_CLOSED = {
    CloseReason.NORMAL: "your peer closed the line",
    CloseReason.LIFE: "the line reached its greatest age",
    CloseReason.NOT_VERIFIED: "your peer says that the strings differ",
    CloseReason.SHUTDOWN: "your peer's program ended",
}


async def _before(expiry: int, code: Coroutine[None, None, str]) -> str:
    """The code, as long as the invite lives. The wall clock decides, which a machine that slept sees move."""
    asked = asyncio.ensure_future(code)
    try:
        while (left := expiry - SYSTEM_CLOCK.wall()) > 0:
            done, _ = await asyncio.wait({asked}, timeout=min(left, _LOOK_AT_CLOCK))
            if done:
                return asked.result()
    finally:
        asked.cancel()
        await asyncio.wait({asked})
    raise LineTimeout(
        "nobody answered the invite before it expired",
        code="invite-unanswered",
        hint="make a new one when your peer is there to answer",
    )


async def _session(line: Line, face: Face, peer: "_Seen") -> Session:
    try:
        return Session(line, face, peer.value)
    except BaseException:  # the face failed: nobody would close it
        await line.close()
        raise


class _Seen:
    """Remembers the peer that the policy saw, on its way to the face."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._value: PeerSeen | None = None

    def emit(self, event: Event) -> None:
        if isinstance(event, PeerSeen):
            self._value = event
        self._face.emit(event)

    @property
    def value(self) -> PeerSeen:
        if self._value is None:
            raise PeerNotVerified("no peer was seen")
        return self._value


def _line_config(config: SessionConfig, face: Face, seen: _Seen) -> LineConfig:
    async def sign(tbs: bytes, scheme: SignatureScheme) -> bytes:
        face.emit(DeviceAsked(config.key.device, config.key.software, config.key.touch))
        return await config.key.sign(tbs, scheme)

    def show_stage(stage: Stage) -> None:
        if stage is not Stage.OPEN:  # LineOpen says more
            face.emit(Opening(stage.value))

    me, member = config.identity, config.membership
    policy = PeerPolicy(me, config.expected, seen.emit, face.accept_inviter, config.verifier, member)
    return LineConfig(
        credential=me.credential if member is None else member.credential(me),
        sign=sign,
        verify=policy,
        revocation=policy,
        entropy=SystemEntropy(),
        servers=config.servers,
        loopback=config.loopback,
        patience=config.patience,
        on_stage=show_stage,
    )


async def _code(face: Face, wanted: str) -> str:
    blob = await face.code(wanted)
    if blob is None:
        raise UsageError(f"no {wanted} was given", hint="paste it, or give it with --code-file")
    return carriers.to_text(blob)


def _tell_helpers(config: SessionConfig, face: Face, problems: tuple[str, ...]) -> None:
    servers = config.servers
    if servers.stun:
        face.emit(HelperUsed(servers.stun, "this machine's address, and that a line is being made"))
    if servers.turn:
        face.emit(HelperUsed(servers.turn, "both addresses, and how much is sent when; not who and not what"))
    for problem in problems:
        face.emit(Notice(problem))
