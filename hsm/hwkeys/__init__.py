# SPDX-License-Identifier: Apache-2.0
"""Hardware keys as ``cryptography`` private keys.

A key in a PKCS#11 token or a TPM is opened by its URI and is then an ``ec.EllipticCurvePrivateKey`` whose ``sign()``
runs in the device. See the README beside this file.

Every key signs or agrees. What else it can do, a caller asks for with ``capability(key, …)``: ``KeyAgreement`` (ECDH
with a key of its own), ``Attester`` (evidence that the key lives in the device, judged by ``hwkeys.evidence``) and
``Sealer`` (secrets that open on this device only).

Importing this package loads neither python-pkcs11 nor tpm2-pytss: a backend is loaded when its first URI is used.
"""

from hwkeys.api import delete_key, generate_key, list_devices, open_key
from hwkeys.capabilities import Attester, Enrollable, KeyAgreement, Sealer, capability
from hwkeys.devices import DeviceInfo, KeyInfo, PinState
from hwkeys.errors import (
    Ambiguous,
    DeviceFailed,
    DeviceFull,
    DeviceMissing,
    EvidenceRefused,
    ForkRefused,
    HwKeyError,
    KeyClosed,
    KeyExists,
    KeyMissing,
    KeyNotAsAsked,
    ManagementKeyRefused,
    ModuleMissing,
    NotTouched,
    PeerKeyRefused,
    PinError,
    PinLocked,
    PinNeeded,
    PinRefused,
    PinWrong,
    SealRefused,
    TokenRemoved,
    Unsupported,
    UriError,
    WrongDevice,
)
from hwkeys.key import EllipticCurveHardwareKey, HardwareKey
from hwkeys.pinentry import PinentryPrompter
from hwkeys.prompt import (
    CallbackPrompter,
    CredentialPrompter,
    PinRequest,
    PinSourcePrompter,
    Prompter,
    StaticPrompter,
    TerminalPrompter,
)
from hwkeys.purpose import Purpose
from hwkeys.rsakey import RSAHardwareKey
from hwkeys.touch import TouchPrompter, TouchRequest
from hwkeys.uri import Credential, KeyUri, Pkcs11Uri, TpmUri, parse_uri

__all__ = [
    "Ambiguous",
    "Attester",
    "CallbackPrompter",
    "Credential",
    "CredentialPrompter",
    "DeviceFailed",
    "DeviceFull",
    "DeviceInfo",
    "DeviceMissing",
    "EllipticCurveHardwareKey",
    "Enrollable",
    "EvidenceRefused",
    "ForkRefused",
    "HardwareKey",
    "HwKeyError",
    "KeyAgreement",
    "KeyClosed",
    "KeyExists",
    "KeyInfo",
    "KeyMissing",
    "KeyNotAsAsked",
    "KeyUri",
    "ManagementKeyRefused",
    "ModuleMissing",
    "NotTouched",
    "PeerKeyRefused",
    "PinError",
    "PinLocked",
    "PinNeeded",
    "PinRefused",
    "PinRequest",
    "PinSourcePrompter",
    "PinState",
    "PinWrong",
    "PinentryPrompter",
    "Pkcs11Uri",
    "Prompter",
    "Purpose",
    "RSAHardwareKey",
    "SealRefused",
    "Sealer",
    "StaticPrompter",
    "TerminalPrompter",
    "TokenRemoved",
    "TouchPrompter",
    "TouchRequest",
    "TpmUri",
    "Unsupported",
    "UriError",
    "WrongDevice",
    "capability",
    "delete_key",
    "generate_key",
    "list_devices",
    "open_key",
    "parse_uri",
]
