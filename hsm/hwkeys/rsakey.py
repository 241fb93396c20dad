# SPDX-License-Identifier: Apache-2.0
"""An RSA signing key in a device, as a ``cryptography`` key: for the cards of organisations that have no other.

It signs with PSS and with PKCS#1 v1.5, over SHA-2. It does not decrypt: that is another purpose, and an oracle.
"""

from abc import abstractmethod
from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed
from cryptography.utils import Buffer

from hwkeys.errors import Unsupported
from hwkeys.key import InDevice, digest_of


class RSAHardwareKey(InDevice, rsa.RSAPrivateKey):
    """An RSA signing key in a device; threads may share it.

    Args:
        public_key: The public half.
        uri: The key's exact URI.
    """

    def __init__(self, *, public_key: rsa.RSAPublicKey, uri: str) -> None:
        super().__init__(uri=uri)
        self._public_key = public_key

    @abstractmethod
    def _sign_pkcs1(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        """RSASSA-PKCS1-v1_5 in the device; as many octets as the modulus."""

    @abstractmethod
    def _sign_pss(self, digest: bytes, algorithm: hashes.HashAlgorithm, salt: int) -> bytes:
        """RSASSA-PSS with MGF1 over the same hash, in the device; as many octets as the modulus."""

    def public_key(self) -> rsa.RSAPublicKey:
        """The public half."""
        return self._public_key

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return self._public_key.key_size

    def sign(
        self, data: Buffer, padding: AsymmetricPadding, algorithm: Prehashed | hashes.HashAlgorithm | NoDigestInfo
    ) -> bytes:
        """Hash here, pad and sign in the device.

        Args:
            data: What is signed; with ``Prehashed`` its digest.
            padding: ``PKCS1v15()``, or ``PSS`` with MGF1 over the hash that signs.
            algorithm: SHA-256, SHA-384 or SHA-512.

        Returns:
            The signature, as many octets as the modulus.

        Raises:
            Unsupported: Another padding or hash, or the device has not this one.
            HwKeyError: Anything the device can fail with; see ``hwkeys.errors``.
        """
        if isinstance(algorithm, NoDigestInfo):
            raise Unsupported("a signature without the name of its hash is not made; use SHA-256")
        digest, hash_ = digest_of(data, algorithm)
        if isinstance(padding, _PKCS1):
            return self._sign_pkcs1(digest, hash_)
        if isinstance(padding, _PSS):
            return self._sign_pss(digest, hash_, _salt_of(padding, hash_, self.key_size))
        raise Unsupported("an RSA hardware key signs with PSS or PKCS#1 v1.5")

    def decrypt(self, ciphertext: Buffer, padding: AsymmetricPadding) -> NoReturn:  # noqa: ARG002 - the base class's
        """Never.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("an RSA hardware key signs, and does not decrypt")


_PKCS1, _PSS = padding.PKCS1v15, padding.PSS


def _salt_of(scheme: padding.PSS, algorithm: hashes.HashAlgorithm, key_size: int) -> int:
    """The salt's octets, which ``cryptography`` may give by name."""
    if scheme.mgf._algorithm.name != algorithm.name:  # noqa: SLF001 - no public name for it
        raise Unsupported("the mask must be made with the hash that signs", hint="PSS(MGF1(SHA256()), …) with SHA256()")
    salt = scheme._salt_length  # noqa: SLF001 - no public name for it
    if salt is padding.PSS.DIGEST_LENGTH:
        return algorithm.digest_size
    if salt is padding.PSS.MAX_LENGTH:
        return (key_size + 6) // 8 - algorithm.digest_size - 2
    if not isinstance(salt, int):
        raise Unsupported("the salt's length must be known before signing", hint="use PSS.DIGEST_LENGTH")
    return salt
