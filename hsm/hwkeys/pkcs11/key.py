# SPDX-License-Identifier: Apache-2.0
"""Keys on a token as ``cryptography`` keys. What happens in the token is in ``held`` and ``operations``."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

from hwkeys.capabilities import MAX_NONCE, Attester, KeyAgreement, Sealer
from hwkeys.devices import DeviceInfo
from hwkeys.errors import KeyNotAsAsked, Unsupported
from hwkeys.evidence.values import PivEvidence
from hwkeys.key import EllipticCurveHardwareKey
from hwkeys.pkcs11 import objects, operations, sealing
from hwkeys.pkcs11.held import HeldKey
from hwkeys.pkcs11.login import Login
from hwkeys.rsakey import RSAHardwareKey


def key_of(login: Login, pair: objects.Pair) -> "Pkcs11Key | Pkcs11RsaKey":
    """The key that a pair of objects is, which was found in the login's session."""
    public = objects.need_public_key(pair)
    # With nobody to ask it stays locked for who knows how long, and is looked for again when it is used.
    held = HeldKey(login, pair, public, found_in=login.current if login.can_ask else None)
    return Pkcs11RsaKey(held, public) if isinstance(public, rsa.RSAPublicKey) else Pkcs11Key(held, public)


def elliptic_curve_key(login: Login, pair: objects.Pair) -> "Pkcs11Key":
    """The key that was just made.

    Raises:
        KeyNotAsAsked: The token made another kind.
    """
    public = objects.need_public_key(pair)
    if isinstance(public, rsa.RSAPublicKey):
        raise KeyNotAsAsked("the token made an RSA key instead of an elliptic-curve one")
    return Pkcs11Key(HeldKey(login, pair, public), public)


class Pkcs11Key(EllipticCurveHardwareKey):
    """Made by ``hwkeys.pkcs11.backend``; see there."""

    def __init__(self, held: HeldKey, public_key: ec.EllipticCurvePublicKey) -> None:
        super().__init__(public_key=public_key, uri=str(held.exact))
        self._held = held

    @property
    def device(self) -> DeviceInfo:
        """The token as it was seen last."""
        return self._held.device

    @property
    def capabilities(self) -> frozenset[object]:
        """``Attester`` on a PIV card; ``KeyAgreement`` and ``Sealer`` when the token says that the key agrees.

        The latter is known once the key was unlocked.
        """
        return frozenset({KeyAgreement, Sealer} if self._held.agrees else ()) | _attester(self._held)

    def attest(self, nonce: bytes) -> PivEvidence:
        """What the card says of the key, without a nonce; see ``hwkeys.capabilities.Attester``."""
        return _attest(self._held, nonce)

    def seal(self, secret: bytes) -> bytes:
        """Lock a secret up for this key; see ``hwkeys.capabilities.Sealer``.

        The token is not used for it; it is asked once whether the key agrees, when the key is unlocked.
        """
        self._need_agreement()
        return sealing.seal(self.public_key(), secret)

    def unseal(self, sealed: bytes) -> bytes:
        """Open what ``seal`` returned: one key agreement in the token; see ``hwkeys.capabilities.Sealer``."""
        self._need_agreement()
        return sealing.unseal(sealed, self.public_key(), lambda fresh: self.exchange(ec.ECDH(), fresh))

    def _need_agreement(self) -> None:
        self._held.unlock()
        if not self._held.agrees:
            raise Unsupported("this is a signing key: it seals nothing", hint="use a key made for key agreement")

    def unlock(self) -> None:
        """Log in and find the private half. Makes no signature.

        Raises:
            PinError: No PIN, a wrong one, or a locked token.
            DeviceMissing: The token is gone.
            KeyMissing: The key is not on it any more.
            KeyNotAsAsked: The token says that the key could leave it, or it is another key now.
        """
        self._held.unlock()

    def close(self) -> None:
        """Let go of the token; the last key on it logs out."""
        self._held.close()

    def certificate(self) -> x509.Certificate | None:
        """The certificate that is kept with the key on its token, if there is one."""
        return objects.certificate_of(self._held.public_key, self._held.certificates())

    def _sign_digest(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        raw = self._held.use(lambda record, pin: operations.sign_ec(record, digest, pin))
        half = (self.key_size + 7) // 8
        if len(raw) != 2 * half:
            raise KeyNotAsAsked(f"the token gave a signature of {len(raw)} octets instead of {2 * half}")
        signature = utils.encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        if not self._held.software:
            with _verifying():
                self.public_key().verify(signature, digest, ec.ECDSA(utils.Prehashed(algorithm)))
        return signature

    def _agree(self, point: bytes) -> bytes:
        size = (self.key_size + 7) // 8
        return self._held.use(lambda record, _pin: operations.agree(record, point, size), agree=True)


class Pkcs11RsaKey(RSAHardwareKey):
    """Made by ``hwkeys.pkcs11.backend``; see there."""

    def __init__(self, held: HeldKey, public_key: rsa.RSAPublicKey) -> None:
        super().__init__(public_key=public_key, uri=str(held.exact))
        self._held = held

    @property
    def device(self) -> DeviceInfo:
        """The token as it was seen last."""
        return self._held.device

    @property
    def capabilities(self) -> frozenset[object]:
        """``Attester`` on a PIV card."""
        return _attester(self._held)

    def attest(self, nonce: bytes) -> PivEvidence:
        """What the card says of the key, without a nonce; see ``hwkeys.capabilities.Attester``."""
        return _attest(self._held, nonce)

    def unlock(self) -> None:
        """Log in and find the private half; see ``Pkcs11Key.unlock``."""
        self._held.unlock()

    def close(self) -> None:
        """Let go of the token; the last key on it logs out."""
        self._held.close()

    def certificate(self) -> x509.Certificate | None:
        """The certificate that is kept with the key on its token, if there is one."""
        return objects.certificate_of(self._held.public_key, self._held.certificates())

    def _sign_pkcs1(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        sign = partial(operations.sign_pkcs1, digest=digest, algorithm=algorithm)
        return self._checked(sign, padding.PKCS1v15(), digest, algorithm)

    def _sign_pss(self, digest: bytes, algorithm: hashes.HashAlgorithm, salt: int) -> bytes:
        sign = partial(operations.sign_pss, digest=digest, algorithm=algorithm, salt=salt)
        return self._checked(sign, padding.PSS(padding.MGF1(algorithm), salt), digest, algorithm)

    def _checked(
        self, sign: "partial[bytes]", scheme: AsymmetricPadding, digest: bytes, algorithm: hashes.HashAlgorithm
    ) -> bytes:
        signature = self._held.use(lambda record, pin: sign(record, pin=pin))
        with _verifying():
            self.public_key().verify(signature, digest, scheme, utils.Prehashed(algorithm))
        return signature


def _attester(held: HeldKey) -> frozenset[object]:
    return frozenset({Attester}) if held.attests else frozenset()


def _attest(held: HeldKey, nonce: bytes) -> PivEvidence:
    # It does not come into the evidence; but a caller that sends a wrong one would find out with another device only.
    if not 1 <= len(nonce) <= MAX_NONCE:
        raise Unsupported(f"a nonce has 1 to {MAX_NONCE} octets")
    return held.attestation()


@contextmanager
def _verifying() -> Iterator[None]:
    """A signature that the public key does not confirm is not passed on.

    It may be a fault in the device, from which an RSA key can be computed, or another card's that has taken this
    one's place. Checking costs a tenth of a millisecond; only SoftHSM signs as fast as that, and it is not asked.
    """
    try:
        yield
    except InvalidSignature as error:
        raise KeyNotAsAsked("the token's signature is not one of the key that was opened") from error
