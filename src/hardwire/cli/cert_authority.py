# SPDX-License-Identifier: Apache-2.0
"""`hardwire cert ca | issue | revoke | crl`: the offline authority that one person runs with a token."""

from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from hardwire.app.offlineca import Authority, Issued, Wish
    from hardwire.certs import DeviceName, DeviceRequest, Level

DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--ca", envvar="HARDWIRE_CA", metavar="DIR", help="The authority's directory, when not the usual one."
    ),
]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of stdout.")]
RestoreOption = Annotated[
    bool,
    typer.Option("--after-restore", help="Go on although the ledger is an older copy; revoke again what is missing."),
]


class _Level(Enum):
    """What a person may vouch for by hand; attested is for evidence to say."""

    SOFTWARE = "software"
    CLAIMED = "claimed"


class _Reason(Enum):
    """The reasons of hardwire.certs, spelled out here so that --help needs no certificate library."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation"


def directory_of(directory: Path | None) -> Path:
    """Where the authority is: the option's, or beside the identity."""
    from hardwire.app.paths import config_dir

    return directory or config_dir() / "ca"


def found(
    name: Annotated[str, typer.Option("--name", metavar="ORGANISATION", help="Whose authority it is; peers read it.")],
    directory: DirectoryOption = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME|URI", help="Make the key in this device.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="URI", help="Use a key that is in a device already (P-256, P-384, RSA)."),
    ] = None,
    pin_source: Annotated[
        Path | None, typer.Option("--pin-source", metavar="FILE", help="Read the PIN from this file, now and later.")
    ] = None,
    years: Annotated[int, typer.Option("--years", min=1, max=30, help="How long the authority lives.")] = 10,
    out: OutOption = None,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Make an authority: a key in a token, and a certificate that every member of the organisation trusts.

    Give the certificate to everybody; they name it in trust.toml or with --trust-ca. Keep the token apart.

    \b
    Examples:
      hardwire cert ca --name ACME --out acme.pem
      hardwire cert ca --name ACME --device ca-token
      hardwire cert ca --name ACME --key 'pkcs11:token=ca;object=root'
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app import cakey, setup
        from hardwire.app.keys import describe_device, person_prompter
        from hardwire.app.offlineca import refuse_second
        from hardwire.errors import UsageError

        if device is not None and key is not None:
            raise UsageError("--device and --key exclude one another")
        where = directory_of(directory)
        refuse_second(where)
        prompter = person_prompter(json_mode=json_mode)
        source = pin_source and pin_source.absolute()
        life = timedelta(days=365 * years)
        if key is not None:
            made = cakey.adopt(where, key, prompter, pin_source=source, organisation=name, life=life)
        else:
            chosen = setup.choose_device(setup.find_devices(device), device)
            voice.say(f"using {describe_device(chosen)}: {setup.why(chosen)}")
            made = cakey.found(where, chosen, prompter, pin_source=source, organisation=name, life=life)
        _founded(voice, made, out)

    run(voice, body)


def issue(
    request: Annotated[
        Path, typer.Argument(metavar="REQUEST", help="A file from `hardwire cert request`; - is stdin.")
    ],
    directory: DirectoryOption = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME", help="Call the device so: alice@example.org, pump7.example.org, id:4711."
        ),
    ] = None,
    as_asked: Annotated[bool, typer.Option("--as-asked", help="Grant the names that the request asks for.")] = False,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long the certificate is good.")] = 365,
    require_attested: Annotated[
        bool, typer.Option("--require-attested", help="Refuse a key that is not proved to be in hardware.")
    ] = False,
    roots: Annotated[
        Path | None,
        typer.Option(
            "--attestation-roots",
            metavar="FILE",
            help="Certificates of makers and enrolment authorities, instead of those in attestation/.",
        ),
    ] = None,
    level: Annotated[
        _Level | None, typer.Option("--level", help="What you found out about the key's home by other means.")
    ] = None,
    out: OutOption = None,
    after_restore: RestoreOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Certify a device. The certificate goes to stdout, and is in the ledger before.

    \b
    Examples:
      hardwire cert issue alice.csr --name alice@example.org > alice.pem
      hardwire cert issue pump.csr --as-asked --days 90 --out pump.pem
      hardwire cert issue alice.csr --require-attested --attestation-roots yubico.pem --name alice@example.org
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app.attestation import load_trust, load_trust_from
        from hardwire.app.offlineca import Wish

        asked = _asked(request)
        trust = load_trust() if roots is None else load_trust_from(roots)
        _refuse_existing(out)
        granted = _granted(asked, names, as_asked=as_asked)
        wish = Wish(granted, timedelta(days=days), require_attested, trust, _level(level))
        _certify(voice, directory_of(directory), asked, wish, out, after_restore=after_restore)

    run(voice, body)


def revoke(
    which: Annotated[str, typer.Argument(metavar="SERIAL|NAME|DID|FILE", help="What `hardwire cert show` lists.")],
    directory: DirectoryOption = None,
    reason: Annotated[_Reason, typer.Option("--reason", help="Why; it stands in the list.")] = _Reason.UNSPECIFIED,
    after_restore: RestoreOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Take certificates back. Written down at once, without the token; the next `hardwire cert crl` tells everybody.

    A file is the certificate itself, for one that was lost from the ledger when an older copy was put back.

    \b
    Examples:
      hardwire cert revoke alice@example.org --reason key-compromise
      hardwire cert revoke 4f3a90c1
      hardwire cert revoke alice.pem --after-restore
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app import offlineca, pem
        from hardwire.app.reclaim import reclaim
        from hardwire.certs import Reason

        authority = offlineca.load(directory_of(directory))
        with authority.ledger(after_restore=after_restore) as ledger:
            wanted = reclaim(authority, ledger, pem.only(Path(which), pem.CERTIFICATE)[0]) if _is_file(which) else which
            taken = offlineca.revoke(ledger, wanted, Reason(reason.value))
        for one in taken:
            voice.record({"event": "revoked", "serial": one.serial, "did": one.did, "names": list(one.names)})
            voice.data(f"revoked {one.serial}: {', '.join(one.names) or one.did}")
        voice.say("next: `hardwire cert crl --out FILE` and give it to everybody", style="dim")

    run(voice, body)


def _is_file(which: str) -> bool:
    return Path(which).suffix in {".pem", ".crt", ".cer", ".der"} and Path(which).is_file()


def crl(
    directory: DirectoryOption = None,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="When the next list is due at the latest.")] = 30,
    out: OutOption = None,
    after_restore: RestoreOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Sign the list of what was taken back. An older file of that name is replaced, never by a lower number.

    \b
    Examples:
      hardwire cert crl --out acme.crl
      hardwire cert crl --days 7 --json
    """
    voice = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        from hardwire.app import offlineca, pem
        from hardwire.app.cakey import open_authority_key
        from hardwire.app.keys import person_prompter

        authority = offlineca.load(directory_of(directory))
        prompter = person_prompter(json_mode=json_mode)
        with authority.ledger(after_restore=after_restore) as ledger, open_authority_key(authority, prompter) as key:
            number, der = offlineca.list_revoked(authority, ledger, timedelta(days=days), key)
            count = sum(row["kind"] == "revoked" for row in ledger.rows)
        text = pem.to_pem(pem.CRL, der)
        voice.record(
            {"event": "crl", "number": number, "revoked": count, "days": days, "pem": text, "file": _text(out)}
        )
        _deliver(voice, text, out, replace=True)
        voice.say(f"list number {number} of {authority.organisation}: {count} revoked, the next is due in {days} days")
        voice.say("next: give it to everybody, who runs `hardwire cert install FILE`", style="dim")

    run(voice, body)


def _founded(voice: Output, made: "Authority", out: Path | None) -> None:
    from hardwire.app import pem
    from hardwire.certs import device_id

    text = pem.to_pem(pem.CERTIFICATE, made.certificate.der)
    voice.record(
        {
            "event": "authority",
            "organisation": made.organisation,
            "directory": str(made.directory),
            "key": made.key_uri,
            "id": device_id(made.certificate.spki).hex(),
            "not_after": made.certificate.not_after.isoformat(),
            "pem": text,
        }
    )
    voice.say(f"authority of {made.organisation} made in {made.directory}", style="green")
    _deliver(voice, text, out)
    voice.say(
        "next: everybody runs `hardwire cert trust FILE` with it; you run `hardwire cert issue REQUEST`", style="dim"
    )


def _asked(path: Path) -> "DeviceRequest":
    from hardwire.app import pem
    from hardwire.certs import read_request
    from hardwire.errors import UsageError

    (der, *more) = pem.only(path, pem.REQUEST)
    if more:
        raise UsageError(f"{path} holds more than one request", hint="certify one device at a time")
    return read_request(der)


def _certify(
    voice: Output, directory: Path, asked: "DeviceRequest", wish: "Wish", out: Path | None, *, after_restore: bool
) -> None:
    from hardwire.app import offlineca
    from hardwire.app.cakey import open_authority_key
    from hardwire.app.entropy import utc_now
    from hardwire.app.keys import person_prompter

    authority = offlineca.load(directory)
    level, proof = offlineca.assess(asked, wish, utc_now())
    voice.say(f"certifying {asked.did}")
    voice.say(f"  as       {', '.join(name.text for name in wish.names) or 'nothing but its key'}")
    voice.say(f"  key in   {proof or (level.words if level else 'unknown: no evidence was judged')}")
    prompter = person_prompter(json_mode=voice.json_mode)
    with authority.ledger(after_restore=after_restore) as ledger, open_authority_key(authority, prompter) as key:
        made = offlineca.issue(authority, ledger, asked, wish, key)
    _issued(voice, made, out)


def _issued(voice: Output, made: "Issued", out: Path | None) -> None:
    from hardwire.app import pem

    text = pem.to_pem(pem.CERTIFICATE, made.certificate)
    voice.record({**made.record(), "pem": text, "file": _text(out)})
    _deliver(voice, text, out)
    voice.say(f"certificate {made.serial}, good until {made.until:%Y-%m-%d}", style="green")
    voice.say("next: carry it back to the device: `hardwire cert install FILE`", style="dim")


def _granted(asked: "DeviceRequest", names: list[str] | None, *, as_asked: bool) -> "tuple[DeviceName, ...]":
    from hardwire.certs import parse_name
    from hardwire.errors import UsageError

    if as_asked and names:
        raise UsageError("--name and --as-asked exclude one another")
    if asked.names and not as_asked and not names:
        wanted = ", ".join(name.text for name in asked.names)
        raise UsageError(
            f"the request asks to be called {wanted}",
            code="names-asked",
            hint="if that is right, say --as-asked; otherwise say what it is called with --name",
        )
    return asked.names if as_asked else tuple(map(parse_name, names or []))


def _level(level: _Level | None) -> "Level | None":
    from hardwire.certs import Level

    return None if level is None else Level[level.name]


def _refuse_existing(out: Path | None) -> None:
    """Before a certificate is issued that could then not be written."""
    from hardwire.errors import UsageError

    if out is not None and out.exists():
        raise UsageError(f"{out} exists already", code="file-exists", hint="choose another name")


def _deliver(voice: Output, text: str, out: Path | None, *, replace: bool = False) -> None:
    from hardwire.app import pem

    if out is None:
        voice.data(text.rstrip("\n"))
        return
    pem.write_public(out, text, replace=replace)
    voice.say(f"written to {out}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
