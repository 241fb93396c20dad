# SPDX-License-Identifier: Apache-2.0
"""What is known about a device without spending a PIN."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from hwkeys.evidence.piv import UsePolicy
from hwkeys.purpose import Purpose


class PinState(Enum):
    """What the device itself says about its PIN.

    PKCS#11 tells no number, only these flags. SoftHSM never leaves ``OK``: it does not lock.
    """

    OK = "ok"
    COUNT_LOW = "count low"
    """A wrong PIN was entered since the last right one."""
    FINAL_TRY = "final try"
    """The next wrong PIN locks the device."""
    LOCKED = "locked"
    NOT_SET = "not set"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key that the device shows to everybody.

    Attributes:
        uri: Names exactly this key; can be given to ``open_key``.
        label: What a person called it; may be empty.
        key_id: CKA_ID on a token; the four octets of the persistent handle on a TPM.
        kind: "EC P-256", "RSA 2048" and so on, or "unknown".
        certificate: The subject (RFC 4514) of the certificate that is kept with the key; None when there is none.
        purpose: What it does; a key is listed only when that is known.
    """

    uri: str
    label: str
    key_id: bytes
    kind: str
    purpose: Purpose = Purpose.SIGN
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One token or TPM.

    Attributes:
        kind: Which backend speaks to it.
        software: True when the "device" is a program (SoftHSM, swtpm): it protects against nothing but mistakes.
            Known by the manufacturer and model the device gives of itself, so False means "not known to be software".
        manufacturer: As the device says, blanks trimmed.
        model: The same.
        serial: A token's serial number; empty for a TPM, which has none.
        label: A token's label; the TCTI for a TPM.
        uri: Names exactly this device.
        pin_state: What is known of the PIN before one is spent.
        tries_left: Wrong PINs until lock-out. Only a TPM tells it, and counts for all its keys together.
        tries_most: Of how many, while nothing is wrong; only a TPM tells it.
        forgives_in: Seconds after which a TPM forgets one wrong PIN; 0 for never.
        keys: The keys that can be seen without a PIN.
        policy: When a PIN and a touch are wanted for the key whose ``device`` this is; None in a list, and when the
            device does not tell. Known once the key was unlocked.
    """

    kind: Literal["pkcs11", "tpm"]
    software: bool
    manufacturer: str
    model: str
    serial: str
    label: str
    uri: str
    pin_state: PinState
    tries_left: int | None = None
    tries_most: int | None = None
    forgives_in: int | None = None
    keys: tuple[KeyInfo, ...] = ()
    policy: UsePolicy | None = None
