# SPDX-License-Identifier: Apache-2.0
"""What a link is made from, and whom it tells what it does."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509 import Certificate

from hardwire.errors import HardwireError
from hardwire.net.invite import InviteSecrets
from hardwire.net.servers import IceServers

CLOSE_TIMEOUT: Final = 1.0
"""Seconds that closing takes at most, whatever hangs below."""
ASSOCIATE_TIMEOUT: Final = 15.0
"""Seconds for DTLS and SCTP, once there is a path."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What a link is made from.

    Args:
        offerer: This side made the offer: it controls ICE and is the DTLS server. The other is the DTLS client.
        secrets: Both ICE credentials.
        servers: Helpers, if the person asked for any.
        loopback: Bind this machine's loopback addresses, and only those.
        shown: DTLS key and certificate that follow from the invite; None makes fresh ones.
        port: To bind at every address; 0 takes free ones.
    """

    offerer: bool
    secrets: InviteSecrets
    servers: IceServers
    loopback: bool
    shown: tuple[EllipticCurvePrivateKey, Certificate] | None = field(default=None, repr=False)
    port: int = 0


class LinkEvents(Protocol):
    """Who is told what the link does; called synchronously, from the event loop, never after ``close``."""

    def message(self, channel: int, data: bytes) -> None:
        """One whole message, at most 65 536 octets, in order for its channel."""

    def writable(self) -> None:
        """The send queue is short again."""

    def closed(self, error: HardwireError) -> None:
        """The link ended without being asked to; told once."""
