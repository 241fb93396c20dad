# SPDX-License-Identifier: Apache-2.0
"""`hardwire init --device yubikey`: from a blank YubiKey to an identity in it, in steps that a kill does not hurt.

1. The card is looked at through PC/SC alone: a PKCS#11 module that saw it blank would go on showing it so.
2. ``hwkeys.yubikey.provision`` makes the keys (9a signs, 9d agrees on secrets) and leaves no secret of the factory's.
   Run again after a kill it finishes what was begun.
3. The key in 9a is opened through PKCS#11 and signs its certificate; the card attests it; the identity file is written.
4. The certificate takes its place in the card. Killed before that, ``hardwire init --renew`` puts it there.

A card whose 9a is in use already is not provisioned: its key becomes the identity's. A card that nobody named is used
in that way, and never changed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

import hwkeys
from hardwire.app.identity import Identity
from hardwire.app.keys import translated
from hardwire.app.setup import SCHEMES, PinSource, adopt, read_pin_source, refuse_second, renew
from hardwire.certs import BlobType, open_gate
from hardwire.errors import CertificateRefused, PinWrong, TokenMissing, UsageError
from hwkeys.evidence import PinPolicy, TouchPolicy
from hwkeys.evidence.chain import spki_of

_SHORTEST_NAME: Final = 4
_SERIAL: Final = re.compile(r"[0-9]{5,10}")
_SIGN_ID: Final = b"\x01"
"""CKA_ID of the key in 9a, in OpenSC and ykcs11 alike."""


@dataclass(frozen=True, slots=True)
class CardWishes:
    """How a YubiKey is to be provisioned.

    Attributes:
        pin_policy: When it wants its PIN for the new keys.
        touch_policy: When it wants a touch for them.
        pin_source: Where the PIN is read, now and later; None asks the person.
        puk_source: Where the new PUK is read; None asks the person.
    """

    pin_policy: PinPolicy = PinPolicy.ONCE
    touch_policy: TouchPolicy = TouchPolicy.NEVER
    pin_source: PinSource | None = None
    puk_source: PinSource | None = None


def card_wishes(pin_policy: str, touch_policy: str, pin_source: str | None, puk_source: str | None) -> CardWishes:
    """From the words of a command line: names of policies, and where secrets are read.

    Raises:
        UsageError: ``uri``; not a place for a secret.
    """
    pin, puk = (None if text is None else read_pin_source(text) for text in (pin_source, puk_source))
    return CardWishes(PinPolicy[pin_policy], TouchPolicy[touch_policy], pin, puk)


@dataclass(frozen=True, slots=True)
class Card:
    """A YubiKey that was asked for.

    Attributes:
        serial: As printed on it.
        words: One line about what is on it.
        spki: DER of the public key in 9a; empty when there is none.
        fresh: 9a is empty, or was left unfinished by a run with the same wishes.
    """

    serial: int
    words: str
    spki: bytes = field(repr=False)
    fresh: bool


def find_card(wanted: str, wishes: CardWishes, tell: Callable[[str], None]) -> Card | None:
    """The YubiKey that ``--device`` names: "yubikey", its serial number, or a URI with both. None when it names none.

    Args:
        wanted: As typed.
        wishes: What the keys shall be like.
        tell: Told why no YubiKey can be looked at, if one was meant.

    Raises:
        UsageError: ``ambiguous``: several are there; ``uri``: no URI.
    """
    meant, serial = _named(wanted)
    if not meant and serial is None:
        return None
    try:
        from hwkeys import yubikey  # noqa: PLC0415 (needs an extra)

        state = yubikey.describe(serial)
    except hwkeys.Ambiguous:
        with translated():
            raise
    except hwkeys.HwKeyError as problem:
        if meant and not isinstance(problem, hwkeys.DeviceMissing):
            tell(f"no YubiKey can be provisioned here: {problem.message} ({problem.hint})")
        return None
    there = state.slot(yubikey.Slot.SIGN)
    fresh = there.empty or there.unfinished(wishes.pin_policy, wishes.touch_policy)
    return Card(state.serial, state.describe(), there.public_key, fresh)


def unnamed_card(wishes: CardWishes) -> Card | None:
    """The YubiKey to use when no device was named: one whose 9a holds a key that an identity can have.

    Raises:
        UsageError: ``card-unnamed``: keys would have to be made in it first; ``ambiguous``: several are there.
    """
    card = find_card("yubikey", wishes, lambda _text: None)
    if card is None or not (card.fresh or _elliptic(card.spki)):
        return None
    if card.fresh:
        raise UsageError(
            f"{card.words}: a card that was not named is not changed",
            code="card-unnamed",
            hint=f"`hardwire init --device {card.serial}` makes keys in it, and replaces the factory's PIN, PUK and "
            "management key; `hardwire token list` shows what else could be named",
        )
    return card


def _elliptic(spki: bytes) -> bool:
    return bool(spki) and isinstance(load_der_public_key(spki), ec.EllipticCurvePublicKey)


def _named(wanted: str) -> tuple[bool, int | None]:
    """Whether the words mean a YubiKey, and the serial number in them; digits that stand alone may be one."""
    if wanted.startswith(SCHEMES):
        with translated():
            uri = hwkeys.parse_uri(wanted)
        return _named_by(uri) if isinstance(uri, hwkeys.Pkcs11Uri) else (False, None)
    name = wanted.lower()
    meant = "yubikey" in name or (len(name) >= _SHORTEST_NAME and name in "yubikey")
    found = _SERIAL.search(wanted) if meant or wanted.isdecimal() else None
    return meant, int(found.group()) if found else None


def _named_by(uri: hwkeys.Pkcs11Uri) -> tuple[bool, int | None]:
    # Not by the digits of the whole text: the label ends in the serial number, behind a "#", which is %23 there.
    if not any("yubi" in (word or "").lower() for word in (uri.token, uri.manufacturer, uri.model)):
        return False, None
    if uri.serial is None:
        return True, None
    return (True, int(uri.serial)) if _SERIAL.fullmatch(uri.serial) else (False, None)


def make_on_card(
    card: Card,
    prompter: hwkeys.Prompter | None,
    wishes: CardWishes,
    *,
    tell: Callable[[str], None],
    home: Path | None = None,
) -> Identity:
    """Provision the card if it is fresh, and make the identity of the key in 9a.

    Raises:
        UsageError: There is an identity already.
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say; run it again.
    """
    refuse_second(home)
    answers = _Answers(prompter, wishes)
    spki = _provision(card, answers, wishes, tell) if card.fresh else card.spki
    if not card.fresh:
        tell(f"the YubiKey {card.serial} is in use: the key in 9a becomes the identity's, nothing on the card changes")
    made = adopt(str(_uri_of(card.serial, spki)), answers, pin_source=wishes.pin_source, tell=tell, home=home)
    if card.fresh:
        store(card.serial, made, answers, tell)
    return made


def store(
    serial: int,
    identity: Identity,
    prompter: hwkeys.Prompter,
    tell: Callable[[str], None],
    *,
    replacing: bool = False,
) -> None:
    """Put the identity's certificate beside its key; that this fails is told, and is no reason to be without a line."""
    from hwkeys import yubikey  # noqa: PLC0415 (needs an extra)

    try:
        yubikey.store_certificate(serial, yubikey.Slot.SIGN, identity.certificate, prompter, replace=replacing)
    except hwkeys.HwKeyError as problem:
        tell(f"the certificate is not on the card, and no line needs it there: {problem.message} ({problem.hint})")
    else:
        tell("the certificate stands beside the key, in 9a")


def renew_on_card(
    prompter: hwkeys.Prompter | None, wishes: CardWishes, *, tell: Callable[[str], None], home: Path | None = None
) -> Identity:
    """``hardwire init --renew`` for any device; a YubiKey gets the new certificate in the place of the old one.

    Raises:
        NoIdentity, IdentityChanged, TokenMissing, PinWrong, PinLocked, DeviceFailed: As for ``setup.renew``.
    """
    answers = _Answers(prompter, wishes)
    made = renew(answers if prompter else None, pin_source=wishes.pin_source, tell=tell, home=home)
    if made.evidence is None or made.evidence.kind is not BlobType.PIV:
        return made
    answers.proved()
    uri = hwkeys.parse_uri(made.key_uri)
    kept, number = uri.pin_source, uri.serial if isinstance(uri, hwkeys.Pkcs11Uri) else None
    if wishes.pin_source is None and kept is not None:
        answers = _Answers(prompter, replace(wishes, pin_source=kept))
    try:
        from hwkeys import yubikey  # noqa: PLC0415 (needs an extra)

        # Yubico's module gives the number on the card; OpenSC one of its own, and then it must be the only card.
        state = yubikey.describe(int(number) if number and _SERIAL.fullmatch(number) else None)
    except hwkeys.HwKeyError:
        return made  # several cards, or no such library: nothing was promised
    there = state.slot(yubikey.Slot.SIGN)
    if there.public_key == made.own.spki and (there.provisional or _ours(there.certificate, made)):
        store(state.serial, made, answers, tell, replacing=True)
    return made


def _ours(certificate: bytes | None, made: Identity) -> bool:
    """Whether it is one that this identity's key made for itself before; an authority's is left where it is."""
    try:
        gated = open_gate(certificate or b"")
    except CertificateRefused:
        return certificate is None
    return gated.spki == made.own.spki and gated.shape.issuer == gated.shape.subject


def _provision(card: Card, answers: "_Answers", wishes: CardWishes, tell: Callable[[str], None]) -> bytes:
    from hwkeys import yubikey  # noqa: PLC0415 (needs an extra)

    tell(f"{card.words}: keys are made in it, and the factory's PIN, PUK and management key are replaced")
    both = (yubikey.Slot.SIGN, yubikey.Slot.AGREE)
    with translated():
        made = yubikey.provision(
            card.serial, answers, slots=both, pin_policy=wishes.pin_policy, touch_policy=wishes.touch_policy
        )
    answers.proved()
    words = "made" if made[0].made else "found as an earlier run had made them"
    tell(f"keys {words}: 9a signs, 9d agrees on secrets; no factory secret is left")
    return spki_of(made[0].public_key)


def _uri_of(serial: int, spki: bytes) -> hwkeys.Pkcs11Uri:
    """The key in 9a as a PKCS#11 module shows it; not by its label, which is the certificate's and may change."""
    problems: list[hwkeys.HwKeyError] = []
    devices = hwkeys.list_devices(tctis=[], on_error=problems.append)
    # Yubico's own module first: it shows what the card attests.
    for device in sorted(devices, key=lambda each: "yubi" not in each.manufacturer.lower()):
        for info in device.keys:
            uri = hwkeys.parse_uri(info.uri)
            if info.key_id == _SIGN_ID and isinstance(uri, hwkeys.Pkcs11Uri) and _is(info.uri, spki):
                return hwkeys.Pkcs11Uri(serial=device.serial, id=_SIGN_ID, module_path=uri.module_path)
    reason = f" ({problems[0].message})" if problems else ""
    raise TokenMissing(
        f"no PKCS#11 module shows the key in the YubiKey {serial}{reason}",
        hint="apt-get install ykcs11 (or opensc-pkcs11), and run the command again: it goes on where it stopped",
    )


def _is(uri: str, spki: bytes) -> bool:
    try:
        with hwkeys.open_key(uri) as key:
            return isinstance(key, hwkeys.EllipticCurveHardwareKey) and spki_of(key.public_key()) == spki
    except hwkeys.HwKeyError:
        return False


class _Answers:
    """Answers for the card: from the sources, or the person; and for once done, the PIN that the card has accepted."""

    def __init__(self, prompter: hwkeys.Prompter | None, wishes: CardWishes) -> None:
        self._prompter = prompter
        self._wishes = wishes
        self._said: str | None = None
        self._proved: str | None = None

    def pin(self, request: hwkeys.PinRequest) -> str:
        """See ``hwkeys.Prompter``."""
        from hwkeys import yubikey  # noqa: PLC0415 (needs an extra)

        if request.key == yubikey.PUK:
            return self._ask(request, self._wishes.puk_source, "--puk-source")
        if self._proved is None:
            self._said = self._ask(request, self._wishes.pin_source, "--pin-source")
            return self._said
        return self._proved

    def confirm_last_try(self, request: hwkeys.PinRequest) -> bool:
        """See ``hwkeys.Prompter``."""
        person = self._prompter if self._wishes.pin_source is None else None
        return person is not None and person.confirm_last_try(request)

    def proved(self) -> None:
        """The card took the PIN that was said: nobody types it again."""
        self._proved = self._said

    def _ask(self, request: hwkeys.PinRequest, source: PinSource | None, option: str) -> str:
        if isinstance(source, Path):
            return hwkeys.PinSourcePrompter(source).pin(request)
        if source is not None:
            return hwkeys.CredentialPrompter(source).pin(request)
        if self._prompter is None:
            hint = f"run it at a terminal without --json, or name a file: {option} FILE"
            raise PinWrong(f"{request.key} is wanted, and there is nobody to ask", code="pin-needed", hint=hint)
        return self._prompter.pin(request)
