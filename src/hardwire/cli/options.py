# SPDX-License-Identifier: Apache-2.0
"""The options that every line-opening command shares, declared once."""

import getpass
import ipaddress
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from hardwire.cli.conversation import Wishes
    from hardwire.net import Candidate, IceServers, Listen


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
    typer.Option(
        "--turn-credentials",
        metavar="FILE",
        help="A file with the user name and the password, one a line; or be asked.",
    ),
]
TurnCaOption = Annotated[
    Path | None,
    typer.Option("--turn-ca", metavar="FILE", help="PEM certificate of the authority of a turns: server of your own."),
]
RelayOnlyOption = Annotated[
    bool, typer.Option("--relay-only", help="Show the peer the TURN server's address instead of this machine's.")
]
Sha256Option = Annotated[
    bool, typer.Option("--sha256", help="Show the SHA-256 of each file too; costs up to a third of a fast line.")
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
OneWayOption = Annotated[
    bool,
    typer.Option("--one-way", help="One short code, no answer: your peer must be able to reach this machine by UDP."),
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="N", min=1, max=65_535, help="With --one-way: listen on this UDP port."),
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option(
        "--address", metavar="IP:PORT", help="With --one-way: your router's outside, which forwards it to --port here."
    ),
]
DirOption = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where received files go.")]


_AS_GIVEN: Final = (
    *("loopback", "peer", "require_attested", "members_only", "personal", "unverified", "qr", "out_file", "code_file"),
)


def wishes(given: Mapping[str, Any], **more: Any) -> "Wishes":
    """What the options of a command say about its line.

    Args:
        given: The command's parameters by their names; those that it does not have are as they are by default.
        more: What the command itself says.

    Raises:
        UsageError: They do not fit together, or one of them is not what it should be.
    """
    from hardwire.cli.conversation import Wishes

    revocation = given["revocation"]
    return Wishes(
        ice_servers(
            given["stun"],
            given["turn"],
            given["turn_credentials"],
            turn_ca=given["turn_ca"],
            relay_only=given["relay_only"],
            ask=not given["json_mode"],
        ),
        trust_ca=tuple(given["trust_ca"] or ()),
        revocation=revocation and revocation.value,
        listen=listening(given.get("one_way", False), given.get("port"), given.get("address")),
        **{name: given[name] for name in _AS_GIVEN if name in given},
        **more,
    )


def listening(one_way: bool, port: int | None, addresses: list[str] | None) -> "Listen | None":
    """Where to listen with a one-way invite; None when an ordinary one is wanted.

    Raises:
        UsageError: An address that is none, or options that go with --one-way without it.
    """
    from hardwire.errors import UsageError
    from hardwire.net import Listen

    if not one_way:
        if port is not None or addresses:
            raise UsageError("--port and --address go with --one-way")
        return None
    announced = tuple(dict.fromkeys(map(_outside, addresses or ())))
    # Most people forward a port to the same number.
    return Listen(port or (announced[0].port if announced else 0), announced)


def _outside(text: str) -> "Candidate":
    from hardwire.errors import UsageError
    from hardwire.net import Candidate, CandidateKind

    host, _, port = text.rpartition(":")
    try:
        candidate = Candidate(CandidateKind.SRFLX, ipaddress.ip_address(host.strip("[]")), int(port))
    except ValueError:
        raise UsageError(
            f"{text!r} is no address with a port",
            hint="write it as 192.0.2.7:4000 or [2001:db8::7]:4000; a name would have to be looked up by your peer",
        ) from None
    if reason := candidate.refusal(loopback=True):
        raise UsageError(f"nobody can be invited to {text}: {reason}")
    return candidate


def ice_servers(
    stun: str | None,
    turn: str | None,
    credentials: Path | None,
    *,
    turn_ca: Path | None = None,
    relay_only: bool,
    ask: bool = False,
) -> "IceServers":
    """The STUN and TURN servers that were asked for; the TURN password comes from a file, never from the arguments.

    Args:
        stun: URL.
        turn: URL.
        credentials: File with the user name and the password for TURN.
        turn_ca: File with the authority of a ``turns:`` server.
        relay_only: Use nothing but the relay.
        ask: Without a file, ask a person at a terminal for the credentials.

    Raises:
        UsageError: A URL, or one of the files, is not what it should be.
    """
    from hardwire.errors import UsageError
    from hardwire.net import IceServers

    username = password = None
    if credentials is not None:
        lines = _read(credentials).splitlines()
        if len(lines) != 2 or not all(lines):  # noqa: PLR2004 (user name, password)
            raise UsageError(f"{credentials}: two lines are wanted, the user name and the password")
        username, password = lines
    elif turn is not None and ask and sys.stdin.isatty() and sys.stderr.isatty():
        username, password = _ask_credentials(turn)
    authority = None if turn_ca is None else _read(turn_ca)
    return IceServers(stun, turn, username, password, relay_only, authority)


def _read(path: Path) -> str:
    from hardwire.errors import UsageError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: {problem}") from None


def _ask_credentials(turn: str) -> tuple[str, str]:
    """From the person, before anything else is asked; the password is not shown."""
    from hardwire.app.text import printable

    sys.stderr.write(f"user name at {printable(turn)}: ")
    sys.stderr.flush()
    username = sys.stdin.readline().strip()
    return username, getpass.getpass("password there: ", sys.stderr)
