# SPDX-License-Identifier: Apache-2.0
"""Every failure hwkeys knows, on one screen.

::

    HwKeyError                message · hint
    ├── UriError              the words that name a key are wrong, or name it in a way that is not safe
    ├── ModuleMissing         a library this device needs is not installed; the hint names the package
    ├── DeviceMissing         no such token or TPM here
    │   └── TokenRemoved      it was here a moment ago
    ├── KeyMissing            the device is here, the key is not
    ├── KeyExists             a new key would have taken the place of an old one
    ├── Ambiguous             more than one token or key answers to that name; all are listed
    ├── KeyNotAsAsked         the key is not of the kind, or has not the protection, that was asked for
    │   └── WrongDevice       the key was made by another TPM, or somebody sits on the bus
    ├── PinError
    │   ├── PinNeeded         a PIN is wanted and there is nobody to ask
    │   ├── PinRefused        the person, or a rule, did not let a PIN be used
    │   ├── PinWrong          the device refused the PIN; tells what is known of the tries left
    │   └── PinLocked         the device takes no PIN any more
    ├── NotTouched            the device waited to be touched, and nobody did
    ├── ManagementKeyRefused  nobody here has the key that lets keys be made on this card
    ├── ForkRefused           a forked child tried to use its parent's login
    ├── KeyClosed             the key object was closed by its owner
    ├── Unsupported           this device, or this kind of key, cannot do that
    ├── PeerKeyRefused        the other side's public key is not a point of the key's curve
    ├── SealRefused           this device, as it is now, does not open what was sealed
    ├── EvidenceRefused       evidence about a key does not prove what it should; has a code
    └── DeviceFailed          the device is there and would not do it
        └── DeviceFull        it has no room: for another key, object or session

A message is one lower-case sentence without a final full stop; the hint says what to do next. Neither ever
holds a PIN. The libraries' own exceptions never leave the package.
"""

from typing import ClassVar


class HwKeyError(Exception):
    """Root of the tree.

    Args:
        message: One sentence: what happened.
        hint: What to do next; defaults to the class's own.
    """

    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint


class UriError(HwKeyError):
    """The URI that should name a key cannot be used."""

    default_hint = "name a key as pkcs11:token=alice;object=mykey or tpm:file=/path/key.tss2"


class ModuleMissing(HwKeyError):
    """A Python package, or the vendor's PKCS#11 module, is not installed."""

    default_hint = "install the package that the message names"


class DeviceMissing(HwKeyError):
    """No device answers to the name."""

    default_hint = (
        "insert the token, or check its name; if it is inserted, another program (gpg's scdaemon, for one) may hold "
        "it: `gpgconf --kill scdaemon` lets go of it"
    )


class TokenRemoved(DeviceMissing):
    """The device went away while it was in use; the next use looks for it again."""

    default_hint = "insert it again and repeat: the key is found by the token's serial and its own id"


class KeyMissing(HwKeyError):
    """The device is there; the key is not on it."""

    default_hint = "list what the device holds, or generate the key"


class KeyExists(HwKeyError):
    """Generating would have hidden or replaced a key that is there."""

    default_hint = "choose another name, or delete the old key first"


class Ambiguous(HwKeyError):
    """More than one candidate answers to the name.

    Args:
        message: What was looked for.
        candidates: The URIs that answer, each precise enough to be used instead.
    """

    default_hint = "use one of the URIs listed"

    def __init__(self, message: str, *, candidates: tuple[str, ...], hint: str | None = None) -> None:
        super().__init__(": ".join((message, " and ".join(candidates))), hint=hint)
        self.candidates = candidates


class KeyNotAsAsked(HwKeyError):
    """The key is there and is not what it should be: kind, curve, or protection."""

    default_hint = "do not use this key; generate a new one"


class WrongDevice(KeyNotAsAsked):
    """The TPM's storage key has another Name than the one the key was made under."""

    default_hint = (
        "use the machine the key was made on; if this is that machine, its TPM was cleared or replaced, "
        "or something between the processor and the TPM answers in its place"
    )


class PinError(HwKeyError):
    """Everything that can go wrong with a PIN."""


class PinNeeded(PinError):
    """The device wants a PIN and no prompter or pin-source was given."""

    default_hint = "give a prompter, or a pin-source=file:… in the URI"


class PinRefused(PinError):
    """The person said no, or the PIN cannot be one, or the last try was not explicitly allowed."""

    default_hint = "start again when you have the PIN at hand"


class PinWrong(PinError):
    """The device refused the PIN. hwkeys never tries again by itself.

    Args:
        message: What happened.
        tries_left: How many tries the device still allows; None when it does not tell (PKCS#11 never does).
        final_try: The next wrong PIN locks the device.
    """

    default_hint = "check which device asks before you type the next PIN"

    def __init__(
        self, message: str, *, tries_left: int | None = None, final_try: bool = False, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.tries_left = tries_left
        self.final_try = final_try


class PinLocked(PinError):
    """The device takes no PIN any more."""

    default_hint = "unlock it with its PUK or SO-PIN"


class NotTouched(HwKeyError):
    """The key wants a touch for each use, and none came while the device waited."""

    default_hint = "repeat, and touch the device when it blinks; it waits about 15 seconds"


class ManagementKeyRefused(HwKeyError):
    """A card's management key is neither the factory's, nor kept behind its PIN, nor the one that was given."""

    default_hint = (
        "ask whoever set the card up; a card that holds nothing of worth can be made blank with `ykman piv reset`"
    )


class ForkRefused(HwKeyError):
    """The process forked after the device was opened; the child may not sign with its parent's login."""

    default_hint = "start helper processes with the spawn method and open the key there"


class KeyClosed(HwKeyError):
    """The key object was closed."""

    default_hint = "open the key again"


class Unsupported(HwKeyError):
    """The device, or this kind of key, cannot do what was asked."""


class PeerKeyRefused(HwKeyError):
    """The public key to agree with is not a point of this key's curve. It was not shown to the device."""

    default_hint = "the other side sent a wrong key: do not go on with it"


class SealRefused(HwKeyError):
    """What was sealed does not open here: another device, another state of the machine, or altered octets."""

    default_hint = "use the device that sealed it; after an update of the machine, seal anew from your backup"


class EvidenceRefused(HwKeyError):
    """Evidence about a key does not prove what it should.

    Args:
        message: One sentence: what is wrong.
        code: Which check refused it, in kebab-case; stable.
    """

    default_hint = "treat the key as one whose device is only claimed"

    def __init__(self, message: str, *, code: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class DeviceFailed(HwKeyError):
    """The device is there and failed."""

    default_hint = "take the device out, insert it again and repeat; if it stays so, look into its own log"


class DeviceFull(DeviceFailed):
    """The device has no room left."""

    default_hint = "delete a key that is not needed; on a TPM, use /dev/tpmrm0 and flush what a program left behind"
