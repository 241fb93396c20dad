# SPDX-License-Identifier: Apache-2.0
"""Asking a YubiKey about its keys while a PKCS#11 module works with it, which must not notice.

The module is logged in, and selecting the PIV application again, or a reset, would end that: the person would be asked
for the PIN anew. So nothing is selected as long as the card answers without, and it is not reset afterwards. Every
command here is one that wants no PIN and changes nothing. The card is found by its key: the serial number that a
module shows may be one of the module's own making (OpenSC takes it from the card holder's identifier).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from smartcard.Exceptions import NoCardException
from yubikit.core import Tlv
from yubikit.core.smartcard import SW, ApduError, SmartCardProtocol
from yubikit.piv import OBJECT_ID, decompress_certificate

from hwkeys.errors import DeviceFailed, DeviceMissing, HwKeyError, KeyMissing, Unsupported
from hwkeys.evidence.chain import read_certificate, spki_of
from hwkeys.evidence.piv import UsePolicy, policy_in, policy_of
from hwkeys.evidence.values import PivEvidence
from hwkeys.yubikey.card import Connection, faults, yubikey_readers

_T = TypeVar("_T")
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_PIV: Final = bytes.fromhex("a000000308")
_GET_DATA, _METADATA, _ATTEST, _VERSION = 0xCB, 0xF7, 0xF9, 0xFD
_POLICY, _PUBLIC = 0x02, 0x04
_POINT, _MODULUS = 0x86, 0x81
_TELLS_ALL: Final = bytes((5, 3))
"""The firmware that first knew GET METADATA."""
_HINT: Final = "it attests keys that were generated in it, with the key it left the factory with"


@dataclass(frozen=True, slots=True)
class _Card:
    """A YubiKey that somebody else may be logged in to.

    Attributes:
        protocol: yubikit's, with the PIV application selected.
        version: Of the firmware, three octets.
    """

    protocol: SmartCardProtocol
    version: bytes

    def attestation(self, slot: int) -> bytes | None:
        """The card's word for a slot's key, DER; None for an empty slot and for a key that was brought to it."""
        try:
            return self.protocol.send_apdu(0, _ATTEST, slot, 0)
        except ApduError:
            return None

    def issuer(self) -> bytes | None:
        """The certificate of the card's own attestation key, DER; None when it is gone."""
        try:
            wanted = Tlv(0x5C, OBJECT_ID.ATTESTATION.to_bytes(3))
            parts = Tlv.parse_dict(Tlv.unpack(0x53, self.protocol.send_apdu(0, _GET_DATA, 0x3F, 0xFF, wanted)))
        except ApduError:
            return None
        octets = parts.get(0x70, b"")
        return decompress_certificate(octets) if parts.get(0x71, b"\0") != b"\0" else octets or None

    def metadata(self, slot: int) -> dict[int, bytes] | None:
        """What it tells of a slot's key; None for an empty slot, and from a card that is too old to tell."""
        if self.version < _TELLS_ALL:
            return None
        try:
            return dict(Tlv.parse_dict(self.protocol.send_apdu(0, _METADATA, 0, slot)))
        except ApduError as error:
            if error.sw != SW.REFERENCE_DATA_NOT_FOUND:
                raise
        return None


def attestation(slot: int, public_key: PublicKey) -> PivEvidence:
    """What the card that holds a key says of it.

    Args:
        slot: PIV's number of the slot, 0x9a for one.
        public_key: The key's public half.

    Raises:
        Unsupported: The key was brought to the card, or the card's own attestation key is gone.
        KeyMissing: No YubiKey here holds it.
        HwKeyError: Anything the card can fail with.
    """

    def look(card: _Card) -> PivEvidence | None:
        told = card.metadata(slot)
        if told is not None and not _shows(told[_PUBLIC], public_key):
            return None
        leaf, issuer = card.attestation(slot), card.issuer()
        if told is None and (leaf is None or not _about(leaf, public_key)):
            return None
        if leaf is None or issuer is None:
            raise Unsupported(f"the YubiKey cannot attest its key in {slot:02x}", hint=_HINT)
        return PivEvidence((leaf, issuer)) if _about(leaf, public_key) else None

    return _first(look)


def policy(slot: int, public_key: PublicKey) -> UsePolicy | None:
    """When the card that holds a key wants its PIN and a touch.

    Args:
        slot: As for ``attestation``.
        public_key: The key's public half.

    Returns:
        None when the card does not tell: before firmware 5.3, of a key that was brought to it.

    Raises:
        KeyMissing: No YubiKey here holds it.
        HwKeyError: Anything the card can fail with.
    """

    def look(card: _Card) -> UsePolicy | None:
        told = card.metadata(slot)
        if told is not None:
            return policy_in(told[_POLICY]) if _shows(told[_PUBLIC], public_key) else None
        leaf = None if card.version >= _TELLS_ALL else card.attestation(slot)
        return policy_of(read_certificate(leaf)) if leaf is not None and _about(leaf, public_key) else None

    try:
        return _first(look)
    except KeyMissing:
        return None


def _first(look: Callable[[_Card], _T | None]) -> _T:
    with faults():
        found = yubikey_readers()
    trouble: HwKeyError | None = None
    for reader in found:
        try:
            with faults(), suppress(NoCardException), _beside(reader) as card:
                said = look(card)
                if said is not None:
                    return said
        except (DeviceMissing, DeviceFailed) as error:
            # Another program holds that one; the key may be in the next.
            trouble = error
    raise trouble or KeyMissing(
        "no YubiKey in a reader holds that key", hint="insert it, and see that no other program holds it"
    )


@contextmanager
def _beside(reader: Any) -> Iterator[_Card]:
    connection = Connection(reader, reset=False)
    try:
        protocol = SmartCardProtocol(connection)
        try:
            version = protocol.send_apdu(0, _VERSION, 0, 0)
        except ApduError:
            # Another application is selected, or none: nobody is at work with this one, so nobody loses a login.
            protocol.select(_PIV)
            version = protocol.send_apdu(0, _VERSION, 0, 0)
        yield _Card(protocol, version)
    finally:
        connection.close()


def _about(leaf: bytes, public_key: PublicKey) -> bool:
    return spki_of(read_certificate(leaf)) == spki_of(public_key)


def _shows(encoded: bytes, public_key: PublicKey) -> bool:
    parts = Tlv.parse_dict(encoded)
    if isinstance(public_key, rsa.RSAPublicKey):
        return int.from_bytes(parts.get(_MODULUS, b"")) == public_key.public_numbers().n
    return bool(parts.get(_POINT) == public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
