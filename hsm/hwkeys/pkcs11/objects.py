# SPDX-License-Identifier: Apache-2.0
"""Which objects on a token make up one key, and whether they are what they should be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pkcs11
from asn1crypto.core import OctetString
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute

from hwkeys.devices import KeyInfo
from hwkeys.errors import Ambiguous, KeyMissing, KeyNotAsAsked
from hwkeys.pkcs11 import binding
from hwkeys.pkcs11.binding import ObjectRecord
from hwkeys.uri import Pkcs11Uri

_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("06052b81040022"): ec.SECP384R1(),
    bytes.fromhex("06052b81040023"): ec.SECP521R1(),
}
_UNCOMPRESSED = 0x04

# What a key must say of itself: (attribute, value). The first block always, the second when it was just made here.
KEEPS = ((Attribute.SENSITIVE, True), (Attribute.EXTRACTABLE, False))
BORN_HERE = ((Attribute.ALWAYS_SENSITIVE, True), (Attribute.NEVER_EXTRACTABLE, True), (Attribute.LOCAL, True))


@dataclass(frozen=True, slots=True)
class Pair:
    """One key: what can be seen of it. Before the login only the public half can."""

    key_id: bytes
    label: str
    public: ObjectRecord | None
    private: ObjectRecord | None


def pairs(session: pkcs11.Session, uri: Pkcs11Uri) -> list[Pair]:
    """The elliptic-curve keys that answer to the URI's object and id. Halves are joined by id, else by label."""
    found: dict[tuple[bytes, str], Pair] = {}
    for private in (False, True):
        for record in binding.find(session, private=private, label=uri.object, key_id=uri.id):
            if not record.is_ec:
                continue
            name = (record.key_id, "" if record.key_id else record.label)
            pair = found.get(name, Pair(record.key_id, record.label, None, None))
            found[name] = replace(pair, private=record) if private else replace(pair, public=record)
    return list(found.values())


def the_one(found: Sequence[Pair], uri: Pkcs11Uri, device: Pkcs11Uri) -> Pair:
    """The key a URI names.

    Raises:
        KeyMissing: None answers.
        Ambiguous: More than one does; all are listed.
    """
    if not found:
        raise KeyMissing(f"no elliptic-curve key answers to {replace(uri, pin_source=None)}")
    if len(found) > 1:
        raise Ambiguous(
            f"{len(found)} keys answer to that name", candidates=tuple(str(exact(device, pair)) for pair in found)
        )
    return found[0]


def exact(device: Pkcs11Uri, pair: Pair) -> Pkcs11Uri:
    """Names exactly this key."""
    return replace(device, object=pair.label or None, id=pair.key_id or None)


def public_key(pair: Pair) -> ec.EllipticCurvePublicKey | None:
    """The public half; None when the token does not show it (yet).

    Raises:
        KeyNotAsAsked: It is on a curve that is not supported, or not on its curve.
    """
    for record in (pair.public, pair.private):
        if record is not None and record.params is not None and record.point is not None:
            return decode_point(record.params, record.point)
    return None


def need_public_key(pair: Pair) -> ec.EllipticCurvePublicKey:
    """The public half.

    Raises:
        KeyMissing: The token does not show it.
        KeyNotAsAsked: It is on a curve that is not supported, or not on its curve.
    """
    found = public_key(pair)
    if found is None:
        raise KeyMissing("the token does not show the public half of the key", hint="store it on the token too")
    return found


def decode_point(params: bytes, point: bytes) -> ec.EllipticCurvePublicKey:
    """Read CKA_EC_PARAMS and CKA_EC_POINT.

    PKCS#11 wants the point wrapped in a DER OCTET STRING; some modules give it bare.

    Raises:
        KeyNotAsAsked: Not a NIST curve, or the point is not on it.
    """
    curve = _CURVES.get(params)
    if curve is None:
        raise KeyNotAsAsked("the key is on a curve that is not supported", hint="P-256, P-384 and P-521 are")
    bare_length = 1 + 2 * ((curve.key_size + 7) // 8)
    try:
        if not (len(point) == bare_length and point[0] == _UNCOMPRESSED):
            point = OctetString.load(point, strict=True).native
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except (ValueError, TypeError) as error:
        raise KeyNotAsAsked("the token's public key is not a point of its curve") from error


def refuse_unprotected(record: ObjectRecord, *, just_made: bool) -> None:
    """Read back what the token says of a private key.

    Raises:
        KeyNotAsAsked: It could leave the token, or was not made there although it should just have been.
    """
    for attribute, wanted in KEEPS + (BORN_HERE if just_made else ()):
        told = binding.flag(record, attribute)
        if told is not wanted:
            said = "does not say" if told is None else f"says {str(told).upper()}"
            raise KeyNotAsAsked(f"CKA_{attribute.name} must be {str(wanted).upper()}; the token {said}")


def key_info(device: Pkcs11Uri, pair: Pair) -> KeyInfo:
    """The key as a list shows it."""
    try:
        public = public_key(pair)
    except KeyNotAsAsked:
        public = None
    kind = "unknown" if public is None else f"EC P-{public.key_size}"
    return KeyInfo(uri=str(exact(device, pair)), label=pair.label, key_id=pair.key_id, kind=kind)
