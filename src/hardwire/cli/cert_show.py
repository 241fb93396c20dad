# SPDX-License-Identifier: Apache-2.0
"""`hardwire cert show`: what an authority issued, or what a file holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.cli.cert_authority import DirectoryOption, RestoreOption, directory_of
from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from hardwire.app.offlineca import Issued


def command(
    what: Annotated[
        str | None, typer.Argument(metavar="FILE|SERIAL|NAME", help="Without it: everything this authority issued.")
    ] = None,
    directory: DirectoryOption = None,
    as_pem: Annotated[bool, typer.Option("--pem", help="Print the certificate again, as PEM.")] = False,
    after_restore: RestoreOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Show what an authority issued and took back, or what is in a file. No token is needed.

    \b
    Examples:
      hardwire cert show
      hardwire cert show alice@example.org --pem > alice.pem
      hardwire cert show acme.crl
      hardwire cert show alice.csr
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        if what is not None and Path(what).is_file():
            _file(voice, Path(what))
            return
        from hardwire.app import offlineca, pem

        authority = offlineca.load(directory_of(directory))
        with authority.ledger(after_restore=after_restore) as ledger:
            found = offlineca.entries(ledger) if what is None else offlineca.find(ledger, what)
        if as_pem:
            for one in found:
                text = pem.to_pem(pem.CERTIFICATE, one.certificate)
                voice.record({**one.record(), "pem": text})
                voice.data(text.rstrip("\n"))
            return
        voice.say(f"authority of {authority.organisation}, good until {authority.certificate.not_after:%Y-%m-%d}")
        for one in found:
            _entry(voice, one)
        if not found:
            voice.say("nothing was issued yet")

    run(voice, body)


def _entry(voice: Output, one: "Issued") -> None:
    voice.record(one.record())
    state = f"revoked {one.revoked[0][:10]} ({one.revoked[1]})" if one.revoked else f"good until {one.until:%Y-%m-%d}"
    voice.data(f"{one.serial}  {voice.styled(state, 'red' if one.revoked else 'green')}")
    voice.data(f"  {', '.join(one.names) or '(no name)'}")
    voice.data(f"  {one.did}")
    if one.proof or one.level:
        voice.data(f"  key in {one.proof or one.level}")


def _file(voice: Output, path: Path) -> None:
    from hardwire.app.describe import describe
    from hardwire.app.pem import read_items

    for item in read_items(path):
        fields = describe(item)
        voice.record({"event": "shown", **fields})
        for name, value in fields.items():
            for text in value if isinstance(value, list) else [value]:
                voice.data(f"{name.replace('_', ' '):<12} {text}")
