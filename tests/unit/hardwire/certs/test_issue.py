# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hardwire.certs import DEVICE_PURPOSE, did_key, make_self_signed, open_gate, verify_self_signed
from hardwire.errors import DeviceFailed, Misuse, UsageError
from support.certparts import KEY, P384_KEY, RSA

BEGIN = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
END = datetime(2056, 11, 23, 9, 30, tzinfo=UTC)
SERIAL = 0x7F00_1122_3344_5566_7788_99AA


class DeviceKey(ec.EllipticCurvePrivateKey):
    """A key as a token holds it: it signs and tells nothing."""

    def __init__(self, inside: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._inside = inside
        self._signer = signer or inside
        self.signatures = 0

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._inside.curve

    @property
    def key_size(self) -> int:
        return self._inside.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._inside.public_key()

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        self.signatures += 1
        return self._signer.sign(data, signature_algorithm)

    def exchange(self, *_: object) -> NoReturn:
        raise AssertionError("asked to agree on a key")

    def private_numbers(self) -> NoReturn:
        raise AssertionError("asked for the private key")

    def private_bytes(self, *_: object) -> NoReturn:
        raise AssertionError("asked for the private key")

    def __copy__(self) -> "DeviceKey":
        return self

    def __deepcopy__(self, _memo: object) -> "DeviceKey":
        return self


class PulledKey(DeviceKey):
    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        raise ConnectionError("the device was pulled")


def _make(key: Any, **changes: Any) -> bytes:
    return make_self_signed(key, **({"not_before": BEGIN, "not_after": END, "serial": SERIAL} | changes))


@pytest.mark.parametrize("key", [KEY, P384_KEY, RSA], ids=["P-256", "P-384", "RSA"])
def test_what_is_made_verifies(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    gated = open_gate(_make(key))
    identity = verify_self_signed(gated, at=BEGIN)
    assert identity.did == did_key(key.public_key())
    assert (gated.serial, gated.not_before, gated.not_after) == (SERIAL, BEGIN, END)
    assert gated.values.purposes == (DEVICE_PURPOSE,)


def test_a_device_signs_once_and_is_asked_for_nothing_else() -> None:
    key = DeviceKey(KEY)
    verify_self_signed(open_gate(_make(key)), at=BEGIN)
    assert key.signatures == 1


def test_it_names_nobody() -> None:
    certificate = x509.load_der_x509_certificate(_make(KEY))
    assert certificate.subject.rfc4514_string() == certificate.issuer.rfc4514_string() == "CN=hardwire device"
    assert len(certificate.extensions) == 4


def test_other_time_zones_are_the_same_moment() -> None:
    west = timezone(timedelta(hours=-8))
    assert open_gate(_make(KEY, not_before=BEGIN.astimezone(west))).not_before == BEGIN


@pytest.mark.parametrize("serial", [1, (1 << 159) - 1])
def test_serials_at_their_bounds(serial: int) -> None:
    assert open_gate(_make(KEY, serial=serial)).serial == serial


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_serials_outside_are_misuse(serial: int) -> None:
    with pytest.raises(Misuse, match="serial"):
        _make(KEY, serial=serial)


@pytest.mark.parametrize(
    "changes",
    [
        {"not_before": datetime(2026, 1, 1)},  # noqa: DTZ001 - the point
        {"not_after": datetime(2036, 1, 1)},  # noqa: DTZ001 - the point
        {"not_before": BEGIN + timedelta(microseconds=1)},
        {"not_after": END + timedelta(microseconds=1)},
        {"not_after": BEGIN - timedelta(seconds=1)},
    ],
)
def test_dates_outside_are_misuse(changes: dict[str, datetime]) -> None:
    with pytest.raises(Misuse):
        _make(KEY, **changes)


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(5, ec.SECP521R1()),
        ec.derive_private_key(5, ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
        rsa.generate_private_key(65537, 1024),
    ],
    ids=["P-521", "secp256k1", "Ed25519", "RSA-1024"],
)
def test_other_kinds_of_key_get_a_hint(key: Any) -> None:
    with pytest.raises(UsageError) as caught:
        _make(key)
    assert caught.value.code == "key-kind"
    assert "P-256" in caught.value.hint


def test_a_device_that_signs_wrongly_is_found_out() -> None:
    with pytest.raises(DeviceFailed) as caught:
        _make(DeviceKey(KEY, signer=ec.derive_private_key(5, ec.SECP256R1())))
    assert caught.value.code == "bad-signature"


def test_the_failure_of_a_device_passes_through() -> None:
    with pytest.raises(ConnectionError, match="pulled"):
        _make(PulledKey(KEY))
