# SPDX-License-Identifier: Apache-2.0
"""Which token is meant: by label, serial, manufacturer and model, never by its slot's number."""

from hwkeys.devices import DeviceInfo, KeyInfo
from hwkeys.errors import Ambiguous, DeviceMissing, HwKeyError
from hwkeys.pkcs11.binding import TokenRecord, is_software
from hwkeys.pkcs11.modules import Module, default_modules, module_for
from hwkeys.uri import Pkcs11Uri


def modules_of(uri: Pkcs11Uri) -> tuple[Module, ...]:
    """The modules to look in: the one the URI names, or the well-known ones."""
    return default_modules() if uri.module_path is None else (module_for(uri.module_path),)


def find_token(uri: Pkcs11Uri) -> tuple[Module, TokenRecord]:
    """The one token a URI names.

    Raises:
        DeviceMissing: None answers.
        Ambiguous: More than one answers; all are listed.
        ModuleMissing: There is no module to ask.
    """
    found: list[tuple[Module, TokenRecord]] = []
    broken: HwKeyError | None = None
    for module in modules_of(uri):
        try:
            found += [(module, record) for record in module.call(matching, uri)]
        except HwKeyError as error:
            # One module that does not start must not hide another's token, nor be forgotten if there is none.
            broken = error
    if len(found) > 1:
        raise Ambiguous(
            f"{len(found)} tokens answer to that name",
            candidates=tuple(str(device_uri(module, record)) for module, record in found),
        )
    if not found:
        raise broken or DeviceMissing(f"no token answers to {device_part(uri)}")
    return found[0]


def matching(module: Module, uri: Pkcs11Uri) -> tuple[TokenRecord, ...]:
    """The tokens in one module that a URI allows. Runs on the worker."""
    return tuple(
        record
        for record in module.tokens()
        if uri.token in (None, record.label)
        and uri.serial in (None, record.serial)
        and uri.manufacturer in (None, record.manufacturer)
        and uri.model in (None, record.model)
    )


def again(module: Module, record: TokenRecord) -> TokenRecord:
    """The same token, read anew, in whatever slot it is now. Runs on the worker.

    Raises:
        DeviceMissing: It is not there.
    """
    found = matching(module, device_uri(module, record))
    if not found:
        raise DeviceMissing(f'the token "{record.label}", serial {record.serial}, is not there')
    return found[0]


def device_uri(module: Module, record: TokenRecord) -> Pkcs11Uri:
    """Names exactly this token."""
    return Pkcs11Uri(
        token=record.label or None,
        manufacturer=record.manufacturer or None,
        serial=record.serial or None,
        model=record.model or None,
        module_path=module.path,
    )


def device_part(uri: Pkcs11Uri) -> str:
    """The part of a URI that names the token."""
    return str(
        Pkcs11Uri(
            token=uri.token,
            manufacturer=uri.manufacturer,
            serial=uri.serial,
            model=uri.model,
            module_path=uri.module_path,
        )
    )


def device_info(module: Module, record: TokenRecord, keys: tuple[KeyInfo, ...] = ()) -> DeviceInfo:
    """The token as the outside sees it."""
    return DeviceInfo(
        kind="pkcs11",
        software=is_software(record.manufacturer, record.model),
        manufacturer=record.manufacturer,
        model=record.model,
        serial=record.serial,
        label=record.label,
        uri=str(device_uri(module, record)),
        pin_state=record.pin_state,
        keys=keys,
    )
