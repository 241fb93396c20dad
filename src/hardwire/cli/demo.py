# SPDX-License-Identifier: Apache-2.0
"""`hardwire demo`: the main job on one machine."""

from typing import Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run_async


def command(
    size: Annotated[int, typer.Option("--size", metavar="MB", min=1, max=4000, help="Size of the file to send.")] = 64,
    devices: Annotated[
        str | None,
        typer.Option(
            "--devices", metavar="KIND,KIND", help="Devices that prove themselves: any two of softhsm, tpm, piv."
        ),
    ] = None,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Two peers, two software tokens, one real line on this machine: prove, compare, chat, send a file, close.

    One identity is in SoftHSM, the other in an emulated TPM; both are made for the demo and thrown away. The peers are
    two processes that run `hardwire chat` and `hardwire join`; the demo only carries their codes, as a person would.
    With --devices each device proves to the other side where its key is: piv is a virtual YubiKey (in a checkout), tpm
    an emulated TPM that an authority enrols.

    \b
    Examples:
      hardwire demo
      hardwire demo --devices piv,tpm
      hardwire demo --json
    """
    out = Output(json_mode=json_mode, plain=plain)

    async def body() -> None:
        from hardwire.app.demo import demonstrate
        from hardwire.app.demodevices import parse_devices

        kinds = None if devices is None else parse_devices(devices)
        report = await demonstrate(size * 1_000_000, out.say, kinds)
        out.record(report.record())
        if not report.ok:
            raise typer.Exit(1)

    run_async(out, body)
