# SPDX-License-Identifier: Apache-2.0
"""Lists and answers in pieces that can be changed, signed by whoever would have signed the right thing."""

from dataclasses import dataclass, field, replace
from hashlib import sha1

from support import certchains as org
from support.certchains import (
    MIDDLE_KEY,
    MIDDLE_NAME,
    ROOT_KEY,
    ROOT_NAME,
    Certificate,
    Key,
    algorithm_of,
    key_id,
    sign_with,
)
from support.certparts import CRITICAL, extension, integer, oid, tlv

NUMBER, DELTA, IDP, CRL_AKI = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35"
REASON, HOLD, SINCE, ENTRY_ISSUER = "2.5.29.21", "2.5.29.23", "2.5.29.24", "2.5.29.29"
THIS, NEXT = tlv(0x17, b"260630120000Z"), tlv(0x17, b"260708120000Z")


def number(value: int) -> bytes:
    return extension(NUMBER, integer(value))


def idp(*parts: bytes, critical: bytes = CRITICAL) -> bytes:
    return extension(IDP, tlv(0x30, *parts), critical=critical)


def entry(serial: int, *extensions: bytes, time: bytes = tlv(0x17, b"260601000000Z")) -> bytes:
    return tlv(0x30, integer(serial), time, tlv(0x30, *extensions) if extensions else b"")


def reason(code: int, *, critical: bytes = b"") -> bytes:
    return extension(REASON, tlv(0x0A, bytes([code])), critical=critical)


@dataclass(frozen=True)
class Crl:
    """A list; ``extensions`` are whole, by OID, empty octets leave one out."""

    issuer: bytes = MIDDLE_NAME
    signer: Key = MIDDLE_KEY
    entries: tuple[bytes, ...] = ()
    number: int = 5
    extensions: dict[str, bytes] = field(default_factory=dict)
    version: bytes = integer(1)
    this: bytes = THIS
    next: bytes = NEXT
    algorithm: bytes | None = None
    outer: bytes | None = None
    revoked: bytes | None = None
    wrap: int = 0xA0
    extra: bytes = b""
    behind: bytes = b""
    second_list: bytes = b""

    def with_(self, **changes: object) -> "Crl":
        return replace(self, **changes)

    def der(self) -> bytes:
        algorithm = self.algorithm or algorithm_of(self.signer)
        aki = extension(CRL_AKI, tlv(0x30, tlv(0x80, key_id(self.signer))))
        listed = {CRL_AKI: aki, NUMBER: number(self.number)} | self.extensions
        entries = tlv(0x30, *self.entries) if self.entries else b""
        tbs = tlv(
            0x30,
            self.version,
            algorithm,
            self.issuer,
            self.this,
            self.next,
            entries if self.revoked is None else self.revoked,
            tlv(self.wrap, tlv(0x30, *listed.values()), self.second_list),
            self.extra,
        )
        return tlv(0x30, tbs, self.outer or algorithm, tlv(0x03, b"\0", sign_with(self.signer, tbs))) + self.behind


def root_crl(**changes: object) -> Crl:
    return Crl(ROOT_NAME, ROOT_KEY).with_(**changes)


OCSP_SIGNER_KEY = org.ec.derive_private_key(0x0C5B, org.ec.SECP256R1())
NO_CHECK = "1.3.6.1.5.5.7.48.1.5"
OCSP_EKU = "1.3.6.1.5.5.7.3.9"
SHA1 = bytes.fromhex("300906052b0e03021a0500")


def key_bits(key: Key) -> bytes:
    from hardwire.certs import der

    return der.parse(org.spki_of(key)).children[1].content[1:]


def delegate(**also: bytes) -> Certificate:
    """The certificate of somebody whom the issuing authority names for answers."""
    extensions = {
        org.USAGE: org.usage_bits("03020780"),
        org.EKU: org.eku_of(OCSP_EKU),
        org.AKI: org.aki_of(MIDDLE_KEY),
        NO_CHECK: extension(NO_CHECK, tlv(0x05)),
    }
    made = Certificate(org.utf8_name("answers"), MIDDLE_NAME, OCSP_SIGNER_KEY, MIDDLE_KEY, extensions, serial=0x77)
    return made.with_(also=also)


@dataclass(frozen=True)
class Ocsp:
    """An answer in pieces."""

    serial: int = 0x30
    issuer: bytes = MIDDLE_NAME
    issuer_key: Key = MIDDLE_KEY
    signer: Key = MIDDLE_KEY
    signer_name: bytes = MIDDLE_NAME
    certificate: bytes | None = None
    status: bytes = tlv(0x80)
    this: bytes = tlv(0x18, b"20260701100000Z")
    next: bytes = tlv(0xA0, tlv(0x18, b"20260702100000Z"))
    responder: bytes | None = None
    produced: bytes = tlv(0x18, b"20260701100000Z")
    more_single: bytes = b""
    more_data: bytes = b""
    more_basic: bytes | None = None
    twice: bool = False
    hash_id: bytes = SHA1
    hashed: tuple[bytes, bytes] | None = None
    algorithm: bytes | None = None
    kind: bytes = oid("1.3.6.1.5.5.7.48.1.1")
    result: bytes = tlv(0x0A, b"\0")
    signature: bytes | None = None

    def with_(self, **changes: object) -> "Ocsp":
        return replace(self, **changes)

    def der(self) -> bytes:
        hashed = self.hashed or (sha1(self.issuer).digest(), sha1(key_bits(self.issuer_key)).digest())
        identity = tlv(0x30, self.hash_id, *(tlv(0x04, one) for one in hashed), integer(self.serial))
        single = tlv(0x30, identity, self.status, self.this, self.next, self.more_single)
        responder = tlv(0xA1, self.signer_name) if self.responder is None else self.responder
        data = tlv(0x30, responder, self.produced, tlv(0x30, single, single if self.twice else b""), self.more_data)
        algorithm = self.algorithm or algorithm_of(self.signer)
        certs = b"" if self.certificate is None else tlv(0xA0, tlv(0x30, self.certificate))
        signature = tlv(0x03, b"\0", sign_with(self.signer, data)) if self.signature is None else self.signature
        basic = tlv(0x30, data, algorithm, signature, certs if self.more_basic is None else self.more_basic)
        return tlv(0x30, self.result, tlv(0xA0, tlv(0x30, self.kind, tlv(0x04, basic))))


def delegated(**also: bytes) -> Ocsp:
    certificate = delegate(**also)
    return Ocsp(signer=OCSP_SIGNER_KEY, signer_name=certificate.subject, certificate=certificate.der())
