# SPDX-License-Identifier: Apache-2.0
"""`hardwire receive`: the other end of `hardwire send`."""

from pathlib import Path
from typing import Annotated

import typer

from hardwire.cli import options
from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run_async


def command(
    directory: options.DirOption = Path(),
    yes: Annotated[
        bool, typer.Option("--yes", help="Take every file without asking (sizes are still checked).")
    ] = False,
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
    stun: options.StunOption = None,
    turn: options.TurnOption = None,
    turn_credentials: options.TurnCredentialsOption = None,
    relay_only: options.RelayOnlyOption = False,
    loopback: options.LoopbackOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Receive files from somebody who ran `hardwire send`. Asks for their code, and before each file.

    Nothing is overwritten, and nothing half-written keeps its name.

    \b
    Examples:
      hardwire receive
      hardwire receive --dir ~/incoming
      hardwire receive --code-file invite.png --peer did:key:zDnae... --yes
    """
    out = Output(json_mode=json_mode, plain=plain)

    async def body() -> None:
        from hardwire.cli.conversation import Wishes
        from hardwire.cli.errand import receive

        servers = options.ice_servers(stun, turn, turn_credentials, relay_only=relay_only)
        wishes = Wishes(
            servers,
            loopback=loopback,
            peer=peer,
            require_attested=require_attested,
            trust_ca=tuple(trust_ca or ()),
            members_only=members_only,
            revocation=revocation and revocation.value,
            personal=personal,
            unverified=unverified,
            qr=qr,
            out_file=out_file,
            code_file=code_file,
        )
        await receive(out, wishes, directory, plain=plain, yes=yes)

    run_async(out, body)
