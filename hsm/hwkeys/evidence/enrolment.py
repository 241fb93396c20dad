# SPDX-License-Identifier: Apache-2.0
"""The authority's side of enrolling a TPM: is this attestation key in the same TPM as that endorsement key?

The maker certified an endorsement key, which only decrypts. So the authority encrypts a secret that the TPM gives out
only if it also holds the attestation key of the given Name (TPM2_MakeCredential, done here in software, and
TPM2_ActivateCredential, done by the TPM). Whoever brings the secret back has both in one TPM, and the authority may
certify the attestation key::

    endorsement = verify_endorsement(certificates, roots=makers, at=now)
    challenge = make_credential(endorsement.certificate, attestation_public, secret)    # send; keep the secret
    …the device answers with the secret: compare, then certify the attestation key…

Algorithms: TPM 2.0 Library, part 1 §24 (credential protection), annex B.10.4 and C.6.1; part 1 §11.4.10 (KDFa, KDFe).
"""

import hashlib
import hmac
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.modes import CFB  # what the TPM uses
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from hwkeys.errors import EvidenceRefused, KeyNotAsAsked
from hwkeys.evidence.chain import verify_chain
from hwkeys.evidence.maker import Maker, maker_of
from hwkeys.tpm.public import ATTESTING, PublicArea, decode_public

ENDORSEMENT_PURPOSE = x509.ObjectIdentifier("2.23.133.8.1")
"""tcg-kp-EKCertificate."""

MAX_SECRET = 32
"""Octets; an endorsement key named by SHA-256 takes no more."""

_RSA_2048, _RSA_3072 = 2048, 3072


@dataclass(frozen=True, slots=True)
class Endorsement:
    """A TPM that its maker vouches for.

    Attributes:
        certificate: The endorsement key's.
        maker: Who made it; None when the certificate does not tell.
    """

    certificate: x509.Certificate
    maker: Maker | None


@dataclass(frozen=True, slots=True)
class Challenge:
    """What ``TPM2_ActivateCredential`` takes.

    Attributes:
        credential: TPM2B_ID_OBJECT, its size included.
        secret: TPM2B_ENCRYPTED_SECRET, its size included.
    """

    credential: bytes
    secret: bytes


def verify_endorsement(
    certificates: Sequence[bytes], *, roots: Sequence[x509.Certificate], at: datetime
) -> Endorsement:
    """Judge an endorsement key's certificate.

    1. ``evidence-malformed``, ``chain-…``: it leads to a maker's root, as in ``hwkeys.evidence.chain``.
    2. ``tpm-endorsement-key``: it is one for an endorsement key.

    Args:
        certificates: DER; the endorsement key's first.
        roots: The makers' roots that the caller trusts.
        at: The time, with its zone.

    Raises:
        EvidenceRefused: With the code of the check.
    """
    leaf = verify_chain(certificates, roots=roots, at=at)[0]
    purposes = [each.value for each in leaf.extensions if isinstance(each.value, x509.ExtendedKeyUsage)]
    if not any(ENDORSEMENT_PURPOSE in purpose for purpose in purposes):
        raise EvidenceRefused("the certificate is not one for an endorsement key", code="tpm-endorsement-key")
    return Endorsement(leaf, maker_of(leaf))


def read_attestation_key(public: bytes) -> PublicArea:
    """Read the public area of a key that wants to be certified as an attestation key.

    Only a restricted signing key will do: an unrestricted one would sign a statement that its owner made up.

    Args:
        public: TPMT_PUBLIC.

    Raises:
        EvidenceRefused: ``tpm-attestation-key``.
    """
    try:
        area = decode_public(public)
        area.public_key()
    except KeyNotAsAsked as error:
        raise EvidenceRefused(error.message, code="tpm-attestation-key") from error
    if area.attributes != ATTESTING or not area.ecdsa or area.storage or area.policy:
        raise EvidenceRefused("the key is not a restricted signing key of its TPM", code="tpm-attestation-key")
    return area


def make_credential(endorsement: x509.Certificate, attestation_public: bytes, secret: bytes) -> Challenge:
    """TPM2_MakeCredential in software.

    Args:
        endorsement: The endorsement key's certificate, already verified.
        attestation_public: TPMT_PUBLIC of the attestation key.
        secret: 16 to 32 fresh random octets, which the authority keeps for the comparison.

    Raises:
        EvidenceRefused: ``tpm-attestation-key``, or ``tpm-endorsement-key`` for a kind of key that no template makes.
        ValueError: The secret's size.
    """
    if not 16 <= len(secret) <= MAX_SECRET:  # noqa: PLR2004 - 128 bits at least
        raise ValueError(f"the secret has 16 to {MAX_SECRET} octets")
    name = read_attestation_key(attestation_public).name()
    key = endorsement.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in (_RSA_2048, _RSA_3072):
        hash_name, key_bits = ("sha256", 128) if key.key_size == _RSA_2048 else ("sha384", 256)
        seed, wrapped = _seed_for_rsa(key, hash_name)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        hash_name, key_bits = ("sha256", 128) if isinstance(key.curve, ec.SECP256R1) else ("sha384", 256)
        seed, wrapped = _seed_for_ecc(key, hash_name)
    else:
        raise EvidenceRefused("no template makes an endorsement key of this kind", code="tpm-endorsement-key")
    symmetric = kdfa(hash_name, seed, b"STORAGE", name, key_bits)
    encryptor = Cipher(algorithms.AES(symmetric), CFB(bytes(16))).encryptor()
    identity = encryptor.update(_sized(secret)) + encryptor.finalize()
    integrity = kdfa(hash_name, seed, b"INTEGRITY", b"", hashlib.new(hash_name).digest_size * 8)
    tag = hmac.digest(integrity, identity + name, hash_name)
    return Challenge(_sized(_sized(tag) + identity), _sized(wrapped))


def kdfa(hash_name: str, key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """KDFa (part 1 §11.4.10.2): SP 800-108 in counter mode, HMAC. For up to one digest of output."""
    message = struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits)
    return hmac.digest(key, message, hash_name)[: bits // 8]


def _seed_for_rsa(key: rsa.RSAPublicKey, hash_name: str) -> tuple[bytes, bytes]:
    algorithm = hashes.SHA256() if hash_name == "sha256" else hashes.SHA384()
    seed = os.urandom(algorithm.digest_size)
    oaep = padding.OAEP(mgf=padding.MGF1(algorithm), algorithm=algorithm, label=b"IDENTITY\0")
    return seed, key.encrypt(seed, oaep)


def _seed_for_ecc(key: ec.EllipticCurvePublicKey, hash_name: str) -> tuple[bytes, bytes]:
    ephemeral = ec.generate_private_key(key.curve)
    size = key.key_size // 8
    ours, theirs = ephemeral.public_key().public_numbers(), key.public_numbers()
    shared = ephemeral.exchange(ec.ECDH(), key)
    # KDFe (part 1 §11.4.10.3), one round: the digest is as long as the seed.
    parties = ours.x.to_bytes(size) + theirs.x.to_bytes(size)
    seed = hashlib.new(hash_name, struct.pack(">I", 1) + shared + b"IDENTITY\0" + parties).digest()
    return seed, _sized(ours.x.to_bytes(size)) + _sized(ours.y.to_bytes(size))


def _sized(octets: bytes) -> bytes:
    return struct.pack(">H", len(octets)) + octets
