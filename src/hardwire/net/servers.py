# SPDX-License-Identifier: Apache-2.0
"""STUN and TURN servers, when the person asked for them. There are no others: nothing is built in.

A STUN server learns this machine's public address and that it is about to talk to somebody. A TURN server also
carries the (encrypted) line, so it learns the peer's address, and how much is said when. The peer learns, with
``relay_only``, the TURN server's address instead of ours.
"""

import re
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal

from hardwire.errors import UsageError

_URL: Final = re.compile(
    r"(?P<scheme>stun|turn|turns):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
_DEFAULT_PORT: Final = {"stun": 3478, "turn": 3478, "turns": 5349}
_PEM: Final = "-----BEGIN CERTIFICATE-----"
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a helper listens.

    Args:
        host: Name or IP literal, brackets removed.
        port: 1 to 65 535.
        transport: What carries the helper's own protocol.
        tls: Whether that is TLS over TCP.
    """

    host: str
    port: int
    transport: Literal["udp", "tcp"]
    tls: bool


@dataclass(frozen=True, slots=True)
class IceServers:
    """The helpers of one line.

    Args:
        stun: ``stun:host[:port]`` or nothing (RFC 7064).
        turn: ``turn:host[:port][?transport=udp|tcp]`` or ``turns:host[:port]``, or nothing (RFC 7065).
        username: For the TURN server.
        password: For the TURN server.
        relay_only: Use and reveal the TURN server's addresses alone.
        turn_ca: PEM certificates, the only ones believed about a ``turns:`` server; nothing: those of the system.

    Raises:
        UsageError: A URL that is none, credentials missing, ``relay_only`` without a TURN server, or an authority that
            is none or for nothing.
    """

    stun: str | None = None
    turn: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    relay_only: bool = False
    turn_ca: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _ = self.stun_address, self.turn_address
        if self.relay_only and self.turn is None:
            raise UsageError(
                "relay-only needs a TURN server",
                code="server-missing",
                hint="add --turn turn:host with its credentials",
            )
        if self.turn is not None and not (self.username and self.password):
            raise UsageError(
                "a TURN server wants a username and a password",
                code="server-credentials",
                hint="write them into a file, one a line, and add --turn-credentials FILE",
            )

        if self.turn_ca is not None:
            if self.turn_address is None or not self.turn_address.tls:
                raise UsageError(
                    "an authority for the TURN server is for TURN over TLS",
                    code="server-authority",
                    hint="write the server as turns:host",
                )
            self.tls_context()

    def tls_context(self) -> ssl.SSLContext:
        """How a ``turns:`` server is judged: by these authorities, its name checked, TLS 1.2 or later.

        Raises:
            UsageError: ``server-authority``: ``turn_ca`` has no certificates in it.
        """
        # An empty string would mean the authorities of the system.
        if self.turn_ca is not None and _PEM not in self.turn_ca:
            raise _no_authority()
        try:
            context = ssl.create_default_context(cadata=self.turn_ca)
        except (ssl.SSLError, ValueError) as error:
            raise _no_authority() from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    @property
    def stun_address(self) -> ServerAddress | None:
        """Where to ask for our public address."""
        return None if self.stun is None else parse_server(self.stun, "stun")

    @property
    def turn_address(self) -> ServerAddress | None:
        """Where to ask for a relay."""
        return None if self.turn is None else parse_server(self.turn, "turn")


def _no_authority() -> UsageError:
    return UsageError("there is no PEM certificate in what should vouch for the TURN server", code="server-authority")


def parse_server(url: str, family: Literal["stun", "turn"]) -> ServerAddress:
    """Read one URL; ``family`` says for which of the two it was given.

    Raises:
        UsageError: ``server-url``.
    """
    match = _URL.fullmatch(url)
    if match is None or not match["scheme"].startswith(family):
        raise UsageError(f"{url!r} is no {family} server", code="server-url", hint=f"write it as {family}:host:port")
    tls = match["scheme"] == "turns"
    transport: Literal["udp", "tcp"] = "tcp" if tls or match["transport"] == "tcp" else "udp"
    port = int(match["port"] or _DEFAULT_PORT[match["scheme"]])
    if not 1 <= port <= _PORT_MAX or (match["transport"] and (tls or family == "stun")):
        raise UsageError(f"{url!r} cannot be reached", code="server-url", hint=f"write it as {family}:host:port")
    return ServerAddress(match["host"].strip("[]"), port, transport, tls)


NO_SERVERS: Final = IceServers()
