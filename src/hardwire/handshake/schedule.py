# SPDX-License-Identifier: Apache-2.0
"""Transcript hashes and every key of HBI/1 (protocol.md §8 to §10).

The shape is TLS 1.3's (RFC 8446 §7.1): extract, then expand under a label and a transcript hash. The names of the
transcript hashes are those of the protocol: ``th0`` is what both sides saw of the connection, ``th2c`` ends before
the responder's credential, ``th3`` covers both signatures. No key for applications exists before ``th3`` does.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from hardwire.errors import HandshakeRefused, Misuse
from hardwire.handshake.events import Role
from hardwire.handshake.sas import SAS_SIZE
from hardwire.wire import Writer

SUITE: Final = 0x0001
LABEL_PREFIX: Final = b"hbi1 "
HASH_SIZE: Final = 32
KEY_SIZE: Final = 32
IV_SIZE: Final = 12
AEAD_TAG_SIZE: Final = 16
SID_SIZE: Final = 16

_ZERO: Final = bytes(HASH_SIZE)
_SHA256: Final = hashes.SHA256()
_SIGNATURE_PREFIX: Final = b"\x20" * 64
_SIGNATURE_CONTEXT: Final = {
    Role.RESPONDER: b"HBI1 responder signature",
    Role.INITIATOR: b"HBI1 initiator signature",
}
_TAG_LABEL: Final = {Role.INITIATOR: b"tag i", Role.RESPONDER: b"tag r"}


@dataclass(frozen=True, slots=True)
class Binding:
    """What this side itself observed of the connection; never what the peer says (protocol.md §6 and §7).

    Attributes:
        offer: The offer blob, as it travelled; the invitation secret is in it.
        answer: The answer blob, as it travelled; empty for a one-way invite.
        fp_offer: SHA-256 of the offerer's DTLS certificate, 32 octets.
        fp_answer: SHA-256 of the answerer's DTLS certificate, 32 octets.
        cb: 32 octets of the DTLS exporter (RFC 9266).
        inv_secret: 32 octets derived from the secret in the offer.
    """

    offer: bytes = field(repr=False)
    answer: bytes
    fp_offer: bytes
    fp_answer: bytes
    cb: bytes
    inv_secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if any(len(item) != HASH_SIZE for item in (self.fp_offer, self.fp_answer, self.cb, self.inv_secret)):
            raise Misuse(f"fingerprints, channel binding and invitation secret have {HASH_SIZE} octets each")


@dataclass(frozen=True, slots=True)
class DirectionKeys:
    """The keys of what one role sends during the handshake: AEAD key and IV, and the key of its finished MAC."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    finished: bytes = field(repr=False)

    def seal(self, counter: int, associated: bytes, plaintext: bytes) -> bytes:
        """AES-256-GCM under the nonce ``iv xor counter``; 16 octets longer than the plaintext."""
        return AESGCM(self.key).encrypt(self._nonce(counter), plaintext, associated)

    def open(self, counter: int, associated: bytes, ciphertext: bytes) -> bytes:
        """The plaintext of what the other side sealed.

        Raises:
            HandshakeRefused: ``aead``: another key, another transcript, or changed octets.
        """
        try:
            return AESGCM(self.key).decrypt(self._nonce(counter), ciphertext, associated)
        except InvalidTag as error:
            raise HandshakeRefused("the peer saw another connection than this one", code="aead") from error

    def finish(self, transcript: bytes, head: bytes) -> bytes:
        """The finished MAC (32 octets) over the transcript so far and the head of the own proof."""
        return mac(self.finished, digest(transcript, head))

    def _nonce(self, counter: int) -> bytes:
        return (int.from_bytes(self.iv) ^ counter).to_bytes(IV_SIZE)


@dataclass(frozen=True, slots=True)
class HandshakeKeys:
    """Everything that ``hs`` and ``th2c`` yield."""

    responder: DirectionKeys
    initiator: DirectionKeys
    done: bytes = field(repr=False)
    master: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """Everything that the master secret and ``th3`` yield, and the octets of the SAS."""

    epoch: bytes = field(repr=False)
    exporter: bytes = field(repr=False)
    contact_psk: bytes = field(repr=False)
    sid: bytes
    sas: bytes = field(repr=False)


def digest(*parts: bytes) -> bytes:
    """SHA-256 over the concatenation."""
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256."""
    context = hmac.HMAC(key, _SHA256)
    context.update(data)
    return context.finalize()


def mac_both(key: bytes, first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """HMAC-SHA-256 of two messages under one key, which is set up once."""
    context = hmac.HMAC(key, _SHA256)
    other = context.copy()
    context.update(first)
    other.update(second)
    return context.finalize(), other.finalize()


def same(left: bytes, right: bytes) -> bool:
    """Equality in constant time."""
    return constant_time.bytes_eq(left, right)


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 §2.2) with SHA-256."""
    return mac(salt, material)


def expand_label(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446 §7.1, with the prefix ``hbi1`` and a space instead of TLS's."""
    return expand(secret, label_info(label, context, size), size)


def label_info(label: bytes, context: bytes, size: int) -> bytes:
    """The ``HkdfLabel`` of :func:`expand_label`, for whoever needs the same one often."""
    return Writer().u16(size).v8(LABEL_PREFIX + label).v8(context).getvalue()


def expand(secret: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand (RFC 5869 §2.3) with SHA-256."""
    return HKDFExpand(_SHA256, size, info).derive(secret)


def transcript_0(binding: Binding) -> bytes:
    """``th0``: suite, both blobs, both fingerprints, and the exporter of the connection."""
    return digest(
        b"HBI1",
        Writer().u16(SUITE).getvalue(),
        digest(b"HBI1 offer", binding.offer),
        digest(b"HBI1 answer", binding.answer),
        binding.fp_offer,
        binding.fp_answer,
        binding.cb,
    )


def commitment(nonce: bytes, credential: bytes) -> bytes:
    """What the initiator binds itself to in M1: its nonce (32 octets) and its encoded credential."""
    return digest(b"HBI1 commit", nonce, digest(credential))


def to_be_signed(role: Role, th2c: bytes, credential: bytes) -> bytes:
    """The octets a side's hardware key signs; the shape keeps them apart from any other protocol's."""
    return b"".join((_SIGNATURE_PREFIX, _SIGNATURE_CONTEXT[role], b"\x00", th2c, digest(credential)))


def early_secret(contact_psk: bytes, inv_secret: bytes) -> bytes:
    """``es``, of the contact secret (or 32 zero octets) and the invitation secret."""
    return extract(_ZERO, contact_psk + inv_secret)


def contact_tag(es: bytes, sender: Role, transcript: bytes, clear: bytes) -> bytes:
    """The MAC that proves a contact secret: over the transcript before the message and the message up to the tag."""
    return mac(expand_label(es, _TAG_LABEL[sender], b"", KEY_SIZE), digest(transcript, clear))


def handshake_secret(es: bytes, th0: bytes, shared: bytes) -> bytes:
    """``hs``, of the early secret and the KEM's shared secret."""
    return extract(expand_label(es, b"derived", th0, HASH_SIZE), shared)


def handshake_keys(hs: bytes, th2c: bytes) -> HandshakeKeys:
    """The keys of M2 to M4, and the master secret."""
    responder = expand_label(hs, b"r hs", th2c, HASH_SIZE)
    initiator = expand_label(hs, b"i hs", th2c, HASH_SIZE)
    return HandshakeKeys(
        _direction(responder),
        _direction(initiator),
        done=expand_label(responder, b"done", b"", KEY_SIZE),
        master=master_secret(hs, th2c),
    )


def master_secret(hs: bytes, th2c: bytes) -> bytes:
    """``ms``, the root of everything that outlives the handshake."""
    return extract(expand_label(hs, b"derived", th2c, HASH_SIZE), _ZERO)


def session_keys(master: bytes, th3: bytes, th_sas: bytes) -> SessionKeys:
    """What a finished handshake hands on. ``th_sas`` leaves out everything the initiator sends after its reveal."""
    return SessionKeys(
        epoch=expand_label(master, b"epoch", th3, KEY_SIZE),
        exporter=expand_label(master, b"exp", th3, KEY_SIZE),
        contact_psk=expand_label(master, b"contact psk", th3, KEY_SIZE),
        sid=expand_label(master, b"sid", th3, SID_SIZE),
        sas=sas_octets(master, th_sas),
    )


def transcript_sas(th2: bytes, nonce: bytes, credential: bytes) -> bytes:
    """``th_sas``: everything fixed by M1 and M2, and what the commitment in M1 opens to."""
    return digest(th2, nonce, digest(credential))


def sas_octets(master: bytes, th_sas: bytes) -> bytes:
    """The 6 octets of the short authentication string."""
    return expand_label(master, b"sas", th_sas, SAS_SIZE)


def _direction(secret: bytes) -> DirectionKeys:
    return DirectionKeys(
        key=expand_label(secret, b"key", b"", KEY_SIZE),
        iv=expand_label(secret, b"iv", b"", IV_SIZE),
        finished=expand_label(secret, b"finished", b"", KEY_SIZE),
    )
