# SPDX-License-Identifier: Apache-2.0
"""The options that every line-opening command shares, declared once."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hardwire.net import IceServers


class Mode(Enum):
    """The modes of hardwire.certs, spelled out here so that --help needs no certificate library."""

    REQUIRE = "require"
    PREFER = "prefer"
    OFF = "off"


PeerOption = Annotated[
    str | None,
    typer.Option("--peer", metavar="DID", help="Only talk to this did:key; no comparing is needed then."),
]
RequireAttestedOption = Annotated[
    bool,
    typer.Option(
        "--require-attested", help="Take only a peer who proves, to a root you trust, that its key is in hardware."
    ),
]
TrustCaOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust-ca", metavar="FILE", help="Believe this organisation's authority: no comparing with its members."
    ),
]
MembersOnlyOption = Annotated[
    bool, typer.Option("--members-only", help="Take nobody whom no trusted organisation vouches for.")
]
RevocationOption = Annotated[
    Mode | None, typer.Option("--revocation", help="Whether it must be known that the peer is not revoked.")
]
PersonalOption = Annotated[
    bool, typer.Option("--personal", help="Show this identity without the certificate of your organisation.")
]
UnverifiedOption = Annotated[
    bool,
    typer.Option("--unverified", help="Go on without comparing: private against listeners, not against a go-between."),
]
StunOption = Annotated[
    str | None,
    typer.Option("--stun", metavar="URL", help="Ask this server for the public address: stun:host[:port]."),
]
TurnOption = Annotated[
    str | None,
    typer.Option(
        "--turn", metavar="URL", help="Relay through this server: turn:host[:port][?transport=tcp], turns:host."
    ),
]
TurnCredentialsOption = Annotated[
    Path | None,
    typer.Option("--turn-credentials", metavar="FILE", help="A file with the user name and the password, one a line."),
]
RelayOnlyOption = Annotated[
    bool, typer.Option("--relay-only", help="Show the peer the TURN server's address instead of this machine's.")
]
LoopbackOption = Annotated[
    bool, typer.Option("--loopback", help="Both ends are on this machine: offer its loopback addresses only.")
]
CodeFileOption = Annotated[
    Path | None,
    typer.Option("--code-file", metavar="FILE", help="Read the other side's code from a file (text or a QR picture)."),
]
OutFileOption = Annotated[
    Path | None,
    typer.Option("--out-file", metavar="FILE", help="Also write this side's code to a file (.png and .svg: QR)."),
]
QrOption = Annotated[bool, typer.Option("--qr", help="Also show this side's code as a QR picture in the terminal.")]
DirOption = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where received files go.")]


def ice_servers(stun: str | None, turn: str | None, credentials: Path | None, *, relay_only: bool) -> "IceServers":
    """The STUN and TURN servers that were asked for; the TURN password comes from a file, never from the arguments.

    Raises:
        UsageError: A URL, or the credentials file, is not what it should be.
    """
    from hardwire.errors import UsageError
    from hardwire.net import IceServers

    username = password = None
    if credentials is not None:
        try:
            lines = credentials.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"{credentials}: {problem}") from None
        if len(lines) != 2 or not all(lines):  # noqa: PLR2004 (user name, password)
            raise UsageError(f"{credentials}: two lines are wanted, the user name and the password")
        username, password = lines
    return IceServers(stun=stun, turn=turn, username=username, password=password, relay_only=relay_only)
