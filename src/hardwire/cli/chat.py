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
    one_way: options.OneWayOption = False,
    port: options.PortOption = None,
    address: options.AddressOption = None,
    stun: options.StunOption = None,
    turn: options.TurnOption = None,
    turn_credentials: options.TurnCredentialsOption = None,
    turn_ca: options.TurnCaOption = None,
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
      hardwire chat --one-way
      hardwire chat --one-way --port 4000 --address 203.0.113.7:4000
      hardwire chat --stun stun:stun.example.org
    """
    given = locals()
    out = Output(json_mode=json_mode, plain=plain)

    async def body() -> None:
        from hardwire.cli.talk import chat

        wishes = options.wishes(given)
        await chat(out, wishes, hosting=True, plain=plain, directory=directory)

    run_async(out, body)
