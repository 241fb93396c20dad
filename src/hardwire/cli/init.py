# SPDX-License-Identifier: Apache-2.0
"""`hardwire init`: make this machine's identity."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from hardwire.cli.output import Output
from hardwire.cli.run import JsonOption, PlainOption, run

if TYPE_CHECKING:
    from hardwire.app.identity import Identity
    from hardwire.app.provision import CardWishes


class Touch(Enum):
    """When a YubiKey wants to be touched."""

    NEVER = "never"
    ALWAYS = "always"
    CACHED = "cached"


class PinUse(Enum):
    """When it wants its PIN."""

    ONCE = "once"
    ALWAYS = "always"


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
        str | None,
        typer.Option(
            "--pin-source",
            metavar="FILE|credential:NAME",
            help="Read the PIN there, now and later (for services; a credential is systemd's).",
        ),
    ] = None,
    puk_source: Annotated[
        str | None,
        typer.Option(
            "--puk-source", metavar="FILE|credential:NAME", help="Read a blank YubiKey's new PUK there, once."
        ),
    ] = None,
    touch: Annotated[
        Touch, typer.Option("--touch", help="When a blank YubiKey shall want a touch for its new keys.")
    ] = Touch.NEVER,
    pin_policy: Annotated[
        PinUse, typer.Option("--pin-policy", help="When a blank YubiKey shall want the PIN for its new keys.")
    ] = PinUse.ONCE,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new certificate for the identity that is there.")
    ] = False,
    json_mode: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Make an identity: a key that never leaves its device, and a certificate that the key signs for itself.

    Picks the best device there is and says which and why: a token you can carry, then this machine's TPM, then a
    software token. An identity that is there already is never replaced.

    A blank YubiKey that --device names is provisioned: keys in 9a and 9d, a PIN and PUK of yours, a management key of
    its own. Stopped anywhere, it goes on when it is run again. A YubiKey that is in use stays as it is: the
    key in 9a becomes the identity's.

    \b
    Examples:
      hardwire init
      hardwire init --device yubikey
      hardwire init --device yubikey --touch always
      hardwire init --device tpm
      hardwire init --key 'pkcs11:token=work;id=%01'
      hardwire init --renew
    """
    out = Output(json_mode=json_mode, plain=plain)
    ways = sum((device is not None, key is not None, renew))
    run(out, lambda: _init(out, ways, device, key, _Sources(pin_source, puk_source, touch, pin_policy), renew=renew))


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the options say about secrets and cards."""

    pin: str | None
    puk: str | None
    touch: Touch
    pin_policy: PinUse

    def wishes(self) -> "CardWishes":
        from hardwire.app.provision import card_wishes

        return card_wishes(self.pin_policy.name, self.touch.name, self.pin, self.puk)


def _init(out: Output, ways: int, device: str | None, key: str | None, sources: _Sources, *, renew: bool) -> None:
    from hardwire.app import provision, setup
    from hardwire.app.keys import describe_device, person_prompter
    from hardwire.errors import UsageError

    if ways > 1:
        raise UsageError("--device, --key and --renew exclude one another")
    prompter, wishes = person_prompter(json_mode=out.json_mode), sources.wishes()
    pin_source = wishes.pin_source
    if renew:
        _report(out, provision.renew_on_card(prompter, wishes, tell=out.say), "renewed")
        return
    setup.refuse_second()
    if key is not None:
        _report(out, setup.adopt(key, prompter, pin_source=pin_source, tell=out.say), "made")
        return
    # Before any PKCS#11 module sees the card: what it saw blank it would go on showing so.
    card = provision.unnamed_card(wishes) if device is None else provision.find_card(device, wishes, out.say)
    if card is not None:
        _report(out, provision.make_on_card(card, prompter, wishes, tell=out.say), "made")
        return
    devices = setup.find_devices(
        device, on_error=lambda trouble: out.say(f"not looked at: {trouble.message} ({trouble.hint})", style="dim")
    )
    chosen = setup.choose_device(devices, device)
    out.say(f"using {describe_device(chosen)}: {setup.why(chosen)}")
    others = [describe_device(other) for other in devices if other != chosen]
    if others and device is None:
        out.say(f"also here: {'; '.join(others)} (choose with --device)", style="dim")
    _report(out, setup.create(chosen, prompter, pin_source=pin_source, tell=out.say), "made")


def _report(out: Output, me: "Identity", what: str) -> None:
    from hardwire.app.proof import shown_as

    out.record(me.record())
    out.say(f"identity {what}: the key is in {me.device} and stays there", style="green")
    out.data(me.own.did)
    out.say(f"peers will see: {shown_as(me)}")
    out.say("next: `hardwire chat` and send the code to a friend, or `hardwire join` with theirs")
