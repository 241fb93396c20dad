# SPDX-License-Identifier: Apache-2.0
"""X-Wing: ML-KEM-768 and X25519 in one key encapsulation (protocol.md §5).

HPKE KEM 0x647A, as in draft-connolly-cfrg-xwing-kem and draft-irtf-cfrg-concrete-hybrid-kems §4.2. The shared secret
holds while either half does. The combiner's label comes last; early drafts had it first, and
interoperate with nobody.

The randomness of ML-KEM encapsulation comes from inside OpenSSL, which offers no way to supply it; everything else
is drawn from the caller's source. Where the whole output must be known, a :class:`Kem` of one's own is passed in.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hardwire.errors import HandshakeRefused

MLKEM_SEED_SIZE: Final = 64
MLKEM_PUBLIC_SIZE: Final = 1184
MLKEM_CIPHERTEXT_SIZE: Final = 1088
X25519_SIZE: Final = 32
PUBLIC_SIZE: Final = MLKEM_PUBLIC_SIZE + X25519_SIZE
CIPHERTEXT_SIZE: Final = MLKEM_CIPHERTEXT_SIZE + X25519_SIZE
SHARED_SIZE: Final = 32
XWING_LABEL: Final = b"\\.//^\\"


class Entropy(Protocol):
    """Where fresh random octets come from; the edge passes the operating system's generator."""

    def octets(self, size: int) -> bytes:
        """Exactly ``size`` octets, unpredictable and never repeated."""
        ...


class KemKeyPair(Protocol):
    """An ephemeral key pair."""

    @property
    def public(self) -> bytes:
        """1216 octets."""
        ...

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-octet shared secret of a 1120-octet ciphertext; raises HandshakeRefused ``kem``."""
        ...


class Kem(Protocol):
    """A key encapsulation mechanism with the sizes of X-Wing."""

    def generate(self, entropy: Entropy) -> KemKeyPair:
        """A fresh key pair."""
        ...

    def encapsulate(self, public: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """(shared secret, ciphertext) for a public key; raises HandshakeRefused ``kem``."""
        ...


@dataclass(frozen=True, slots=True)
class XWingKeyPair:
    """An X-Wing key pair.

    Attributes:
        public: ML-KEM encapsulation key (1184) and X25519 public key (32).
    """

    public: bytes
    _mlkem: MLKEM768PrivateKey = field(repr=False)
    _x25519: X25519PrivateKey = field(repr=False)

    @classmethod
    def from_seeds(cls, mlkem_seed: bytes, x25519_seed: bytes) -> Self:
        """The key pair of a 64-octet ML-KEM seed (d, z) and a 32-octet X25519 private key."""
        mlkem = MLKEM768PrivateKey.from_seed_bytes(mlkem_seed)
        x25519 = X25519PrivateKey.from_private_bytes(x25519_seed)
        return cls(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw(), mlkem, x25519)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret (32 octets) of a ciphertext (1120 octets).

        A wrong ML-KEM part of the right length yields another secret, not an error (implicit rejection).

        Raises:
            HandshakeRefused: ``kem``, for a wrong length or a low-order X25519 point.
        """
        ct_m, ct_x = ciphertext[:MLKEM_CIPHERTEXT_SIZE], ciphertext[MLKEM_CIPHERTEXT_SIZE:]
        try:
            ss_m = self._mlkem.decapsulate(ct_m)
            ss_x = self._x25519.exchange(X25519PublicKey.from_public_bytes(ct_x))
        except ValueError as error:
            raise HandshakeRefused("the peer's key encapsulation is not valid", code="kem") from error
        return combine(ss_m, ss_x, ct_x, self.public[MLKEM_PUBLIC_SIZE:])


class XWing:
    """The KEM of suite 0x0001."""

    def generate(self, entropy: Entropy) -> KemKeyPair:
        """A key pair of 64 + 32 fresh octets, drawn in this order."""
        return XWingKeyPair.from_seeds(entropy.octets(MLKEM_SEED_SIZE), entropy.octets(X25519_SIZE))

    def encapsulate(self, public: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """(shared secret of 32 octets, ciphertext of 1120 octets) for a public key of 1216 octets.

        Raises:
            HandshakeRefused: ``kem``, for a wrong length, an ML-KEM key out of range or a low-order X25519 point.
        """
        pk_m, pk_x = public[:MLKEM_PUBLIC_SIZE], public[MLKEM_PUBLIC_SIZE:]
        ephemeral = X25519PrivateKey.from_private_bytes(entropy.octets(X25519_SIZE))
        ct_x = ephemeral.public_key().public_bytes_raw()
        try:
            ss_m, ct_m = MLKEM768PublicKey.from_public_bytes(pk_m).encapsulate()
            ss_x = ephemeral.exchange(X25519PublicKey.from_public_bytes(pk_x))
        except ValueError as error:
            raise HandshakeRefused("the peer's key encapsulation key is not valid", code="kem") from error
        return combine(ss_m, ss_x, ct_x, pk_x), ct_m + ct_x


def combine(ss_m: bytes, ss_x: bytes, ct_x: bytes, pk_x: bytes) -> bytes:
    """The X-Wing combiner: SHA3-256 over both secrets, the X25519 public values and, last, the label."""
    return hashlib.sha3_256(ss_m + ss_x + ct_x + pk_x + XWING_LABEL).digest()
