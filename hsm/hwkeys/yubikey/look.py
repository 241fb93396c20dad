# SPDX-License-Identifier: Apache-2.0
"""Looking at a YubiKey: what is on it, and what it says of its keys. No PIN is needed, nothing is changed."""

from contextlib import suppress

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yubikit.core import Tlv
from yubikit.piv import SLOT

from hwkeys.errors import KeyMissing, Unsupported
from hwkeys.evidence.piv import PinPolicy, TouchPolicy
from hwkeys.evidence.values import PivEvidence
from hwkeys.yubikey.card import SLOTS, Card, open_card
from hwkeys.yubikey.state import ManagementKey, Slot, SlotState, YubiKeyState

PIVMAN_DATA = 0x5FFF00
"""Where yubikey-manager notes how a card is managed: 80 { 81 flags, … }."""
PROTECTED_FLAG = 0x02
FLAGS = 0x81


def describe(serial: int | None = None) -> YubiKeyState:
    """What is on a YubiKey, and which of the factory's secrets it still has.

    Args:
        serial: As printed on it; None for the only one there is.

    Raises:
        DeviceMissing: It is not there.
        Ambiguous: None was named and there are several.
        Unsupported: It is too old to tell.
        HwKeyError: Anything the card can fail with.
    """
    with open_card(serial) as card:
        return read_state(card)


def attest(serial: int | None, slot: Slot) -> PivEvidence:
    """What the card says of a slot's key, for ``hwkeys.evidence.verify_piv_attestation``.

    Raises:
        KeyMissing: The slot is empty.
        Unsupported: The key was brought to the card, or the card's own attestation key is gone.
        HwKeyError: As for ``describe``.
    """
    with open_card(serial) as card:
        return evidence(card, slot)


def attest_key(serial: int | None, public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> PivEvidence:
    """The same for a key that was opened by other means: the slot is found by the public key.

    Raises:
        KeyMissing: No slot has this key.
        HwKeyError: As for ``attest``.
    """
    wanted = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with open_card(serial) as card:
        for slot in Slot:
            if slot_state(card, slot).public_key == wanted:
                return evidence(card, slot)
    raise KeyMissing("this YubiKey does not hold that key in 9a or 9d")


def evidence(card: Card, slot: Slot) -> PivEvidence:
    """The attestation of a slot's key, and the certificate of the key that signed it."""
    key = card.key(SLOTS[slot])
    if key is None:
        raise KeyMissing(f"the YubiKey's slot {slot.value:02x} is empty")
    issuer = card.certificate(SLOT.ATTESTATION)
    if not key.generated or not isinstance(issuer, x509.Certificate):
        raise Unsupported(
            f"the YubiKey cannot attest its key in {slot.value:02x}",
            hint="it attests keys that were generated in it, with the key it left the factory with",
        )
    certificates = card.session.attest_key(SLOTS[slot]), issuer
    return PivEvidence(tuple(each.public_bytes(Encoding.DER) for each in certificates))


def read_state(card: Card) -> YubiKeyState:
    """Everything, in one go."""
    pin, puk = card.session.get_pin_metadata(), card.session.get_puk_metadata()
    if card.session.get_management_key_metadata().default_value:
        management = ManagementKey.FACTORY
    elif flags(card) & PROTECTED_FLAG:
        management = ManagementKey.PROTECTED
    else:
        management = ManagementKey.OTHER
    return YubiKeyState(
        serial=card.serial,
        firmware=str(card.session.version),
        pin_is_default=pin.default_value,
        pin_tries=pin.attempts_remaining,
        puk_is_default=puk.default_value,
        puk_tries=puk.attempts_remaining,
        management=management,
        attests=isinstance(card.certificate(SLOT.ATTESTATION), x509.Certificate),
        slots=tuple(slot_state(card, slot) for slot in Slot),
    )


def slot_state(card: Card, slot: Slot) -> SlotState:
    """What is in one slot."""
    certificate, key = card.certificate(SLOTS[slot]), card.key(SLOTS[slot])
    octets = certificate.public_bytes(Encoding.DER) if isinstance(certificate, x509.Certificate) else certificate
    if key is None:
        return SlotState(slot, certificate=octets)
    public = key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SlotState(
        slot,
        kind=key.key_type.name,
        generated=key.generated,
        pin_policy=PinPolicy(key.pin_policy),
        touch_policy=TouchPolicy(key.touch_policy),
        public_key=public,
        certificate=octets,
        provisional=isinstance(certificate, x509.Certificate) and _is_attestation(card, certificate, public),
    )


def _is_attestation(card: Card, certificate: x509.Certificate, public: bytes) -> bool:
    """Whether the card's own attestation key signed it, about the key that is in the slot."""
    issuer = card.certificate(SLOT.ATTESTATION)
    if not isinstance(issuer, x509.Certificate):
        return False
    with suppress(ValueError, TypeError, InvalidSignature):
        certificate.verify_directly_issued_by(issuer)
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public
    return False


def pivman(card: Card) -> dict[int, bytes]:
    """yubikey-manager's notes, by tag; those that cannot be read are none."""
    octets = card.object(PIVMAN_DATA) or b""
    with suppress(ValueError):
        return dict(Tlv.parse_dict(Tlv.unpack(0x80, octets))) if octets else {}
    return {}


def flags(card: Card) -> int:
    """yubikey-manager's flags; 0 when it has noted none."""
    return int.from_bytes(pivman(card).get(FLAGS, b""))
