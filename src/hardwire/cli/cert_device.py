# SPDX-License-Identifier: Apache-2.0
"""`hardwire cert request | install | trust`: the device's side of belonging to an organisation."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from hardwire.app.organisations import Organisations
    from hardwire.app.pem import Item


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


def install(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="A certificate and those above it, OCSP responses, or lists."),
    ],
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Keep what an organisation sent: the certificate of this identity, or a list of revoked certificates.

    Everything is checked as a peer would check it, before it replaces anything. A list that goes backwards is refused.

    \b
    Examples:
      hardwire cert install alice.pem
      hardwire cert install acme.crl
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app.organisations import load_organisations
        from hardwire.app.pem import CRL, read_items

        items = [item for path in files for item in read_items(path)]
        organisations = load_organisations()
        lists = [item for item in items if item.label == CRL]
        others = [item for item in items if item.label != CRL]
        if others:
            _install_certificate(voice, others, organisations)
        for item in lists:
            _install_list(voice, item.der, organisations)

    run(voice, body)


def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The certificate of an organisation's authority.")],
    name: Annotated[str | None, typer.Option("--name", metavar="ORGANISATION", help="What to call it here.")] = None,
    members: Annotated[
        list[str] | None,
        typer.Option("--members", metavar="PATTERN", help="Only these: *@example.org, *.pumps.example.org."),
    ] = None,
    attested: Annotated[
        bool, typer.Option("--attested", help="Only devices that prove to you, too, that their key is in hardware.")
    ] = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Believe an organisation from now on: its members need no comparing of numbers. Written to trust.toml.

    Make sure that the file is the organisation's: compare its fingerprint with somebody there.

    \b
    Examples:
      hardwire cert trust acme.pem
      hardwire cert trust acme.pem --name ACME --members '*@acme.example' --attested
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app.organisations import add_organisation

        anchor, path = add_organisation(file, name, tuple(members or ()), attested=attested)
        fingerprint = sha256(anchor.certificate.der).hexdigest()
        voice.record({"event": "trusted", "organisation": anchor.name, "sha256": fingerprint, "file": str(path)})
        voice.say(f"members of {anchor.name} are believed from now on ({path})", style="green")
        voice.data(f"sha256 {fingerprint}")
        voice.say("compare that with somebody at the organisation", style="dim")

    run(voice, body)


def _install_certificate(voice: Output, items: "list[Item]", organisations: "Organisations") -> None:
    from hardwire.app.identity import load_identity
    from hardwire.app.membership import install as keep
    from hardwire.app.organisations import names_of

    own = keep(load_identity(), items, organisations)
    names = () if own.endorsement is None else names_of(own.endorsement)
    voice.record(
        {
            "event": "installed",
            "organisation": own.organisation,
            "names": list(names),
            "did": own.did,
            "not_after": own.not_after.isoformat(),
        }
    )
    voice.say(f"this identity is a member of {own.organisation} now, until {own.not_after:%Y-%m-%d}", style="green")
    voice.say("next: `hardwire chat`; peers who trust the organisation need not compare numbers", style="dim")


def _install_list(voice: Output, der: bytes, organisations: "Organisations") -> None:
    from hardwire.app.crlstore import CrlStore, signer_of
    from hardwire.app.membership import issuers_known_here
    from hardwire.certs import read_crl
    from hardwire.errors import UsageError

    crl = read_crl(der)
    issuer = signer_of(crl, issuers_known_here(organisations))
    if issuer is None:
        raise UsageError(
            "nobody here knows the authority that signed that list",
            code="issuer-unknown",
            hint="`hardwire cert trust FILE` with the authority's certificate first",
        )
    kept = CrlStore().keep(crl, issuer)
    voice.record({"event": "list-kept", "number": crl.number, "revoked": len(crl.serials), "new": kept.new})
    words = "kept" if kept.new else "was here already"
    voice.say(f"list number {crl.number} {words}: {len(crl.serials)} revoked, due again {crl.next_update:%Y-%m-%d}")
