# SPDX-License-Identifier: Apache-2.0
"""`hardwire cert check`: the verdict on a certificate, with every check it passed or did not."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run
from hardwire.errors import UsageError

if TYPE_CHECKING:
    from hardwire.app.certcheck import CheckInput, CheckOutcome

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="The certificate, then its authorities: PEM or DER, in order."),
]
TrustOption = Annotated[
    list[Path] | None,
    typer.Option("--trust", metavar="FILE", help="Root certificates to believe; none: it vouches for itself."),
]
CrlOption = Annotated[list[Path] | None, typer.Option("--crl", metavar="FILE", help="Lists of revoked ones.")]
OcspOption = Annotated[list[Path] | None, typer.Option("--ocsp", metavar="FILE", help="Answers about them.")]
AtOption = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Instead of now: 2026-07-01T12:00:00Z, or seconds.")
]
RevocationOption = Annotated[
    Literal["require", "prefer", "off"], typer.Option("--revocation", help="What has to be known.")
]
MaxAgeOption = Annotated[str | None, typer.Option("--max-age", metavar="TIME", help="Of lists and answers: 12h, 7d.")]
SkewOption = Annotated[str, typer.Option("--skew", metavar="TIME", help="How far clocks may be apart: 30s, 5m.")]
ProfileOption = Annotated[
    Literal["device", "path"],
    typer.Option("--profile", help="path: without the rules for devices, to compare with other software."),
]
HostOption = Annotated[
    str | None, typer.Option("--hostname", metavar="NAME", help="A host name that the certificate must carry.")
]
BatchOption = Annotated[bool, typer.Option("--batch", help="Cases from stdin, one JSON object a line.")]


def command(
    files: FilesArgument = None,
    trust: TrustOption = None,
    crl: CrlOption = None,
    ocsp: OcspOption = None,
    at: AtOption = None,
    revocation: RevocationOption = "prefer",
    max_age: MaxAgeOption = None,
    skew: SkewOption = "0s",
    profile: ProfileOption = "device",
    hostname: HostOption = None,
    batch: BatchOption = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Check a certificate as a peer's would be checked, and show the numbered checks.

    \b
    Examples:
      hardwire id --certificate | hardwire cert check -
      hardwire cert check alice.pem --trust acme-root.pem --crl acme.crl
      hardwire cert check alice.pem issuing.pem --trust root.pem --revocation require --max-age 7d
      hardwire cert check --batch < cases.ndjson
    """
    out = Output(json_mode=json_mode, plain=plain)

    def body() -> None:
        if batch:
            _batch(files)
            return
        from hardwire.app.certcheck import Profile, check
        from hardwire.certs import RevocationMode, RevocationRules

        given = _given(files or [], trust or [], crl or [], ocsp or [], at)

        rules = RevocationRules(RevocationMode(revocation), None if max_age is None else duration(max_age))
        given = replace(given, rules=rules, skew=duration(skew), profile=Profile(profile), hostname=hostname)
        outcome = check(given)
        _show(out, outcome)
        if outcome.refusal is not None:
            raise outcome.refusal

    run(out, body)


def _batch(files: list[Path] | None) -> None:
    from hardwire.app import certbatch

    if files:
        raise UsageError("--batch reads its cases from stdin, and takes no files")

    def emit(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    certbatch.run(sys.stdin.buffer, emit)


def _given(files: list[Path], trust: list[Path], crl: list[Path], ocsp: list[Path], at: str | None) -> "CheckInput":
    from hardwire.app import pem
    from hardwire.app.certcheck import CheckInput
    from hardwire.certs import RevocationMaterial, RevocationRules

    def all_of(paths: list[Path], label: str) -> tuple[bytes, ...]:
        return tuple(der for path in paths for der in pem.only(path, label))

    chain = all_of(files, pem.CERTIFICATE)
    if not chain:
        raise UsageError("no certificate was given", hint="hardwire cert check FILE, or - for stdin")
    material = RevocationMaterial(all_of(crl, pem.CRL), all_of(ocsp, pem.OCSP))
    return CheckInput(chain, all_of(trust, pem.CERTIFICATE), moment(at), RevocationRules(), material)


def _show(out: Output, outcome: "CheckOutcome") -> None:
    from hardwire.app.certcheck import lines_of
    from hardwire.app.text import printable

    out.record(
        {
            "event": "checked",
            "ok": outcome.ok,
            "code": outcome.refusal.code if outcome.refusal else "ok",
            "reason": outcome.refusal.message if outcome.refusal else "",
            "did": outcome.identity.did if outcome.identity else None,
            "organisation": outcome.identity.organisation if outcome.identity else None,
            "checks": [
                {"number": one.number, "name": one.name, "verdict": one.verdict.value, "evidence": one.evidence}
                for one in outcome.checks
            ],
            "revocation": [fact.text() for fact in outcome.revocation],
        }
    )
    for line in lines_of(outcome.checks):
        out.data(printable(line))
    if outcome.ok:
        out.data("accepted")
        if outcome.identity is not None and outcome.identity.organisation is not None:
            out.data(f"organisation  {printable(outcome.identity.organisation)}")
        if outcome.identity is not None:
            out.data(f"did           {outcome.identity.did}")


def moment(text: str | None) -> datetime:
    """A time as it is typed: seconds since 1970, or ISO 8601 (UTC where it names no zone); None is now.

    Raises:
        UsageError: It is neither.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromtimestamp(int(text), UTC) if text.isdigit() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"--at: {text!r} is no time", hint="2026-07-01T12:00:00Z, or seconds since 1970") from None
    return found if found.utcoffset() is not None else found.replace(tzinfo=UTC)


def duration(text: str) -> timedelta:
    """A duration as it is typed: a number and s, m, h or d.

    Raises:
        UsageError: It is none.
    """
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or unit not in _UNITS or len(number) > 6:  # noqa: PLR2004
        raise UsageError(f"{text!r} is no duration", hint="a number and s, m, h or d: 30s, 12h, 7d")
    return timedelta(seconds=int(number) * _UNITS[unit])
