# SPDX-License-Identifier: Apache-2.0
"""The key of an authority: made in a token, or there already, and opened for one act at a time.

A failure leaves either nothing or a key that the next run finds: the key first, ``authority.toml`` last, and a key that
was made for nothing is removed again.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import hwkeys
from hardwire.app.keys import public_octets, translated
from hardwire.app.offlineca import Authority, create, refuse_second
from hardwire.errors import IdentityChanged, UsageError
from hwkeys import KeyUri, Pkcs11Uri, TpmUri

KEY_LABEL: Final = "hardwire-authority"
"""CKA_LABEL of the key that is made on a token."""
_TPM_FILE: Final = "authority.tss2"


def found(
    directory: Path,
    device: hwkeys.DeviceInfo,
    prompter: hwkeys.Prompter | None,
    *,
    pin_source: Path | None,
    organisation: str,
    life: timedelta,
) -> Authority:
    """Make an authority and its key in ``device``; blocking, asks for the PIN through ``prompter``.

    Raises:
        UsageError: There is an authority in the directory already, or a key of its label on the token.
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
    """
    refuse_second(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    uri = _key_uri(device, directory, pin_source)
    asked = None if pin_source else prompter
    with translated():
        try:
            key = hwkeys.generate_key(str(uri), prompter=asked)
        except hwkeys.KeyExists as problem:
            hint = f"`hardwire cert ca --key '{uri}'` makes an authority of the key that is there"
            raise UsageError(problem.message, code="key-exists", hint=hint) from problem
        try:
            stored = str(replace(hwkeys.parse_uri(key.uri), pin_source=pin_source))
            return create(directory, key, key_uri=stored, organisation=organisation, life=life)
        except BaseException:
            with contextlib.suppress(hwkeys.HwKeyError):
                hwkeys.delete_key(str(uri), prompter=asked)
            raise
        finally:
            key.close()


def adopt(
    directory: Path,
    key_uri: str,
    prompter: hwkeys.Prompter | None,
    *,
    pin_source: Path | None,
    organisation: str,
    life: timedelta,
) -> Authority:
    """Make an authority of a key that is in a device already, of any kind that signs certificates.

    Raises:
        UsageError: There is an authority in the directory already, or the URI names no key.
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
    """
    refuse_second(directory)
    with translated():
        asked = hwkeys.parse_uri(key_uri)
        asked = asked if pin_source is None else replace(asked, pin_source=pin_source)
        with _unlocked(str(asked), prompter) as key:
            stored = str(replace(hwkeys.parse_uri(key.uri), pin_source=asked.pin_source))
            return create(directory, key, key_uri=stored, organisation=organisation, life=life)


@contextmanager
def open_authority_key(
    authority: Authority, prompter: hwkeys.Prompter | None
) -> Iterator[hwkeys.EllipticCurveHardwareKey | hwkeys.RSAHardwareKey]:
    """The authority's key in its token, unlocked.

    Raises:
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
        IdentityChanged: The token holds another key than the certificate.
    """
    with translated(), _unlocked(authority.key_uri, prompter) as key:
        if public_octets(key) != authority.certificate.spki:
            raise IdentityChanged(
                "the token holds another key than the authority's certificate",
                hint="insert the token that the authority was made with",
            )
        yield key


@contextmanager
def _unlocked(
    uri: str, prompter: hwkeys.Prompter | None
) -> Iterator[hwkeys.EllipticCurveHardwareKey | hwkeys.RSAHardwareKey]:
    key = hwkeys.open_key(uri, prompter=None if hwkeys.parse_uri(uri).pin_source else prompter)
    try:
        key.unlock()
        yield key
    finally:
        key.close()


def _key_uri(device: hwkeys.DeviceInfo, directory: Path, pin_source: Path | None) -> KeyUri:
    uri = hwkeys.parse_uri(device.uri)
    if isinstance(uri, Pkcs11Uri):
        return replace(uri, object=KEY_LABEL, pin_source=pin_source)
    if isinstance(uri, TpmUri):
        return replace(uri, file=(directory / _TPM_FILE).absolute(), pin_source=pin_source)
    raise UsageError(f"{device.uri} names no device that hardwire can make a key in")
