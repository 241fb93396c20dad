# SPDX-License-Identifier: Apache-2.0
"""From the first code to the open line, for whichever face asked for it.

::

    session = await host(config, face)          make a code, wait for the answer, prove, open
    session = await join(config, face)          the other end

The person and the device are asked through the face and the key; this module only puts the questions in order.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Final

from hardwire.app.entropy import SystemEntropy
from hardwire.app.events import (
    AnswerReady,
    DeviceAsked,
    Event,
    HelperUsed,
    InviteGone,
    InviteReady,
    Notice,
    Opening,
    PeerSeen,
)
from hardwire.app.identity import Identity
from hardwire.app.keys import DeviceKey
from hardwire.app.membership import Membership
from hardwire.app.policy import PeerPolicy
from hardwire.app.reconnect import Reconnector
from hardwire.app.renewal import Renewal
from hardwire.app.session import Face, Session
from hardwire.app.verdict import Verifier
from hardwire.errors import InviteRefused, LineTimeout, NetworkFailed, PeerNotVerified, UsageError
from hardwire.handshake import SignatureScheme
from hardwire.net import IceServers, Line, LineConfig, Listen, carriers
from hardwire.net import host as net_host
from hardwire.net import listen as net_listen
from hardwire.net import take as net_take
from hardwire.net.config import DEFAULT_PATIENCE, SYSTEM_CLOCK, Stage
from hardwire.net.pending import Pending

_LOOK_AT_CLOCK: Final = 1.0
"""Seconds between two looks at the wall clock while a person is out to fetch a code."""


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
        listen: Hosting, make a one-way invite and listen there; None makes an ordinary one.
    """

    identity: Identity
    key: DeviceKey
    servers: IceServers
    loopback: bool = False
    expected: str | None = None
    verifier: Verifier = field(default_factory=Verifier)
    membership: Membership | None = None
    patience: float = DEFAULT_PATIENCE
    listen: Listen | None = None


async def host(config: SessionConfig, face: Face) -> Session:
    """Make an invite, wait for its answer or for who dials, and open the line.

    Raises:
        HardwireError: Why there is no line.
    """
    peer = _Seen(face)
    if config.listen is not None:
        return await _listen(config.listen, config, face, peer)
    pending = await net_host(_line_config(config, face, peer))
    async with pending:
        _tell_helpers(config, face, pending)
        face.emit(InviteReady(pending.text, pending.expiry))
        while True:
            text = await _before(pending.expiry, _code(face, "answer"))
            try:
                line = await pending.accept(text)
            except InviteRefused as problem:
                if problem.code in {"invite-used", "invite-expired"} or not face.refused(problem):
                    raise
            else:
                return await _session(line, config, face, peer)


async def _listen(listen: Listen, config: SessionConfig, face: Face, peer: "_Seen") -> Session:
    while True:
        async with await net_listen(_line_config(config, face, peer), listen) as pending:
            _tell_helpers(config, face, pending)
            listens = tuple(map(str, pending.candidates))
            face.emit(InviteReady(pending.text, pending.expiry, listens))
            try:
                return await _session(await pending.accept(), config, face, peer)
            except NetworkFailed as moved:
                if moved.code != "address-gone":
                    raise
                face.emit(InviteGone(listens))


async def join(config: SessionConfig, face: Face) -> Session:
    """Take an invite, make the answer unless it is one-way, and open the line.

    Raises:
        HardwireError: Why there is no line.
    """
    peer = _Seen(face)
    line_config = _line_config(config, face, peer)
    while True:
        text = await _code(face, "invite")
        try:
            pending = await net_take(line_config, text)
            break
        except InviteRefused as problem:
            if not face.refused(problem):
                raise
    async with pending:
        _tell_helpers(config, face, pending)
        if pending.text is not None:
            face.emit(AnswerReady(pending.text))
        return await _session(await pending.connect(), config, face, peer)


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


class _Seen:
    """Remembers the peer that the policy saw, on its way to the face."""

    def __init__(self, face: Face, *, quiet: bool = False) -> None:
        self._face = face
        self._quiet = quiet
        self._value: PeerSeen | None = None

    def emit(self, event: Event) -> None:
        if isinstance(event, PeerSeen):
            self._value = event
        if not (self._quiet and isinstance(event, PeerSeen)):
            self._face.emit(event)

    @property
    def value(self) -> PeerSeen:
        if self._value is None:
            raise PeerNotVerified("no peer was seen")
        return self._value


async def _session(line: Line, config: SessionConfig, face: Face, peer: _Seen) -> Session:
    def once_more() -> LineConfig:
        """Who that is was decided; it is shown only if it is another one."""
        return _line_config(replace(config, expected=peer.value.did), face, _Seen(face, quiet=True))

    async def by_people(make_config: Callable[[], LineConfig]) -> Line | None:
        return await Renewal(make_config, face, lambda pending: _tell_helpers(config, face, pending)).open()

    try:
        return Session(line, face, peer.value, Reconnector(once_more, config.patience, face.emit, by_people))
    except BaseException:  # the face failed: nobody would close it
        await line.close()
        raise


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


def _tell_helpers(config: SessionConfig, face: Face, pending: Pending) -> None:
    servers, seen = config.servers, pending.seen
    if servers.stun:
        face.emit(
            HelperUsed(servers.stun, "this machine's address, and that a line is being made", seen.get("stun", ()))
        )
    if servers.turn:
        learns = "both addresses, and how much is sent when; not who and not what"
        face.emit(HelperUsed(servers.turn, learns, seen.get("turn", ())))
    for problem in pending.problems:
        face.emit(Notice(problem))
