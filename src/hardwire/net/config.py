# SPDX-License-Identifier: Apache-2.0
"""Everything one line is made from, in one frozen value."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from hardwire.certs import GatedCertificate, VerifiedIdentity
from hardwire.channel import DEFAULT_LIMITS, Limits
from hardwire.handshake import NO_SECRETS, ContactSecrets, Credential, Entropy, Role, SignatureScheme
from hardwire.net.invite import DEFAULT_LIFE
from hardwire.net.servers import NO_SERVERS, IceServers

Sign = Callable[[bytes, SignatureScheme], Awaitable[bytes]]
"""Sign these octets with the key of the own leaf, off the event loop; raise a LocalError when the device will not."""

Verify = Callable[[Credential, GatedCertificate, Role], Awaitable[VerifiedIdentity]]
"""Decide about the peer, perhaps by asking a person; raise to reject. The role is this side's own."""


DEFAULT_PATIENCE: Final = 120.0


class Stage(Enum):
    """Where the opening of a line stands, for whoever shows it to a person."""

    LISTENING = "listening"
    CONNECTING = "connecting"
    SECURING = "securing"
    SIGNING = "signing"
    VERIFYING = "verifying"
    WAITING = "waiting"
    OPEN = "open"


# Linux stops its monotonic clock while the machine sleeps, and with it the age of a line and of its keys.
_WITH_SLEEP: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _elapsed() -> float:
    return time.clock_gettime(_WITH_SLEEP)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks, for two questions.

    Args:
        monotonic: Seconds that only grow, also while the machine sleeps, for timers.
        wall: Unix seconds, for the expiry of invites.
    """

    monotonic: Callable[[], float] = _elapsed
    wall: Callable[[], float] = time.time


SYSTEM_CLOCK: Final = Clock()


def _show_nothing(_stage: Stage) -> None:
    return


class Revocation(Protocol):
    """What this side knows about revoked certificates, asked once both sides have proved themselves."""

    def show(self) -> tuple[bytes, ...]:
        """Lists for the peer: at most 4, together at most 1 MiB."""
        ...

    async def judge(self, lists: tuple[bytes, ...]) -> None:
        """Judge the peer in the light of what it showed; raise a HardwireError to leave without a word."""
        ...


class NoRevocation:
    """Shows nothing, and finds nothing: for identities that nobody issued, so that nobody takes them back."""

    def show(self) -> tuple[bytes, ...]:
        """Nothing."""
        return ()

    async def judge(self, lists: tuple[bytes, ...]) -> None:
        """Whatever is shown concerns nobody here."""


NO_REVOCATION: Final = NoRevocation()


@dataclass(frozen=True, slots=True)
class LineConfig:
    """How this side opens a line. Sign and verify are asked once each, and both may take as long as a person does.

    Args:
        credential: What this side shows.
        sign: The one signature.
        verify: The decision about the peer.
        entropy: Fresh random octets.
        servers: STUN and TURN, if the person asked for any.
        loopback: Both ends are on this machine: use and reveal its loopback addresses, and no others.
        life: Seconds until an offer made here expires, at most 24 hours.
        contacts: Secrets of earlier meetings.
        revocation: What is revoked, shown and judged before the line opens.
        scheme: For an RSA key whose device lacks PSS.
        limits: Those of the open line.
        patience: Seconds, counted from the last sign of the peer, that another path is looked for when one is lost.
        clock: Time.
        on_stage: Told, on the event loop, how far the opening has come.
    """

    credential: Credential
    sign: Sign = field(repr=False)
    verify: Verify = field(repr=False)
    entropy: Entropy = field(repr=False)
    servers: IceServers = NO_SERVERS
    loopback: bool = False
    life: int = DEFAULT_LIFE
    contacts: ContactSecrets = NO_SECRETS
    revocation: Revocation = field(default=NO_REVOCATION, repr=False)
    scheme: SignatureScheme | None = None
    limits: Limits = DEFAULT_LIMITS
    patience: float = DEFAULT_PATIENCE
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_stage: Callable[[Stage], None] = field(default=_show_nothing, repr=False)

    @property
    def announces(self) -> bool:
        """Whether the other end may be called for on the networks that this machine is on, once it is lost."""
        return not (self.loopback or self.servers.relay_only)
