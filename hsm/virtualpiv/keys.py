# SPDX-License-Identifier: Apache-2.0
"""The keys inside the virtual PIV card, and the certificates that attest them.

PIV names a key's kind by an algorithm octet (NIST SP 800-78-5, table 8); the card does the bare private operation,
and whoever talks to it pads and hashes.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.x509.oid import NameOID

from virtualpiv.tlv import tlv

RSA1024, RSA2048, P256, P384 = 0x06, 0x07, 0x11, 0x14
KINDS: Final = {"P256": P256, "P384": P384, "RSA2048": RSA2048}
_CURVES: Final = {
    P256: (ec.SECP256R1(), hashes.SHA256(), 32),
    P384: (ec.SECP384R1(), hashes.SHA384(), 48),
}
NEVER, ONCE, ALWAYS = 1, 2, 3
"""PIN and touch policies; for touch, 2 is "always" and 3 "cached"."""
SLOT_OBJECTS: Final = {0x9A: 0x5FC105, 0x9C: 0x5FC10A, 0x9D: 0x5FC10B, 0x9E: 0x5FC101, 0xF9: 0x5FFF01}
"""Where each slot's certificate is kept (SP 800-73-5, table 3; the last is Yubico's)."""

_BORN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_DIES = dt.datetime(2060, 1, 1, tzinfo=dt.UTC)
_YUBICO: Final = "1.3.6.1.4.1.41482.3."

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class SlotKey:
    """A key in its slot.

    Attributes:
        algorithm: PIV's octet for the kind.
        generated: Made in the card rather than brought to it: only such a key is attested.
    """

    private: Private
    algorithm: int
    pin_policy: int
    touch_policy: int
    generated: bool

    def public_tlv(self) -> bytes:
        """The public key as GENERATE and GET METADATA give it."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return tlv(0x81, numbers.n.to_bytes(public.key_size // 8)) + tlv(0x82, numbers.e.to_bytes(3))
        encoding = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        return tlv(0x86, public.public_bytes(*encoding))

    def sign(self, challenge: bytes) -> bytes:
        """Sign a digest (ECDSA), or do the bare RSA operation on a padded block. ValueError: it cannot be done."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return _raw_rsa(self.private, challenge)
        _curve, hash_, size = _CURVES[self.algorithm]
        # ECDSA reads a digest as a number: zeros in front change nothing, and what is too long is cut on the right.
        return self.private.sign(challenge.rjust(size, b"\0")[:size], ec.ECDSA(utils.Prehashed(hash_)))

    def agree(self, point: bytes) -> bytes:
        """The x coordinate of the shared point. ValueError: not on the curve, or not an agreement key."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            raise ValueError("RSA does not agree")  # noqa: TRY004 - one error for "cannot be done"
        other = ec.EllipticCurvePublicKey.from_encoded_point(self.private.curve, point)
        return self.private.exchange(ec.ECDH(), other)


def new_private(algorithm: int) -> Private:
    """A fresh key; KeyError for an algorithm the card does not have."""
    if algorithm == RSA2048:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(_CURVES[algorithm][0])


def imported(algorithm: int, parts: dict[int, bytes]) -> Private:
    """A key brought to the card: the scalar, or RSA's two primes."""
    if algorithm == RSA2048:
        p, q = int.from_bytes(parts[1]), int.from_bytes(parts[2])
        e = 65537
        d = pow(e, -1, (p - 1) * (q - 1))
        crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
        return rsa.RSAPrivateNumbers(p, q, d, *crt, rsa.RSAPublicNumbers(e, p * q)).private_key()
    return ec.derive_private_key(int.from_bytes(parts[6]), _CURVES[algorithm][0])


def _raw_rsa(private: rsa.RSAPrivateKey, block: bytes) -> bytes:
    numbers = private.private_numbers()
    value = int.from_bytes(block)
    if len(block) != private.key_size // 8 or value >= numbers.public_numbers.n:
        raise ValueError("the block is not of the modulus's size")
    one, two = pow(value, numbers.dmp1, numbers.p), pow(value, numbers.dmq1, numbers.q)
    return (two + numbers.q * ((one - two) * numbers.iqmp % numbers.p)).to_bytes(len(block))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: str, issuer: str, key: Private) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BORN)
        .not_valid_after(_DIES)
        .public_key(key.public_key())
    )


def _yubico(builder: x509.CertificateBuilder, arc: int, value: bytes) -> x509.CertificateBuilder:
    return builder.add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_YUBICO}{arc}"), value), critical=False
    )


def der(certificate: x509.Certificate) -> bytes:
    """The certificate's octets."""
    return certificate.public_bytes(serialization.Encoding.DER)


def self_signed(common_name: str, key: Private) -> bytes:
    """A certificate for a slot, as a user's tool would have put it there."""
    return der(_builder(common_name, common_name, key).sign(key, hashes.SHA256()))


class Maker:
    """Who made the card: the root over the attestation keys of all its cards."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("Test PIV Root", "Test PIV Root", self._key)
        self.root = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True).sign(
            self._key, hashes.SHA256()
        )

    def attestation_key(self, version: bytes) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """A card's own F9 key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("Test PIV Attestation", "Test PIV Root", key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return key, _yubico(builder, 3, version).sign(self._key, hashes.SHA256())


def attestation(
    f9: ec.EllipticCurvePrivateKey, slot: int, key: SlotKey, *, serial: int, version: bytes
) -> x509.Certificate:
    """The card's word for a key made in it. Extensions: .3 firmware, .7 serial, .8 PIN and touch policy, .9 form."""
    builder = _builder(f"YubiKey PIV Attestation {slot:02x}", "Test PIV Attestation", key.private)
    number = serial.to_bytes((serial.bit_length() + 8) // 8)
    policies = bytes([key.pin_policy, key.touch_policy])
    for arc, value in ((3, version), (7, tlv(0x02, number)), (8, policies), (9, b"\x01")):
        builder = _yubico(builder, arc, value)
    return builder.sign(f9, hashes.SHA256())
