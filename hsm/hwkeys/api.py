# SPDX-License-Identifier: Apache-2.0
"""Open, generate, list, delete: a URI's scheme chooses the backend, which is loaded on first use."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.devices import DeviceInfo
from hwkeys.errors import HwKeyError, ModuleMissing, Unsupported
from hwkeys.key import EllipticCurveHardwareKey
from hwkeys.prompt import CredentialPrompter, PinSourcePrompter, Prompter
from hwkeys.purpose import Purpose
from hwkeys.rsakey import RSAHardwareKey
from hwkeys.uri import Credential, KeyUri, Pkcs11Uri, TpmUri, parse_uri

OpenedKey = EllipticCurveHardwareKey | RSAHardwareKey

# URI class → backend, the Python package it needs, how to get it.
_BACKENDS = {
    Pkcs11Uri: ("hwkeys.pkcs11.backend", "python-pkcs11", "pip install python-pkcs11"),
    TpmUri: (
        "hwkeys.tpm.backend",
        "tpm2-pytss",
        "pip install tpm2-pytss (it is built against tpm2-tss: apt-get install libtss2-dev first)",
    ),
}


def open_key(uri: str, *, prompter: Prompter | None = None) -> OpenedKey:
    """Open a key.

    With somebody to ask (a prompter, or a ``pin-source`` in the URI) the PIN is asked for and checked now, without
    making a signature. With nobody to ask the key opens locked: ``public_key()`` works, ``sign()`` raises PinNeeded.

    Args:
        uri: ``pkcs11:…`` or ``tpm:…``; it must name exactly one key.
        prompter: Whom to ask for the PIN; it comes before the URI's ``pin-source``.

    Returns:
        An elliptic-curve key, or on a token also an RSA key, whichever it is.

    Raises:
        UriError: The URI cannot be used.
        ModuleMissing: A library is not installed.
        DeviceMissing: No such device.
        KeyMissing: No such key on it.
        Ambiguous: More than one answers to that name.
        PinError: No PIN, a wrong one, or a locked device.
        KeyNotAsAsked: The key is of another kind, or could leave its device.
    """
    parsed = parse_uri(uri)
    key: OpenedKey = _backend(type(parsed)).open_key(parsed, _who(parsed, prompter))
    return key


def generate_key(
    uri: str,
    *,
    prompter: Prompter | None = None,
    purpose: Purpose = Purpose.SIGN,
    curve: ec.EllipticCurve | None = None,
) -> EllipticCurveHardwareKey:
    """Make a key in the device, and open it.

    On a token the PIN is the token's. A TPM key has a PIN of its own, chosen now; the empty string means none.

    Args:
        uri: Where, and under what name: a token with ``object=`` or ``id=``, a ``tpm:file=`` that does not exist
            yet, or a free ``tpm:handle=``.
        prompter: Whom to ask for the PIN; it comes before the URI's ``pin-source``.
        purpose: Signing, or key agreement; a key does one of them, for ever.
        curve: P-256 when None, or P-384 where the device knows it.

    Raises:
        Unsupported: The device knows no such key.
        KeyExists: The name is taken; nothing was changed.
        KeyNotAsAsked: The device made something else; it was deleted again.
        HwKeyError: As for ``open_key``.
    """
    parsed = parse_uri(uri)
    who, on = _who(parsed, prompter), ec.SECP256R1() if curve is None else curve
    if not isinstance(on, ec.SECP256R1 | ec.SECP384R1):
        raise Unsupported(f"no key is generated on {on.name}", hint="use P-256, or P-384 where the device knows it")
    key: EllipticCurveHardwareKey = _backend(type(parsed)).generate_key(parsed, who, purpose, on)
    return key


def delete_key(uri: str, *, prompter: Prompter | None = None) -> None:
    """Delete exactly one key, for ever.

    Args:
        uri: Must name exactly one key.
        prompter: Whom to ask for the PIN; it comes before the URI's ``pin-source``.

    Raises:
        HwKeyError: As for ``open_key``; nothing was deleted.
    """
    parsed = parse_uri(uri)
    _backend(type(parsed)).delete_key(parsed, _who(parsed, prompter))


def list_devices(
    *,
    modules: Sequence[Path] | None = None,
    tctis: Sequence[str] | None = None,
    on_error: Callable[[HwKeyError], None] | None = None,
) -> list[DeviceInfo]:
    """What is there. Never needs a PIN, never spends one.

    Args:
        modules: PKCS#11 modules to look in; None for the well-known ones that are installed, empty for none.
        tctis: TPMs to look at, as tpm2-tss spells them; None for the machine's own if it has one, empty for none.
        on_error: Told about each module or TPM that could not be asked; the list goes on without it.
    """

    def tell(error: HwKeyError) -> None:
        if on_error is not None:
            on_error(error)

    found: list[DeviceInfo] = []
    for kind, where in ((Pkcs11Uri, modules), (TpmUri, tctis)):
        if where is not None and not where:
            continue
        try:
            backend = _backend(kind)
        except ModuleMissing as error:
            tell(error)
            continue
        found += backend.list_devices(where, tell)
    return found


def _who(uri: KeyUri, prompter: Prompter | None) -> Prompter | None:
    if prompter is not None or uri.pin_source is None:
        return prompter
    source = uri.pin_source
    return CredentialPrompter(source) if isinstance(source, Credential) else PinSourcePrompter(source)


def _backend(kind: type[KeyUri]) -> ModuleType:
    name, package, how = _BACKENDS[kind]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModuleMissing(f"the Python package {package} is not usable here: {error}", hint=how) from error
