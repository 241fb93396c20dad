# SPDX-License-Identifier: Apache-2.0
"""What PKCS#11 has no words for and a PIV card knows: what it says of a key made in it, and when it wants a touch.

Yubico's module shows the card's attestations as certificates beside the user's own, and that of the card's attestation
key under an id of its own: they are read like any other object. OpenSC shows neither. There the card itself is asked,
over PC/SC, beside the module (``hwkeys.yubikey.beside``, which needs the extra ``yubikey``).

All of it runs on the module's worker thread, so that nobody is at work with the card meanwhile.
"""

import importlib
from contextlib import suppress
from typing import Any, Final

import pkcs11

from hwkeys.errors import EvidenceRefused, HwKeyError, Unsupported
from hwkeys.evidence.chain import read_certificate, spki_of
from hwkeys.evidence.piv import UsePolicy, policy_of
from hwkeys.evidence.values import PivEvidence
from hwkeys.pkcs11 import binding
from hwkeys.pkcs11.binding import TokenRecord
from hwkeys.pkcs11.objects import PIV_ATTESTED, PublicKey

_OPENSC: Final = "piv_II"
_ATTESTATION_KEY: Final = b"\x19"
"""ykcs11's id for slot F9."""
_SLOTS: Final = {1: 0x9A, 2: 0x9C, 3: 0x9D, 4: 0x9E, **{number: 0x82 + number - 5 for number in range(5, 25)}}
"""CKA_ID → slot, the same in both modules; from 5 on the retired key management keys."""


def is_piv(record: TokenRecord) -> bool:
    """Whether the token is a PIV card, by the module's own word."""
    return record.manufacturer == _OPENSC or binding.is_ykcs11(record)


def is_the_cards_own(record: TokenRecord, key_id: bytes) -> bool:
    """Whether it is the key that attests others (slot F9): nobody can use it, so it is not listed."""
    return key_id == _ATTESTATION_KEY and binding.is_ykcs11(record)


def slot_of(record: TokenRecord, key_id: bytes | None) -> int | None:
    """PIV's number of a key's slot; None for a key on another kind of token."""
    if not is_piv(record) or key_id is None or len(key_id) != 1:
        return None
    return _SLOTS.get(key_id[0])


def attestation(session: pkcs11.Session, record: TokenRecord, key_id: bytes, public_key: PublicKey) -> PivEvidence:
    """What the card says of a key.

    Raises:
        Unsupported: It is no YubiKey, or the key was brought to it.
        ModuleMissing: OpenSC is the module, and the extra ``yubikey`` is not installed.
        HwKeyError: Anything the card can fail with.
    """
    slot = slot_of(record, key_id)
    if slot is None:
        raise Unsupported("this token does not attest its keys", hint="a YubiKey attests keys generated in it")
    if not binding.is_ykcs11(record):
        found: PivEvidence = _beside().attestation(slot, public_key)
        return found
    leaf = _shown(session, key_id, public_key)
    issuer = next(iter(binding.certificates(session, _ATTESTATION_KEY)), None)
    if leaf is None or issuer is None:
        raise Unsupported(
            f"the YubiKey cannot attest its key in {slot:02x}",
            hint="it attests keys that were generated in it, with the key it left the factory with",
        )
    return PivEvidence((leaf, issuer))


def policy(session: pkcs11.Session, record: TokenRecord, key_id: bytes | None, key: PublicKey) -> UsePolicy | None:
    """When the card wants its PIN and a touch for a key; None when it is no such card, or nobody here can ask it."""
    slot = slot_of(record, key_id)
    if slot is None or key_id is None:
        return None
    # What cannot be known must not keep a key from being used.
    with suppress(HwKeyError):
        if not binding.is_ykcs11(record):
            found: UsePolicy | None = _beside().policy(slot, key)
            return found
        leaf = _shown(session, key_id, key)
        return None if leaf is None else policy_of(read_certificate(leaf))
    return None


def _shown(session: pkcs11.Session, key_id: bytes, public_key: PublicKey) -> bytes | None:
    """The attestation of a key among the certificates under its id."""
    for octets in binding.certificates(session, key_id):
        with suppress(EvidenceRefused):
            certificate = read_certificate(octets)
            attests = any(extension.oid == PIV_ATTESTED for extension in certificate.extensions)
            if attests and spki_of(certificate) == spki_of(public_key):
                return octets
    return None


def _beside() -> Any:
    # Loads pyscard and yubikit, if they are installed; says so itself if they are not.
    return importlib.import_module("hwkeys.yubikey.beside")
