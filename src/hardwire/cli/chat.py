# SPDX-License-Identifier: Apache-2.0
"""`hardwire chat`: make an invite, open a line, talk."""

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
    qr: options.QrOption = False,
    out_file: options.OutFileOption = None,
    code_file: options.CodeFileOption = None,
    directory: options.DirOption = Path(),
    stun: options.StunOption = None,
    turn: options.TurnOption = None,
    turn_credentials: options.TurnCredentialsOption = None,
    relay_only: options.RelayOnlyOption = False,
    loopback: options.LoopbackOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Make an invite, open a line, and talk. The peer runs `hardwire join`.

    Inside: type to talk, /verify to compare, /send FILE, /accept, /quit, /help.

    \b
    Examples:
      hardwire chat
      hardwire chat --qr
      hardwire chat --peer did:key:zDnae...
      hardwire chat --stun stun:stun.example.org
    """
    out = Output(json_mode=json_mode, plain=plain)

    async def body() -> None:
        from hardwire.cli.conversation import Wishes
        from hardwire.cli.talk import chat

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
            qr=qr,
            out_file=out_file,
            code_file=code_file,
        )
        await chat(out, wishes, hosting=True, plain=plain, directory=directory)

    run_async(out, body)
