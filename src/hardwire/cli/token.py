# SPDX-License-Identifier: Apache-2.0
"""`hardwire token`: the devices of this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardwire.app.inventory import Device, Trouble

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


@app.command("show")
def show_device(
    device: Annotated[
        str | None,
        typer.Argument(metavar="NAME|URI", help="A part of its label or serial, or its URI; not needed for one alone."),
    ] = None,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Show one token or TPM closely: keys with their certificates, a YubiKey's slots and policies. No PIN is spent.

    \b
    Examples:
      hardwire token show
      hardwire token show yubikey
      hardwire token show tpm
    """
    out = Output(json_mode=json_mode, plain=plain)
    run(out, lambda: _show(out, device))


def _list(out: Output) -> None:
    from hardwire.app.inventory import empty_modules
    from hardwire.app.setup import find_devices

    devices = find_devices(on_error=_troubles(out))
    for device in devices:
        out.record(_record(device))
        _describe(out, device)
        for key in device.keys:
            out.data(f"  key   {key.label or key.key_id.hex()} ({key.kind})")
    empty = empty_modules(devices)
    if empty:
        out.say(f"no token in: {', '.join(empty)}", style="dim")
    if not devices:
        out.say("no token and no TPM found")
        out.say("hint: `hardwire doctor` says what is missing; to try without hardware: bash hsm/up.sh shell alice")
    else:
        out.say(
            "next: `hardwire init` makes an identity in the best of them; `hardwire token show NAME` tells more",
            style="dim",
        )


def _show(out: Output, wanted: str | None) -> None:
    from hardwire.app.inventory import look_closer

    found = look_closer(wanted, _troubles(out))
    out.record({**_record(found.device), "words": list(found.words)})
    _describe(out, found.device)
    for words in found.words:
        out.data(f"        {words}")
    for key in found.keys:
        mark = out.styled("  <- this identity's", "green") if key.mine else ""
        name = key.info.label or key.info.key_id.hex()
        out.data(f"  key   {name} ({key.info.kind}, to {key.info.purpose.value}){mark}")
        if key.info.certificate is not None:
            out.data(f"        certificate {key.info.certificate}")
        out.data(f"        {key.info.uri}")


def _troubles(out: Output) -> "Callable[[Trouble], None]":
    return lambda trouble: out.say(f"not looked at: {trouble.message} ({trouble.hint})", style="dim")


def _record(device: "Device") -> dict[str, object]:
    from hardwire.app.inventory import via

    return {
        "event": "device",
        "kind": device.kind,
        "software": device.software,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "label": device.label,
        "serial": device.serial,
        "uri": device.uri,
        "via": via(device),
        "pin_state": device.pin_state.value,
        "tries_left": device.tries_left,
        "tries_most": device.tries_most,
        "forgives_in": device.forgives_in,
        "keys": [
            {
                "uri": key.uri,
                "label": key.label,
                "kind": key.kind,
                "purpose": key.purpose.value,
                "certificate": key.certificate,
            }
            for key in device.keys
        ],
    }


def _describe(out: Output, device: "Device") -> None:
    from hardwire.app.inventory import counter, via
    from hardwire.app.keys import describe_device
    from hardwire.app.setup import describe_pin

    mark = out.styled("SOFTWARE TOKEN", "yellow") if device.software else "hardware (as it says)"
    out.data(f"{describe_device(device)}: {mark}")
    out.data(f"  via   {via(device)}")
    out.data(f"  uri   {device.uri}")
    out.data(f"  pin   {describe_pin(device)}")
    if counter(device):
        out.data(f"        {counter(device)}")
