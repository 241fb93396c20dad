# SPDX-License-Identifier: Apache-2.0
"""The one place where hardwire meets hwkeys: opens the identity's key, signs off the event loop, names failures.

hwkeys knows nothing of hardwire's errors; :func:`translated` maps its tree onto ours, and keeps its words and hints.
"""

import asyncio
import contextlib
import os
import termios
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, ParamSpec, Self, TypeVar, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import hwkeys
from hardwire.app.identity import Identity
from hardwire.certs import Assurance
from hardwire.errors import (
    DeviceFailed,
    HardwireError,
    IdentityChanged,
    LocalError,
    Misuse,
    PinLocked,
    PinWrong,
    TokenMissing,
    UsageError,
)
from hardwire.handshake import SignatureScheme
from hwkeys import errors as key_errors
from hwkeys.evidence import TouchPolicy

_P = ParamSpec("_P")
_T = TypeVar("_T")
_HASHES: Final = {
    SignatureScheme.ECDSA_SECP256R1_SHA256: hashes.SHA256,
    SignatureScheme.ECDSA_SECP384R1_SHA384: hashes.SHA384,
}
_NOBODY_TO_ASK: Final = (
    "run it at a terminal without --json, or name a file that holds the PIN with --pin-source FILE; for an identity "
    "that is there already: `hardwire init --renew --pin-source FILE`"
)
OPENSC_PIV: Final = "piv_II"
"""What OpenSC calls the maker of every PIV card."""
_CLOSE_TIMEOUT: Final = 3.0
"""Seconds to wait for a device that is still busy (with a touch that never comes) before it is left alone."""

# First match wins, so a subclass stands before its parent.
_TRANSLATION: Final[tuple[tuple[type[key_errors.HwKeyError], type[LocalError], str], ...]] = (
    (key_errors.PinWrong, PinWrong, "pin-wrong"),
    (key_errors.PinLocked, PinLocked, "pin-locked"),
    (key_errors.PinError, PinWrong, "pin-needed"),
    (key_errors.ModuleMissing, TokenMissing, "library-missing"),
    (key_errors.TokenRemoved, TokenMissing, "token-removed"),
    (key_errors.DeviceMissing, TokenMissing, "token-missing"),
    (key_errors.KeyMissing, TokenMissing, "key-missing"),
    (key_errors.KeyExists, UsageError, "key-exists"),
    (key_errors.UriError, UsageError, "uri"),
    (key_errors.Ambiguous, UsageError, "ambiguous"),
    (key_errors.NotTouched, DeviceFailed, "not-touched"),
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """The errors of hwkeys leave this block as hardwire's, with their own sentences and hints."""
    try:
        yield
    except key_errors.HwKeyError as problem:
        hint = _NOBODY_TO_ASK if isinstance(problem, key_errors.PinNeeded) else problem.hint
        for theirs, ours, code in _TRANSLATION:
            if isinstance(problem, theirs):
                raise ours(problem.message, hint=hint or None, code=code) from problem
        raise DeviceFailed(problem.message, hint=problem.hint or None) from problem


def person_prompter(*, json_mode: bool) -> hwkeys.Prompter | None:
    """Who is asked for a PIN: the person at the controlling terminal, or nobody when a program is listening.

    ``HARDWIRE_PINENTRY`` names a pinentry that asks in the terminal's place, for those who sit at none.
    """
    if json_mode:
        return None
    program = os.environ.get("HARDWIRE_PINENTRY")
    return hwkeys.PinentryPrompter(program) if program else hwkeys.TerminalPrompter(tells_touch=False)


def assurance_of_device(device: hwkeys.DeviceInfo) -> Assurance:
    """What this side may truthfully claim about a key in ``device``."""
    if device.software:
        return Assurance.SOFTWARE_TOKEN
    return Assurance.TPM_CLAIMED if device.kind == "tpm" else Assurance.TOKEN_CLAIMED


def wants_touch(device: hwkeys.DeviceInfo) -> bool | None:
    """Whether the device waits for a touch before it signs; None when it does not tell."""
    if device.policy is not None:
        return device.policy.touch is not TouchPolicy.NEVER
    return False if device.software or device.kind == "tpm" else None


def describe_device(device: hwkeys.DeviceInfo) -> str:
    """One line for people: ``SoftHSM v2 "alice" (serial 0a1b)``."""
    # Many a model repeats its maker: "SoftHSM project" makes "SoftHSM v2", "Yubico" makes "YubiKey YK5".
    maker, model = device.manufacturer, device.model
    words = model if maker.split(" ")[0].lower()[:4] in model.lower() else f"{maker} {model}".strip()
    words = "PIV card" if maker == OPENSC_PIV else words or device.kind
    if device.kind == "pkcs11":
        words += f' "{device.label}"'
    return f"{words} (serial {device.serial})" if device.serial else words


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """DER SubjectPublicKeyInfo of a key's public half: what identifies it."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_octets(key: hwkeys.HardwareKey) -> bytes:
    """The same of a key of any kind that a device holds."""
    half = cast("ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey", key).public_key()
    return half.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def open_unlocked(uri: str, prompter: hwkeys.Prompter | None) -> hwkeys.EllipticCurveHardwareKey:
    """Open a key and give its device the PIN now; blocking. A ``pin-source`` in the URI comes before the person.

    Raises:
        HwKeyError: See ``hwkeys.open_key``.
        KeyNotAsAsked: It is an RSA key.
    """
    key = hwkeys.open_key(uri, prompter=None if hwkeys.parse_uri(uri).pin_source else prompter)
    if not isinstance(key, hwkeys.EllipticCurveHardwareKey):
        key.close()
        raise hwkeys.KeyNotAsAsked("an identity's key is an elliptic-curve key, and this is an RSA key")
    try:
        key.unlock()
    except BaseException:
        key.close()
        raise
    return key


def check_same(key: hwkeys.EllipticCurveHardwareKey, *, spki: bytes, assurance: Assurance) -> None:
    """The key that was opened is the identity's, and its device is what the identity says of it.

    Raises:
        IdentityChanged: The device holds another key.
        DeviceFailed: The identity claims hardware, and the device is software.
    """
    if spki_of(key) != spki:
        raise IdentityChanged(
            f"{describe_device(key.device)} holds another key than this identity's certificate",
            hint="the token was initialised again or exchanged; insert the one the identity was made with",
        )
    if key.device.software and assurance is not Assurance.SOFTWARE_TOKEN:
        raise DeviceFailed(
            "the identity says that its key is in hardware, and the device is a software token",
            hint="move the identity file away and run `hardwire init` again",
        )


async def _on_own_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Like asyncio.to_thread, on a daemon thread: nobody who presses Ctrl-C waits for a PIN or a touch any more."""
    answer: Future[_T] = Future()
    answer.set_running_or_notify_cancel()

    def work() -> None:
        try:
            answer.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 (it belongs to the caller, whatever it is)
            answer.set_exception(error)

    threading.Thread(target=work, name="hardwire device", daemon=True).start()
    return await asyncio.wrap_future(answer)


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    """A question for a PIN that is given up leaves the terminal without echo, as its thread never gets to the end."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield
        return
    try:
        before = termios.tcgetattr(terminal)
        try:
            yield
        except asyncio.CancelledError:
            asking = termios.tcgetattr(terminal) != before
            termios.tcsetattr(terminal, termios.TCSANOW, before)
            if asking:
                os.write(terminal, b"\n")  # what is said next does not stand behind the question
            raise
    finally:
        os.close(terminal)


@dataclass(slots=True)
class DeviceKey:
    """The identity's key in its device, opened; signs at most as often as it is asked, which is once a line."""

    identity: Identity
    _key: hwkeys.EllipticCurveHardwareKey

    @classmethod
    async def open(cls, identity: Identity, prompter: hwkeys.Prompter | None) -> Self:
        """Find the device, ask for its PIN where it wants one, and check that it holds the identity's key.

        Raises:
            TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
            IdentityChanged: The device holds another key than the certificate.
        """
        with translated(), _terminal_restored():
            key = await _on_own_thread(open_unlocked, identity.key_uri, prompter)
        opened = cls(identity, key)
        try:
            check_same(key, spki=identity.own.spki, assurance=identity.assurance)
        except HardwireError:
            await opened.close()
            raise
        return opened

    @property
    def device(self) -> str:
        """The device in words."""
        return describe_device(self._key.device)

    @property
    def software(self) -> bool:
        """The device is a program."""
        return self._key.device.software

    @property
    def touch(self) -> bool | None:
        """It waits for a touch before it signs; None when it does not tell."""
        return wants_touch(self._key.device)

    async def sign(self, tbs: bytes, scheme: SignatureScheme) -> bytes:
        """One signature, made in the device, on a worker thread: a touch or a PIN may take its time.

        Returns:
            A DER signature (r, s).

        Raises:
            TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
        """
        if scheme not in _HASHES:
            raise Misuse(f"the identity's key is an elliptic-curve key, and {scheme.name} was asked for")
        with translated(), _terminal_restored():
            return await _on_own_thread(self._key.sign, tbs, ec.ECDSA(_HASHES[scheme]()))

    async def close(self) -> None:
        """Log out and let go of the device; one that hangs is left alone after a few seconds."""
        with contextlib.suppress(TimeoutError), translated():
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await _on_own_thread(self._key.close)
