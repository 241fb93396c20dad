# SPDX-License-Identifier: Apache-2.0
"""What a private key object is asked to do. Runs on the module's worker thread, like ``binding``.

python-pkcs11 gives an object the methods that its attributes promise: a key that says CKA_SIGN is FALSE has no
``sign``. That is the token's word and it counts, with one exception: ykcs11 says CKA_DERIVE is FALSE of keys that
derive, so the slot's number is taken for it (see ``derives``).
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes
from pkcs11 import MGF, Attribute, KeyType, Mechanism
from pkcs11.constants import DEFAULT
from pkcs11.mechanisms import KDF

from hwkeys.errors import DeviceFailed, Unsupported
from hwkeys.pkcs11 import binding
from hwkeys.pkcs11.binding import ObjectRecord, TokenRecord
from hwkeys.pkcs11.faults import faults

_HASHES = {
    "sha256": (Mechanism.SHA256, MGF.SHA256, bytes.fromhex("3031300d060960864801650304020105000420")),
    "sha384": (Mechanism.SHA384, MGF.SHA384, bytes.fromhex("3041300d060960864801650304020205000430")),
    "sha512": (Mechanism.SHA512, MGF.SHA512, bytes.fromhex("3051300d060960864801650304020305000440")),
}
# What is agreed on lives as long as it takes to read it. It has neither id nor label, which python-pkcs11 would give it
# empty, and which SoftHSM would encrypt.
_READABLE = {
    Attribute.SENSITIVE: False,
    Attribute.EXTRACTABLE: True,
    Attribute.TOKEN: False,
    Attribute.ID: DEFAULT,
    Attribute.LABEL: DEFAULT,
}
# The method that python-pkcs11 gives to objects that say CKA_DERIVE is TRUE.
_derive_key = importlib.import_module("pkcs11._pkcs11").DeriveMixin.derive_key
# CKA_ID of PIV's slots in ykcs11: 9a 1, 9c 2, 9d 3, 9e 4, then the twenty retired key management keys.
_PIV_AGREEMENT = frozenset({3, *range(5, 25)})


def derives(token: TokenRecord, record: ObjectRecord) -> bool:
    """Whether the key agrees.

    ykcs11 2.2 says CKA_DERIVE is FALSE, and CKA_SIGN is TRUE, of every key. On a PIV card the slot is the purpose.
    """
    if binding.is_ykcs11(token):
        return record.kind == "ec" and len(record.key_id) == 1 and record.key_id[0] in _PIV_AGREEMENT
    return record.kind == "ec" and binding.flag(record, Attribute.DERIVE) is True


def asks_each_time(record: ObjectRecord) -> bool:
    """Whether the token wants its PIN for every single use of the key (PIV's slot 9c)."""
    return binding.flag(record, Attribute.ALWAYS_AUTHENTICATE) is True


def sign_ec(record: ObjectRecord, digest: bytes, pin: str | None = None) -> bytes:
    """Raw CKM_ECDSA.

    Returns:
        r ‖ s, each as long as the curve's order.
    """
    return _sign(record, digest, pin, mechanism=Mechanism.ECDSA)


def sign_pkcs1(record: ObjectRecord, digest: bytes, algorithm: hashes.HashAlgorithm, pin: str | None = None) -> bytes:
    """RSASSA-PKCS1-v1_5: the DigestInfo (RFC 8017 §9.2) is made here, the padding there."""
    return _sign(record, _HASHES[algorithm.name][2] + digest, pin, mechanism=Mechanism.RSA_PKCS)


def sign_pss(
    record: ObjectRecord, digest: bytes, algorithm: hashes.HashAlgorithm, salt: int, pin: str | None = None
) -> bytes:
    """RSASSA-PSS with MGF1 over the same hash.

    Args:
        record: The private key.
        digest: Of the algorithm's size.
        algorithm: SHA-256, SHA-384 or SHA-512.
        salt: Octets of salt, which the token draws.
        pin: For a key that wants it each time.
    """
    name, mask, _info = _HASHES[algorithm.name]
    return _sign(record, digest, pin, mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=(name, mask, salt))


def _sign(record: ObjectRecord, data: bytes, pin: str | None, **how: Any) -> bytes:
    if not hasattr(record.object, "sign"):
        raise Unsupported("the token says that this key does not sign", hint="use a signing key")
    with faults("signing"):
        return bytes(record.object.sign(data, pin=pin, **how))


def agree(record: ObjectRecord, point: bytes, size: int) -> bytes:
    """CKM_ECDH1_DERIVE with the null key derivation function.

    The point goes bare: SoftHSM alone takes it in a DER OCTET STRING. The result is an object of the session, made
    readable, read, and destroyed: modules keep it until the session ends otherwise.

    Args:
        record: The private key.
        point: The other side's, uncompressed.
        size: Octets of the x coordinate.

    Returns:
        The x coordinate.
    """
    derive: Callable[..., Any] = getattr(record.object, "derive_key", partial(_derive_key, record.object))
    with faults("agreeing on a key"):
        secret = derive(
            KeyType.GENERIC_SECRET,
            size * 8,
            mechanism=Mechanism.ECDH1_DERIVE,
            mechanism_param=(KDF.NULL, None, point),
            template=_READABLE,
        )
        try:
            value = bytes(secret[Attribute.VALUE])
        finally:
            secret.destroy()
    if len(value) != size:
        raise DeviceFailed(f"the token agreed on {len(value)} octets instead of {size}")
    return value
