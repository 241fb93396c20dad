# SPDX-License-Identifier: Apache-2.0
"""A private key that is somewhere else: what all backends share.

``cryptography`` accepts any subclass of its private key classes in its builders (certificates, CSRs, CRLs, OCSP).
So a hardware key *is* such a subclass: ``sign()`` runs in the device, and everything that would need the private
number raises. The data is hashed here and the digest goes to the device: SoftHSM and many cards know no other way,
and a digest is 32 octets on a slow bus.
"""

from abc import ABC, abstractmethod
from functools import cache
from types import TracebackType
from typing import NoReturn, Protocol, Self, runtime_checkable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.utils import Buffer

from hwkeys.devices import DeviceInfo
from hwkeys.errors import PeerKeyRefused, Unsupported


@runtime_checkable
class HardwareKey(Protocol):
    """What every hardware key can do besides being a ``cryptography`` key."""

    @property
    def device(self) -> DeviceInfo:
        """The device as it was seen last: when the key was opened or unlocked."""
        ...

    @property
    def uri(self) -> str:
        """Names exactly this key on exactly this device, without the PIN's source."""
        ...

    def unlock(self) -> None:
        """Give the device its PIN now rather than at the first signature."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class InDevice(ABC):
    """What elliptic-curve and RSA keys in a device have in common: everything but the mathematics.

    Args:
        uri: The key's exact URI.
    """

    def __init__(self, *, uri: str) -> None:
        self._uri = uri

    @property
    def uri(self) -> str:
        """Names exactly this key on exactly this device, without the PIN's source."""
        return self._uri

    @property
    @abstractmethod
    def device(self) -> DeviceInfo:
        """The device as it was seen last."""

    @abstractmethod
    def unlock(self) -> None:
        """Give the device its PIN now. Makes no signature. Does nothing when no PIN is wanted or it was given.

        Raises:
            PinError: No PIN, a wrong one, or a locked device.
            DeviceMissing: The device is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the device and forget the PIN; closing twice is harmless."""

    @property
    def capabilities(self) -> frozenset[object]:
        """What this key can do besides signing: ``KeyAgreement``, ``Attester``, ``Sealer``; see ``capability()``."""
        return frozenset()

    def private_numbers(self) -> NoReturn:
        """Never.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("the private key stays in its device", hint="there is no way to export it; that is the point")

    def private_bytes(
        self,
        encoding: serialization.Encoding,  # noqa: ARG002
        format: serialization.PrivateFormat,  # noqa: A002, ARG002 - the base class's name
        encryption_algorithm: serialization.KeySerializationEncryption,  # noqa: ARG002
    ) -> NoReturn:
        """Never.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("the private key stays in its device", hint="there is no way to export it; that is the point")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise Unsupported("a hardware key cannot be pickled", hint="send its URI and open it there")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._uri}>"


def digest_of(data: Buffer, algorithm: hashes.HashAlgorithm | utils.Prehashed) -> tuple[bytes, hashes.HashAlgorithm]:
    """Hash here what is to be signed in the device; with ``Prehashed`` the data is the digest.

    Raises:
        Unsupported: A hash the device cannot be asked for, or a digest that is not of its size.
    """
    if isinstance(algorithm, utils.Prehashed):
        digest, algorithm = bytes(data), algorithm._algorithm  # noqa: SLF001 - no public name for it
    else:
        hasher = hashes.Hash(algorithm)
        hasher.update(data)
        digest = hasher.finalize()
    if len(digest) != algorithm.digest_size:
        raise Unsupported(f"a {algorithm.name} digest has {algorithm.digest_size} octets, not {len(digest)}")
    if not isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        raise Unsupported(f"{algorithm.name} is not a hash to sign with; use SHA-256")
    return digest, algorithm


@cache
def _checked() -> type:
    """Cryptography's own class: every way to such an object checks that the point is on its curve.

    Checking again takes a tenth of the time that SoftHSM takes to agree. Whatever else claims to be a public key is
    checked here. Not looked up on import: cryptography then remembers classes that a coverage run imports anew.
    """
    return type(ec.derive_private_key(1, ec.SECP256R1()).public_key())


class EllipticCurveHardwareKey(InDevice, ec.EllipticCurvePrivateKey):
    """An elliptic-curve signing key in a device.

    Threads may share it; the device does one thing at a time. A copy is the same object: there is only one key.

    Args:
        public_key: The public half, already checked to be on its curve.
        uri: The key's exact URI.
    """

    def __init__(self, *, public_key: ec.EllipticCurvePublicKey, uri: str) -> None:
        super().__init__(uri=uri)
        self._public_key = public_key

    @abstractmethod
    def _sign_digest(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        """Sign in the device.

        Returns:
            The signature, DER Ecdsa-Sig-Value (RFC 3279 §2.2.3).

        Raises:
            Unsupported: It is a key for key agreement.
        """

    def _agree(self, point: bytes) -> bytes:  # noqa: ARG002 - for those that can
        """Key agreement in the device.

        Args:
            point: The other side's, already checked: uncompressed (SEC 1 §2.3.3), 65 octets for P-256.

        Returns:
            The x coordinate, as many octets as the curve has.

        Raises:
            Unsupported: It is a key for signing.
        """
        raise Unsupported("this is a signing key: it does no key agreement", hint="use a key made for key agreement")

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve's order."""
        return self._public_key.key_size

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Hash here, sign in the device.

        Args:
            data: What is signed; with ``Prehashed`` its digest.
            signature_algorithm: ``ec.ECDSA`` over a SHA-2 hash no longer than the curve.

        Returns:
            DER Ecdsa-Sig-Value, 8 to 72 octets for P-256.

        Raises:
            Unsupported: Not ECDSA, or a hash the device cannot be asked for.
            HwKeyError: Anything the device can fail with; see ``hwkeys.errors``.
        """
        if not isinstance(signature_algorithm, ec.ECDSA):
            raise Unsupported("an elliptic-curve hardware key signs with ECDSA only")
        digest, algorithm = digest_of(data, signature_algorithm.algorithm)
        if algorithm.digest_size * 8 > (self.key_size + 7) // 8 * 8:
            # Truncation is legal in ECDSA; devices disagree on who does it.
            raise Unsupported(f"{algorithm.name} is longer than the curve; use SHA-{self.key_size}")
        return self._sign_digest(digest, algorithm)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """Key agreement (ECDH) in the device, with a key made for it.

        Args:
            algorithm: ``ec.ECDH()``.
            peer_public_key: On this key's curve.

        Returns:
            The shared x coordinate, as many octets as the curve has. Derive keys from it; it is not one.

        Raises:
            Unsupported: This is a signing key, or not ECDH was asked for.
            PeerKeyRefused: The other key is not a point of this curve; the device was not asked.
            HwKeyError: Anything the device can fail with; see ``hwkeys.errors``.
        """
        if not isinstance(algorithm, ec.ECDH):
            raise Unsupported("an elliptic-curve hardware key agrees by ECDH only")
        if peer_public_key.curve.name != self.curve.name:
            raise PeerKeyRefused(f"the other side's key is on {peer_public_key.curve.name}, not {self.curve.name}")
        point = peer_public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        if type(peer_public_key) is not _checked():
            self._refuse_off_curve(point)
        return self._agree(point)

    def _refuse_off_curve(self, point: bytes) -> None:
        # A point off its curve tells the other side about the private key, bit by bit.
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(self.curve, point)
        except ValueError as error:
            raise PeerKeyRefused(f"the other side's key is not a point of {self.curve.name}") from error
