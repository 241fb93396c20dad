# SPDX-License-Identifier: Apache-2.0
"""Judging a YubiKey's PIV attestation: "this key was generated in this card, and is used under these rules".

The card signs such a certificate for each key that it generated, never for one that was imported, with a key (slot F9)
whose certificate the maker issued. What it says stands in extensions below 1.3.6.1.4.1.41482.3, as bare octets:
.3 firmware (three), .7 serial (an INTEGER), .8 PIN and touch policy (two), .9 form factor (one).

There is no nonce: an attestation is public and can be shown by anybody. That the key's holder is at the other end is
for the caller to prove, by a signature of that key over something fresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hwkeys.errors import EvidenceRefused
from hwkeys.evidence.chain import spki_of, verify_chain
from hwkeys.evidence.der import INTEGER, wrap
from hwkeys.evidence.values import PivEvidence

_ARC = "1.3.6.1.4.1.41482.3."
_FIRMWARE, _SERIAL, _POLICY, _FORM_FACTOR = (_ARC + last for last in ("3", "7", "8", "9"))
_FORM_FACTORS = 0x3F
_MAX_SERIAL = 2**63
_ROCA_FROM, _ROCA_FIXED = (4, 2, 6), (4, 3, 5)


class PinPolicy(Enum):
    """When the card wants its PIN for this key."""

    NEVER = 1
    ONCE = 2
    ALWAYS = 3
    MATCH_ONCE = 4
    """A fingerprint, or the PIN."""
    MATCH_ALWAYS = 5


class TouchPolicy(Enum):
    """When the card wants to be touched for this key."""

    NEVER = 1
    ALWAYS = 2
    CACHED = 3
    """Once in fifteen seconds."""


@dataclass(frozen=True, slots=True)
class UsePolicy:
    """What a card asks for when a key is used.

    Attributes:
        pin: When it wants its PIN.
        touch: When it wants to be touched.
    """

    pin: PinPolicy
    touch: TouchPolicy


class FormFactor(Enum):
    """What the card looks like."""

    UNKNOWN = 0
    USB_A_KEYCHAIN = 1
    USB_A_NANO = 2
    USB_C_KEYCHAIN = 3
    USB_C_NANO = 4
    USB_C_LIGHTNING = 5
    USB_A_BIO = 6
    USB_C_BIO = 7


@dataclass(frozen=True, slots=True)
class PivAttestation:
    """What was proved.

    Attributes:
        model: "YubiKey 5" and so on.
        firmware: "5.4.3".
        serial: As printed on the card; None when the card keeps it to itself.
        pin_policy: When the PIN is wanted.
        touch_policy: When a touch is wanted.
        form_factor: None before firmware 5.
    """

    model: str
    firmware: str
    serial: int | None
    pin_policy: PinPolicy
    touch_policy: TouchPolicy
    form_factor: FormFactor | None


def verify_piv_attestation(
    evidence: PivEvidence,
    *,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> PivAttestation:
    """Judge.

    The checks, in this order; a code for each:

    1. ``evidence-malformed``, ``chain-…``: as in ``hwkeys.evidence.chain``; between the card and the root there may be
       authorities.
    2. ``key-mismatch``: the attested key is the identity's.
    3. ``piv-firmware``: the firmware's version is there, and its RSA keys are not the weak ones of 2017.
    4. ``piv-policy``: PIN and touch policy are there and known.
    5. ``piv-serial``: a serial, if there is one, is a positive INTEGER.
    6. ``piv-form-factor``: a form factor, if there is one, is one octet.

    Args:
        evidence: As received.
        public_key: The identity's key.
        roots: The makers' roots that the caller trusts.
        at: The time, with its zone.

    Raises:
        EvidenceRefused: With the code of the check.
    """
    leaf = verify_chain(evidence.certificates, roots=roots, at=at)[0]
    if spki_of(leaf) != spki_of(public_key):
        raise EvidenceRefused("the card attests another key", code="key-mismatch")
    said = _said(leaf)
    firmware = _firmware(said.get(_FIRMWARE, b""), public_key)
    policy = policy_in(said.get(_POLICY, b""))
    return PivAttestation(
        model=f"YubiKey {firmware[0]}",
        firmware=".".join(str(part) for part in firmware),
        serial=_serial(said.get(_SERIAL)),
        pin_policy=policy.pin,
        touch_policy=policy.touch,
        form_factor=_form_factor(said.get(_FORM_FACTOR)),
    )


def policy_of(attestation: x509.Certificate) -> UsePolicy:
    """What an attestation says of the key's use. Nobody has judged it: to be shown to the card's own holder, no more.

    Raises:
        EvidenceRefused: ``piv-policy``: it says nothing known.
    """
    return policy_in(_said(attestation).get(_POLICY, b""))


def policy_in(octets: bytes) -> UsePolicy:
    """The same from the two octets, as the card itself tells them.

    Raises:
        EvidenceRefused: ``piv-policy``.
    """
    try:
        pin, touch = octets
        return UsePolicy(PinPolicy(pin), TouchPolicy(touch))
    except ValueError as error:
        raise EvidenceRefused("the attestation names no known PIN and touch policy", code="piv-policy") from error


def _said(leaf: x509.Certificate) -> dict[str, bytes]:
    return {
        extension.oid.dotted_string: extension.value.value
        for extension in leaf.extensions
        if isinstance(extension.value, x509.UnrecognizedExtension)
    }


def _firmware(octets: bytes, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> tuple[int, int, int]:
    if len(octets) != 3:  # noqa: PLR2004 - major, minor, patch
        raise EvidenceRefused("the attestation names no firmware version", code="piv-firmware")
    version = (octets[0], octets[1], octets[2])
    if isinstance(key, rsa.RSAPublicKey) and _ROCA_FROM <= version < _ROCA_FIXED:
        raise EvidenceRefused("cards of this firmware generate weak RSA keys", code="piv-firmware")
    return version


def _serial(octets: bytes | None) -> int | None:
    if octets is None:
        return None
    # Compared with the one DER form of the number (X.690 §8.3): the shortest, and positive.
    serial = int.from_bytes(octets[2:])
    if not 1 <= serial <= _MAX_SERIAL or octets != wrap(INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1)):
        raise EvidenceRefused("the attestation's serial number is not one", code="piv-serial")
    return serial


def _form_factor(octets: bytes | None) -> FormFactor | None:
    if octets is None:
        return None
    if len(octets) != 1:
        raise EvidenceRefused("the attestation's form factor is not one", code="piv-form-factor")
    # The two highest bits tell of FIPS and of Security Keys; a shape that came later is not a reason to refuse.
    shape = octets[0] & _FORM_FACTORS
    return FormFactor(shape) if shape in {each.value for each in FormFactor} else FormFactor.UNKNOWN
