# SPDX-License-Identifier: Apache-2.0
"""`hardwire send`: a line for one delivery."""

from pathlib import Path
from typing import Annotated

import typer

from hardwire.cli import options
from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run_async

PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files and directories to send; - is standard input.")
]
NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What standard input is called there.")]
JoinOption = Annotated[
    bool, typer.Option("--join", help="Ask for the code of a peer who ran `hardwire receive --one-way`.")
]
FollowOption = Annotated[bool, typer.Option("--follow", help="Send what symbolic links in a directory lead to.")]


def command(
    paths: PathsArgument,
    name: NameOption = None,
    follow: FollowOption = False,
    join: JoinOption = False,
    peer: options.PeerOption = None,
    require_attested: options.RequireAttestedOption = False,
    trust_ca: options.TrustCaOption = None,
    members_only: options.MembersOnlyOption = False,
    revocation: options.RevocationOption = None,
    personal: options.PersonalOption = False,
    unverified: options.UnverifiedOption = False,
    qr: options.QrOption = False,
    out_file: options.OutFileOption = None,
    code_file: options.CodeFileOption = None,
    one_way: options.OneWayOption = False,
    port: options.PortOption = None,
    address: options.AddressOption = None,
    stun: options.StunOption = None,
    turn: options.TurnOption = None,
    turn_credentials: options.TurnCredentialsOption = None,
    turn_ca: options.TurnCaOption = None,
    relay_only: options.RelayOnlyOption = False,
    loopback: options.LoopbackOption = False,
    sha256: options.Sha256Option = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Send files and directories over a line of their own. The peer runs `hardwire receive`.

    Nothing is offered before the numbers were compared, or the peer is the one named with --peer. What did not arrive
    whole goes on from where it was when the same is sent again (exit code 40). While it moves: type pause, resume or
    cancel, or send SIGUSR1, which pauses and resumes.

    \b
    Examples:
      hardwire send report.pdf
      hardwire send photos/
      hardwire send --one-way report.pdf
      hardwire send --join report.pdf
      tar c / | hardwire send - --name backup.tar --code-file answer --peer did:key:zDnae...
      hardwire send --peer did:key:zDnae... backup.img
    """
    given = locals()
    out = Output(json_mode=json_mode, plain=plain)

    async def body() -> None:
        from hardwire.cli.errand import send

        wishes = options.wishes(given, counterpart="hardwire receive")
        await send(out, wishes, paths, plain=plain, follow=follow, name=name, joining=join, sha256=sha256)

    run_async(out, body)
