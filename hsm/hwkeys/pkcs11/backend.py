# SPDX-License-Identifier: Apache-2.0
"""The four verbs for tokens: open, generate, list, delete."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.capabilities import Purpose
from hwkeys.devices import DeviceInfo, KeyInfo
from hwkeys.errors import HwKeyError, KeyExists, KeyMissing, PinNeeded, Unsupported, UriError
from hwkeys.pkcs11 import binding, objects, operations, piv, tokens
from hwkeys.pkcs11.binding import TokenRecord
from hwkeys.pkcs11.key import Pkcs11Key, Pkcs11RsaKey, elliptic_curve_key, key_of
from hwkeys.pkcs11.login import Login
from hwkeys.pkcs11.modules import Module, default_modules, module_for
from hwkeys.prompt import Prompter
from hwkeys.uri import Pkcs11Uri

_ID_OCTETS = 16
_P256 = ec.SECP256R1()


def open_key(uri: Pkcs11Uri, prompter: Prompter | None) -> Pkcs11Key | Pkcs11RsaKey:
    """Find the key; log in when there is somebody to ask, or when nothing can be seen without it."""
    module, record = tokens.find_token(uri)
    login = Login(module, record, prompter, uri.object or "the key")
    try:
        if login.can_ask:
            login.ensure()
        try:
            pair = module.call(_look, login, uri)
        except KeyMissing as error:
            if login.can_ask:
                raise
            # Perhaps it shows itself only after the login.
            raise PinNeeded("the token shows no such key without its PIN") from error
        key = key_of(login, pair)
        if login.can_ask:
            key.unlock()
    except BaseException:
        login.release()
        raise
    return key


def generate_key(
    uri: Pkcs11Uri, prompter: Prompter | None, purpose: Purpose = Purpose.SIGN, curve: ec.EllipticCurve = _P256
) -> Pkcs11Key:
    """Make an elliptic-curve pair; a label or an id must be given, and neither may be taken."""
    if uri.object is None and uri.id is None:
        raise UriError("a new key needs a name: object=… or id=… in the URI")
    module, record = tokens.find_token(uri)
    refuse_piv(record)
    login = Login(module, record, prompter, f"the new key {uri.object or ''}".rstrip())
    try:
        login.ensure()
        params = binding.P384 if isinstance(curve, ec.SECP384R1) else binding.P256
        pair = module.call(_generate, login, uri, params=params, agree=purpose is Purpose.AGREE)
        key = elliptic_curve_key(login, pair)
        key.unlock()
    except BaseException:
        login.release()
        raise
    return key


def refuse_piv(record: TokenRecord) -> None:
    """PIV cards make and delete keys for whoever has the management key, not the PIN: no user of the key can.

    Raises:
        Unsupported: It is one.
    """
    if piv.is_piv(record):
        raise Unsupported(
            f'the PIV card "{record.label}" makes and deletes keys only for its management key',
            hint="make the key with the card's own tool (`ykman piv`, or hwkeys.yubikey), and open it then",
        )


def delete_key(uri: Pkcs11Uri, prompter: Prompter | None) -> None:
    """Delete both halves of exactly one key."""
    if uri.object is None and uri.id is None:
        raise UriError("say which key to delete: object=… or id=… in the URI")
    module, record = tokens.find_token(uri)
    refuse_piv(record)
    login = Login(module, record, prompter, f"deleting {uri.object or 'the key'}")
    try:
        login.ensure()
        module.call(_delete, login, uri)
    finally:
        login.release()


def list_devices(modules: Sequence[Path] | None, on_error: Callable[[HwKeyError], None]) -> list[DeviceInfo]:
    """All tokens in the modules given, or in the well-known ones, with the keys they show without a PIN."""
    found: list[DeviceInfo] = []
    loaded: list[Module] = []
    try:
        loaded += default_modules() if modules is None else ()
    except HwKeyError as error:
        on_error(error)
    for path in modules or ():
        try:
            loaded.append(module_for(path))
        except HwKeyError as error:
            on_error(error)
    for module in loaded:
        try:
            found += module.call(_list)
        except HwKeyError as error:
            on_error(error)
    return found


def _look(module: Module, login: Login, uri: Pkcs11Uri) -> objects.Pair:
    attached = login.attach(module)
    return objects.the_one(objects.pairs(attached.reader, uri), uri, tokens.device_uri(module, login.record))


def _generate(module: Module, login: Login, uri: Pkcs11Uri, *, params: bytes, agree: bool) -> objects.Pair:
    attached = login.attach(module)
    # The label and the id must each be free: together they would only be free as a pair.
    for name in (Pkcs11Uri(object=uri.object), Pkcs11Uri(id=uri.id)):
        if name != Pkcs11Uri() and objects.pairs(attached.reader, name):
            raise KeyExists(f"there is a key with that name already: {replace(uri, pin_source=None)}")
    key_id = uri.id or os.urandom(_ID_OCTETS)
    writer = binding.open_session(login.record, rw=True)
    try:
        private, public = binding.generate(writer, label=uri.object or "", key_id=key_id, params=params, agree=agree)
        try:
            objects.refuse_unprotected(private, just_made=True)
        except HwKeyError:
            binding.destroy(private)
            binding.destroy(public)
            raise
    finally:
        binding.close(writer)
    return objects.Pair(key_id, uri.object or "", public, private)


def _delete(module: Module, login: Login, uri: Pkcs11Uri) -> None:
    login.attach(module)
    writer = binding.open_session(login.record, rw=True)
    try:
        where = tokens.device_uri(module, login.record)
        pair = objects.the_one(objects.pairs(writer, uri), uri, where)
        for half in (pair.private, pair.public):
            if half is not None:
                binding.destroy(half)
    finally:
        binding.close(writer)


def _list(module: Module) -> list[DeviceInfo]:
    found = []
    for record in module.tokens():
        where = tokens.device_uri(module, record)
        attached: pkcs11.Session = binding.open_session(record)
        try:
            pairs = [
                pair for pair in objects.pairs(attached, Pkcs11Uri()) if not piv.is_the_cards_own(record, pair.key_id)
            ]
            keys = tuple(_info(attached, record, where, pair) for pair in pairs)
        finally:
            binding.close(attached)
        found.append(tokens.device_info(module, record, keys))
    return found


def _info(attached: pkcs11.Session, record: TokenRecord, where: Pkcs11Uri, pair: objects.Pair) -> KeyInfo:
    certificates = binding.certificates(attached, pair.key_id) if pair.key_id else []
    half = pair.private or pair.public
    agrees = half is not None and operations.derives(record, half)
    return objects.key_info(where, pair, certificates, Purpose.AGREE if agrees else Purpose.SIGN)
