# SPDX-License-Identifier: Apache-2.0
"""`hardwire token`: what is on this machine's devices, as far as they tell without a PIN."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hardwire.app.identity import read_key_uri
from hardwire.app.keys import describe_device
from hardwire.app.setup import choose_device, find_devices
from hardwire.errors import HardwireError, UsageError
from hwkeys.evidence.chain import spki_of
from hwkeys.pkcs11.modules import default_modules

_NAMES: Final = (("ykcs11", "ykcs11"), ("opensc", "OpenSC"), ("softhsm", "SoftHSM"), ("p11-kit", "p11-kit"))


Device = hwkeys.DeviceInfo
Trouble = hwkeys.HwKeyError


@dataclass(frozen=True, slots=True)
class Key:
    """A key on a device.

    Attributes:
        info: As the device shows it.
        mine: It is this identity's.
    """

    info: hwkeys.KeyInfo
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Closer:
    """A device, looked at closely.

    Attributes:
        device: The device.
        keys: On it.
        words: What else it tells: a YubiKey's firmware, its counters, what the factory has left; slots and policies.
    """

    device: hwkeys.DeviceInfo
    keys: tuple[Key, ...]
    words: tuple[str, ...]


def via(device: hwkeys.DeviceInfo) -> str:
    """Through what a device is reached: the module's usual name and its path, or the way to the TPM."""
    uri = hwkeys.parse_uri(device.uri)
    if not isinstance(uri, hwkeys.Pkcs11Uri) or uri.module_path is None:
        return device.label
    return module_name(uri.module_path)


def module_name(path: Path) -> str:
    """``OpenSC (/usr/lib/…/opensc-pkcs11.so)``."""
    name = next((name for part, name in _NAMES if part in path.name.lower()), "module")
    return f"{name} ({path})"


def empty_modules(devices: tuple[hwkeys.DeviceInfo, ...]) -> tuple[str, ...]:
    """The modules that are installed and show no token."""
    try:
        paths = [module.path for module in default_modules()]
    except hwkeys.HwKeyError:
        return ()
    used = {via(device) for device in devices}
    return tuple(name for name in map(module_name, paths) if name not in used)


def counter(device: hwkeys.DeviceInfo) -> str:
    """A TPM's lock-out counter in words; empty for a device that has none."""
    if device.tries_most is None:
        return ""
    spent = device.tries_most - (device.tries_left or 0)
    words = f"{spent} of {device.tries_most} wrong PINs before lock-out, for all keys of the TPM together"
    return f"{words}; one is forgiven every {device.forgives_in} s" if device.forgives_in else words


def look_closer(wanted: str | None, on_error: Callable[[hwkeys.HwKeyError], None]) -> Closer:
    """One device: the one of that name, or without a name the only one there is.

    Raises:
        TokenMissing: None is of that name.
        UsageError: Several are.
    """
    devices = find_devices(wanted, on_error=on_error)
    if wanted is None and len(devices) > 1:
        names = ", ".join(describe_device(each) for each in devices)
        raise UsageError(
            f"{len(devices)} devices are here: {names}", hint="name one of them: `hardwire token show NAME`"
        )
    device = devices[0] if wanted is None and devices else choose_device(devices, wanted)
    mine, words = _own_spki(), (*_card_words(device), *_key_file(device))
    keys = tuple(Key(info, mine=mine is not None and _spki(info.uri) == mine) for info in device.keys)
    return Closer(device, keys, words)


def _own_spki() -> bytes | None:
    try:
        return read_key_uri()[3]
    except HardwireError:
        return None


def _key_file(device: hwkeys.DeviceInfo) -> Iterator[str]:
    """A TPM keeps nothing between two uses: this identity's key is a file, which this TPM alone can open."""
    with contextlib.suppress(HardwireError, hwkeys.HwKeyError):
        key, where = hwkeys.parse_uri(read_key_uri()[0]), hwkeys.parse_uri(device.uri)
        if isinstance(key, hwkeys.TpmUri) and isinstance(where, hwkeys.TpmUri) and key.file and key.tcti == where.tcti:
            yield f"this identity's key is in the file {key.file}, which only this TPM opens"


def _spki(uri: str) -> bytes | None:
    try:
        with hwkeys.open_key(uri) as key:
            public = key.public_key()
    except hwkeys.HwKeyError:
        return None
    return spki_of(public) if isinstance(public, ec.EllipticCurvePublicKey) else None


def _card_words(device: hwkeys.DeviceInfo) -> Iterator[str]:
    """What a YubiKey tells through PC/SC, and no PKCS#11 module: exact counters, slots, policies."""
    if not (device.model.startswith("YubiKey") and device.serial.isdecimal()):
        return
    try:
        from hwkeys import yubikey  # noqa: PLC0415 (needs an extra)

        state = yubikey.describe(int(device.serial))
    except hwkeys.HwKeyError as problem:
        yield f"not asked more closely: {problem.message} ({problem.hint})"
        return
    yield f"firmware {state.firmware}; tries left: {state.pin_tries} for the PIN, {state.puk_tries} for the PUK"
    factory = {"PIN": state.pin_is_default, "PUK": state.puk_is_default}
    left = [name for name, default in factory.items() if default]
    yield f"still the factory's: {', '.join(left)}" if left else "neither PIN nor PUK is the factory's"
    yield f"management key: {state.management.value}"
    for slot in state.slots:
        policies = ""
        if slot.pin_policy is not None and slot.touch_policy is not None:
            policies = f", PIN {slot.pin_policy.name.lower()}, touch {slot.touch_policy.name.lower()}"
        origin = ", made in the card" if slot.generated else ", brought to the card" if slot.kind else ""
        yield f"slot {slot.describe()}{origin}{policies}"
