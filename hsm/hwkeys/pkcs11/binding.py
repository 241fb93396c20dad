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
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.util.ec import encode_named_curve_parameters

from hwkeys.devices import PinState
from hwkeys.errors import DeviceFailed, TokenRemoved, Unsupported
from hwkeys.pkcs11.faults import faults

P256 = bytes(encode_named_curve_parameters("secp256r1"))


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


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """A public or private key object. None stands for an attribute the token does not give."""

    private: bool
    key_id: bytes
    label: str
    is_ec: bool
    params: bytes | None
    point: bytes | None
    object: Any


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


def open_session(record: TokenRecord, *, pin: str | None = None, rw: bool = False) -> pkcs11.Session:
    """Open a session; with a PIN, log in.

    Raises:
        PinError: The PIN was refused, or the token takes none.
        DeviceFailed: The token would not.
    """
    with faults("logging in" if pin is not None else "opening the token"):
        return record.token.open(rw=rw, user_pin=pin)


def login(record: TokenRecord, pin: str) -> pkcs11.Session | None:
    """Log in.

    Returns:
        The session that holds the login; None when another library of this process is logged in already.
    """
    try:
        return open_session(record, pin=pin)
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


def sign(record: ObjectRecord, digest: bytes) -> bytes:
    """Raw CKM_ECDSA.

    Returns:
        r ‖ s, each as long as the curve's order.
    """
    if not hasattr(record.object, "sign"):
        # python-pkcs11 builds an object's class from what the token says of it: no CKA_SIGN, no method.
        raise Unsupported("the token says that this key does not sign", hint="generate a signing key")
    with faults("signing"):
        return bytes(record.object.sign(digest, mechanism=Mechanism.ECDSA))


def generate(session: pkcs11.Session, *, label: str, key_id: bytes) -> tuple[ObjectRecord, ObjectRecord]:
    """Make a P-256 signing pair on the token. Everything that matters is said; modules' defaults differ.

    Returns:
        The private and the public object.
    """
    with faults("generating a key"):
        domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: P256}, local=True)
        public, private = domain.generate_keypair(
            id=key_id,
            label=label,
            store=True,
            mechanism=Mechanism.EC_KEY_PAIR_GEN,
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
            private_template={
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.SIGN: True,
                Attribute.DERIVE: False,
                Attribute.DECRYPT: False,
                Attribute.UNWRAP: False,
            },
            public_template={Attribute.TOKEN: True, Attribute.PRIVATE: False, Attribute.VERIFY: True},
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
    return ObjectRecord(
        private=private,
        key_id=bytes(_read(found, Attribute.ID) or b""),
        label=str(_read(found, Attribute.LABEL) or ""),
        is_ec=_read(found, Attribute.KEY_TYPE) == KeyType.EC,
        params=_octets(_read(found, Attribute.EC_PARAMS)),
        point=_octets(_read(found, Attribute.EC_POINT)),
        object=found,
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
