# SPDX-License-Identifier: Apache-2.0
"""What a TPM's response code means here (TPM 2.0 Library, part 2 §6.6). No library needed."""

from hwkeys.errors import (
    DeviceFailed,
    DeviceFull,
    HwKeyError,
    KeyExists,
    KeyMissing,
    PinLocked,
    PinWrong,
    SealRefused,
    TokenRemoved,
    Unsupported,
    WrongDevice,
)

_LAYER = 0xFF0000
_TCTI = 0x0A0000
_TPM_LAYERS = (0x000000, 0x0C0000)  # the TPM itself, or the resource manager speaking for it
_FORMAT_ONE = 0x080
_FORMAT_ONE_ERROR = 0x0BF

_OWNER_PASSWORD = "make a persistent storage key with the owner's password, and give it as parent=0x81…"  # noqa: S105 - prose

_AUTH_FAIL, _BAD_AUTH, _LOCKOUT = 0x08E, 0x0A2, 0x921
_HANDLE, _INTEGRITY, _CURVE, _SIZE, _POLICY = 0x08B, 0x09F, 0x0A6, 0x095, 0x09D
_INITIALIZE, _NV_SPACE, _NV_DEFINED = 0x100, 0x14B, 0x14C
_FULL = frozenset((0x902, 0x903, 0x904, 0x905, 0x906, _NV_SPACE))


def plain(rc: int) -> int:
    """The error without the number of the handle, parameter or session it is about."""
    return rc & _FORMAT_ONE_ERROR if rc & _FORMAT_ONE else rc & 0xFFF


def fault(rc: int, doing: str) -> HwKeyError:
    """Our error for a TSS2_RC.

    Args:
        rc: The whole code, layer included.
        doing: What was tried, to follow the word "while": "signing".
    """
    code = f"0x{rc:08x}"
    if rc & _LAYER == _TCTI:
        return TokenRemoved(f"the TPM went away while {doing} ({code})", hint="check that it is running")
    error = plain(rc) if rc & _LAYER in _TPM_LAYERS else 0
    if error in _FULL:
        return DeviceFull(f"the TPM has no room while {doing} ({code})")
    meaning: dict[int, HwKeyError] = {
        _AUTH_FAIL: PinWrong("the TPM refused the PIN"),
        _LOCKOUT: PinLocked("the TPM is locked out after too many wrong PINs"),
        _BAD_AUTH: Unsupported(f"the TPM's owner hierarchy has a password, met while {doing}", hint=_OWNER_PASSWORD),
        _HANDLE: KeyMissing(f"there is nothing at that handle of the TPM ({code})"),
        _INTEGRITY: WrongDevice("this TPM did not make that key"),
        _POLICY: SealRefused("the machine is not in the state the secret was sealed for"),
        _CURVE: Unsupported(f"the TPM does not know the curve ({code})"),
        _NV_DEFINED: KeyExists("the persistent handle is taken"),
        _INITIALIZE: DeviceFailed(
            "the TPM was not started", hint="the firmware, or the emulator, must send TPM2_Startup"
        ),
    }
    return meaning.get(error) or DeviceFailed(f"the TPM failed while {doing} ({code})")
