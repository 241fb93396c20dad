# SPDX-License-Identifier: Apache-2.0
"""Authorities, cards and TPMs of software, to make evidence with, and to make it wrong. No pytest here."""

import datetime as dt
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.x509.oid import NameOID

from hwkeys.evidence import PivEvidence, TpmEvidence
from hwkeys.evidence.maker import Maker, general_name
from hwkeys.evidence.tpm import ATTESTATION_PURPOSE
from hwkeys.purpose import Purpose
from hwkeys.tpm.public import PublicArea, template_for

AT = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
P256 = ec.SECP256R1()
PIV = "1.3.6.1.4.1.41482.3."
PRIVATE = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = tuple[x509.ExtensionType, bool]


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def unknown(oid: str, octets: bytes, *, critical: bool = False) -> Extension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), octets), critical


@dataclass(frozen=True)
class Authority:
    """A key and its certificate."""

    key: PRIVATE
    certificate: x509.Certificate

    @classmethod
    def root(
        cls, name: str = "root", *, key: PRIVATE | None = None, length: int | None = None, **changes
    ) -> "Authority":
        own = key or ec.generate_private_key(P256)
        made = certificate(name, own.public_key(), named(name), own, ca(length), **changes)
        return cls(own, made)

    def authority(self, name: str, *, length: int | None = None, key: PRIVATE | None = None, **changes) -> "Authority":
        own = key or ec.generate_private_key(P256)
        changes.setdefault("extensions", ca(length))
        return Authority(own, self.issue(name, own.public_key(), **changes))

    def issue(self, name: str, key: object, extensions: Iterable[Extension] = (), **changes) -> x509.Certificate:
        return certificate(name, key, self.certificate.subject, self.key, extensions, **changes)


def ca(length: int | None = None, *, sign: bool = True) -> list[Extension]:
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return [
        (x509.BasicConstraints(ca=True, path_length=length), True),
        (x509.KeyUsage(key_cert_sign=sign, **{**usage, "digital_signature": not sign}), True),
    ]


def certificate(
    name: str,
    key: object,
    issuer: x509.Name,
    signer: PRIVATE,
    extensions: Iterable[Extension] = (),
    *,
    after: dt.datetime = AT - DAY,
    before: dt.datetime = AT + DAY,
    algorithm: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(after)
        .not_valid_after(before)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, algorithm or hashes.SHA256())


class SoftCard:
    """A YubiKey's attestation, in software; ``after`` and ``before`` for another time than ``AT``."""

    def __init__(self, **times: dt.datetime) -> None:
        self.maker = Authority.root("maker", **times)
        self.between = self.maker.authority("between", **times)
        self.f9 = self.between.authority("card", length=0, **times)
        self.key = ec.generate_private_key(P256)

    def extensions(self, **changes: bytes | None) -> list[Extension]:
        """Keyword: o3, o7, o8, o9; None leaves one out."""
        said = {"o3": b"\x05\x04\x03", "o7": b"\x02\x04\x00\xbc\x61\x4e", "o8": b"\x02\x03", "o9": b"\x03", **changes}
        return [unknown(PIV + name[1:], octets) for name, octets in said.items() if octets is not None]

    def evidence(self, extensions: Iterable[Extension] | None = None, key: object = None, **changes) -> PivEvidence:
        own = self.extensions() if extensions is None else extensions
        leaf = self.f9.issue("YubiKey PIV Attestation 9a", key or self.key.public_key(), own, **changes)
        return PivEvidence((der(leaf), der(self.f9.certificate), der(self.between.certificate)))


def sized(octets: bytes) -> bytes:
    return struct.pack(">H", len(octets)) + octets


def area_of(key: ec.EllipticCurvePublicKey, purpose: Purpose = Purpose.SIGN, **changes) -> PublicArea:
    numbers, size = key.public_numbers(), key.key_size // 8
    area = template_for(purpose, key.curve)
    return replace(area, **{"x": numbers.x.to_bytes(size), "y": numbers.y.to_bytes(size), **changes})


@dataclass(frozen=True)
class Statement:
    """A TPMS_ATTEST, and what else may be wrong with it."""

    name: bytes
    nonce: bytes
    magic: int = 0xFF544347
    kind: int = 0x8017
    end: bytes = b""

    def encode(self) -> bytes:
        head = struct.pack(">IH", self.magic, self.kind) + sized(b"\0\x0b" + bytes(32)) + sized(self.nonce)
        clock = struct.pack(">QIIB", 1, 2, 3, 1) + bytes.fromhex("2016051100162800")
        return head + clock + sized(self.name) + sized(b"\0\x0b" + bytes(32)) + self.end


class SoftTpm:
    """A TPM's certification of a key, in software, and the authority that enrolled it."""

    maker = Maker("IBM", "model", "id:1")

    def __init__(self) -> None:
        self.authority = Authority.root("enrolment")
        self.attestation = ec.generate_private_key(P256)
        self.key = ec.generate_private_key(P256)
        self.certificate = self.certified()

    def certified(self, extensions: Iterable[Extension] | None = None, key: object = None, **changes) -> bytes:
        own = [
            (x509.ExtendedKeyUsage([ATTESTATION_PURPOSE]), False),
            (x509.SubjectAlternativeName([general_name(self.maker)]), True),
        ]
        public = key or self.attestation.public_key()
        return der(self.authority.issue("ak", public, own if extensions is None else extensions, **changes))

    def area(self, **changes) -> PublicArea:
        return area_of(self.key.public_key(), **changes)

    def evidence(self, nonce: bytes, *, area: PublicArea | None = None, **changes) -> TpmEvidence:
        shown = area or self.area()
        return self.signed(Statement(shown.name(), nonce, **changes).encode(), shown.encode())

    def signed(
        self, attest: bytes, public: bytes, *, by: object = None, scheme: int = 0x18, number: int = 0xB
    ) -> TpmEvidence:
        key = by or self.attestation
        algorithm = hashes.SHA384() if number == 0xC else hashes.SHA256()
        r, s = utils.decode_dss_signature(key.sign(attest, ec.ECDSA(algorithm)))
        signature = struct.pack(">HH", scheme, number) + sized(r.to_bytes(32)) + sized(s.to_bytes(32))
        return TpmEvidence(attest, signature, public, (self.certificate,))


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)
