# SPDX-License-Identifier: Apache-2.0
"""Hardware keys as ``cryptography`` private keys.

A key in a PKCS#11 token or a TPM is opened by its URI and is then an ``ec.EllipticCurvePrivateKey`` whose ``sign()``
runs in the device. See the README beside this file.

This first storey signs. Three capabilities follow, each a protocol a caller can ask a key for: ``KeyAgreement``
(ECDH with a key of its own), ``Attester`` (evidence that the key lives in the device) and ``Sealer`` (secrets that
open on this device only).

Importing this package loads neither python-pkcs11 nor tpm2-pytss: a backend is loaded when its first URI is used.
"""

from hwkeys.api import delete_key, generate_key, list_devices, open_key
from hwkeys.devices import DeviceInfo, KeyInfo, PinState
from hwkeys.errors import (
    Ambiguous,
    DeviceFailed,
    DeviceFull,
    DeviceMissing,
    ForkRefused,
    HwKeyError,
    KeyClosed,
    KeyExists,
    KeyMissing,
    KeyNotAsAsked,
    ModuleMissing,
    PinError,
    PinLocked,
    PinNeeded,
    PinRefused,
    PinWrong,
    TokenRemoved,
    Unsupported,
    UriError,
    WrongDevice,
)
from hwkeys.key import EllipticCurveHardwareKey, HardwareKey
from hwkeys.prompt import CallbackPrompter, PinRequest, PinSourcePrompter, Prompter, StaticPrompter, TerminalPrompter
from hwkeys.uri import KeyUri, Pkcs11Uri, TpmUri, parse_uri

__all__ = [
    "Ambiguous",
    "CallbackPrompter",
    "DeviceFailed",
    "DeviceFull",
    "DeviceInfo",
    "DeviceMissing",
    "EllipticCurveHardwareKey",
    "ForkRefused",
    "HardwareKey",
    "HwKeyError",
    "KeyClosed",
    "KeyExists",
    "KeyInfo",
    "KeyMissing",
    "KeyNotAsAsked",
    "KeyUri",
    "ModuleMissing",
    "PinError",
    "PinLocked",
    "PinNeeded",
    "PinRefused",
    "PinRequest",
    "PinSourcePrompter",
    "PinState",
    "PinWrong",
    "Pkcs11Uri",
    "Prompter",
    "StaticPrompter",
    "TerminalPrompter",
    "TokenRemoved",
    "TpmUri",
    "Unsupported",
    "UriError",
    "WrongDevice",
    "delete_key",
    "generate_key",
    "list_devices",
    "open_key",
    "parse_uri",
]
