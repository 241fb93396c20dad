# SPDX-License-Identifier: Apache-2.0
"""What is known of a YubiKey without a PIN, and which PINs and PUKs it should not have. Pure: no card, no yubikit."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hwkeys.devices import DeviceInfo, PinState
from hwkeys.errors import PinRefused
from hwkeys.evidence.piv import PinPolicy, TouchPolicy
from hwkeys.uri import Pkcs11Uri

MIN_FIRMWARE: Final = (5, 3, 0)
"""From here on the card says what is a factory value and what is in a slot."""

DEFAULT_PIN: Final = "123456"
DEFAULT_PUK: Final = "12345678"
DEFAULT_MANAGEMENT_KEY: Final = bytes.fromhex("0102030405060708" * 3)
"""The factory's; each is printed in the maker's manual."""

_SHORTEST, _LONGEST = 6, 8


RULE: Final = f"{_SHORTEST} to {_LONGEST} letters or digits"
"""What a new PIN or PUK has to be like."""


class Slot(Enum):
    """Where provisioned keys live (NIST SP 800-73-5 part 1, §3.1)."""

    SIGN = 0x9A
    """The PIN once per session. Not 9c, which asks for it before each signature."""
    AGREE = 0x9D

    @property
    def key_id(self) -> bytes:
        """CKA_ID of the slot's key, in OpenSC and ykcs11 alike."""
        return b"\x01" if self is Slot.SIGN else b"\x03"


class ManagementKey(Enum):
    """What lets somebody make keys on the card."""

    FACTORY = "factory"
    """Anybody can."""
    PROTECTED = "protected"
    """A random one, kept on the card behind its PIN: who has the PIN can."""
    OTHER = "other"
    """Only its owner can, or an earlier run was stopped before it was done."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """What is in a slot.

    Attributes:
        slot: Which.
        kind: "ECCP256" and so on, as yubikit says; None when there is no key.
        generated: Made in the card, not brought to it.
        pin_policy: Of the key.
        touch_policy: Of the key.
        public_key: DER SubjectPublicKeyInfo of the key; empty when there is none.
        certificate: DER, or whatever is in a certificate's place; None when nothing is.
        provisional: The certificate is the card's own attestation of this key: it waits for the owner's.
    """

    slot: Slot
    kind: str | None = None
    generated: bool = False
    pin_policy: PinPolicy | None = None
    touch_policy: TouchPolicy | None = None
    public_key: bytes = field(default=b"", repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    provisional: bool = False

    @property
    def empty(self) -> bool:
        """Neither key nor certificate."""
        return self.kind is None and self.certificate is None

    def unfinished(self, pin_policy: PinPolicy, touch_policy: TouchPolicy) -> bool:
        """Whether an earlier run that was asked for the same has left it so: its key is there, its certificate not."""
        return (
            self.kind == "ECCP256"
            and self.generated
            and (self.pin_policy, self.touch_policy) == (pin_policy, touch_policy)
            and (self.certificate is None or self.provisional)
        )

    def describe(self) -> str:
        """A few words."""
        name = f"{self.slot.value:02x}"
        if self.empty:
            return f"{name} empty"
        if self.kind is None:
            return f"{name} a certificate without a key"
        if self.certificate is None:
            return f"{name} {self.kind} without a certificate"
        return f"{name} {self.kind}" + (", to be certified" if self.provisional else "")


@dataclass(frozen=True, slots=True)
class YubiKeyState:
    """A YubiKey as it says of itself.

    Attributes:
        serial: As printed on it.
        firmware: "5.4.3".
        pin_is_default: Its PIN is the factory's.
        pin_tries: Wrong PINs until the lock-out.
        puk_is_default: The same for the PUK.
        puk_tries: The same for the PUK.
        management: Who can make keys on it.
        attests: It has the key that attests others.
        slots: The two that are provisioned.
    """

    serial: int
    firmware: str
    pin_is_default: bool
    pin_tries: int
    puk_is_default: bool
    puk_tries: int
    management: ManagementKey
    attests: bool
    slots: tuple[SlotState, ...]

    @property
    def blank(self) -> bool:
        """As it left the factory, as far as the two slots and the three secrets go."""
        secrets = self.pin_is_default and self.puk_is_default and self.management is ManagementKey.FACTORY
        return secrets and all(slot.empty for slot in self.slots)

    def slot(self, which: Slot) -> SlotState:
        """One of them."""
        return next(each for each in self.slots if each.slot is which)

    def describe(self) -> str:
        """One line for a person."""
        words = [f"YubiKey {self.firmware}, serial {self.serial}"]
        if self.blank:
            words.append("blank: factory PIN, PUK and management key")
        else:
            factory = {
                "PIN": self.pin_is_default,
                "PUK": self.puk_is_default,
                "management key": self.management is ManagementKey.FACTORY,
            }
            left = [name for name, default in factory.items() if default]
            words.append(f"still the factory's: {', '.join(left)}" if left else "no factory secrets left")
            words += [slot.describe() for slot in self.slots]
        tries = "1 PIN try" if self.pin_tries == 1 else f"{self.pin_tries} PIN tries"
        words.append(f"{tries} left" if self.pin_tries else "PIN locked")
        return "; ".join(words)

    def device(self) -> DeviceInfo:
        """For a prompter: which device asks, and what is known of its PIN."""
        state = {0: PinState.LOCKED, 1: PinState.FINAL_TRY}.get(self.pin_tries, PinState.OK)
        return DeviceInfo(
            kind="pkcs11",
            software=False,
            manufacturer="Yubico",
            model=f"YubiKey {self.firmware}",
            serial=str(self.serial),
            label=f"YubiKey PIV #{self.serial}",
            uri=str(Pkcs11Uri(serial=str(self.serial))),
            pin_state=state,
            tries_left=self.pin_tries,
        )


def refuse_weak(new: str, *, what: str, not_these: tuple[str, ...]) -> None:
    """A new PIN or PUK: 6 to 8 octets (SP 800-73-5 part 2, §2.4.3), and not one that anybody would try.

    Args:
        new: The PIN or PUK.
        what: "PIN" or "PUK".
        not_these: The factory's, and the other of the two.

    Raises:
        PinRefused: Which never tells what it was.
    """
    hint = f"choose a {what} of {RULE}; nothing was changed"
    if not (new.isascii() and new.isprintable() and _SHORTEST <= len(new) <= _LONGEST):
        raise PinRefused(f"a YubiKey's {what} has {_SHORTEST} to {_LONGEST} plain characters", hint=hint)
    if new in not_these:
        raise PinRefused(f"the new {what} is a factory value, or the PIN and the PUK are the same", hint=hint)
    if len(set(new)) == 1:
        raise PinRefused(f"the new {what} is one character, repeated", hint=hint)
