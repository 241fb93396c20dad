# SPDX-License-Identifier: Apache-2.0
"""M1 to M4 and the proofs inside M2 and M3, to the octet (protocol.md §8).

Sizes are checked before anything is parsed. There is one encoding for each value: a proof is padded with zeros to
the smallest bucket that holds it, so that neither the kind of key nor the length of a chain shows on the wire.
Parsed messages keep the octets they came from, because the transcript hashes those and never a re-encoding.
"""

from dataclasses import dataclass, field
from typing import Final

from hardwire.errors import WireError
from hardwire.handshake.credential import CREDENTIAL_MAX
from hardwire.handshake.events import Message, Role
from hardwire.handshake.kem import CIPHERTEXT_SIZE, PUBLIC_SIZE
from hardwire.handshake.schedule import AEAD_TAG_SIZE, HASH_SIZE
from hardwire.handshake.signatures import SIGNATURE_MAX
from hardwire.wire import Reader, Writer

NONCE_SIZE: Final = 32
TAG_SIZE: Final = 32
PROOF_MIN: Final = 4096
PROOF_STEP: Final = 1024
PROOF_MAX: Final = 16_384


def _sealed(size: int) -> int:
    return 2 + size + AEAD_TAG_SIZE


_M1_SIZE: Final = 1 + PUBLIC_SIZE + HASH_SIZE + TAG_SIZE
_M2_CLEAR: Final = 1 + CIPHERTEXT_SIZE + NONCE_SIZE + TAG_SIZE
SIZES: Final = {
    Message.M1: (_M1_SIZE, _M1_SIZE),
    Message.M2: (_M2_CLEAR + _sealed(PROOF_MIN), _M2_CLEAR + _sealed(PROOF_MAX)),
    Message.M3: (1 + _sealed(PROOF_MIN), 1 + _sealed(PROOF_MAX)),
    Message.M4: (1 + _sealed(HASH_SIZE), 1 + _sealed(HASH_SIZE)),
}
"""Least and greatest size of each message, in octets."""

_REVEALED: Final = {Role.INITIATOR: NONCE_SIZE, Role.RESPONDER: 0}


def kind_of(data: bytes) -> Message:
    """Which message this claims to be, once its size is legal for that one.

    Raises:
        WireError: for an unknown type octet or a size out of bounds.
    """
    try:
        kind = Message(Reader(data, "handshake message").u8())
    except ValueError as error:
        raise WireError(f"0x{data[0]:02x} is no handshake message", code="unknown-message") from error
    low, high = SIZES[kind]
    if not low <= len(data) <= high:
        raise WireError(f"{kind.name}: {len(data)} octets, {low} to {high} allowed", code="message-size")
    return kind


@dataclass(frozen=True, slots=True)
class M1:
    """The initiator's key, its commitment, and its contact tag (or random octets)."""

    kem_public: bytes
    commit: bytes
    tag: bytes

    @property
    def clear(self) -> bytes:
        """The message before its tag."""
        return Writer().u8(Message.M1).raw(self.kem_public).raw(self.commit).getvalue()

    def encode(self) -> bytes:
        """1281 octets."""
        return self.clear + self.tag

    @classmethod
    def parse(cls, data: bytes) -> "M1":
        """Raises WireError for anything that is not an M1."""
        reader = Reader(data, "M1")
        reader.expect(Message.M1)
        message = cls(reader.take(PUBLIC_SIZE), reader.take(HASH_SIZE), reader.take(TAG_SIZE))
        reader.end()
        return message


@dataclass(frozen=True, slots=True)
class M2:
    """The responder's ciphertext, nonce and contact tag, and its sealed proof."""

    kem_ciphertext: bytes
    nonce: bytes
    tag: bytes
    sealed: bytes

    @property
    def clear(self) -> bytes:
        """The message before its tag."""
        return Writer().u8(Message.M2).raw(self.kem_ciphertext).raw(self.nonce).getvalue()

    def encode(self) -> bytes:
        """5299 to 17 587 octets."""
        return self.clear + self.tag + Writer().v16(self.sealed).getvalue()

    @classmethod
    def parse(cls, data: bytes) -> "M2":
        """Raises WireError for anything that is not an M2."""
        reader = Reader(data, "M2")
        reader.expect(Message.M2)
        ciphertext, nonce, tag = reader.take(CIPHERTEXT_SIZE), reader.take(NONCE_SIZE), reader.take(TAG_SIZE)
        message = cls(ciphertext, nonce, tag, reader.v16())
        reader.end()
        return message


@dataclass(frozen=True, slots=True)
class M3:
    """The initiator's sealed proof."""

    sealed: bytes

    def encode(self) -> bytes:
        """4115 to 16 403 octets."""
        return Writer().u8(Message.M3).v16(self.sealed).getvalue()

    @classmethod
    def parse(cls, data: bytes) -> "M3":
        """Raises WireError for anything that is not an M3."""
        reader = Reader(data, "M3")
        reader.expect(Message.M3)
        message = cls(reader.v16())
        reader.end()
        return message


@dataclass(frozen=True, slots=True)
class M4:
    """The responder's sealed confirmation."""

    sealed: bytes

    def encode(self) -> bytes:
        """51 octets."""
        return Writer().u8(Message.M4).v16(self.sealed).getvalue()

    @classmethod
    def parse(cls, data: bytes) -> "M4":
        """Raises WireError for anything that is not an M4."""
        reader = Reader(data, "M4")
        reader.expect(Message.M4)
        message = cls(reader.v16())
        reader.end()
        return message


@dataclass(frozen=True, slots=True)
class Proof:
    """What is inside M2 and M3: a credential, the signature of its key, and a MAC over both.

    Attributes:
        nonce: The initiator's 32 octets that its commitment was for; a responder's proof has none.
        credential: The encoded credential, as received.
        scheme: Code point of the signature.
        signature: 1 to 512 octets.
        finished: 32 octets.
    """

    nonce: bytes
    credential: bytes
    scheme: int
    signature: bytes
    finished: bytes = field(repr=False)

    @property
    def head(self) -> bytes:
        """Everything the finished MAC covers."""
        return head_of(self.nonce, self.credential, self.scheme, self.signature)

    def encode(self) -> bytes:
        """The proof in its padding bucket, 4096 to 16 384 octets."""
        bare = self.head + self.finished
        return bare.ljust(bucket(len(bare)), b"\x00")

    @classmethod
    def parse(cls, data: bytes, sender: Role) -> "Proof":
        """Read what the AEAD gave.

        Raises:
            WireError: for a field out of bounds, padding that is not zero, or another bucket than the smallest.
        """
        reader = Reader(data, "proof")
        proof = cls(
            nonce=reader.take(_REVEALED[sender]),
            credential=reader.v16(low=1, high=CREDENTIAL_MAX),
            scheme=reader.u16(),
            signature=reader.v16(low=1, high=SIGNATURE_MAX),
            finished=reader.take(HASH_SIZE),
        )
        if bucket(reader.position) != len(data):
            raise WireError("proof: not in the smallest padding bucket", code="padding")
        reader.zeros()
        return proof


def head_of(nonce: bytes, credential: bytes, scheme: int, signature: bytes) -> bytes:
    """The encoded proof up to its finished MAC."""
    return Writer().raw(nonce).v16(credential).u16(scheme).v16(signature).getvalue()


def bucket(size: int) -> int:
    """The padded size of a proof of ``size`` octets: 4096, or the next multiple of 1024."""
    return max(PROOF_MIN, -(-size // PROOF_STEP) * PROOF_STEP)
