# SPDX-License-Identifier: Apache-2.0
"""`hardwire id`: who this machine is."""

from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.app.text import printable
from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from hardwire.app.identity import Identity


def command(
    name: Annotated[bool, typer.Option("--name", help="Print only the did:key, for scripts and for --peer.")] = False,
    did: Annotated[bool, typer.Option("--did", help="Print the DID document, as JSON.")] = False,
    certificate: Annotated[bool, typer.Option("--certificate", help="Print only the certificate, as PEM.")] = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Show this machine's identity: name, device, dates. No PIN is needed.

    \b
    Examples:
      hardwire id
      hardwire id --name
      hardwire id --did | jq .verificationMethod
      hardwire id --certificate | openssl x509 -text
    """
    out = Output(json_mode=json_mode, plain=plain)
    run(out, lambda: _show(out, name=name, did=did, certificate=certificate))


def _show(out: Output, *, name: bool, did: bool, certificate: bool) -> None:
    import json

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from hardwire.app.identity import load_identity
    from hardwire.app.proof import shown_as
    from hardwire.certs import did_document

    me = load_identity()
    member, document = _membership(me), did_document(me.own.did)
    pem = x509.load_der_x509_certificate(me.certificate).public_bytes(Encoding.PEM).decode()
    if out.json_mode:
        out.record({**me.record(), "membership": member or None, "certificate": pem, "did_document": document})
    elif name:
        out.data(me.own.did)
    elif did:
        out.data(json.dumps(document, indent=2))
    elif certificate:
        out.data(pem.rstrip())
    else:
        out.data(f"did          {me.own.did}")
        out.data(f"device id    {me.own.device_id.hex()}")
        out.data(f"device       {me.device}")
        out.data(f"shown as     {shown_as(me)}")
        out.data(f"key          {me.key_uri}")
        out.data(f"valid until  {me.own.not_after:%Y-%m-%d}")
        if member:
            out.data(f"member of    {printable(member)}")
        out.say("next: `hardwire chat`, or give the did to your peer for `--peer`", style="dim")


def _membership(me: "Identity") -> str:
    """What an organisation says of it; a membership that is no good is told, and hides nothing else."""
    from hardwire.app.membership import load_membership
    from hardwire.errors import LocalError

    try:
        found = load_membership(me)
    except LocalError as problem:
        return problem.message
    return "" if found is None else found.summary()
