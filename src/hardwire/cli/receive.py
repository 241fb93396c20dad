# SPDX-License-Identifier: Apache-2.0
"""`hardwire receive`: the other end of `hardwire send`."""

from pathlib import Path
from typing import Annotated

import typer

from hardwire.cli import options
from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run, run_async

YesOption = Annotated[bool, typer.Option("--yes", help="Take every file without asking (sizes are still checked).")]
StdoutOption = Annotated[
    bool, typer.Option("--stdout", help="Write the one file that comes to standard output; talk goes to stderr.")
]
PartialsOption = Annotated[
    bool, typer.Option("--partials", help="Only show what unfinished transfers lie in the directory.")
]


def command(
    directory: options.DirOption = Path(),
    yes: YesOption = False,
    to_stdout: StdoutOption = False,
    list_partials: PartialsOption = False,
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
    """Receive files from somebody who ran `hardwire send`. Asks for their code, and before each file.

    With --one-way this side makes the code, and the peer runs `hardwire send --join`.

    Nothing is overwritten, and nothing half-written gets its name. What broke off is kept for a week or two, and goes
    on when the same peer sends the same again. With --stdout, rely on the octets only when the exit code is 0.

    \b
    Examples:
      hardwire receive --dir ~/incoming
      hardwire receive --one-way --port 4000
      hardwire receive --stdout --yes --peer did:key:zDnae... | tar x
      hardwire receive --code-file invite.png --peer did:key:zDnae... --yes
    """
    given = locals()
    out = Output(json_mode=json_mode, plain=plain)
    if list_partials:
        return _list_partials(out, directory)

    async def body() -> None:
        from hardwire.cli.errand import receive

        wishes = options.wishes(given, counterpart="hardwire send --join FILE")
        await receive(out, wishes, directory, plain=plain, yes=yes, to_stdout=to_stdout, sha256=sha256)

    return run_async(out, body)


def _list_partials(out: Output, directory: Path) -> None:
    from hardwire.cli.errand import show_partials

    run(out, lambda: show_partials(out, directory))
