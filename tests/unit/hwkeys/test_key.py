# SPDX-License-Identifier: Apache-2.0
"""The common base, over a key made of software: what never depends on a device."""

import copy

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from hwkeys import DeviceInfo, EllipticCurveHardwareKey, HardwareKey, PeerKeyRefused, PinState, Unsupported


class SoftKey(EllipticCurveHardwareKey):
    """Signs with a key beside it."""

    def __init__(self, curve: ec.EllipticCurve) -> None:
        self._soft = ec.generate_private_key(curve)
        self.closed = 0
        super().__init__(public_key=self._soft.public_key(), uri="pkcs11:token=soft")

    @property
    def device(self) -> DeviceInfo:
        return DeviceInfo("pkcs11", True, "soft", "soft", "", "soft", "pkcs11:", PinState.OK)

    def unlock(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    def _sign_digest(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        return self._soft.sign(digest, ec.ECDSA(utils.Prehashed(algorithm)))


@pytest.mark.parametrize(
    "curve, algorithm",
    [
        (ec.SECP256R1(), hashes.SHA256()),
        (ec.SECP384R1(), hashes.SHA256()),
        (ec.SECP384R1(), hashes.SHA384()),
        (ec.SECP521R1(), hashes.SHA512()),
    ],
    ids=lambda x: x.name,
)
def test_hashing_is_done_here(curve, algorithm):
    key = SoftKey(curve)
    for data in (b"", b"x", bytearray(b"y"), memoryview(b"z" * 100_000)):
        key.public_key().verify(key.sign(data, ec.ECDSA(algorithm)), bytes(data), ec.ECDSA(algorithm))
    assert (key.curve.name, key.key_size) == (curve.name, curve.key_size)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA224(), hashes.SHA3_256(), hashes.SHA384()])
def test_hashes_that_devices_disagree_about_are_refused(algorithm):
    key = SoftKey(ec.SECP256R1())
    for scheme, data in (
        (ec.ECDSA(algorithm), b"x"),
        (ec.ECDSA(utils.Prehashed(algorithm)), bytes(algorithm.digest_size)),
    ):
        with pytest.raises(Unsupported):
            key.sign(data, scheme)


def test_a_digest_of_the_wrong_length_is_refused():
    with pytest.raises(Unsupported, match="32 octets, not 31"):
        SoftKey(ec.SECP256R1()).sign(bytes(31), ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_only_ecdsa():
    class Other(ec.EllipticCurveSignatureAlgorithm):
        algorithm = hashes.SHA256()

    with pytest.raises(Unsupported):
        SoftKey(ec.SECP256R1()).sign(b"x", Other())


def test_the_private_half_stays():
    key = SoftKey(ec.SECP256R1())
    for attempt in (
        key.private_numbers,
        lambda: key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        lambda: key.exchange(ec.ECDH(), key.public_key()),
        key.__reduce__,
    ):
        with pytest.raises(Unsupported) as refused:
            attempt()
        assert refused.value.hint


def test_manners():
    key = SoftKey(ec.SECP256R1())
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert isinstance(key, HardwareKey)
    assert repr(key) == "<SoftKey pkcs11:token=soft>"
    with key as same:
        assert same is key
    assert key.closed == 1


class AgreeingKey(SoftKey):
    """Agrees with a key beside it."""

    def _agree(self, point: bytes) -> bytes:
        self.seen = point
        return self._soft.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self.curve, point))


def test_a_signing_key_agrees_on_nothing():
    key = SoftKey(ec.SECP256R1())
    assert key.capabilities == frozenset()
    with pytest.raises(Unsupported, match="signing key"):
        key.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_the_device_gets_a_plain_point(curve):
    key, other = AgreeingKey(curve), ec.generate_private_key(curve)
    assert key.exchange(ec.ECDH(), other.public_key()) == other.exchange(ec.ECDH(), key.public_key())
    assert (key.seen[0], len(key.seen)) == (4, 1 + 2 * ((curve.key_size + 7) // 8))


class LyingPublicKey(ec.EllipticCurvePublicKey):
    """Says it is on the curve."""

    curve = ec.SECP256R1()
    key_size = 256

    def public_bytes(self, encoding, format):  # noqa: A002 - the base class's name
        return b"\x04" + bytes(31) + b"\x05" + bytes(31) + b"\x07"

    def public_numbers(self):
        return None

    def verify(self, signature, data, signature_algorithm):
        pass

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize("peer", [ec.generate_private_key(ec.SECP384R1()).public_key(), LyingPublicKey()])
def test_a_wrong_point_never_reaches_the_device(peer):
    key = AgreeingKey(ec.SECP256R1())
    with pytest.raises(PeerKeyRefused):
        key.exchange(ec.ECDH(), peer)
    assert not hasattr(key, "seen")


def test_only_ecdh():
    key = AgreeingKey(ec.SECP256R1())
    with pytest.raises(Unsupported, match="ECDH only"):
        key.exchange("ECDH", key.public_key())
