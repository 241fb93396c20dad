# SPDX-License-Identifier: Apache-2.0
"""Which objects on a token make up one key, and whether they are what they should be."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pkcs11
from asn1crypto.core import OctetString
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute

from hwkeys.devices import KeyInfo
from hwkeys.errors import Ambiguous, KeyMissing, KeyNotAsAsked
from hwkeys.evidence.der import BITS, SEQUENCE, wrap
from hwkeys.pkcs11 import binding
from hwkeys.pkcs11.binding import ObjectRecord
from hwkeys.purpose import Purpose
from hwkeys.uri import Pkcs11Uri

_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("06052b81040022"): ec.SECP384R1(),
    bytes.fromhex("06052b81040023"): ec.SECP521R1(),
}
_NAMES = frozenset(curve.name for curve in _CURVES.values())
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
_UNCOMPRESSED = 0x04

PIV_ATTESTED = x509.ObjectIdentifier("1.3.6.1.4.1.41482.3.3")
_RSA_MIN, _RSA_MAX = 2048, 4096
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# What a key must say of itself: (attribute, value). The first block always, the second when it was just made here.
KEEPS = ((Attribute.SENSITIVE, True), (Attribute.EXTRACTABLE, False))
BORN_HERE = ((Attribute.ALWAYS_SENSITIVE, True), (Attribute.NEVER_EXTRACTABLE, True), (Attribute.LOCAL, True))


@dataclass(frozen=True, slots=True)
class Pair:
    """One key: what can be seen of it. Before the login only the public half can; its label is the pair's."""

    key_id: bytes
    label: str
    public: ObjectRecord | None
    private: ObjectRecord | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the halves that are seen."""
        return tuple(half.label for half in (self.public, self.private) if half is not None)


def pairs(session: pkcs11.Session, uri: Pkcs11Uri) -> list[Pair]:
    """The keys that answer to the URI's object and id. Halves are joined by id, else by label.

    A card may give the two halves of a key two labels: whichever was named, both are found. Two halves of one kind
    under one id are two keys, and both are given.
    """
    if uri.id is not None or uri.object is None:
        found = [r for private in (False, True) for r in _records(session, private=private, key_id=uri.id)]
        return [pair for pair in _joined(found) if uri.object in (None, *pair.labels)]
    named = [r for private in (False, True) for r in _records(session, private=private, label=uri.object)]
    whole = _joined(named)
    if all(pair.public is not None and pair.private is not None for pair in whole):
        return whole
    found = [record for record in named if not record.key_id]
    for key_id in dict.fromkeys(record.key_id for record in named if record.key_id):
        found += [r for private in (False, True) for r in _records(session, private=private, key_id=key_id)]
    return [pair for pair in _joined(found) if uri.object in pair.labels]


def _records(
    session: pkcs11.Session, *, private: bool, label: str | None = None, key_id: bytes | None = None
) -> list[ObjectRecord]:
    found = binding.find(session, private=private, label=label, key_id=key_id)
    return [record for record in found if record.kind is not None]


def _joined(records: Iterable[ObjectRecord]) -> list[Pair]:
    found: list[Pair] = []
    for record in records:
        at = next((at for at, pair in enumerate(found) if _lacks(pair, record)), None)
        if at is None:
            found.append(Pair(record.key_id, record.label, None, None))
            at = -1
        found[at] = replace(found[at], private=record) if record.private else replace(found[at], public=record)
    return found


def _lacks(pair: Pair, record: ObjectRecord) -> bool:
    """Whether a pair is one of this id, else of this label, and its half of this kind is still missing."""
    same = pair.key_id == record.key_id and (bool(record.key_id) or pair.label == record.label)
    return same and (pair.private if record.private else pair.public) is None


def the_one(found: Sequence[Pair], uri: Pkcs11Uri, device: Pkcs11Uri) -> Pair:
    """The key a URI names.

    Raises:
        KeyMissing: None answers.
        Ambiguous: More than one does; all are listed.
    """
    if not found:
        raise KeyMissing(f"no key answers to {replace(uri, pin_source=None)}")
    if len(found) > 1:
        raise Ambiguous(
            f"{len(found)} keys answer to that name", candidates=tuple(str(exact(device, pair)) for pair in found)
        )
    return found[0]


def exact(device: Pkcs11Uri, pair: Pair) -> Pkcs11Uri:
    """Names exactly this key."""
    return replace(device, object=pair.label or None, id=pair.key_id or None)


def public_key(pair: Pair) -> PublicKey | None:
    """The public half; None when the token does not show it (yet).

    Raises:
        KeyNotAsAsked: It is on a curve that is not supported, not on its curve, or no RSA key of a size in use.
    """
    for record in (pair.public, pair.private):
        if record is None:
            continue
        if record.params is not None and record.point is not None:
            return decode_point(record.params, record.point)
        if record.modulus is not None and record.exponent is not None:
            return decode_rsa(record.modulus, record.exponent)
    return None


def need_public_key(pair: Pair) -> PublicKey:
    """The public half.

    Raises:
        KeyMissing: The token does not show it.
        KeyNotAsAsked: See ``public_key``.
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
        return _decode_spelt_out(params, point)
    bare_length = 1 + 2 * ((curve.key_size + 7) // 8)
    try:
        if not (len(point) == bare_length and point[0] == _UNCOMPRESSED):
            point = OctetString.load(point, strict=True).native
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except (ValueError, TypeError) as error:
        raise KeyNotAsAsked("the token's public key is not a point of its curve") from error


def _decode_spelt_out(params: bytes, point: bytes) -> ec.EllipticCurvePublicKey:
    """The same for a curve that is written out in full, as ykcs11 does it for a key that was brought to the card.

    cryptography takes exactly the three curves in that form: every number is compared, the base point too.
    """
    candidates = [point]
    with suppress(ValueError, TypeError):
        candidates.append(OctetString.load(point, strict=True).native)
    for bare in candidates:
        with suppress(ValueError, UnsupportedAlgorithm):
            algorithm = wrap(SEQUENCE, _EC_PUBLIC_KEY, params)
            found = load_der_public_key(wrap(SEQUENCE, algorithm, wrap(BITS, b"\0", bare)))
            if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name in _NAMES:
                return found
    raise KeyNotAsAsked("the key is on a curve that is not supported", hint="P-256, P-384 and P-521 are")


def decode_rsa(modulus: bytes, exponent: bytes) -> rsa.RSAPublicKey:
    """Read CKA_MODULUS and CKA_PUBLIC_EXPONENT.

    Raises:
        KeyNotAsAsked: Not 2048 to 4096 bits, or no RSA key.
    """
    n, e = int.from_bytes(modulus), int.from_bytes(exponent)
    if not _RSA_MIN <= n.bit_length() <= _RSA_MAX:
        raise KeyNotAsAsked(f"the RSA key has {n.bit_length()} bits", hint="2048 to 4096 are supported")
    try:
        return rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError as error:
        raise KeyNotAsAsked("the token's public key is no RSA key") from error


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


def certificate_of(public: PublicKey, found: Iterable[bytes]) -> x509.Certificate | None:
    """The certificate of this key among some.

    Passed over are those of other keys, those that cannot be read (whoever can write to a token may have put anything
    there), and the token's own word about the key, which ykcs11 shows under the same id.
    """
    for octets in found:
        try:
            certificate = x509.load_der_x509_certificate(octets)
            attested = any(extension.oid == PIV_ATTESTED for extension in certificate.extensions)
            if not attested and certificate.public_key() == public:
                return certificate
        except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
            continue
    return None


def key_info(
    device: Pkcs11Uri, pair: Pair, certificates: Iterable[bytes] = (), purpose: Purpose = Purpose.SIGN
) -> KeyInfo:
    """The key as a list shows it."""
    try:
        public = public_key(pair)
    except KeyNotAsAsked:
        public = None
    certificate = None
    if public is None:
        kind = "unknown"
    else:
        certificate = certificate_of(public, certificates)
        kind = f"RSA {public.key_size}" if isinstance(public, rsa.RSAPublicKey) else f"EC P-{public.key_size}"
    return KeyInfo(
        uri=str(exact(device, pair)),
        label=pair.label,
        key_id=pair.key_id,
        kind=kind,
        purpose=purpose,
        certificate=_subject(certificate),
    )


def _subject(certificate: x509.Certificate | None) -> str | None:
    try:
        return None if certificate is None else certificate.subject.rfc4514_string()
    except ValueError:
        return ""
