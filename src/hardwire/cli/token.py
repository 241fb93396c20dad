# SPDX-License-Identifier: Apache-2.0
"""`hardwire token`: the devices of this machine."""

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Tokens and TPMs on this machine.")


@app.callback()
def _root() -> None:
    """Tokens and TPMs on this machine."""


@app.command("list")
def list_devices(json_mode: JsonOption = False, plain: PlainOption = False) -> None:
    """List tokens and TPMs, what is known of their PINs, and the keys on them. No PIN is needed or spent.

    \b
    Examples:
      hardwire token list
      hardwire token list --json | jq -r .uri
    """
    out = Output(json_mode=json_mode, plain=plain)
    run(out, lambda: _list(out))


def _list(out: Output) -> None:
    from hardwire.app.keys import describe_device
    from hardwire.app.setup import describe_pin, find_devices

    devices = find_devices(
        on_error=lambda trouble: out.say(f"not looked at: {trouble.message} ({trouble.hint})", style="dim")
    )
    for device in devices:
        out.record(
            {
                "event": "device",
                "kind": device.kind,
                "software": device.software,
                "manufacturer": device.manufacturer,
                "model": device.model,
                "label": device.label,
                "serial": device.serial,
                "uri": device.uri,
                "pin_state": device.pin_state.value,
                "tries_left": device.tries_left,
                "keys": [{"uri": key.uri, "label": key.label, "kind": key.kind} for key in device.keys],
            }
        )
        mark = out.styled("SOFTWARE TOKEN", "yellow") if device.software else "hardware (as it says)"
        out.data(f"{describe_device(device)}: {mark}")
        out.data(f"  uri   {device.uri}")
        out.data(f"  pin   {describe_pin(device)}")
        for key in device.keys:
            out.data(f"  key   {key.label or key.key_id.hex()} ({key.kind})")
    if not devices:
        out.say("no token and no TPM found")
        out.say("hint: `hardwire doctor` says what is missing; to try without hardware: bash hsm/up.sh shell alice")
    elif not out.json_mode:
        out.say("next: `hardwire init` makes an identity in the first one", style="dim")
