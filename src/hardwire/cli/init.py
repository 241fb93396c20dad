# SPDX-License-Identifier: Apache-2.0
"""`hardwire init`: make this machine's identity."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from hardwire.app.identity import Identity


def command(
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="NAME|URI", help="Use this device: a part of its label or serial, or its URI."
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="URI", help="Use a P-256 key that is in a device already.")
    ] = None,
    pin_source: Annotated[
        Path | None,
        typer.Option("--pin-source", metavar="FILE", help="Read the PIN from this file, now and later (for services)."),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new certificate for the identity that is there.")
    ] = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Make an identity: a key that never leaves its device, and a certificate that the key signs for itself.

    Picks the best device there is and says which and why: a token you can carry, then this machine's TPM, then a
    software token. An identity that is there already is never replaced.

    \b
    Examples:
      hardwire init
      hardwire init --device yubikey
      hardwire init --device tpm
      hardwire init --key 'pkcs11:token=work;id=%01'
      hardwire init --renew
    """
    out = Output(json_mode=json_mode, plain=plain)
    run(out, lambda: _init(out, device=device, key=key, pin_source=pin_source, renew=renew))


def _init(out: Output, *, device: str | None, key: str | None, pin_source: Path | None, renew: bool) -> None:
    from hardwire.app import setup
    from hardwire.app.keys import describe_device, person_prompter
    from hardwire.errors import UsageError

    if sum((device is not None, key is not None, renew)) > 1:
        raise UsageError("--device, --key and --renew exclude one another")
    prompter = person_prompter(json_mode=out.json_mode)
    pin_source = pin_source and pin_source.absolute()
    if renew:
        _report(out, setup.renew(prompter, pin_source=pin_source), "renewed")
        return
    setup.refuse_second()
    if key is not None:
        _report(out, setup.adopt(key, prompter, pin_source=pin_source), "made")
        return
    devices = setup.find_devices(
        device, on_error=lambda trouble: out.say(f"not looked at: {trouble.message} ({trouble.hint})", style="dim")
    )
    chosen = setup.choose_device(devices, device)
    out.say(f"using {describe_device(chosen)}: {setup.why(chosen)}")
    others = [describe_device(other) for other in devices if other != chosen]
    if others and device is None:
        out.say(f"also here: {'; '.join(others)} (choose with --device)", style="dim")
    _report(out, setup.create(chosen, prompter, pin_source=pin_source), "made")


def _report(out: Output, me: "Identity", what: str) -> None:
    out.record(me.record())
    out.say(f"identity {what}: the key is in {me.device} and stays there", style="green")
    out.data(me.own.did)
    out.say(f"peers will see: {me.assurance.value}")
    out.say("next: `hardwire chat` and send the code to a friend, or `hardwire join` with theirs")
