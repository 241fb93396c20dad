# SPDX-License-Identifier: Apache-2.0
"""`hardwire join`: take a friend's invite, open a line, talk."""

from pathlib import Path

from hardwire.cli import options
from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run_async


def command(
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
    directory: options.DirOption = Path(),
    stun: options.StunOption = None,
    turn: options.TurnOption = None,
    turn_credentials: options.TurnCredentialsOption = None,
    turn_ca: options.TurnCaOption = None,
    relay_only: options.RelayOnlyOption = False,
    loopback: options.LoopbackOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Join the line of somebody who ran `hardwire chat`. Asks for their code; it is never given on the command line.

    You see who invites you before they see who you are. A one-way invite is recognised: it needs no answer.

    \b
    Examples:
      hardwire join
      hardwire join --code-file invite.png
      hardwire join --peer did:key:zDnae...
    """
    given = locals()
    out = Output(json_mode=json_mode, plain=plain)

    async def body() -> None:
        from hardwire.cli.talk import chat

        wishes = options.wishes(given)
        await chat(out, wishes, hosting=False, plain=plain, directory=directory)

    run_async(out, body)
