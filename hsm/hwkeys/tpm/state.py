# SPDX-License-Identifier: Apache-2.0
"""What a TPM says of itself without a PIN: its maker, and how near it is to lock-out.

The dictionary-attack counter is one for the whole TPM: a wrong PIN for any key of any user counts. Each recovery
interval takes one off.
"""

from dataclasses import dataclass

from hwkeys.devices import DeviceInfo, KeyInfo, PinState
from hwkeys.errors import PinLocked
from hwkeys.tpm.binding import Tpm
from hwkeys.uri import TpmUri

_FIXED, _VARIABLE = 0x100, 0x200
_MANUFACTURER = 0x105
_VENDOR_STRINGS = range(0x106, 0x10A)
_PERMANENT, _COUNTER, _MAXIMUM, _INTERVAL = 0x200, 0x20E, 0x20F, 0x210
_IN_LOCKOUT = 1 << 9
_SOFTWARE = (("IBM", "SW"), ("MSFT", ""), ("XYZZ", ""))


@dataclass(frozen=True, slots=True)
class TpmState:
    """A TPM as it was a moment ago.

    Attributes:
        manufacturer: Four letters at most.
        model: The vendor strings.
        failures: Wrong PINs counted now.
        maximum: How many lock the TPM; 0 means that any counter locks.
        interval: Seconds until one failure is forgotten; 0 means never.
        in_lockout: The TPM says so itself.
    """

    manufacturer: str
    model: str
    failures: int
    maximum: int
    interval: int
    in_lockout: bool

    @property
    def tries_left(self) -> int:
        """Wrong PINs until lock-out."""
        return 0 if self.in_lockout else max(0, self.maximum - self.failures)

    @property
    def pin_state(self) -> PinState:
        """The same in a word."""
        if self.tries_left == 0:
            return PinState.LOCKED
        if self.tries_left == 1:
            return PinState.FINAL_TRY
        return PinState.COUNT_LOW if self.failures else PinState.OK

    def info(self, tcti: str, keys: tuple[KeyInfo, ...] = ()) -> DeviceInfo:
        """The TPM as the outside sees it."""
        return DeviceInfo(
            kind="tpm",
            software=is_software(self.manufacturer, self.model),
            manufacturer=self.manufacturer,
            model=self.model,
            serial="",
            label=tcti,
            uri=str(TpmUri(tcti=tcti)),
            pin_state=self.pin_state,
            tries_left=self.tries_left,
            tries_most=self.maximum,
            forgives_in=self.interval,
            keys=keys,
        )

    def locked(self) -> PinLocked:
        """The error for a TPM in lock-out, with how long to wait."""
        wait = (
            f"wait {self.interval} s for one try, or reset it with the lock-out password: `tpm2_dictionarylockout -c`"
            if self.interval
            else "reset it with the lock-out password: `tpm2_dictionarylockout -c`"
        )
        return PinLocked(f"the TPM is locked out after {self.failures} wrong PINs", hint=wait)


def read_state(tpm: Tpm) -> TpmState:
    """Ask the TPM."""
    fixed, variable = tpm.properties(_FIXED), tpm.properties(_VARIABLE)
    return TpmState(
        manufacturer=_letters([fixed.get(_MANUFACTURER, 0)]),
        model=_letters([fixed.get(at, 0) for at in _VENDOR_STRINGS]),
        failures=variable.get(_COUNTER, 0),
        maximum=variable.get(_MAXIMUM, 0),
        interval=variable.get(_INTERVAL, 0),
        in_lockout=bool(variable.get(_PERMANENT, 0) & _IN_LOCKOUT),
    )


def is_software(manufacturer: str, model: str) -> bool:
    """Whether the TPM says of itself that it is a program: libtpms (swtpm), or Microsoft's reference code."""
    return any(manufacturer == maker and model.startswith(start) for maker, start in _SOFTWARE)


def _letters(values: list[int]) -> str:
    octets = b"".join(value.to_bytes(4) for value in values).replace(b"\0", b" ")
    return " ".join(octets.decode("ascii", "replace").split())
