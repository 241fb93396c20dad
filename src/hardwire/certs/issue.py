# SPDX-License-Identifier: Apache-2.0
"""Making the self-signed certificate of a device, from the same profile that the verifier reads."""

from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardwire.certs.did import did_key
from hardwire.certs.gate import open_gate
from hardwire.certs.profile import (
    BASIC_CONSTRAINTS,
    DEVICE,
    DEVICE_PURPOSE,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    MAX_SERIAL,
    SUBJECT,
    SUBJECT_ALT_NAME,
    KeyUsage,
)
from hardwire.certs.verify import verify_self_signed
from hardwire.errors import CertificateRefused, DeviceFailed, Misuse, UsageError

_CURVE_HASHES: Final[dict[str, hashes.SHA256 | hashes.SHA384]] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
}


def make_self_signed(
    key: CertificateIssuerPrivateKeyTypes,
    *,
    not_before: datetime,
    not_after: datetime,
    serial: int,
) -> bytes:
    """The DER certificate of the device that holds ``key``; exactly one signature is made with it.

    The subject names nobody. The result has been through the gate and the verifier before it is returned.

    Args:
        key: P-256, P-384 or RSA (2048 to 4096 bits); any implementation, so also one inside a device.
        not_before: First second of validity, aware, whole seconds.
        not_after: Last second of validity, aware, whole seconds, not earlier.
        serial: 1 to 2^159 - 1; random, and the caller's.

    Raises:
        UsageError: ``key-kind``; the key is of a kind that hardwire does not use.
        Misuse: A date or serial outside its bounds.
        DeviceFailed: ``bad-signature``; the device returned a signature that does not verify.
    """
    public_key, digest = usable_key(key)
    if not 1 <= serial < 1 << (8 * MAX_SERIAL - 1):
        raise Misuse("a serial number is positive and has at most 20 octets")
    if any(moment.utcoffset() is None or moment.microsecond for moment in (not_before, not_after)):
        raise Misuse("dates of validity need a time zone and whole seconds")
    if not_after < not_before:
        raise Misuse("a certificate cannot end before it begins")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    values = _values(did_key(public_key))
    for rule in DEVICE.extensions:
        if rule.required:
            builder = builder.add_extension(values[rule.oid], critical=rule.critical is True)
    der = builder.sign(key, digest).public_bytes(Encoding.DER)
    try:
        verify_self_signed(open_gate(der), at=not_before)
    except CertificateRefused as error:
        raise DeviceFailed("the device made a signature that does not verify", code="bad-signature") from error
    return der


def usable_key(
    key: CertificateIssuerPrivateKeyTypes,
) -> tuple[ec.EllipticCurvePublicKey | rsa.RSAPublicKey, hashes.SHA256 | hashes.SHA384]:
    """The public key and the hash that goes with it.

    Raises:
        UsageError: ``key-kind``; the key is of a kind that hardwire does not use.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVE_HASHES:
        return key.public_key(), _CURVE_HASHES[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size in DEVICE.rsa_bits:
        return key.public_key(), hashes.SHA256()
    raise UsageError(
        "this kind of key cannot be a hardwire identity",
        code="key-kind",
        hint="P-256, P-384 and RSA with 2048 to 4096 bits can; P-256 is the one that every device knows",
    )


def _values(did: str) -> dict[str, x509.ExtensionType]:
    return {
        BASIC_CONSTRAINTS: x509.BasicConstraints(ca=False, path_length=None),
        KEY_USAGE: key_usage(DEVICE.usages_required),
        EXTENDED_KEY_USAGE: x509.ExtendedKeyUsage([x509.ObjectIdentifier(DEVICE_PURPOSE)]),
        SUBJECT_ALT_NAME: x509.SubjectAlternativeName([x509.UniformResourceIdentifier(did)]),
    }


def key_usage(usages: frozenset[KeyUsage]) -> x509.KeyUsage:
    """The keyUsage extension with these bits."""
    return x509.KeyUsage(
        digital_signature=KeyUsage.DIGITAL_SIGNATURE in usages,
        content_commitment=KeyUsage.CONTENT_COMMITMENT in usages,
        key_encipherment=KeyUsage.KEY_ENCIPHERMENT in usages,
        data_encipherment=KeyUsage.DATA_ENCIPHERMENT in usages,
        key_agreement=KeyUsage.KEY_AGREEMENT in usages,
        key_cert_sign=KeyUsage.KEY_CERT_SIGN in usages,
        crl_sign=KeyUsage.CRL_SIGN in usages,
        encipher_only=KeyUsage.ENCIPHER_ONLY in usages,
        decipher_only=KeyUsage.DECIPHER_ONLY in usages,
    )
