# SPDX-License-Identifier: Apache-2.0
"""`hardwire init`: choose the device, make the key in it, let it sign its certificate.

The order is such that a failure leaves either nothing or a key that the next run finds: the key first, the identity
file last, and a key that was made for nothing is removed again.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import hwkeys
from hardwire.app.attestation import load_trust
from hardwire.app.identity import Identity, identity_exists, identity_path, make_identity, read_key_uri
from hardwire.app.keys import (
    OPENSC_PIV,
    assurance_of_device,
    check_same,
    describe_device,
    open_unlocked,
    translated,
    wants_touch,
)
from hardwire.app.proof import prove_home
from hardwire.app.text import touch_now
from hardwire.certs import Evidence
from hardwire.errors import LocalError, TokenMissing, UsageError
from hwkeys import KeyUri, Pkcs11Uri, TpmUri

KEY_LABEL: Final = "hardwire"
"""CKA_LABEL of the key that ``init`` makes on a token."""
_TPM_FILE: Final = "identity.tss2"
SCHEMES: Final = ("pkcs11:", "tpm:")


PinSource = Path | hwkeys.Credential


def _silent(_text: str) -> None:
    """For callers without a person."""


def read_pin_source(text: str) -> PinSource:
    """``FILE``, or ``credential:NAME`` for what systemd gave to a service.

    Raises:
        UsageError: ``uri``; not the name of a credential.
    """
    if text.startswith("credential:"):
        with translated():
            return hwkeys.Credential(text.removeprefix("credential:"))
    return Path(text.removeprefix("file:")).absolute()


def refuse_second(home: Path | None = None) -> Path:
    """Where the identity will be.

    Raises:
        UsageError: There is one already; nothing is touched.
    """
    path = identity_path(home)
    if path.exists():
        raise identity_exists(path)
    return path


def find_devices(
    wanted: str | None = None, *, on_error: Callable[[hwkeys.HwKeyError], None] | None = None
) -> tuple[hwkeys.DeviceInfo, ...]:
    """The devices of this machine, the best one for an identity first. No PIN is spent.

    ``HARDWIRE_TCTI`` names a TPM that is not where TPMs usually are (a try-out swtpm), or is ``none`` to look at none.

    Args:
        wanted: A device URI whose ``module-path`` or ``tcti`` may name a place that is not looked at otherwise.
        on_error: Told about each module or TPM that could not be asked.
    """
    modules: list[Path] | None = None
    tcti = os.environ.get("HARDWIRE_TCTI")
    with translated():
        if wanted is not None and wanted.startswith(SCHEMES):
            uri = hwkeys.parse_uri(wanted)
            if isinstance(uri, Pkcs11Uri) and uri.module_path is not None:
                modules = [uri.module_path]
            elif isinstance(uri, TpmUri) and uri.tcti is not None:
                tcti = uri.tcti
        tctis = None if not tcti else [] if tcti == "none" else [tcti]
        found = hwkeys.list_devices(modules=modules, tctis=tctis, on_error=on_error)
    return tuple(sorted(found, key=_rank))


def why(device: hwkeys.DeviceInfo) -> str:
    """Why this device stands where it stands, in a few words."""
    if device.software:
        return "a SOFTWARE TOKEN: good for trying, protects the key against nothing but mistakes"
    if device.kind == "tpm":
        return "the TPM of this machine: the key cannot leave it, and it is always there"
    return "a token: the key cannot leave it, and you can take it with you"


def describe_pin(device: hwkeys.DeviceInfo) -> str:
    """What is known of the PIN before one is spent, in words."""
    words = {
        hwkeys.PinState.OK: "set, no wrong tries known",
        hwkeys.PinState.COUNT_LOW: "set, a wrong PIN was entered before",
        hwkeys.PinState.FINAL_TRY: "LAST TRY: the next wrong PIN locks the device",
        hwkeys.PinState.LOCKED: "LOCKED",
        hwkeys.PinState.NOT_SET: "not set",
        hwkeys.PinState.UNKNOWN: "the device does not say",
    }[device.pin_state]
    return words if device.tries_left is None else f"{words}, {device.tries_left} tries left before lock-out"


def choose_device(devices: Sequence[hwkeys.DeviceInfo], wanted: str | None) -> hwkeys.DeviceInfo:
    """The device to make the identity in.

    Args:
        devices: From :func:`find_devices`.
        wanted: A device URI, or a part of a label, serial or model; None takes the best.

    Raises:
        TokenMissing: There is none, or none fits.
        UsageError: Several fit.
    """
    usable = [device for device in devices if device.pin_state is not hwkeys.PinState.NOT_SET]
    # A PIV card makes keys for its management key only; it is taken when there is nothing better, which says so.
    usable.sort(key=_is_piv)
    if wanted is not None:
        usable = [device for device in devices if _fits(device, wanted)]
    if not usable:
        what = f"no device fits {wanted!r}" if wanted else "there is no token and no TPM that could hold a key"
        raise TokenMissing(
            what,
            hint="insert a token (its PIN must be set), or give access to /dev/tpmrm0 (group tss); "
            "to try without hardware: bash hsm/up.sh shell alice",
        )
    if wanted is not None and len(usable) > 1:
        names = ", ".join(describe_device(device) for device in usable)
        raise UsageError(f"{len(usable)} devices fit {wanted!r}: {names}", hint="give the serial, or the whole URI")
    return usable[0]


def create(
    device: hwkeys.DeviceInfo,
    prompter: hwkeys.Prompter | None,
    *,
    pin_source: PinSource | None,
    tell: Callable[[str], None] = _silent,
    home: Path | None = None,
) -> Identity:
    """Make the key in ``device`` and the identity file; blocking, asks for the PIN through ``prompter``.

    Raises:
        UsageError: There is an identity already.
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
    """
    path = refuse_second(home)
    uri = _key_uri(device, path.parent, pin_source)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise LocalError(f"{path.parent} cannot be made: {reason}", code="disk", hint="see HARDWIRE_HOME") from None
    if prompter is not None:
        prompter = _Once(prompter)
    with translated():
        try:
            key = hwkeys.generate_key(str(uri), prompter=None if pin_source else prompter)
        except hwkeys.KeyExists as problem:
            hint = f"`hardwire init --key '{uri}'` makes an identity of the key that is there"
            raise UsageError(problem.message, code="key-exists", hint=hint) from problem
        try:
            stored = str(replace(hwkeys.parse_uri(key.uri), pin_source=pin_source))
            return _keep(key, stored, tell, home)
        except BaseException:
            with contextlib.suppress(hwkeys.HwKeyError):
                hwkeys.delete_key(str(uri), prompter=None if pin_source else prompter)
            raise
        finally:
            key.close()


class _Once:
    """Nobody types a PIN that they have just chosen a third time: the first signature of a new TPM key takes it."""

    def __init__(self, prompter: hwkeys.Prompter) -> None:
        self._prompter = prompter
        self._chosen: str | None = None

    def pin(self, request: hwkeys.PinRequest) -> str:
        if request.new:
            self._chosen = self._prompter.pin(request)
            return self._chosen
        chosen, self._chosen = self._chosen, None
        return self._prompter.pin(request) if chosen is None else chosen

    def confirm_last_try(self, request: hwkeys.PinRequest) -> bool:
        return self._prompter.confirm_last_try(request)


def adopt(
    key_uri: str,
    prompter: hwkeys.Prompter | None,
    *,
    pin_source: PinSource | None = None,
    tell: Callable[[str], None] = _silent,
    home: Path | None = None,
) -> Identity:
    """Make the identity of a key that is in a device already.

    Args:
        key_uri: Names the key.
        prompter: Who is asked for the PIN.
        pin_source: Where the PIN is read now and later; before one that the URI names.
        tell: Gets what the person should know, in sentences.
        home: Directory, when not the default one.

    Raises:
        UsageError: There is an identity already, or the URI names no key.
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
    """
    with translated():
        uri = _with_pin_source(key_uri, pin_source)
        key = open_unlocked(str(uri), prompter)
        try:
            # What was named by serial number and id stays so named: OpenSC's labels come from certificates, and change.
            exact = uri if isinstance(uri, Pkcs11Uri) and uri.serial and uri.id else hwkeys.parse_uri(key.uri)
            return _keep(key, str(replace(exact, pin_source=uri.pin_source)), tell, home)
        finally:
            key.close()


def renew(
    prompter: hwkeys.Prompter | None,
    *,
    pin_source: PinSource | None = None,
    tell: Callable[[str], None] = _silent,
    home: Path | None = None,
) -> Identity:
    """A new certificate for the key of the identity that is there, expired or not.

    Args:
        prompter: Who is asked for the PIN.
        pin_source: Where the PIN is read now and later; otherwise it stays as it was.
        tell: Gets what the person should know, in sentences.
        home: Directory, when not the default one.

    Raises:
        NoIdentity: There is none.
        IdentityChanged: The device holds another key now.
    """
    key_uri, device, assurance, spki = read_key_uri(home)
    with translated():
        key_uri = str(_with_pin_source(key_uri, pin_source))
        key = open_unlocked(key_uri, prompter)
        try:
            check_same(key, spki=spki, assurance=assurance)
            evidence = _asked(key, tell, home)
            return make_identity(
                key,
                key_uri=key_uri,
                device=device,
                assurance=assurance,
                evidence=evidence,
                home=home,
                renewal=True,
            )
        finally:
            key.close()


def _keep(
    key: hwkeys.EllipticCurveHardwareKey, key_uri: str, tell: Callable[[str], None], home: Path | None
) -> Identity:
    return make_identity(
        key,
        key_uri=key_uri,
        device=describe_device(key.device),
        assurance=assurance_of_device(key.device),
        evidence=_asked(key, tell, home),
        home=home,
    )


def _asked(key: hwkeys.EllipticCurveHardwareKey, tell: Callable[[str], None], home: Path | None) -> Evidence | None:
    """What the device proves; then the person is told if it wants a touch for the signature that follows."""
    evidence = prove_home(key, load_trust(home), tell)
    if wants_touch(key.device):
        tell(f"\a{touch_now(describe_device(key.device))}")
    return evidence


def _with_pin_source(key_uri: str, pin_source: PinSource | None) -> KeyUri:
    uri = hwkeys.parse_uri(key_uri)
    return uri if pin_source is None else replace(uri, pin_source=pin_source)


def _rank(device: hwkeys.DeviceInfo) -> tuple[bool, bool, str, str]:
    # Hardware before software; then what can be carried (and so survives the machine) before what cannot.
    return device.software, device.kind == "tpm", device.label, device.serial


def _is_piv(device: hwkeys.DeviceInfo) -> bool:
    return device.manufacturer == OPENSC_PIV or device.model.startswith("YubiKey")


def _fits(device: hwkeys.DeviceInfo, wanted: str) -> bool:
    if wanted.startswith(SCHEMES):
        with translated():
            asked, got = hwkeys.parse_uri(wanted), hwkeys.parse_uri(device.uri)
        if type(asked) is not type(got):
            return False
        pairs = ((getattr(asked, field.name), getattr(got, field.name)) for field in fields(asked))
        return all(want is None or _real(want) == _real(have) for want, have in pairs)
    words = (device.kind, device.label, device.serial, device.model, device.manufacturer)
    return any(wanted.lower() in word.lower() for word in words)


def _real(value: object) -> object:
    """One library may be known by several paths."""
    return value.resolve() if isinstance(value, Path) else value


def _key_uri(device: hwkeys.DeviceInfo, home: Path, pin_source: PinSource | None) -> KeyUri:
    uri = hwkeys.parse_uri(device.uri)
    if isinstance(uri, Pkcs11Uri):
        return replace(uri, object=KEY_LABEL, pin_source=pin_source)
    if isinstance(uri, TpmUri):
        return replace(uri, file=(home / _TPM_FILE).absolute(), pin_source=pin_source)
    raise UsageError(f"{device.uri} names no device that hardwire can make a key in")
