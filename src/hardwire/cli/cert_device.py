# SPDX-License-Identifier: Apache-2.0
"""`hardwire cert request`: the device's side of being certified."""

from pathlib import Path
from typing import Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run


def request(
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME", help="Ask to be called so: alice@example.org, pump7.example.org, id:4711."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of stdout.")] = None,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Ask an organisation for a certificate for this machine's identity. The key signs the request, and stays.

    Where the device can prove that it holds the key (a YubiKey; a TPM that was enrolled), the proof goes along.

    \b
    Examples:
      hardwire cert request > alice.csr
      hardwire cert request --name alice@example.org --out alice.csr
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app import pem
        from hardwire.app.enrolment import request_certificate
        from hardwire.app.identity import load_identity
        from hardwire.app.keys import person_prompter
        from hardwire.certs import parse_name

        me = load_identity()
        wanted = tuple(map(parse_name, names or []))
        der, proved = request_certificate(me, wanted, person_prompter(json_mode=json_mode))
        text = pem.to_pem(pem.REQUEST, der)
        voice.record(
            {
                "event": "certificate-request",
                "did": me.own.did,
                "names": [name.text for name in wanted],
                "evidence": proved,
                "pem": text,
            }
        )
        if out is None:
            voice.data(text.rstrip("\n"))
        else:
            pem.write_public(out, text)
            voice.say(f"written to {out}")
        voice.say("the device proves that it holds the key" if proved else "without proof that the key is in hardware")
        voice.say("next: give it to your organisation's authority, who runs `hardwire cert issue`", style="dim")

    run(voice, body)
