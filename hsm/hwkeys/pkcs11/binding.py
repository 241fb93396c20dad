# SPDX-License-Identifier: Apache-2.0
"""python-pkcs11, wrapped: few verbs, plain values, our errors.

Everything here runs on the module's worker thread and nowhere else. Known discomforts of the library, and what is
done about them:

* ``get_tokens(mechanisms=)`` never matches, and slots change under it: tokens are listed anew each time.
* Objects must not be used while a search is going on (OperationActive): every search is read to its end first.
* ``Session.close()`` of the session that logged in logs out all others: see ``session``.
* Closing a session of a pulled token raises: ``close`` swallows it, there is nothing left to close.
* A failed login leaves an open session behind that cannot be reached; the module frees it when the process ends.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.types import PROTECTED_AUTH
from pkcs11.util.ec import encode_named_curve_parameters

from hwkeys.devices import PinState
from hwkeys.errors import DeviceFailed, TokenRemoved
from hwkeys.pkcs11.faults import faults

P256 = bytes(encode_named_curve_parameters("secp256r1"))
P384 = bytes(encode_named_curve_parameters("secp384r1"))

_KINDS: dict[KeyType, Literal["ec", "rsa"]] = {KeyType.EC: "ec", KeyType.RSA: "rsa"}


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """CK_TOKEN_INFO as it was a moment ago."""

    label: str
    serial: str
    manufacturer: str
    model: str
    pin_state: PinState
    login_required: bool
    token: pkcs11.Token
    slot: int
    own_keypad: bool = False
    """The reader has a keypad, or the token a sensor: no PIN is to be asked for in software."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """A public or private key object. None stands for an attribute the token does not give.

    Attributes:
        kind: What of key it is; None for a kind that hwkeys does not open.
        params: CKA_EC_PARAMS.
        point: CKA_EC_POINT.
        modulus: CKA_MODULUS, big-endian.
        exponent: CKA_PUBLIC_EXPONENT, the same.
        object: python-pkcs11's own.
    """

    private: bool
    key_id: bytes
    label: str
    kind: Literal["ec", "rsa"] | None
    params: bytes | None
    point: bytes | None
    object: Any
    modulus: bytes | None = None
    exponent: bytes | None = None


class Library:
    """A vendor's module, loaded and initialised once, and kept until the process ends.

    Unloading crashes whoever still holds an object of it, and initialising again makes all handles stale.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._lib = pkcs11.lib(str(path))
        except pkcs11.PKCS11Error as error:
            detail = f": {error}" if str(error) else ""
            raise DeviceFailed(
                f"the module {path} does not start ({type(error).__name__}{detail})",
                hint="look into its configuration; SoftHSM's is in the file that SOFTHSM2_CONF names, and you must be "
                "able to read it and the directory of its tokens",
            ) from error

    def start_again(self) -> None:
        """Finalise and initialise the module: no handle is good afterwards. Close all sessions first."""
        with faults("starting the module again"):
            self._lib.reinitialize()

    def tokens(self) -> tuple[TokenRecord, ...]:
        """The initialised tokens that are there now."""
        try:
            with faults("looking for tokens"):
                slots = self._lib.get_slots(token_present=True)
        except TokenRemoved:
            # ykcs11 says DeviceError when there is no reader, or no smart-card service; others list nothing.
            return ()
        found = []
        for slot in slots:
            # A token can leave between the list and the question.
            with suppress(pkcs11.PKCS11Error):
                token = slot.get_token()
                if token.flags & TokenFlag.TOKEN_INITIALIZED:
                    found.append(_record(token))
        return tuple(found)


def is_ykcs11(token: TokenRecord) -> bool:
    """Whether Yubico's own module speaks."""
    return token.manufacturer.startswith("Yubico")


def is_software(manufacturer: str, model: str) -> bool:
    """Whether the token says of itself that it is a program."""
    return "softhsm" in manufacturer.lower() or "softhsm" in model.lower()


def open_session(record: TokenRecord, *, rw: bool = False) -> pkcs11.Session:
    """Open a session.

    Raises:
        DeviceFailed: The token would not.
    """
    with faults("opening the token"):
        return record.token.open(rw=rw)


def login(record: TokenRecord, pin: str | None) -> pkcs11.Session | None:
    """Log in.

    Args:
        record: The token.
        pin: None when the token asks for it itself, on its own keypad.

    Returns:
        The session that holds the login; None when another library of this process is logged in already.

    Raises:
        PinError: The PIN was refused, or the token takes none.
        DeviceFailed: The token would not.
    """
    try:
        with faults("logging in"):
            return record.token.open(user_pin=PROTECTED_AUTH if pin is None else pin)
    except DeviceFailed as error:
        if isinstance(error.__cause__, pkcs11.UserAlreadyLoggedIn):
            return None
        raise


def close(session: pkcs11.Session) -> None:
    """Close, and log out if this session logged in. The token may be gone; then there is nothing to close."""
    with suppress(pkcs11.PKCS11Error):
        session.close()


def find(session: pkcs11.Session, *, private: bool, label: str | None, key_id: bytes | None) -> list[ObjectRecord]:
    """The key objects that answer to a label and an id; None means any."""
    wanted: dict[Attribute, Any] = {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY if private else ObjectClass.PUBLIC_KEY,
    }
    if label is not None:
        wanted[Attribute.LABEL] = label
    if key_id is not None:
        wanted[Attribute.ID] = key_id
    with faults("looking for the key"):
        return [_object(found, private=private) for found in list(session.get_objects(wanted))]


def flag(record: ObjectRecord, attribute: Attribute) -> bool | None:
    """One boolean attribute; None when the token does not give it."""
    with faults("reading the key's attributes"):
        value = _read(record.object, attribute)
    return None if value is None else bool(value)


def certificates(session: pkcs11.Session, key_id: bytes) -> list[bytes]:
    """The X.509 certificates that are kept under a key's id, DER."""
    wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.ID: key_id}
    with faults("looking for certificates"):
        values = [_octets(_read(found, Attribute.VALUE)) for found in list(session.get_objects(wanted))]
    return [value for value in values if value is not None]


def generate(
    session: pkcs11.Session, *, label: str, key_id: bytes, params: bytes = P256, agree: bool = False
) -> tuple[ObjectRecord, ObjectRecord]:
    """Make a pair on the token. Everything that matters is said; modules' defaults differ.

    Args:
        session: A session that can write.
        label: CKA_LABEL of both halves.
        key_id: CKA_ID of both halves.
        params: CKA_EC_PARAMS: P256 or P384.
        agree: A key for key agreement, which does not sign; else the other way round.

    Returns:
        The private and the public object.
    """
    with faults("generating a key"):
        domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: params}, local=True)
        public, private = domain.generate_keypair(
            id=key_id,
            label=label,
            store=True,
            mechanism=Mechanism.EC_KEY_PAIR_GEN,
            capabilities=MechanismFlag.DERIVE if agree else MechanismFlag.SIGN | MechanismFlag.VERIFY,
            private_template={
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.SIGN: not agree,
                Attribute.DERIVE: agree,
                Attribute.DECRYPT: False,
                Attribute.UNWRAP: False,
            },
            public_template={
                Attribute.TOKEN: True,
                Attribute.PRIVATE: False,
                Attribute.VERIFY: not agree,
                Attribute.DERIVE: agree,
            },
        )
        return _object(private, private=True), _object(public, private=False)


def destroy(record: ObjectRecord) -> None:
    """Delete the object from the token."""
    with faults("deleting the key"):
        record.object.destroy()


def _record(token: pkcs11.Token) -> TokenRecord:
    return TokenRecord(
        label=token.label,
        serial=token.serial.decode("utf-8", "replace").strip("\0 "),
        manufacturer=token.manufacturer_id,
        model=token.model,
        pin_state=pin_state(token.flags),
        login_required=bool(token.flags & TokenFlag.LOGIN_REQUIRED),
        token=token,
        slot=token.slot.slot_id,
        own_keypad=bool(token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH),
    )


def pin_state(flags: int) -> PinState:
    """The worst thing the flags of CK_TOKEN_INFO say about the user PIN."""
    if flags & TokenFlag.USER_PIN_LOCKED:
        return PinState.LOCKED
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return PinState.FINAL_TRY
    if flags & TokenFlag.USER_PIN_COUNT_LOW:
        return PinState.COUNT_LOW
    return PinState.OK if flags & TokenFlag.USER_PIN_INITIALIZED else PinState.NOT_SET


def _object(found: Any, *, private: bool) -> ObjectRecord:
    kind = _KINDS.get(_read(found, Attribute.KEY_TYPE))
    return ObjectRecord(
        private=private,
        key_id=bytes(_read(found, Attribute.ID) or b""),
        label=str(_read(found, Attribute.LABEL) or ""),
        kind=kind,
        params=_octets(_read(found, Attribute.EC_PARAMS)) if kind == "ec" else None,
        point=_octets(_read(found, Attribute.EC_POINT)) if kind == "ec" else None,
        object=found,
        modulus=_octets(_read(found, Attribute.MODULUS)) if kind == "rsa" else None,
        exponent=_octets(_read(found, Attribute.PUBLIC_EXPONENT)) if kind == "rsa" else None,
    )


def _octets(value: Any) -> bytes | None:
    return bytes(value) if value else None


def _read(found: Any, attribute: Attribute) -> Any:
    try:
        return found[attribute]
    except (pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive, pkcs11.AttributeValueInvalid):
        return None
    except pkcs11.FunctionFailed:
        # Some modules say this for an attribute that the kind of object cannot have.
        return None
