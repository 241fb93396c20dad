# SPDX-License-Identifier: Apache-2.0
"""From a blank YubiKey to one that holds its owner's keys, and nobody else's secrets.

The order of steps, and why a run that is stopped after any of them harms nothing and is finished by the next run:

1. Look. A slot that holds anything but the rest of an unfinished run ends the matter here, before any question.
2. Ask: for the PIN, or for a new PIN where the card has the factory's; for a new PUK likewise.
3. Prove that the card is ours to change: verify the PIN, authenticate with the management key. Nothing changed so far.
4. Change the PIN. Stopped here, the card has the new PIN, which the next run asks for.
5. Change the PUK. Likewise; it is the person's own, so that no PUK is lost that nobody saw.
6. Write a random management key behind the PIN, *then* make it the card's, then note in yubikey-manager's manner that
   this is so. (yubikey-manager makes it the card's first: stopped there, nobody would have the key any more.) A key
   that waits behind the PIN and is not the card's yet is replaced by the next run's; one that is but was not noted is
   found there.
7. Give the card a CHUID if it has none: OpenSC knows cards apart by it.
8. For each slot: make the key; put the card's attestation of it in the certificate's place, without which OpenSC does
   not show the key. A key without a certificate, or with that one, is an unfinished run's: it is kept, never replaced.

The owner's certificate takes the attestation's place later, by ``store_certificate``, when the key has signed it
through hwkeys. No private key is ever outside the card.
"""

import datetime as dt
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from yubikit.core import BadResponseError, InvalidPinError, Tlv
from yubikit.core.smartcard import SW, ApduError
from yubikit.piv import KEY_TYPE, MANAGEMENT_KEY_TYPE, OBJECT_ID, PIN_POLICY, TOUCH_POLICY, Chuid, FascN

from hwkeys.errors import (
    DeviceFailed,
    KeyExists,
    KeyMissing,
    KeyNotAsAsked,
    ManagementKeyRefused,
    PinLocked,
    PinRefused,
    Unsupported,
)
from hwkeys.evidence.piv import PinPolicy, TouchPolicy
from hwkeys.prompt import PinRequest, Prompter, ask_pin
from hwkeys.yubikey import look
from hwkeys.yubikey.card import SLOTS, Card, open_card
from hwkeys.yubikey.state import (
    DEFAULT_MANAGEMENT_KEY,
    DEFAULT_PIN,
    DEFAULT_PUK,
    RULE,
    ManagementKey,
    Slot,
    SlotState,
    YubiKeyState,
    refuse_weak,
)

PIN = "the YubiKey's PIN"
PUK = "the YubiKey's PUK, which unlocks a locked PIN"
"""``PinRequest.key`` of the two questions, for a program that answers them without a person."""

MAX_CERTIFICATE = 3000
"""Octets; an object of the card holds 3052."""

_AES_SINCE = (5, 4, 2)
_PROTECTED, _PROTECTED_KEY = 0x88, 0x89
_CHUID_EXPIRES = dt.date(2030, 1, 1)


@dataclass(frozen=True, slots=True)
class ProvisionedKey:
    """A key in its slot.

    Attributes:
        slot: Which.
        public_key: To find it again among what a PKCS#11 module lists.
        made: False when an unfinished run had made it already.
    """

    slot: Slot
    public_key: ec.EllipticCurvePublicKey
    made: bool


@dataclass(frozen=True, slots=True)
class _Secrets:
    pin: str = field(repr=False)
    new_pin: str | None = field(repr=False)
    new_puk: str | None = field(repr=False)


def provision(
    serial: int | None,
    prompter: Prompter,
    *,
    slots: Sequence[Slot] = (Slot.SIGN,),
    pin_policy: PinPolicy = PinPolicy.ONCE,
    touch_policy: TouchPolicy = TouchPolicy.NEVER,
    management_key: bytes | None = None,
) -> tuple[ProvisionedKey, ...]:
    """Make P-256 keys in the slots asked for, and replace the factory's secrets; see the head of this file.

    Args:
        serial: As printed on it; None for the only one there is.
        prompter: Asked for the PIN, or for a new one (``new``) where the card has the factory's, and for a new PUK.
        slots: Which; each must be empty, or left unfinished by a run that was asked for the same policies.
        pin_policy: When the card wants the PIN for these keys.
        touch_policy: When it wants to be touched.
        management_key: Of a card whose management key is its owner's own; it is left as it is.

    Raises:
        KeyExists: A slot is taken; nothing was changed.
        PinRefused: No new PIN or PUK was chosen, or one that will not do; nothing was changed.
        PinWrong, PinLocked: The PIN; nothing was changed.
        ManagementKeyRefused: Nobody here may make keys on this card; nothing was changed.
        Unsupported: The card is too old, or cannot attest its keys any more; nothing was changed.
        HwKeyError: Anything the card can fail with; run it again.
    """
    with open_card(serial) as card:
        state = look.read_state(card)
    _refuse_taken(state, slots, pin_policy, touch_policy)
    secrets = _ask(state, prompter)
    with open_card(state.serial) as card:
        if look.read_state(card) != state:
            raise DeviceFailed("the YubiKey was changed by somebody else meanwhile", hint="nothing was done; repeat")
        _prove(card, state, secrets.pin, management_key)
        _replace_pin_and_puk(card, secrets)
        if state.management is ManagementKey.FACTORY:
            _own_management_key(card)
        elif management_key is None and state.management is ManagementKey.OTHER:
            _note_protection(card)
        if card.object(OBJECT_ID.CHUID) is None:
            card.session.put_object(OBJECT_ID.CHUID, _chuid())
        return tuple(_make(card, state.slot(slot), pin_policy, touch_policy) for slot in slots)


def store_certificate(
    serial: int | None,
    slot: Slot,
    certificate: bytes,
    prompter: Prompter,
    *,
    replace: bool = False,
    management_key: bytes | None = None,
) -> None:
    """Put the owner's certificate beside the key.

    Args:
        serial: As printed on the card; None for the only one there is.
        slot: Where.
        certificate: DER, at most MAX_CERTIFICATE octets, of the key that is in the slot.
        prompter: Asked for the PIN, behind which the management key is.
        replace: Whether another certificate of the owner's may be lost; the card's own attestation always gives way.
        management_key: Of a card whose management key is its owner's own.

    Raises:
        KeyMissing: There is no key in the slot.
        KeyNotAsAsked: The certificate is of another key, or is none.
        KeyExists: There is a certificate already, and ``replace`` was not said.
        HwKeyError: As for ``provision``.
    """
    loaded = _certificate(certificate)
    with open_card(serial) as card:
        state = look.read_state(card)
    there = state.slot(slot)
    if there.kind is None:
        raise KeyMissing(f"the YubiKey's slot {slot.value:02x} is empty")
    if loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != there.public_key:
        raise KeyNotAsAsked("the certificate is of another key", hint=f"store the one of the key in {slot.value:02x}")
    if there.certificate == certificate:
        return
    if not (there.certificate is None or there.provisional or replace):
        raise KeyExists("there is a certificate in that slot already", hint="say that it may be replaced")
    pin = ask_pin(prompter, PinRequest(_unlocked(state).device(), PIN))
    with open_card(state.serial) as card:
        _prove(card, state, pin, management_key)
        if look.slot_state(card, slot) != there:
            raise DeviceFailed("the YubiKey was changed by somebody else meanwhile", hint="nothing was done; repeat")
        card.session.put_certificate(SLOTS[slot], loaded)


def _refuse_taken(state: YubiKeyState, slots: Sequence[Slot], pin_policy: PinPolicy, touch_policy: TouchPolicy) -> None:
    for each in (state.slot(slot) for slot in slots):
        if not each.empty and not each.unfinished(pin_policy, touch_policy):
            raise KeyExists(
                f"the YubiKey {state.serial} is in use: {each.describe()}",
                hint="use the key that is there, or another YubiKey; nothing was changed",
            )
    if not state.attests:
        raise Unsupported(
            "the YubiKey has lost the key that attests others", hint="use another YubiKey; this one cannot prove a key"
        )
    _unlocked(state)


def _unlocked(state: YubiKeyState) -> YubiKeyState:
    if not state.pin_tries:
        raise PinLocked("the YubiKey's PIN is locked", hint="unlock it with its PUK: `ykman piv access unblock-pin`")
    return state


def _ask(state: YubiKeyState, prompter: Prompter) -> _Secrets:
    device = state.device()
    pin, new_pin, new_puk = DEFAULT_PIN, None, None
    if state.pin_is_default:
        new_pin = ask_pin(prompter, PinRequest(device, PIN, new=True, rule=RULE))
        refuse_weak(new_pin, what="PIN", not_these=(DEFAULT_PIN, DEFAULT_PUK))
    else:
        pin = ask_pin(prompter, PinRequest(device, PIN))
    # A locked PUK unlocks nothing, the factory's or not.
    if state.puk_is_default and state.puk_tries:
        new_puk = ask_pin(prompter, PinRequest(device, PUK, new=True, rule=RULE))
        refuse_weak(new_puk, what="PUK", not_these=(DEFAULT_PIN, DEFAULT_PUK, new_pin or pin))
    return _Secrets(pin, new_pin, new_puk)


def _prove(card: Card, state: YubiKeyState, pin: str, given: bytes | None) -> None:
    card.session.verify_pin(pin)
    key: bytes | None = DEFAULT_MANAGEMENT_KEY
    if state.management is not ManagementKey.FACTORY:
        key = _protected_key(card) if given is None else given
    if key is None:
        raise ManagementKeyRefused("the YubiKey has a management key that is not kept behind its PIN")
    try:
        card.session.authenticate(key)
    except (ApduError, BadResponseError, ValueError) as error:
        raise ManagementKeyRefused("the YubiKey refused the management key") from error


def _replace_pin_and_puk(card: Card, secrets: _Secrets) -> None:
    try:
        if secrets.new_pin is not None:
            card.session.change_pin(secrets.pin, secrets.new_pin)
        if secrets.new_puk is not None:
            card.session.change_puk(DEFAULT_PUK, secrets.new_puk)
    except InvalidPinError as error:
        raise DeviceFailed("the YubiKey has not the factory secret it told of") from error
    except ApduError as error:
        if error.sw != SW.CONDITIONS_NOT_SATISFIED:
            raise
        raise PinRefused("the YubiKey finds the new PIN or PUK too simple", hint="choose another") from error


def _own_management_key(card: Card) -> None:
    if card.object(OBJECT_ID.PRINTED) and _protected_key(card) is None:
        raise ManagementKeyRefused(
            "something else is stored where the management key would be kept behind the PIN",
            hint="`ykman piv objects export 0x5fc109 -` shows it; remove it first if it is of no use",
        )
    kind = MANAGEMENT_KEY_TYPE.AES256 if card.session.version >= _AES_SINCE else MANAGEMENT_KEY_TYPE.TDES
    key = os.urandom(kind.key_len)
    card.session.put_object(OBJECT_ID.PRINTED, Tlv(_PROTECTED, Tlv(_PROTECTED_KEY, key)))
    card.session.set_management_key(kind, key)
    _note_protection(card)


def _note_protection(card: Card) -> None:
    notes = look.pivman(card)
    notes[look.FLAGS] = bytes([look.flags(card) | look.PROTECTED_FLAG])
    octets = b"".join(Tlv(tag, value) for tag, value in sorted(notes.items()))
    card.session.put_object(look.PIVMAN_DATA, Tlv(0x80, octets))


def _protected_key(card: Card) -> bytes | None:
    """The management key behind the PIN, which was verified; None when there is none."""
    octets = card.object(OBJECT_ID.PRINTED)
    try:
        return Tlv.parse_dict(Tlv.unpack(_PROTECTED, octets or b"")).get(_PROTECTED_KEY)
    except ValueError:
        return None


def _make(card: Card, there: SlotState, pin_policy: PinPolicy, touch_policy: TouchPolicy) -> ProvisionedKey:
    slot = SLOTS[there.slot]
    if there.empty:
        policies = PIN_POLICY(pin_policy.value), TOUCH_POLICY(touch_policy.value)
        public: object = card.session.generate_key(slot, KEY_TYPE.ECCP256, *policies)
    else:
        public = load_der_public_key(there.public_key)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise KeyNotAsAsked("the YubiKey made a key of another kind")
    if there.certificate is None:
        attestation = card.session.attest_key(slot)
        if attestation.public_key() != public:
            raise KeyNotAsAsked("the YubiKey attests another key than the one it made")
        card.session.put_certificate(slot, attestation)
    return ProvisionedKey(there.slot, public, made=there.empty)


def _certificate(octets: bytes) -> x509.Certificate:
    if len(octets) > MAX_CERTIFICATE:
        raise KeyNotAsAsked(f"a certificate on a YubiKey has at most {MAX_CERTIFICATE} octets", hint="issue it smaller")
    try:
        return x509.load_der_x509_certificate(octets)
    except ValueError as error:
        raise KeyNotAsAsked("that is not a certificate in DER", hint="give the certificate's DER") from error


def _chuid() -> bytes:
    # An agency code of nines is "not of the federal government" (SP 800-73-5 part 1, §3.1.2); the number is random.
    nobody = FascN(9999, 9999, 999999, 0, 1, 0, 3, 0, 1)
    return bytes(
        Chuid(fasc_n=nobody, guid=uuid.uuid4().bytes, expiration_date=_CHUID_EXPIRES, asymmetric_signature=b"")
    )
