# SPDX-License-Identifier: Apache-2.0
import copy

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from hwkeys import DeviceInfo, HardwareKey, PinState, RSAHardwareKey, Unsupported

SHA256 = hashes.SHA256()
PSS = padding.PSS(padding.MGF1(SHA256), padding.PSS.DIGEST_LENGTH)


class SoftRsa(RSAHardwareKey):
    """The device is a key beside it."""

    def __init__(self) -> None:
        self._soft = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        super().__init__(public_key=self._soft.public_key(), uri="pkcs11:object=k")
        self.salts: list[int] = []

    @property
    def device(self) -> DeviceInfo:
        return DeviceInfo("pkcs11", True, "m", "m", "1", "l", "pkcs11:", PinState.OK)

    def unlock(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _sign_pkcs1(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        return self._soft.sign(digest, padding.PKCS1v15(), utils.Prehashed(algorithm))

    def _sign_pss(self, digest: bytes, algorithm: hashes.HashAlgorithm, salt: int) -> bytes:
        self.salts.append(salt)
        return self._soft.sign(digest, padding.PSS(padding.MGF1(algorithm), salt), utils.Prehashed(algorithm))


@pytest.fixture(scope="module")
def key() -> SoftRsa:
    return SoftRsa()


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda a: a.name)
def test_both_schemes(key, algorithm):
    pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
    for scheme in (padding.PKCS1v15(), pss):
        key.public_key().verify(key.sign(b"text", scheme, algorithm), b"text", scheme, algorithm)


@pytest.mark.parametrize(
    "asked, salt", [(20, 20), (padding.PSS.DIGEST_LENGTH, 32), (padding.PSS.MAX_LENGTH, 2048 // 8 - 34)]
)
def test_the_salt_by_number_and_by_name(key, asked, salt):
    scheme = padding.PSS(padding.MGF1(SHA256), asked)
    key.public_key().verify(key.sign(b"text", scheme, SHA256), b"text", scheme, SHA256)
    assert key.salts[-1] == salt


def test_a_digest_made_elsewhere(key):
    digest = hashes.Hash(SHA256)
    digest.update(b"text")
    signature = key.sign(digest.finalize(), PSS, utils.Prehashed(SHA256))
    key.public_key().verify(signature, b"text", PSS, SHA256)
    with pytest.raises(Unsupported):
        key.sign(b"short", PSS, utils.Prehashed(SHA256))


def test_what_is_not_signed(key):
    with pytest.raises(Unsupported, match="hash"):
        key.sign(b"x", padding.PKCS1v15(), hashes.SHA1())
    with pytest.raises(Unsupported, match="name of its hash"):
        key.sign(b"x", padding.PKCS1v15(), utils.NoDigestInfo())
    with pytest.raises(Unsupported, match="PSS or PKCS"):
        key.sign(b"x", padding.OAEP(padding.MGF1(SHA256), SHA256, None), SHA256)
    with pytest.raises(Unsupported, match="mask"):
        key.sign(b"x", padding.PSS(padding.MGF1(hashes.SHA384()), 32), SHA256)
    with pytest.raises(Unsupported, match="salt"):
        key.sign(b"x", padding.PSS(padding.MGF1(SHA256), padding.PSS.AUTO), SHA256)


def test_it_stays_where_it_is(key):
    with pytest.raises(Unsupported):
        key.decrypt(b"x", padding.PKCS1v15())
    with pytest.raises(Unsupported):
        key.private_numbers()
    with pytest.raises(Unsupported):
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def test_it_is_a_cryptography_key_and_a_hardware_key(key):
    assert isinstance(key, rsa.RSAPrivateKey)
    assert isinstance(key, HardwareKey)
    assert key.key_size == 2048
    assert copy.deepcopy(key) is copy.copy(key) is key
    assert key.capabilities == frozenset()
